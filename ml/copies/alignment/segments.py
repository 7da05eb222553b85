"""Which seconds of one video show which seconds of another, from pairs of frames that match.

The best run along a line is a segment; what it explains of the query is taken out, and the search
is repeated, because a compilation has several segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.copies.alignment.matches import TimedMatches, timed_matches
from ml.copies.alignment.runs import Run, best_run, support_of
from ml.copies.evidence import F32, F64, I32, FrameMatches, Pictures, Segment

MAX_SEGMENTS = 8

_EVIDENCE_S = 2.2
_LEAST_EVIDENCE_S = 0.3
_LEAST_FRAME_S = 0.5  # a shot of a few frames is a picture too, and so is a video of one frame
_LEAST_VALUE = 0.01
_LEAST_LENGTH_S = 0.01
_CUT_S = 0.95  # a row that stands shorter was ended by a cut, not by the clock
_ALTERNATIVE_S = 1.5  # offsets this far apart are different alignments
_FARTHEST_ALTERNATIVE_S = 30.0
_ALTERNATIVE_SHARE = 0.7


@dataclass(frozen=True)
class AlignedSegment:
    """A stretch that both videos show.

    ``transform`` is that of the match with the most inliers. ``ambiguous``: other offsets explain
    the same seconds about as well (a static scene, a still), so pictures can't say when.
    """

    segment: Segment
    mirrored: bool
    transform: F32  # [2, 3], query to reference, as in FrameMatches
    matches: I32  # indices into FrameMatches that support it
    evidence_s: float  # distinct matching seconds, on the axis that has fewer
    coverage: float  # share of the query's seconds in the segment that match
    ambiguous: bool


def align(
    query: Pictures,
    reference: Pictures,
    matches: FrameMatches,
    *,
    query_duration_s: float,
    reference_duration_s: float,
    max_segments: int = MAX_SEGMENTS,
) -> list[AlignedSegment]:
    """The segments that ``matches`` support, in the query's order; no two share query time.

    A stretch of the reference may come back several times (a loop). Time and memory follow the
    number of matches, and the range of offsets between them, not frames times frames.
    """
    ends = (_end_s(query, query_duration_s), _end_s(reference, reference_duration_s))
    rows = timed_matches(query, reference, matches)
    mirrored = matches.mirrored[rows.index]
    classes = [(flag, rows.take(np.flatnonzero(mirrored == flag))) for flag in (False, True)]
    found: list[AlignedSegment] = []
    for _ in range(2 * max_segments):
        runs = [(best_run(part, ends), flag, part) for flag, part in classes if len(part)]
        if not runs or len(found) == max_segments:
            break
        run, flag, part = max(runs, key=lambda best: best[0].value)
        if run.value <= _LEAST_VALUE:
            break
        aligned = _aligned(run, part, flag, query, ends, matches, found)
        if aligned is not None:
            found.append(aligned)
        classes = [(flag, _without(part, run)) for flag, part in classes]
    return sorted(found, key=lambda aligned: aligned.segment.query_start_s)


def _end_s(pictures: Pictures, duration_s: float) -> float:
    """Where the pictures end; later than their length where they don't begin at 0."""
    if not pictures.frame_count:
        return duration_s
    return max(duration_s, float(pictures.start_s[-1] + pictures.duration_s[-1]))


def _without(rows: TimedMatches, run: Run) -> TimedMatches:
    """What is left when the run's stretch of the query is explained."""
    middle = rows.query_start + 0.5 * rows.query_length
    inside = (middle > run.start[0]) & (middle < run.end[-1])
    return rows.take(np.flatnonzero(~inside & ~np.isin(rows.query, run.rows.query)))


def _aligned(
    run: Run,
    rows: TimedMatches,
    mirrored: bool,
    query: Pictures,
    ends: tuple[float, float],
    matches: FrameMatches,
    others: list[AlignedSegment],
) -> AlignedSegment | None:
    """The run as a segment; None where it shows too little, or lies outside the videos."""
    support, _ = support_of(rows, run)
    evidence_s = min(
        _evidence_s(run.rows.query, run.end - run.start, run.rows.weight),
        _evidence_s(support.reference, support.reference_length, support.weight),
    )
    start_s, end_s = _query_range(run, query, ends, others)
    if evidence_s < _LEAST_EVIDENCE_S or end_s - start_s < _LEAST_LENGTH_S:
        return None
    coverage = min(1.0, float((run.end - run.start).sum()) / run.length_s)
    score = coverage**0.5 * (1.0 - float(np.exp(-evidence_s / _EVIDENCE_S)))
    strength = (1 + matches.inliers[support.index]) * support.weight
    speed, offset_s = run.line.speed, run.line.offset_s
    return AlignedSegment(
        segment=Segment(
            query_start_s=start_s,
            query_end_s=end_s,
            reference_start_s=max(0.0, speed * start_s + offset_s),
            reference_end_s=min(ends[1], speed * end_s + offset_s),
            speed=speed,
            score=score,
        ),
        mirrored=mirrored,
        transform=matches.transform[support.index[int(strength.argmax())]],
        matches=support.index,
        evidence_s=evidence_s,
        coverage=coverage,
        ambiguous=_is_ambiguous(rows, run),
    )


def _evidence_s(frame: I32, length_s: F64, weight: F64) -> float:
    """Weighted seconds of distinct frames; a frame counts for half a second to one."""
    order = np.lexsort((weight, frame))
    last = np.r_[np.diff(frame[order]) > 0, True]
    strongest = order[last]
    total_s = np.bincount(np.unique(frame, return_inverse=True)[1], length_s)
    return float((weight[strongest] * np.clip(total_s, _LEAST_FRAME_S, 1.0)).sum())


def _query_range(
    run: Run, query: Pictures, ends: tuple[float, float], others: list[AlignedSegment]
) -> tuple[float, float]:
    """Where the run starts and ends in the query: between the last frame in and the first out.

    A true boundary lies somewhere between two samples, so halfway, unless a cut or the end of
    either video is there. It never reaches into the stretch of another segment.
    """
    first, last = int(run.rows.query[0]), int(run.rows.query[-1])
    start_s, end_s = float(run.start[0]), float(run.end[-1])
    if run.rows.query_still[0] == 0:
        start_s = _start_of(query, first)
    if run.rows.query_still[-1] == 0 and last + 1 < query.frame_count:
        short = query.duration_s[last] < _CUT_S
        end_s = float(query.start_s[last + 1] if short else query.start_s[last] + 0.5)
    elif run.rows.query_still[-1] == 0:
        end_s = ends[0]
    for other in others:
        if other.segment.query_end_s <= 0.5 * (start_s + end_s):
            start_s = max(start_s, other.segment.query_end_s)
        else:
            end_s = min(end_s, other.segment.query_start_s)
    line = run.line
    start_s = max(0.0, start_s, -line.offset_s / line.speed)
    return start_s, min(ends[0], end_s, (ends[1] - line.offset_s) / line.speed)


def _start_of(query: Pictures, frame: int) -> float:
    """Halfway between a frame and the one before it, unless a cut parts them."""
    start_s = float(query.start_s[frame])
    if frame == 0:
        return min(start_s, 0.5)
    if query.duration_s[frame - 1] < _CUT_S:
        return start_s
    return start_s - min(0.5, 0.5 * float(query.duration_s[frame - 1]))


def _is_ambiguous(rows: TimedMatches, run: Run) -> bool:
    """Whether a parallel line through the same stretches explains them about as well."""
    frames, first = np.unique(run.rows.query, return_index=True)
    if len(frames) < 2 or len(np.unique(run.rows.reference)) < 2:
        return True
    own_rows = run.rows.take(first)
    low = float(run.rows.reference_start.min()) - 0.5
    high = float((run.rows.reference_start + run.rows.reference_length).max())
    late = rows.reference_start - run.line.speed * rows.query_start - run.line.offset_s
    here = np.isin(rows.query, frames) & (np.abs(late) <= _FARTHEST_ALTERNATIVE_S)
    here &= (rows.reference_start >= low) & (rows.reference_start < high)
    which = np.flatnonzero(here & (np.abs(late) >= _ALTERNATIVE_S))
    if not len(which):
        return False
    shift, weight = _weight_by_shift(rows.take(which), late[which])
    passes = run.line.speed * own_rows.query_start + run.line.offset_s
    own = np.r_[0.0, np.cumsum(own_rows.weight)]
    inside = np.searchsorted(passes, high - shift) - np.searchsorted(passes, low - shift)
    could = own[np.searchsorted(passes, high - shift)] - own[np.searchsorted(passes, low - shift)]
    return bool(((weight >= _ALTERNATIVE_SHARE * could) & (inside > 0)).any())


def _weight_by_shift(rows: TimedMatches, late: F64) -> tuple[F64, F64]:
    """Whole seconds off the line, and the weight of the best match of each query frame there."""
    shift = np.rint(late)
    order = np.lexsort((rows.weight, rows.query, shift))
    shift, query, weight = shift[order], rows.query[order], rows.weight[order]
    best = np.r_[(np.diff(shift) != 0) | (np.diff(query) != 0), True]
    values, number = np.unique(shift[best], return_inverse=True)
    return values, np.bincount(number, weight[best]).astype(np.float64)
