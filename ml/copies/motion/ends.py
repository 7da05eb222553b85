"""Where the thumbnails of two videos part: the ends of a segment, to an eighth of a second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, Motion, Segment
from ml.copies.motion.changes import Moments, differences, is_moving, levelled
from ml.copies.motion.shared_cells import SharedCells, shared_cells
from ml.copies.motion.thumbnails import LEAST_SPREAD, at_one_contrast, interpolated

# Thumbnails agree when their cells correlate at least this, and nearly as in the middle.
_LEAST_ALIKE, _ALIKE_MARGIN = 0.5, 0.2
_OTHER_MOVEMENT = 0.2  # where a second correlates less, a longer stretch is not the same
_CORE_SHARE = 0.5
_SKIPPED_TICKS = 2  # what disagrees this long is a flash or a dropped frame


def extend(
    query: Motion,
    reference: Motion,
    segment: Segment,
    transform: F32,
    *,
    query_aspect: float,
    reference_aspect: float,
    mirrored: bool,
    reach_s: float = 3.0,
) -> Segment:
    """The segment with its ends moved, by at most ``reach_s``, to where the thumbnails part.

    Precise to a tick, 1/8 s, where what comes before and after is another scene. Where nothing
    tells (flat pictures, no shared region) the ends stay. ``segment`` should be ``realigned``.
    """
    shared = shared_cells(transform, query_aspect, reference_aspect, mirrored)
    if shared is None:
        return segment
    tick, agrees, known = _agreement_by_tick(query, reference, shared, segment, reach_s)
    if not agrees.any():
        return segment
    first_tick, end_tick = (at * query.fps for at in (segment.query_start_s, segment.query_end_s))
    core = np.flatnonzero((tick >= first_tick) & (tick < end_tick))
    if len(core) < 4 or agrees[core].mean() < _CORE_SHARE:
        return segment
    first = _boundary(agrees[::-1], known[::-1], len(tick) - 1 - int(core[0]), reach_s * query.fps)
    last = _boundary(agrees, known, int(core[-1]), reach_s * query.fps)
    first = len(tick) - 1 - first
    if last - first < 4:
        return segment
    start_s = segment.query_start_s if first == core[0] else float(tick[first]) / query.fps
    end_s = segment.query_end_s if last == core[-1] else float(tick[last] + 1) / query.fps
    return with_query_ends(segment, start_s, end_s)


def with_query_ends(segment: Segment, start_s: float, end_s: float) -> Segment:
    """The same line between other ends."""
    middle_s = 0.5 * (segment.query_start_s + segment.query_end_s)
    there_s = 0.5 * (segment.reference_start_s + segment.reference_end_s)
    return replace(
        segment,
        query_start_s=start_s,
        query_end_s=end_s,
        reference_start_s=max(0.0, there_s + segment.speed * (start_s - middle_s)),
        reference_end_s=there_s + segment.speed * (end_s - middle_s),
    )


def _agreement_by_tick(
    query: Motion, reference: Motion, shared: SharedCells, segment: Segment, reach_s: float
) -> tuple[F64, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Ticks of the query around the segment; whether the two look alike there; whether both show.

    Alike: the cells of the two thumbnails correlate, and nearly as much as in the middle.
    """
    low = max(0, int((segment.query_start_s - reach_s) * query.fps))
    high = min(len(query.luma), int((segment.query_end_s + reach_s) * query.fps) + 1)
    tick = np.arange(low, high, dtype=np.float64)
    middle_s = 0.5 * (segment.query_start_s + segment.query_end_s)
    there_s = 0.5 * (segment.reference_start_s + segment.reference_end_s)
    place = (there_s + segment.speed * (tick / query.fps - middle_s)) * reference.fps
    start, stop = max(0, int(place[0])), max(0, min(len(reference.luma), int(place[-1]) + 2))
    if stop - start < 2:
        none = np.zeros(len(tick), np.bool_)
        return tick, none, none
    mine = at_one_contrast(query, shared.query, low, high)
    theirs = interpolated(at_one_contrast(reference, shared.reference, start, stop), place - start)
    size, other = (np.sqrt((values**2).mean(axis=1)) for values in (mine, theirs))
    alike = (mine * theirs).mean(axis=1) / (size * other + 1e-6)
    shows = (size > LEAST_SPREAD) & (other > LEAST_SPREAD)
    inside = (place >= 0) & (place <= len(reference.luma) - 1)
    core = (tick >= segment.query_start_s * query.fps) & (tick < segment.query_end_s * query.fps)
    usual = float(np.median(alike[core & inside & shows])) if (core & inside & shows).any() else 1.0
    agrees = (alike >= max(_LEAST_ALIKE, usual - _ALIKE_MARGIN)) & shows & inside
    agrees &= core | ~_moves_otherwise(mine, theirs, round(query.fps))
    return tick, agrees, shows & inside


def _moves_otherwise(mine: F32, theirs: F32, width: int) -> npt.NDArray[np.bool_]:
    """Ticks around which something moves, for a second, and not alike."""
    if len(mine) < width + 2:
        return np.zeros(len(mine), np.bool_)
    pair = (levelled(differences(values)) for values in (mine, theirs))
    one, other = (np.pad(values, ((1, 1), (0, 0))) for values in pair)
    sums = [
        np.apply_along_axis(np.convolve, 0, values, np.ones(width), "same")
        for values in (one * other, one**2, other**2)
    ]
    moments = Moments(sums[0], sums[1], sums[2], np.full(len(one), float(width)))
    moving = is_moving(moments.energies())
    return np.asarray(moving & (moments.correlations() < _OTHER_MOVEMENT))


def _boundary(
    agrees: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], end: int, reach: float
) -> int:
    """The last tick of the stretch that agrees and has its end near ``end``.

    Inwards first, to ticks that agree; then outwards while they do, over short disagreement.
    """
    last = end
    if known[end] and not agrees[end]:
        inner = np.flatnonzero(agrees[max(0, end - round(reach)) : end])
        last = max(0, end - round(reach)) + int(inner[-1]) if len(inner) else end
    elif not known[end]:
        return end
    if last < end:
        return last
    at = end + 1
    while at < len(agrees) and at <= end + reach:
        if agrees[at]:
            last = at
        elif at - last > _SKIPPED_TICKS:
            break
        at += 1
    return last
