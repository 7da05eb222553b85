"""One vector per video: pooled frames, text channels, and all channels joined.

Vectors of different models never meet: every function that could mix them raises
`ModelMismatch` and names both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ml.library_schemas import VIDEO_EMBEDDINGS

# A one-frame video may stand for 0 s; with this floor its frame still counts.
_MIN_FRAME_S = 1e-3
# Below this share of the mean length, frames cancel out and the direction left is rounding error.
_MIN_NORM = 1e-6
# Shares that differ by less than a thousandth say nothing.
_SMALLEST_VARIANCE = 1e-6


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


def joint_vectors(
    channels: Mapping[str, tuple[Sequence[str], np.ndarray]],
    weights: Mapping[str, float] | None = None,
    *,
    trust: Mapping[str, np.ndarray] | None = None,
    whole: Collection[str] = (),
) -> tuple[list[str], np.ndarray]:
    """One vector per video from every channel it has.

    Each channel is standardised (each column to mean 0 and deviation 1), scaled so that its mean
    squared length is its weight whatever its dimension, and laid side by side. A channel that a
    video lacks is zeros, which is the channel's mean: it pulls towards nothing. The blocks that a
    video has are scaled up to the full weight, so that a video with a title alone is not closer
    to the middle than one with every channel.

    Args:
        channels: name to (video ids, float32[len(ids), dimension]).
        weights: name to weight > 0; 1 where absent.
        trust: name to float[len(ids)] > 0, by which a video's weight in the channel is multiplied;
            1 where absent.
        whole: channels whose columns keep their proportions, being centred only: the last columns
            of an SVD are small because they matter little.

    Returns:
        The ids, sorted, and float32[len(ids), sum of dimensions]; blocks by channel name.

    Raises:
        ValueError: an id twice in a channel, ids and rows that differ in number, or a value that
            is not finite.
    """
    names = sorted(name for name, (ids, _) in channels.items() if len(ids))
    ids = sorted({i for name in names for i in channels[name][0]})
    place = {video_id: row for row, video_id in enumerate(ids)}
    blocks, present = [], np.zeros(len(ids))
    for name in names:
        weight = (weights or {}).get(name, 1.0)
        rows, block = _channel_block(name, *channels[name], place, whole=name in whole)
        share = weight * (trust or {}).get(name, np.ones(len(rows)))
        full = np.zeros((len(ids), block.shape[1]), np.float32)
        full[rows] = block * np.sqrt(share)[:, None]
        present[rows] += share
        blocks.append(full)
    if not blocks:
        return [], np.zeros((0, 0), np.float32)
    return ids, np.hstack(blocks) * np.sqrt(present.max() / present)[:, None].astype(np.float32)


def without_trend(vectors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What a least-squares line on ``values`` leaves of each column; float32[n, d].

    A text model that does not know a language gives all of its texts much the same vector. With
    the share of such text as ``values``, that common direction goes, and a theme's videos in two
    languages can meet.

    Args:
        vectors: float32[n, d].
        values: float[n].
    """
    spread = values - values.mean() if len(values) else values
    square = float(spread @ spread)
    if square <= len(values) * _SMALLEST_VARIANCE:
        return vectors.astype(np.float32)
    slope = spread @ vectors.astype(np.float64) / square
    return (vectors - np.outer(spread, slope)).astype(np.float32)


def require_finite(vectors: np.ndarray, what: str) -> None:
    """Raises ValueError, with how many of the rows are bad, unless every value is finite."""
    bad = int((~np.isfinite(vectors).all(axis=1)).sum()) if vectors.size else 0
    if bad:
        raise ValueError(
            f"{bad} of {len(vectors)} vectors of {what} hold NaN or infinite values: recompute them"
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


def _channel_block(
    name: str,
    ids: Sequence[str],
    matrix: np.ndarray,
    place: Mapping[str, int],
    *,
    whole: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of a channel's videos, and its rows standardised to mean squared length 1."""
    if len(ids) != len(matrix):
        raise ValueError(f"channel {name!r}: {len(ids)} ids for {len(matrix)} vectors")
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if list(ids).count(i) > 1)
        raise ValueError(f"channel {name!r} holds video {twice!r} twice")
    require_finite(matrix, f"channel {name!r}")
    rows = np.array([place[i] for i in ids], np.int64)
    centred = matrix - matrix.mean(axis=0, dtype=np.float64)
    if whole:
        length = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
        scaled = centred / length if length > 1e-6 else np.zeros(matrix.shape)
        return rows, scaled.astype(np.float32)
    deviation = centred.std(axis=0)
    # Two of MiniLM's 384 columns are constant: dividing by 0 would fill them with NaN.
    varying = deviation > 1e-6
    centred = centred[:, varying] / deviation[varying]
    block = np.zeros(matrix.shape, np.float32)
    block[:, varying] = centred / np.sqrt(max(1, int(varying.sum())))
    return rows, block
