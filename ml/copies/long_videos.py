"""Matching the frames of videos so long that not all of them can meet all.

``geometry.frames.match_frames`` then compares every n-th frame of the longer video. What lies
between is matched here, near what was found: a stretch of the query at a time, with the frames of
the reference around its matches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import FrameMatches, Pictures
from ml.copies.geometry import partners
from ml.copies.geometry.frames import match_frames as match_at_once

STRETCH = 128  # frames of the query at a time
LEAST_WEIGHT = 0.3
# Frames of the reference that a stretch is compared with; before a camera that never moves, the
# surest of them.
MOST_FRAMES = 512


def match_frames(query: Pictures, reference: Pictures, *, mirrored: bool = False) -> FrameMatches:
    """As ``geometry.frames.match_frames``, without gaps in long videos."""
    found = match_at_once(query, reference, mirrored=mirrored)
    pairs = query.frame_count * reference.frame_count
    if pairs <= partners.MAX_COARSE_PAIRS or not len(found.weight):
        return found
    reach = 2 * -(-pairs // partners.MAX_COARSE_PAIRS)
    parts = [found]
    for start in range(0, query.frame_count, STRETCH):
        asked = np.arange(start, min(start + STRETCH, query.frame_count))
        near = _near(found, asked, reach, reference.frame_count)
        if len(near):
            fine = match_at_once(taken(query, asked), taken(reference, near), mirrored=mirrored)
            parts.append(_renumbered(fine, asked, near))
    return _once(parts, reference.frame_count)


def taken(pictures: Pictures, frames: npt.NDArray[np.intp]) -> Pictures:
    """Some of the frames, in the given order."""
    counts = np.diff(pictures.offsets)[frames]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    first = np.repeat(pictures.offsets[frames] - offsets[:-1], counts)
    rows = np.arange(offsets[-1]) + first
    return Pictures(
        start_s=pictures.start_s[frames],
        duration_s=pictures.duration_s[frames],
        aspect=pictures.aspect[frames],
        offsets=offsets,
        geometry=pictures.geometry[rows],
        descriptors=pictures.descriptors[rows],
        hashes=pictures.hashes[frames],
        detail=pictures.detail[frames],
    )


def _near(
    found: FrameMatches, asked: npt.NDArray[np.intp], reach: int, count: int
) -> npt.NDArray[np.intp]:
    """Frames of the reference within ``reach`` of the surest matches of the stretch."""
    here = (found.query_frame >= asked[0]) & (found.query_frame <= asked[-1])
    which = np.flatnonzero(here & (found.weight >= LEAST_WEIGHT))
    which = which[np.argsort(-found.weight[which], kind="stable")]
    wanted = np.zeros(count, np.bool_)
    for match in which:
        middle = int(found.reference_frame[match])
        wanted[max(0, middle - reach) : middle + reach + 1] = True
        if wanted.sum() >= MOST_FRAMES:
            break
    return np.flatnonzero(wanted)


def _renumbered(
    fine: FrameMatches, asked: npt.NDArray[np.intp], near: npt.NDArray[np.intp]
) -> FrameMatches:
    return FrameMatches(
        query_frame=asked[fine.query_frame].astype(np.int32),
        reference_frame=near[fine.reference_frame].astype(np.int32),
        inliers=fine.inliers,
        weight=fine.weight,
        transform=fine.transform,
        mirrored=fine.mirrored,
    )


def _once(parts: list[FrameMatches], reference_frames: int) -> FrameMatches:
    """All matches by query frame and then reference frame, each pair of frames once."""
    columns = [
        np.concatenate(values) for values in zip(*(vars(p).values() for p in parts), strict=True)
    ]
    key = columns[0].astype(np.int64) * reference_frames + columns[1]
    _, first = np.unique(key, return_index=True)
    return FrameMatches(*(column[first] for column in columns))
