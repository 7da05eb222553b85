"""Frames whose hashes are near: the same whole picture, also where there is no local feature."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import F32, I64, U8, Pictures

# vPDQ takes 31 of 256 for the same picture. Unrelated real videos come no nearer than 102, the
# same speaker on another day no nearer than 66; half the captioned and bright copies are within it.
MAX_HASH_DISTANCE = 31
# Noise decides most signs of a picture of less detail (a sky, a wall).
MIN_HASH_DETAIL = 0.25


def near_hashes(query: Pictures, reference: Pictures) -> tuple[I64, I64]:
    """Pairs of frames with detail whose hashes are near, and how near, in bits."""
    rows = np.flatnonzero(query.detail >= MIN_HASH_DETAIL)
    columns = np.flatnonzero(reference.detail >= MIN_HASH_DETAIL)
    pairs, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    right = _signs(reference.hashes[columns])
    for start in range(0, len(rows), 256):
        some = rows[start : start + 256]
        distance = np.rint((256 - _signs(query.hashes[some]) @ right.T) / 2)
        i, j = np.nonzero(distance <= MAX_HASH_DISTANCE)
        pairs.append(some[i] * reference.frame_count + columns[j])
        distances.append(distance[i, j].astype(np.int64))
    return np.concatenate(pairs), np.concatenate(distances)


def _signs(hashes: U8) -> F32:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1
