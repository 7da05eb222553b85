"""Frames in time, and matches as a geometric check would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.copies.alignment.segments import AlignedSegment, align
from ml.copies.evidence import FrameMatches, Pictures


def frames(starts: Sequence[float], durations: Sequence[float]) -> Pictures:
    count = len(starts)
    return Pictures(
        start_s=np.asarray(starts, np.float64),
        duration_s=np.asarray(durations, np.float64),
        aspect=np.full(count, 16 / 9, np.float32),
        offsets=np.zeros(count + 1, np.int32),
        geometry=np.zeros((0, 4), np.float32),
        descriptors=np.zeros((0, 128), np.uint8),
        hashes=np.zeros((count, 32), np.uint8),
        detail=np.ones(count, np.float32),
    )


def each_second(length_s: float) -> Pictures:
    starts = np.arange(0, length_s - 1e-6, 1.0)
    return frames(starts.tolist(), np.diff(np.r_[starts, length_s]).tolist())


def matches(
    pairs: Sequence[tuple[int, int, float]], mirrored: bool = False, shift: float = 0.0
) -> FrameMatches:
    rows = np.asarray(pairs, np.float64).reshape(-1, 3)
    transform = np.tile(np.array([[1, 0, shift], [0, 1, 0]], np.float32), (len(rows), 1, 1))
    return FrameMatches(
        query_frame=rows[:, 0].astype(np.int32),
        reference_frame=rows[:, 1].astype(np.int32),
        inliers=(rows[:, 2] * 50).astype(np.int32),
        weight=rows[:, 2].astype(np.float32),
        transform=transform,
        mirrored=np.full(len(rows), mirrored),
    )


def shown(
    query: Pictures,
    reference: Pictures,
    parts: Sequence[tuple[float, float, float, float]],
    seed: int = 0,
    missed: float = 0.1,
) -> FrameMatches:
    """Matches as a geometric check gives them where reference = speed * query + offset.

    ``parts`` are (query from, to, speed, offset). Frames within 0.6 s look alike; one in ten is
    missed.
    """
    rng = np.random.default_rng(seed)
    found = []
    for start_s, end_s, speed, offset_s in parts:
        for i, at_s in enumerate(query.start_s):
            if start_s <= at_s < end_s and rng.random() >= missed:
                off = np.abs(reference.start_s - speed * at_s - offset_s)
                found += [(i, int(j), 1.0 - 0.7 * off[j]) for j in np.flatnonzero(off <= 0.6)]
    return matches(found)


def aligned(query: Pictures, reference: Pictures, found: FrameMatches) -> list[AlignedSegment]:
    ends = [float(p.start_s[-1] + p.duration_s[-1]) for p in (query, reference)]
    return align(query, reference, found, query_duration_s=ends[0], reference_duration_s=ends[1])


def spans(found: list[AlignedSegment]) -> list[tuple[float, float, float, float]]:
    segments = [one.segment for one in found]
    return [
        (s.query_start_s, s.query_end_s, s.reference_start_s, s.reference_end_s) for s in segments
    ]
