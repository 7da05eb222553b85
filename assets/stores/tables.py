"""Which tables there are, and which dataset fills which."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ml.library_schemas import (
    COPYRIGHT_HITS,
    DUPLICATE_GROUPS,
    DUPLICATE_PAIRS,
    PEOPLE,
    PEOPLE_CHANGES,
    SEARCH_VOCABULARY,
    TAG_EVALUATION,
    TAGS,
    TOPIC_CHANGES,
    TOPICS,
    VIDEO_EMBEDDINGS,
    VIDEO_KEYWORDS,
    VIDEO_PEOPLE,
    VIDEO_TAGS,
    VIDEO_TOPICS,
)
from ml.schemas import (
    ASR,
    CAPTIONS,
    FACES,
    FRAMES,
    OCR,
    PASSAGE_EMBEDDINGS,
    PASSAGES,
    TEXT,
    VIDEOS,
    VISUAL,
    Dataset,
)


@dataclass(frozen=True)
class Table:
    """A table and the dataset its rows are.

    Attributes:
        by_batch: it is filled by batch, not whole.
        with_batch: it is filled when the batch is loaded; the others by steps of the library.
        left_out: columns that stay in Parquet.
    """

    name: str
    dataset: Dataset
    by_batch: bool = True
    with_batch: bool = True
    left_out: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The loaded columns, without ``batch``, which a batch table has beside them."""
        return pa.schema([f for f in self.dataset.schema if f.name not in self.left_out])

    @property
    def columns(self) -> list[str]:
        """Their names: what to read from the Parquet file."""
        return self.schema.names


TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        Table("videos", VIDEOS),
        Table("frames", FRAMES, left_out=("jpeg",)),
        Table("asr_segments", ASR),
        Table("ocr_lines", OCR),
        Table("frame_embeddings", VISUAL),
        Table("video_texts", TEXT, left_out=("embedding",)),
        Table("video_embeddings", VIDEO_EMBEDDINGS),
        Table("faces", FACES, left_out=("crop",)),
        Table("captions", CAPTIONS),
        Table("passages", PASSAGES),
        Table("passage_embeddings", PASSAGE_EMBEDDINGS),
        Table("video_tags", VIDEO_TAGS, with_batch=False),
        Table("video_keywords", VIDEO_KEYWORDS, with_batch=False),
        Table("tags", TAGS, by_batch=False),
        Table("tag_evaluation", TAG_EVALUATION, by_batch=False),
        Table("search_vocabulary", SEARCH_VOCABULARY, by_batch=False),
        Table("topics", TOPICS, by_batch=False),
        Table("video_topics", VIDEO_TOPICS, by_batch=False),
        Table("topic_changes", TOPIC_CHANGES, by_batch=False),
        Table("people", PEOPLE, by_batch=False),
        Table("video_people", VIDEO_PEOPLE, by_batch=False),
        Table("people_changes", PEOPLE_CHANGES, by_batch=False),
        Table("duplicate_pairs", DUPLICATE_PAIRS, by_batch=False),
        Table("duplicate_groups", DUPLICATE_GROUPS, by_batch=False),
        Table("copyright_hits", COPYRIGHT_HITS, by_batch=False),
    )
}
