"""Spoken segments and how they become rows of `asr`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import pyarrow as pa

from ml.schemas import ASR

ROWS_PER_BATCH = 256  # some ten minutes of speech; a few tens of kB


@dataclass(frozen=True)
class Segment:
    """What one row says, without its video and number. Times are seconds in the video."""

    start_s: float
    end_s: float
    text: str
    language: str
    confidence: float


class Recogniser(Protocol):
    """A speech model that is loaded once and given whole batches of videos."""

    model: str

    def recognise(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of `audio` in, rows of `asr` out, both in the order of the videos.

        Lazy: a few windows of 30 s are held at a time. A video without speech has no rows.
        """
        ...


def record_batches(
    spoken: Iterable[tuple[str, list[Segment]]], model: str
) -> Iterator[pa.RecordBatch]:
    """Rows of `asr` from ``(video_id, segments)`` in order; a video may come in several pieces.

    Segments without text are left out; numbers run from 0 within a video.
    """
    rows: list[dict[str, Any]] = []
    for video_id, pieces in groupby(spoken, key=lambda piece: piece[0]):
        segments = (s for _, piece in pieces for s in piece if s.text.strip())
        for segment_no, segment in enumerate(segments):
            rows.append(_row(video_id, segment_no, segment, model))
            if len(rows) >= ROWS_PER_BATCH:
                yield pa.RecordBatch.from_pylist(rows, schema=ASR.schema)
                rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=ASR.schema)


def _row(video_id: str, segment_no: int, segment: Segment, model: str) -> dict[str, Any]:
    confidence = segment.confidence if math.isfinite(segment.confidence) else 0.0
    return {
        "video_id": video_id,
        "segment_no": segment_no,
        "start_s": segment.start_s,
        "end_s": max(segment.start_s, segment.end_s),
        "text": " ".join(segment.text.split()),
        "language": segment.language,
        "confidence": min(1.0, max(0.0, confidence)),
        "model": model,
    }
