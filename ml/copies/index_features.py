"""Which local features of a video go into the picture index, and stand for it in a search.

The same choice on both sides, so that a video finds another exactly when that one finds it, as far
as cells go. A feature that the frame before has too (a picture that stands still) counts once. The
rest are taken in turns, every frame's strongest first, so that each shot is represented; a still
picture gives all it has. Long videos are cut into *units* of `UNIT_FRAMES` kept frames: otherwise
a stream of hours would collect an accidental vote from nearly every feature of a search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, U8, Pictures

UNIT_FRAMES = 32
# Of each unit: MIN_FEATURES, and PER_FRAME more for every frame; 440 for 20 frames. Of 34 real
# clips shown as pictures in pictures at 30 % of the size, the hardest edit, the index found 29
# with 160 + 8 a frame, 31 with 280 + 4 and 33 with 360 + 4.
MIN_FEATURES = 360
PER_FRAME = 4
# The same feature in neighbouring frames: RootSIFT closer than 0.35 of a vector's length. So are
# 82 % of the features that stay in their place for a second, and 1 % of the nearest of strangers.
_SAME_DISTANCE = 0.35
_UNIT_LENGTH = 512.0
# A place is packed into 16 bits: 64 angles and, in 8ths of an octave, 64 sizes from 2^-8.
ANGLES = 64
SIZE_STEPS = 8
_SIZES = 64
_SMALLEST = -8.0

U16 = npt.NDArray[np.uint16]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class IndexFeatures:
    """The chosen features of a video, unit after unit; ``unit_count`` is at least 1."""

    descriptors: U8  # [n, 128]
    places: U16  # [n] angle * 64 + size
    units: I32  # [n] rising
    unit_count: int


def index_features(pictures: Pictures) -> IndexFeatures:
    """The features of a video that are indexed and searched with; none if it has none."""
    unit_count = max(-(-pictures.frame_count // UNIT_FRAMES), 1)
    rows = [
        _chosen(pictures, unit * UNIT_FRAMES, (unit + 1) * UNIT_FRAMES)
        for unit in range(unit_count)
    ]
    every = np.concatenate(rows)
    return IndexFeatures(
        np.ascontiguousarray(pictures.descriptors[every]),
        packed_places(pictures.geometry[every]),
        np.repeat(np.arange(unit_count, dtype=np.int32), [len(r) for r in rows]),
        unit_count,
    )


def mirrored_places(places: U16) -> U16:
    """The places of the same features in the mirrored picture: the angle is pi less itself."""
    angles = (ANGLES // 2 - (places >> 6).astype(np.int32)) % ANGLES
    return (angles << 6 | (places & 63)).astype(np.uint16)


def _chosen(pictures: Pictures, start: int, stop: int) -> npt.NDArray[np.int64]:
    """Rows of the features of frames ``start`` to ``stop - 1`` that stand for them, rising."""
    rows, ranks = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    before = np.zeros((0, 128), np.float32)
    for frame in range(start, min(stop, pictures.frame_count)):
        here = np.arange(*pictures.offsets[frame : frame + 2])
        vectors = pictures.descriptors[here].astype(np.float32)
        new = here[~_seen(vectors, before)]
        rows.append(new)
        ranks.append(np.arange(len(new)))
        before = vectors
    every, rank = np.concatenate(rows), np.concatenate(ranks)
    count = MIN_FEATURES + PER_FRAME * (len(rows) - 1)
    return np.sort(every[np.argsort(rank, kind="stable")[:count]])


def _seen(vectors: F32, before: F32) -> npt.NDArray[np.bool_]:
    if not len(vectors) or not len(before):
        return np.zeros(len(vectors), np.bool_)
    # Of two vectors of length u at distance d u, the product is u^2 (1 - d^2 / 2).
    same = _UNIT_LENGTH**2 * (1 - _SAME_DISTANCE**2 / 2)
    return np.asarray((vectors @ before.T).max(axis=1) > same)


def packed_places(geometry: F32) -> U16:
    """Angle and size of each feature, of rows as in ``Pictures.geometry``."""
    angles = np.rint(geometry[:, 3] * (ANGLES / (2 * np.pi))).astype(np.int64) % ANGLES
    octaves = np.log2(np.maximum(geometry[:, 2], 2.0**_SMALLEST)) - _SMALLEST
    sizes = np.minimum(np.rint(octaves * SIZE_STEPS), _SIZES - 1).astype(np.int64)
    return (angles << 6 | sizes).astype(np.uint16)
