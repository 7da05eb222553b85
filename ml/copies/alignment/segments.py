"""Which seconds of one video show which seconds of another, from pairs of frames that match.

Frames are intervals: a kept frame stands until the next one, about a second, longer where nothing
moves, and the two videos were sampled at different phases. A pair of frames therefore allows a
range of offsets. The search is a Hough transform over (speed, offset), then, along each of the best
lines, the run of seconds with the largest sum of gains; the line is refitted, what it explains of
the query is taken out, and the search is repeated, because a compilation has several segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, I32, FrameMatches, Pictures, Segment

# Speeds to look for: steps of 3.7 %, and exactly 1. A line that is 1.8 % off drifts by half a
# sampling interval in 27 s; longer ones are found in part, then refitted.
SPEEDS: F64 = np.unique(np.r_[np.geomspace(0.65, 1.55, 25), 1.0])
MAX_SEGMENTS = 8

_BIN_S = 0.25  # of the offset; a match votes over about 2 s of offsets
_PEAKS = 8  # lines tried per round
_ROW_VOTE_S = 2.0  # a still gives a line no more votes than two moving seconds
_STILL_S = 1.15  # a row that stands longer did not move: frames that move are kept every second
_TOLERANCE_S = 0.7  # nearest samples of the two videos lie within half a second of each other
_STILL_PAD_S = 0.125  # one tick of the clock that frames are chosen by
# Prototype, held-out benchmark: segment precision .99, recall .88 with these two.
_GAIN_FLOOR = 0.12
_GAP_COST = 0.18
_LONGEST_GAP_S = 5.0  # what is longer is another segment
_EVIDENCE_S = 2.2
_LEAST_EVIDENCE_S = 0.3
_LEAST_FRAME_S = 0.5  # a shot of a few frames is a picture too, and so is a video of one frame
_LEAST_VALUE = 0.01
_LEAST_LENGTH_S = 0.01
_SPEED_1_BONUS = 1.05  # frames at 1 a second can't tell 1.05 from 1 over 5 s
# A line through both starts or both ends this near is as likely if it is worth this share.
_NEAR_S, _AS_GOOD = 0.8, 0.97
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


@dataclass(frozen=True)
class _Rows:
    """The matches' frames as times, one element per match."""

    index: I32  # into FrameMatches
    query: I32
    reference: I32
    query_start: F64
    query_length: F64
    query_still: F64  # 0 where the frame is one sample of something that moves
    reference_start: F64
    reference_length: F64
    reference_still: F64
    weight: F64

    def take(self, which: npt.NDArray[np.generic]) -> _Rows:
        return _Rows(*(values[which] for values in vars(self).values()))

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class _Line:
    """Reference time = speed x query time + offset."""

    speed: float
    offset_s: float


@dataclass(frozen=True)
class _Run:
    """The best stretch of a line: disjoint pieces of query time that match, in order."""

    line: _Line
    rows: _Rows  # of the pieces
    start: F64
    end: F64
    value: float

    @property
    def length_s(self) -> float:
        return float(self.end[-1] - self.start[0])


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
    rows = _rows_of(query, reference, matches)
    mirrored = matches.mirrored[rows.index]
    classes = [(flag, rows.take(np.flatnonzero(mirrored == flag))) for flag in (False, True)]
    found: list[AlignedSegment] = []
    for _ in range(2 * max_segments):
        runs = [(_best_run(part, ends), flag, part) for flag, part in classes if len(part)]
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


def _rows_of(query: Pictures, reference: Pictures, matches: FrameMatches) -> _Rows:
    q, r = matches.query_frame, matches.reference_frame
    query_length, reference_length = query.duration_s[q], reference.duration_s[r]
    rows = _Rows(
        index=np.arange(len(q), dtype=np.int32),
        query=q,
        reference=r,
        query_start=query.start_s[q],
        query_length=query_length,
        query_still=np.where(query_length > _STILL_S, query_length, 0.0),
        reference_start=reference.start_s[r],
        reference_length=reference_length,
        reference_still=np.where(reference_length > _STILL_S, reference_length, 0.0),
        weight=matches.weight.astype(np.float64),
    )
    return rows.take(np.flatnonzero(rows.weight > _GAIN_FLOOR))


def _without(rows: _Rows, run: _Run) -> _Rows:
    """What is left when the run's stretch of the query is explained."""
    middle = rows.query_start + 0.5 * rows.query_length
    inside = (middle > run.start[0]) & (middle < run.end[-1])
    return rows.take(np.flatnonzero(~inside & ~np.isin(rows.query, run.rows.query)))


# ---------------------------------------------------------------- lines


def _best_run(rows: _Rows, ends: tuple[float, float]) -> _Run:
    """The run of largest value on any line, its line refitted."""
    runs = [_run_on(rows, line) for line in _lines(rows, ends)]
    best = _refitted(rows, max(runs, key=lambda run: run.value))
    return _at_the_ends(rows, best, ends)


def _at_the_ends(rows: _Rows, run: _Run, ends: tuple[float, float]) -> _Run:
    """The run on a line through the videos' starts or ends, where that explains as much.

    Copies mostly start or stop where the original does, and a second of tolerance hides it.
    """
    middle_s = 0.5 * (run.start[0] + run.end[-1])
    lines = [_Line(1.0, 0.0), _Line(1.0, ends[1] - ends[0]), _Line(ends[1] / ends[0], 0.0)]
    for line in lines:
        shift_s = (line.speed - run.line.speed) * middle_s + line.offset_s - run.line.offset_s
        drift_s = 0.5 * abs(line.speed - run.line.speed) * run.length_s
        if abs(shift_s) + drift_s <= _NEAR_S:
            other = _run_on(rows, line)
            if other.value >= _AS_GOOD * run.value:
                return other
    return run


def _lines(rows: _Rows, ends: tuple[float, float]) -> Iterator[_Line]:
    """The lines with the most votes, the best one of speed 1 first."""
    speeds = SPEEDS
    votes, first_s = _votes(rows, speeds)
    at_one = int(np.flatnonzero(speeds == 1.0)[0])
    yield _Line(1.0, first_s + _BIN_S * _middle_of_peak(votes[at_one]))
    peaks = votes.argmax(axis=1)
    heights = votes.max(axis=1) * np.minimum(1.0, speeds)
    heights[at_one] = 0.0
    for number in np.argsort(-heights)[: _PEAKS - 1]:
        yield _Line(float(speeds[number]), first_s + _BIN_S * float(peaks[number]))


def _middle_of_peak(votes: F64) -> float:
    """The middle of the plateau of the maximum."""
    top = np.flatnonzero(votes >= votes.max() - 1e-6)
    run = top[: 1 + int(np.argmax(np.r_[np.diff(top) > 1, True]))]
    return float(run.mean())


def _votes(rows: _Rows, speeds: F64) -> tuple[F64, float]:
    """``[speeds, bins]`` seconds along each line that matches cover, and the first bin's offset.

    The part of a line that lies in a match's rectangle (query interval x reference interval) is a
    trapezoid over the offset: four corners where its slope changes, summed twice.
    """
    query, reference = (
        np.maximum(0.75, length) for length in (rows.query_length, rows.reference_length)
    )
    speed = speeds[:, None]
    corner = rows.reference_start - speed * (rows.query_start + query)
    rise = np.minimum(speed * query, reference)
    top = np.maximum(speed * query, reference)
    height = np.minimum(query, reference / speed)
    slope = rows.weight * np.minimum(1.0, _ROW_VOTE_S / height) / speed
    corners = np.stack([corner, corner + rise, corner + top, corner + rise + top])
    first_s = float(corners.min()) - _BIN_S
    position = (corners - first_s) / _BIN_S
    count = int(position.max()) + 3
    curve = np.zeros((len(speeds), count))
    for number, places in enumerate(position.swapaxes(0, 1)):
        below = places.astype(np.int64)
        part = places - below
        change = slope[number] * np.array([[1.0], [-1.0], [-1.0], [1.0]])
        curve[number] = np.bincount(below.ravel(), (change * (1 - part)).ravel(), count)
        curve[number] += np.bincount(below.ravel() + 1, (change * part).ravel(), count)
    return curve.cumsum(axis=1).cumsum(axis=1) * _BIN_S, first_s


def _run_on(rows: _Rows, line: _Line) -> _Run:
    """The stretch of ``line`` with the largest sum of gains less gaps (Kadane's algorithm)."""
    near, fit = _near(rows, line)
    start, end = _cover(near, line)
    near, fit, start, end = _disjoint(near, fit, start, end)
    if not len(near):
        return _Run(line, near, start, end, 0.0)
    gain = (fit - _GAIN_FLOOR) * (end - start)
    gap = np.r_[0.0, start[1:] - end[:-1]]
    total = np.cumsum(gain - np.where(gap > _LONGEST_GAP_S, 1e6, _GAP_COST * gap))
    before = total - gain
    value = total - np.minimum.accumulate(before)
    last = int(value.argmax())
    first = int(before[: last + 1].argmin())
    part = slice(first, last + 1)
    # Seconds of the axis with fewer: else every static pair would be slowed down.
    worth = float(value[last]) * min(1.0, line.speed)
    worth *= _SPEED_1_BONUS if line.speed == 1.0 else 1.0
    return _Run(line, near.take(np.arange(first, last + 1)), start[part], end[part], worth)


def _near(rows: _Rows, line: _Line) -> tuple[_Rows, F64]:
    """Matches whose frames the line passes, one per moving query frame, and how well they fit."""
    miss = _miss_s(rows, line)
    which = np.flatnonzero(np.abs(miss) <= _TOLERANCE_S * max(1.0, line.speed))
    near, fit = rows.take(which), rows.weight[which] * (1.0 - 0.3 * miss[which] ** 2)
    order = np.lexsort((-fit, near.query))
    near, fit = near.take(order), fit[order]
    again = np.r_[False, near.query[1:] == near.query[:-1]]
    keep = np.flatnonzero(~again | (near.query_still > 0))
    return near.take(keep), fit[keep]


def _miss_s(rows: _Rows, line: _Line) -> F64:
    """Reference seconds between a match and the line; 0 where it passes through two stills.

    Frames are sampled where they start; a still is the same picture up to its end.
    """
    late = rows.reference_start - line.speed * rows.query_start - line.offset_s
    after = np.maximum(0.0, late - line.speed * rows.query_still)
    before = np.minimum(0.0, late + rows.reference_still)
    return after + before


def _cover(rows: _Rows, line: _Line) -> tuple[F64, F64]:
    """The query seconds each match explains: the whole frame, or the passed part of a still."""
    query_end = rows.query_start + rows.query_length
    start = (rows.reference_start - line.offset_s) / line.speed
    end = start + rows.reference_length / line.speed
    still = rows.query_still > 0
    return (
        np.where(still, np.maximum(rows.query_start, start - _STILL_PAD_S), rows.query_start),
        np.where(still, np.minimum(query_end, end + _STILL_PAD_S), query_end),
    )


def _disjoint(rows: _Rows, fit: F64, start: F64, end: F64) -> tuple[_Rows, F64, F64, F64]:
    """In order of time; what an earlier one covers already is cut off."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    covered = np.maximum.accumulate(np.r_[-np.inf, end[:-1]]) if len(end) else end
    start = np.maximum(start, covered)
    keep = np.flatnonzero(end - start > 1e-3)
    return rows.take(order[keep]), fit[order[keep]], start[keep], end[keep]


# ---------------------------------------------------------------- refit


def _refitted(rows: _Rows, run: _Run) -> _Run:
    """The run on the line of least squares through its matches, where that is worth more."""
    for _ in range(4 if len(run.start) else 0):
        tried = [_run_on(rows, line) for line in _fits(rows, run)]
        better = max(tried, key=lambda other: other.value, default=run)
        if better.value < run.value * 0.999:
            return run
        gained, run = better.value > run.value * 1.001, better
        if not gained:
            return run
    return run


def _fits(rows: _Rows, run: _Run) -> Iterator[_Line]:
    """Lines near the run's: of its slope, of speed 1, and of the slope of least squares."""
    support, _ = _support(rows, run)
    moving = (support.query_still == 0) & (support.reference_still == 0)
    alike = np.abs(support.reference_length - run.line.speed * support.query_length) < 1.5
    use = support.take(np.flatnonzero(moving | alike))
    if not len(use):
        return
    weight = use.weight**2
    q = float(np.average(use.query_start, weights=weight))
    r = float(np.average(use.reference_start, weights=weight))
    spread = float(np.average((use.query_start - q) ** 2, weights=weight))
    speeds = {run.line.speed, 1.0}
    if len(np.unique(use.query)) >= 4 and spread > 1.0:
        both = np.average((use.query_start - q) * (use.reference_start - r), weights=weight)
        speeds.add(float(both) / spread)
    for speed in speeds:
        if SPEEDS[0] <= speed <= SPEEDS[-1]:
            yield _Line(speed, r - speed * q)


def _support(rows: _Rows, run: _Run) -> tuple[_Rows, F64]:
    """All matches within tolerance of the run's line, in its stretch of the query."""
    miss = _miss_s(rows, run.line)
    middle = rows.query_start + 0.5 * rows.query_length
    inside = (middle > run.start[0]) & (middle < run.end[-1])
    inside |= np.isin(rows.query, run.rows.query)
    near = np.abs(miss) <= _TOLERANCE_S * max(1.0, run.line.speed)
    which = np.flatnonzero(inside & near)
    return rows.take(which), miss[which]


# ---------------------------------------------------------------- result


def _aligned(
    run: _Run,
    rows: _Rows,
    mirrored: bool,
    query: Pictures,
    ends: tuple[float, float],
    matches: FrameMatches,
    others: list[AlignedSegment],
) -> AlignedSegment | None:
    """The run as a segment; None where it shows too little, or lies outside the videos."""
    support, _ = _support(rows, run)
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
    run: _Run, query: Pictures, ends: tuple[float, float], others: list[AlignedSegment]
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


def _is_ambiguous(rows: _Rows, run: _Run) -> bool:
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


def _weight_by_shift(rows: _Rows, late: F64) -> tuple[F64, F64]:
    """Whole seconds off the line, and the weight of the best match of each query frame there."""
    shift = np.rint(late)
    order = np.lexsort((rows.weight, rows.query, shift))
    shift, query, weight = shift[order], rows.query[order], rows.weight[order]
    best = np.r_[(np.diff(shift) != 0) | (np.diff(query) != 0), True]
    values, number = np.unique(shift[best], return_inverse=True)
    return values, np.bincount(number, weight[best]).astype(np.float64)
