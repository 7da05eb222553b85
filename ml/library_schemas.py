"""The library-wide tables: rows made from the whole library, not from one batch.

Declared once, as in ``ml/schemas.py``; the ClickHouse tables of the same names have the same
columns. Vectors of one table and one ``model`` have one length.
"""

from __future__ import annotations

import pyarrow as pa

from ml.schemas import MODEL, PAIR_COLUMNS, SECONDS, STRINGS, VECTOR, Dataset, column

_VIDEO = column("video_id", pa.string(), "the video, as in `videos`")

VIDEO_EMBEDDINGS = Dataset(
    "video_embeddings",
    "a video's vector in one channel",
    pa.schema(
        [
            _VIDEO,
            column("channel", pa.string(), "visual, title, description, asr or ocr"),
            MODEL,
            column("word_count", pa.int32(), "words behind the vector; 0 for visual"),
            column("embedding", VECTOR, "unit-length vector"),
        ]
    ),
    ("video_id", "channel"),
)

TOPICS = Dataset(
    "topics",
    "a topic: videos that are about the same thing",
    pa.schema(
        [
            column("topic_id", pa.int32(), "stays the topic's own from one clustering to the next"),
            column("name", pa.string(), "given by hand, or the topic's foremost terms"),
            column("terms", STRINGS, "what sets its words apart, foremost first"),
            column("size", pa.int64(), "videos in it"),
            column("centroid", VECTOR, "mean of its videos' vectors in the space of topics"),
            column("exemplar_video_ids", STRINGS, "up to 3 videos nearest the centre"),
            column("model", pa.string(), "names and revisions of the models behind the vectors"),
            column("found_name", pa.string(), "its foremost terms, whatever name it was given"),
            column("hidden", pa.bool_(), "whether it was hidden by hand"),
            column("taxonomy_path", pa.string(), "nearest entry of the taxonomy; empty for none"),
            column("taxonomy_score", pa.float32(), "0 to 1, how near that entry is"),
            column("reach", pa.float32(), "how far from the centroid a new video may be to join"),
            column("map_x", pa.float32(), "place on the map of topics, 0 to 1"),
            column("map_y", pa.float32(), "place on the map of topics, 0 to 1"),
        ]
    ),
    ("topic_id",),
)

VIDEO_TOPICS = Dataset(
    "video_topics",
    "a video's topic",
    pa.schema(
        [
            _VIDEO,
            column("topic_id", pa.int32(), "the topic, as in `topics`; -1 for none"),
            column("probability", pa.float32(), "0 to 1, how surely it belongs; 0 for none"),
            column(
                "distance", pa.float32(), "Euclidean, to its topic's centroid (none: the nearest)"
            ),
            column("source", pa.string(), "clustered, joined (it came later), or none"),
        ]
    ),
    ("video_id",),
)

PEOPLE = Dataset(
    "people",
    "a person who appears in several videos, or whose name is known",
    pa.schema(
        [
            column("person_id", pa.int32(), "stays the person's own from one clustering on"),
            column("name", pa.string(), "given by hand or known by a picture; empty if unknown"),
            column("is_known", pa.bool_(), "whether a picture in known_people gave the name"),
            column("hidden", pa.bool_(), "whether the person was hidden by hand"),
            column("size", pa.int64(), "videos the person appears in"),
            column("face_count", pa.int64(), "faces in kept frames, over all videos"),
            column("screen_s", pa.float64(), "seconds on screen, over all videos"),
            column("centroid", VECTOR, "unit-length mean of the person's vectors in videos"),
            column("reach", pa.float32(), "how far from the centroid a new face may be to join"),
            column("crop", pa.binary(), "the face nearest the centroid, RGB JPEG"),
            column("best_video_id", pa.string(), "the video of that face"),
            column("best_s", pa.float64(), "its time in that video"),
            column("model", pa.string(), "name and revision of the models behind the vectors"),
        ]
    ),
    ("person_id",),
)

VIDEO_PEOPLE = Dataset(
    "video_people",
    "a person in a video",
    pa.schema(
        [
            _VIDEO,
            column("person_no", pa.int32(), "0, 1, ... within the video, longest on screen first"),
            column(
                "person_id", pa.int32(), "the person, as in `people`; -1 for one seen here only"
            ),
            column("rank", pa.int32(), "1 for who is longest on screen in the video"),
            column("screen_share", pa.float32(), "share of the video's length on screen, 0 to 1"),
            column("screen_s", pa.float64(), "seconds on screen"),
            column("face_count", pa.int32(), "faces in kept frames"),
            column("first_s", pa.float64(), "when first seen"),
            column("best_s", pa.float64(), "when the face of the best quality is shown"),
            column("starts_s", SECONDS, "by appearance, in the video's time"),
            column("ends_s", SECONDS, "by appearance, in the video's time"),
            column("quality", pa.float32(), "of the best face, 0 to 1"),
            column("probability", pa.float32(), "0 to 1, how surely it is that person; 0 for none"),
            column("distance", pa.float32(), "Euclidean, to the person's centroid (none: nearest)"),
            column("source", pa.string(), "clustered, joined (it came later), or none"),
        ]
    ),
    ("video_id", "person_no"),
)

CHANGES = ("appeared", "vanished", "split", "merged")


def _changes(name: str, one: str) -> Dataset:
    return Dataset(
        name,
        f"what became of a {one} in a clustering, where it did not simply stay",
        pa.schema(
            [
                column("clustering_no", pa.int32(), "1, 2, ...: the full clustering"),
                column("change", pa.string(), ", ".join(CHANGES)),
                column(f"{one}_id", pa.int32(), f"the {one}: the old one, of a new one its own"),
                column("name", pa.string(), f"the {one}'s name then"),
                column("other_ids", pa.list_(pa.field("item", pa.int32(), nullable=False)),
                       "split: what it fell into; merged: what went into it"),
                column("size_before", pa.int64(), "members before; 0 for a new one"),
                column("size_after", pa.int64(), "members after; 0 for one that is gone"),
            ]
        ),
        ("clustering_no", "change", f"{one}_id"),
    )  # fmt: skip


TOPIC_CHANGES = _changes("topic_changes", "topic")
PEOPLE_CHANGES = _changes("people_changes", "person")

DUPLICATE_PAIRS = Dataset(
    "duplicate_pairs",
    "a video and an earlier one that share pictures or sound",
    pa.schema(PAIR_COLUMNS),
    ("copy_id", "original_id"),
)

DUPLICATE_GROUPS = Dataset(
    "duplicate_groups",
    "a video of a group of copies",
    pa.schema(
        [
            _VIDEO,
            column("group_id", pa.string(), "id of the group's earliest video, its original"),
            column("is_original", pa.bool_(), "whether it is that video"),
            column("group_size", pa.int32(), "videos in the group"),
            column("score", pa.float32(), "of its pair with the original; 1 for the original"),
        ]
    ),
    ("video_id",),
)

COPYRIGHT_HITS = Dataset(
    "copyright_hits",
    "a video that holds pictures or sound of a licensed one",
    pa.schema(
        [
            _VIDEO,
            column("licence_id", pa.string(), "the licensed video"),
            *(field for field in PAIR_COLUMNS if field.name in {"verdict", "score", "reason"}),
            column("starts_s", SECONDS, "by segment, in the video's time"),
            column("ends_s", SECONDS, "by segment, in the video's time"),
            column("licence_starts_s", SECONDS, "by segment, in the licensed video's time"),
            column("licence_ends_s", SECONDS, "by segment, in the licensed video's time"),
            column("matched_s", pa.float64(), "seconds of the video that are matched"),
        ]
    ),
    ("video_id", "licence_id"),
)

LIBRARY_DATASETS: dict[str, Dataset] = {
    d.name: d
    for d in (
        *(VIDEO_EMBEDDINGS, TOPICS, VIDEO_TOPICS, TOPIC_CHANGES),
        *(PEOPLE, VIDEO_PEOPLE, PEOPLE_CHANGES),
        *(DUPLICATE_PAIRS, DUPLICATE_GROUPS, COPYRIGHT_HITS),
    )
}

TAGS = Dataset(
    "tags",
    "a tag: an entry of the taxonomy",
    pa.schema(
        [
            column("tag_id", pa.int64(), "made from the path: the same in every library"),
            column("path", pa.string(), "its names from the top, as in `A: B: C`"),
            column("level", pa.int32(), "1 to 3"),
            column("parent_id", pa.int64(), "the tag above; 0 at the top"),
            column("names", STRINGS, "its own name in every language"),
            column("aliases", STRINGS, "further words for it"),
            column("taxonomy", pa.string(), "version of the taxonomy"),
        ]
    ),
    ("tag_id",),
)

VIDEO_TAGS = Dataset(
    "video_tags",
    "a tag of a video; the tags above it are not told",
    pa.schema(
        [
            _VIDEO,
            column("rank", pa.int32(), "1, 2, ...: by source as listed there, then the surest"),
            column("tag_id", pa.int64(), "the tag, as in `tags`"),
            column("path", pa.string(), "its names from the top, as in `A: B: C`"),
            column("level", pa.int32(), "1 to 3"),
            column("confidence", pa.float32(), "0 to 1"),
            column("source", pa.string(), "catalogue, trained or zero_shot"),
        ]
    ),
    ("video_id", "rank"),
)

VIDEO_KEYWORDS = Dataset(
    "video_keywords",
    "a keyword of a video",
    pa.schema(
        [
            _VIDEO,
            column("rank", pa.int32(), "1, 2, ...: the foremost first"),
            column("keyword", pa.string(), "as shown"),
            column("lemma", pa.string(), "its words' dictionary forms, the same in every video"),
            column("weight", pa.float32(), "TF-IDF against the library"),
            column("language", pa.string(), "ISO 639-1; empty where unknown"),
        ]
    ),
    ("video_id", "rank"),
)

TAG_EVALUATION = Dataset(
    "tag_evaluation",
    "how well tags agree with the catalogue's own, in cross-validation",
    pa.schema(
        [
            column(
                "split",
                pa.string(),
                "random or grouped folds (series stay together); none for zero_shot",
            ),
            column("method", pa.string(), "trained, nearest (likest video), constant, zero_shot"),
            column("scope", pa.string(), "all, level 1, level 2, level 3, rare"),
            column("iou", pa.float64(), "mean intersection over union, of `all`", nullable=True),
            column("precision", pa.float64(), "of pairs of video and tag with prefixes"),
            column("recall", pa.float64(), "of pairs of video and tag with prefixes"),
            column("tags", pa.int32(), "tags of that scope that videos have"),
            column("videos", pa.int32(), "labelled videos"),
            column("evaluated_on", pa.date32(), "day of the training"),
        ]
    ),
    ("split", "method", "scope"),
)

SEARCH_VOCABULARY = Dataset(
    "search_vocabulary",
    "a word of the library, or two that stand side by side",
    pa.schema(
        [
            column("word", pa.string(), "in lower case, with е for ё; two are joined by a space"),
            column("lemma", pa.string(), "dictionary form, of each word"),
            column("words", pa.int32(), "1 or 2"),
            column("videos", pa.int64(), "videos that have it in any text"),
            column("title_videos", pa.int64(), "videos that have it in their title"),
        ]
    ),
    ("word",),
)
