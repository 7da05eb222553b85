"""One vector per video and channel: pooled frames, and text channels.

Vectors of different models never meet: every function that could mix them raises
`ModelMismatch` and names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ml.library_schemas import VIDEO_EMBEDDINGS
from ml.schemas import VECTOR

# A one-frame video may stand for 0 s; with this floor its frame still counts.
_MIN_FRAME_S = 1e-3
# Below this share of the mean length, frames cancel out and the direction left is rounding error.
_MIN_NORM = 1e-6


class ModelMismatch(ValueError):
    """Vectors of two models, or of two lengths, were about to meet."""


@dataclass
class _Sum:
    """The running duration-weighted sum of one video's frame embeddings."""

    video_id: str
    model: str
    total: np.ndarray
    weight_s: float = field(default=0.0)

    def add(self, total: np.ndarray, weight_s: float, model: str) -> None:
        if model != self.model or len(total) != len(self.total):
            raise ModelMismatch(
                f"frames of video {self.video_id!r} were embedded by {self.model!r} "
                f"({len(self.total)} dimensions) and by {model!r} ({len(total)}): "
                "recompute `visual` for its batch"
            )
        self.total += total
        self.weight_s += weight_s


def list_matrix(column: pa.Array) -> np.ndarray:
    """A column of equally long float lists as float32[rows, dimension].

    Raises:
        ModelMismatch: lists of different lengths.
    """
    if len(column) == 0:
        return np.zeros((0, 0), np.float32)
    lengths = np.diff(column.offsets.to_numpy())
    if (lengths != lengths[0]).any():
        raise ModelMismatch(
            f"vectors of {lengths.min()} and of {lengths.max()} dimensions in one column"
        )
    # flatten() honours the slice's offset, .values does not.
    return column.flatten().to_numpy().astype(np.float32).reshape(len(column), lengths[0])


def as_list_array(vectors: np.ndarray) -> pa.ListArray:
    """float32[n, d] as n lists, without copying through Python."""
    n, dimension = vectors.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * dimension)
    values = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return pa.ListArray.from_arrays(offsets, values, type=VECTOR)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each row of float[n, d] at length 1, float32.

    Raises:
        FloatingPointError: a row is zero, or not finite.
    """
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise FloatingPointError("the model gave a vector that is zero or not finite")
    return vectors / lengths


def pool_frames(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A stream of `visual` rows to one `video_embeddings` row per video, in the same order.

    The vector is the mean of the video's frames weighted by `duration_s`, of unit length. A video
    may span record batches; only one video's sum is held. A video whose frames cancel out to
    nothing has no row.

    Raises:
        ModelMismatch: one video's frames come from two models.
    """
    open_sum: _Sum | None = None
    for batch in batches:
        finished: list[_Sum] = []
        for run in _runs(batch):
            if open_sum is not None and open_sum.video_id == run.video_id:
                open_sum.add(run.total, run.weight_s, run.model)
                continue
            if open_sum is not None:
                finished.append(open_sum)
            open_sum = run
        yield from _pooled_rows(finished)
    if open_sum is not None:
        yield from _pooled_rows([open_sum])


def text_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A stream of `text` rows as `video_embeddings` rows: the same vectors, without the text."""
    for batch in batches:
        yield batch.select(VIDEO_EMBEDDINGS.schema.names).cast(VIDEO_EMBEDDINGS.schema)


def require_finite(vectors: np.ndarray, what: str, names: Sequence[str] = ()) -> None:
    """Raises ValueError, with how many of the rows are bad, unless every value is finite.

    Args:
        vectors: float[n, d].
        what: whose vectors, for the message.
        names: n names, of which the message gives the first bad one; or none.
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1)) if vectors.size else np.zeros(0, int)
    if len(bad):
        such = f", such as that of {names[int(bad[0])]}" if len(names) else ""
        raise ValueError(
            f"{len(bad)} of {len(vectors)} vectors of {what} hold NaN or infinite values{such}: "
            "recompute them"
        )


def _runs(batch: pa.RecordBatch) -> list[_Sum]:
    """The sums of each run of rows with one video and one model."""
    if batch.num_rows == 0:
        return []
    videos = batch.column("video_id").to_numpy(zero_copy_only=False)
    models = batch.column("model").to_numpy(zero_copy_only=False)
    weight_s = np.maximum(batch.column("duration_s").to_numpy(), _MIN_FRAME_S)
    vectors = list_matrix(batch.column("embedding")).astype(np.float64)
    changes = (videos[1:] != videos[:-1]) | (models[1:] != models[:-1])
    starts = np.flatnonzero(np.r_[True, changes])
    totals = np.add.reduceat(vectors * weight_s[:, None], starts, axis=0)
    seconds = np.add.reduceat(weight_s, starts)
    return [
        _Sum(str(videos[at]), str(models[at]), total, float(s))
        for at, total, s in zip(starts, totals, seconds, strict=True)
    ]


def _pooled_rows(sums: Sequence[_Sum]) -> Iterator[pa.RecordBatch]:
    norms = [float(np.linalg.norm(s.total)) for s in sums]
    kept = [
        (s, s.total / norm)
        for s, norm in zip(sums, norms, strict=True)
        if not norm <= _MIN_NORM * s.weight_s  # NaN stays in, for the index to refuse aloud
    ]
    if kept:
        yield pa.RecordBatch.from_pylist(
            [
                {
                    "video_id": s.video_id,
                    "channel": "visual",
                    "model": s.model,
                    "word_count": 0,
                    "embedding": vector.astype(np.float32),
                }
                for s, vector in kept
            ],
            schema=VIDEO_EMBEDDINGS.schema,
        )
