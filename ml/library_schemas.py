"""The library-wide tables: rows made from the whole library, not from one batch.

Declared once, as in ``ml/schemas.py``; the ClickHouse tables of the same names have the same
columns. Vectors of one table and one ``model`` have one length.
"""

from __future__ import annotations

import pyarrow as pa

from ml.schemas import MODEL, PAIR_COLUMNS, SECONDS, VECTOR, Dataset, column

_STRINGS = pa.list_(pa.field("item", pa.string(), nullable=False))

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
            column("topic_id", pa.int32(), "0, 1, ...; the largest topic first"),
            column("name", pa.string(), "the topic's foremost terms, for people"),
            column("terms", _STRINGS, "what sets its words apart, foremost first"),
            column("size", pa.int64(), "videos in it"),
            column("centroid", VECTOR, "mean of its videos' vectors, before standardising"),
            column("exemplar_video_ids", _STRINGS, "up to 3 videos nearest the centre"),
            column("model", pa.string(), "names and revisions of the models behind the vectors"),
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
        ]
    ),
    ("video_id",),
)

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
        *(VIDEO_EMBEDDINGS, TOPICS, VIDEO_TOPICS),
        *(DUPLICATE_PAIRS, DUPLICATE_GROUPS, COPYRIGHT_HITS),
    )
}
