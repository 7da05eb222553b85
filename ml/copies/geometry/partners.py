"""Which frames of two videos to compare: of short ones all, of long ones what a look suggests."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import F32, I64, Pictures
from ml.copies.features import unit_vectors

# Up to this many pairs of frames, all features meet all.
EXHAUSTIVE_PAIRS = 4096
# Beyond that the first features of each frame choose the frames that meet in full.
PREFIX = 80
MIN_COARSE_COSINE = 0.87
MAX_PARTNERS = 32
MAX_COARSE_PAIRS = 400_000
FRAMES_AT_ONCE = 8
ROWS_AT_ONCE = 8192


def partners_of(query: Pictures, reference: Pictures) -> list[I64] | None:
    """For each query frame the reference frames worth comparing; None for all with all."""
    pairs = query.frame_count * reference.frame_count
    if pairs <= EXHAUSTIVE_PAIRS:
        return None
    stride = -(-pairs // MAX_COARSE_PAIRS)
    longer_is_query = query.frame_count > reference.frame_count
    query_frames = np.arange(0, query.frame_count, stride if longer_is_query else 1)
    reference_frames = np.arange(0, reference.frame_count, 1 if longer_is_query else stride)
    rows, owners = _prefix_rows(reference, reference_frames)
    partners = [np.zeros(0, np.int64)] * query.frame_count
    for start in range(0, len(query_frames), FRAMES_AT_ONCE):
        some = query_frames[start : start + FRAMES_AT_ONCE]
        votes = _votes(query, some, reference, rows, owners, len(reference_frames))
        for frame, own_votes in zip(some, votes, strict=True):
            best = np.argsort(-own_votes, kind="stable")[:MAX_PARTNERS]
            partners[frame] = np.sort(reference_frames[best[own_votes[best] > 0]])
    return partners


def _votes(
    query: Pictures, frames: I64, reference: Pictures, rows: I64, owners: I64, columns: int
) -> F32:
    """float32[len(frames), columns]: how much the frames' first features say for each reference.

    A feature shares its vote among all that it resembles, so that what is everywhere says little.
    """
    mine, my_frame = _prefix_rows(query, frames)
    left = unit_vectors(query.descriptors[mine])
    hits = []
    for first in range(0, len(rows), ROWS_AT_ONCE):
        cosine = left @ unit_vectors(reference.descriptors[rows[first : first + ROWS_AT_ONCE]]).T
        near = np.flatnonzero(cosine > MIN_COARSE_COSINE)
        i, j = np.divmod(near, cosine.shape[1])
        hits.append((i, owners[first + j], cosine.ravel()[near] - np.float32(MIN_COARSE_COSINE)))
    i, column, value = (np.concatenate(part) for part in zip(*hits, strict=True))
    value /= np.maximum(np.bincount(i, weights=value, minlength=len(mine))[i], 0.01)
    key = my_frame[i] * columns + column
    votes = np.bincount(key, weights=value, minlength=len(frames) * columns)
    return votes.reshape(len(frames), columns).astype(np.float32)


def _prefix_rows(pictures: Pictures, frames: I64) -> tuple[I64, I64]:
    """Rows of the first features of ``frames``, and which of ``frames`` (its place) owns each."""
    first = pictures.offsets[frames].astype(np.int64)
    counts = np.minimum(pictures.offsets[frames + 1] - first, PREFIX)
    owner = np.repeat(np.arange(len(frames)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[owner] + within, owner
