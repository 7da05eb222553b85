"""The library-wide tables: rows made from the whole library, not from one batch.

Declared once, as in ``ml/schemas.py``; the ClickHouse tables of the same names have the same
columns. Vectors of one table and one ``model`` have one length.
"""

from __future__ import annotations

import pyarrow as pa

from ml.schemas import MODEL, VECTOR, Dataset, column

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

LIBRARY_DATASETS: dict[str, Dataset] = {d.name: d for d in (VIDEO_EMBEDDINGS, TOPICS, VIDEO_TOPICS)}
