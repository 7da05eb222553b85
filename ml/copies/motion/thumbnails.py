"""A video's movement as tiny thumbnails, eight a second, brought to one mean and contrast.

One contrast, so that fades and filters don't count as movement.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ml.copies.evidence import F32, F64, Motion

SIZE = 32  # pixels across and down

# A flat thumbnail is not blown up beyond its noise.
_CONTRAST, _FLAT = 30.0, 4.0
# The spread at one contrast of thumbnails that had 3 levels: flatter ones show nothing to compare.
LEAST_SPREAD = _CONTRAST * 3.0 / (3.0 + _FLAT)


def motion_of(rows: Iterable[pa.RecordBatch]) -> Motion | None:
    """The thumbnails of one video's rows of `motion`, part after part; None without rows.

    Where the pictures begin later than 0 (the sound began first), the first thumbnail is repeated,
    so that thumbnail i is shown at ``i / fps``.
    """
    from ml.media.rows import decode_motion

    fps, parts, count = 0.0, [], 0
    for row in (row for batch in rows for row in batch.to_pylist()):
        fps = row["fps"]
        luma = decode_motion(row["luma_zstd"], row["thumbnail_count"], row["size"])
        late = max(0, round(row["start_s"] * fps) - count)
        parts += [np.repeat(luma[:1], late, axis=0), luma]
        count += late + len(luma)
    return Motion(fps=fps, luma=np.concatenate(parts)) if parts else None


def at_one_contrast(motion: Motion, cells: F32, first: int, last: int) -> F32:
    """``[last - first, cells]`` thumbnails ``first`` to ``last`` at one mean and contrast."""
    luma = motion.luma[first:last]
    seen = luma.reshape(len(luma), SIZE * SIZE).astype(np.float32) @ cells
    seen -= seen.mean(axis=1, keepdims=True)
    seen *= _CONTRAST / (seen.std(axis=1, keepdims=True) + _FLAT)
    return np.asarray(seen)


def interpolated(seen: F32, place: F64) -> F32:
    """Rows of ``seen`` at fractional places; the first and the last beyond the ends."""
    last = len(seen) - 1
    below = np.clip(place, 0.0, last).astype(np.int64)
    part = np.clip(place - below, 0.0, 1.0).astype(np.float32)[:, None]
    lower = seen[below]
    return np.asarray(lower + part * (seen[np.minimum(below + 1, last)] - lower))
