"""Where two videos move alike when pictures can't say: over all offsets, or second by second.

Before a camera that never moves every frame matches every other; what moves there does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, FrameMatches, Motion, Pictures, Segment
from ml.copies.motion.changes import BOTH_MOVE, differences, levelled, weighted
from ml.copies.motion.shared_cells import SharedCells, shared_cells
from ml.copies.motion.thumbnails import at_one_contrast, interpolated

# Over all of two videos: at 4 % from the true speed 3 s still move together.
SEARCH_SPEEDS = (1.0, 0.75, 0.8, 0.9, 1.1, 1.2, 1.25, 1.33)
WINDOW_CORRELATION = 0.55  # windows that correlate less don't match

_LEAST_OVERLAP_S = 2.0
# Second by second: two seconds around each second of the query, at these speeds.
_WINDOW_S, _WINDOW_SPEEDS = 2.0, (0.7, 0.82, 1.0, 1.12, 1.25, 1.45)
_WINDOW_PEAKS = 6
_WINDOW_REACH_S = 300.0  # of the reference, before and after the segment


def search(
    query: Motion,
    reference: Motion,
    transform: F32,
    *,
    query_aspect: float,
    reference_aspect: float,
    mirrored: bool = False,
    speeds: tuple[float, ...] = SEARCH_SPEEDS,
    most: int = 8,
) -> list[tuple[float, float, float]]:
    """Where the two move alike, over all offsets: ``(offset_s, speed, correlation)``, best first.

    Reference time is ``speed * query time + offset_s``. For a camera that never moves, where
    pictures match at every offset. Offsets of one speed are at least a second apart.
    """
    shared = shared_cells(transform, query_aspect, reference_aspect, mirrored)
    if shared is None or min(len(query.luma), len(reference.luma)) < 2 * query.fps:
        return []
    mine = levelled(differences(at_one_contrast(query, shared.query, 0, len(query.luma))))
    seen = at_one_contrast(reference, shared.reference, 0, len(reference.luma))
    found = []
    for speed in speeds:
        place = np.arange(0, len(seen) - 1, speed * reference.fps / query.fps)
        theirs = levelled(differences(interpolated(seen, place)))
        values = _at_all_lags(mine, theirs, round(_LEAST_OVERLAP_S * query.fps))
        for lag in _peaks(values, round(query.fps), most):
            value = float(values[lag])
            found.append((speed * (lag - len(mine) + 1) / query.fps, speed, value))
    return sorted(found, key=lambda one: -one[2])[:most]


def _at_all_lags(mine: F32, theirs: F32, least: int) -> F64:
    """``[len(mine) + len(theirs) - 1]`` correlations; -2 where fewer than ``least`` ticks meet.

    Element ``len(mine) - 1 + k`` is the query begun k ticks into the reference.
    """
    mine, theirs = weighted(mine, theirs)
    count = len(mine) + len(theirs) - 1
    size = 1 << (count - 1).bit_length()
    spectrum = np.fft.rfft(theirs, size, axis=0) * np.conj(np.fft.rfft(mine, size, axis=0))
    product = np.roll(np.fft.irfft(spectrum.sum(axis=1), size), len(mine) - 1)[:count]
    begin = np.arange(count) - (len(mine) - 1)
    low, high = np.maximum(0, begin), np.minimum(len(theirs), begin + len(mine))
    sums = [np.r_[0.0, np.cumsum((v**2).sum(axis=1, dtype=np.float64))] for v in (mine, theirs)]
    query = sums[0][high - begin] - sums[0][low - begin]
    reference = sums[1][high] - sums[1][low]
    values = product / np.sqrt(query * reference + 1e-9)
    return np.where(high - low >= min(least, len(mine), len(theirs)), values, -2.0)


def moving_matches(
    query: Motion, reference: Motion, shared: SharedCells, segment: Segment
) -> tuple[Pictures, Pictures, FrameMatches]:
    """Each second of the segment's query, each tick of the reference, and those that move alike."""
    first, last = int(segment.query_start_s * query.fps), int(segment.query_end_s * query.fps)
    mine = levelled(differences(at_one_contrast(query, shared.query, first, last + 2)))
    low = max(0, int((segment.reference_start_s - _WINDOW_REACH_S) * reference.fps))
    high = int((segment.reference_end_s + _WINDOW_REACH_S) * reference.fps) + 2
    seen = at_one_contrast(reference, shared.reference, low, high)
    width, second = round(_WINDOW_S * query.fps), round(query.fps)
    starts = np.arange(0, len(mine) - width + 1, second, dtype=np.int64)
    rows = _seconds((first + starts.astype(np.float64) + 1 + 0.5 * (width - second)) / query.fps)
    best = np.full((len(starts), max(0, len(seen) - 2)), -1.0)
    for speed in _WINDOW_SPEEDS if best.size else ():
        _window_correlations(mine, seen, starts, width, speed * reference.fps / query.fps, best)
    # The window's middle is at column; what is seen there begins half a second earlier.
    ticks = low + 1 + np.arange(best.shape[1], dtype=np.float64)
    columns = _seconds(ticks / reference.fps - 0.5)
    return rows, columns, _peaks_as_matches(best, round(reference.fps))


def _window_correlations(
    mine: F32, seen: F32, starts: npt.NDArray[np.int_], width: int, step: float, best: F64
) -> None:
    """Raise ``best[window, middle in the reference]`` to the correlations at one speed."""
    place = np.arange(0, len(seen) - 1, step)
    theirs = levelled(differences(interpolated(seen, place)))
    if len(theirs) < width or not len(starts):
        return
    mine, theirs = weighted(mine, theirs)
    window = np.stack([mine[start : start + width].ravel() for start in starts])
    energy = np.convolve((theirs**2).sum(axis=1), np.ones(width), "valid")
    own = (window**2).sum(axis=1)
    product = np.zeros((len(starts), len(energy)), np.float32)
    for tick in range(width):
        product += mine[starts + tick] @ theirs[tick : tick + len(energy)].T
    floor = BOTH_MOVE**2 * width * mine.shape[1] * 0.1
    values = product / np.sqrt(np.maximum(own, floor)[:, None] * np.maximum(energy, floor))
    middle = np.rint((np.arange(len(energy)) + 0.5 * (width - 1)) * step).astype(int)
    inside = middle < best.shape[1]
    best[:, middle[inside]] = np.maximum(best[:, middle[inside]], values[:, inside])


def _peaks_as_matches(best: F64, apart: int) -> FrameMatches:
    pairs = [
        (row, column, best[row, column])
        for row in range(len(best))
        for column in _peaks(best[row], apart // 2, _WINDOW_PEAKS)
        if best[row, column] >= WINDOW_CORRELATION
    ]
    found = np.array(pairs, np.float64).reshape(-1, 3)
    return FrameMatches(
        found[:, 0].astype(np.int32),
        found[:, 1].astype(np.int32),
        np.zeros(len(found), np.int32),
        found[:, 2].astype(np.float32),
        np.zeros((len(found), 2, 3), np.float32),
        np.zeros(len(found), np.bool_),
    )


def _peaks(values: F64, apart: int, most: int) -> list[int]:
    """Places of the largest positive values, at least ``apart`` from one another."""
    left = values.copy()
    peaks: list[int] = []
    while len(peaks) < most and left.max() > 0:
        at = int(left.argmax())
        peaks.append(at)
        left[max(0, at - apart) : at + apart + 1] = -2.0
    return peaks


def _seconds(start_s: F64) -> Pictures:
    """Frames without features that stand for the second after each time."""
    count = len(start_s)
    return Pictures(
        start_s=start_s,
        duration_s=np.ones(count),
        aspect=np.ones(count, np.float32),
        offsets=np.zeros(count + 1, np.int32),
        geometry=np.zeros((0, 4), np.float32),
        descriptors=np.zeros((0, 128), np.uint8),
        hashes=np.zeros((count, 32), np.uint8),
        detail=np.zeros(count, np.float32),
    )
