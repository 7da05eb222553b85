"""The run of seconds along a line with the largest sum of gains, and the line refitted to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ml.copies.alignment.hough import SPEEDS, Line, lines_of
from ml.copies.alignment.matches import GAIN_FLOOR, TimedMatches
from ml.copies.evidence import F64

_TOLERANCE_S = 0.7  # nearest samples of the two videos lie within half a second of each other
_STILL_PAD_S = 0.125  # one tick of the clock that frames are chosen by
_GAP_COST = 0.18
_LONGEST_GAP_S = 5.0  # what is longer is another segment
_SPEED_1_BONUS = 1.05  # frames at 1 a second can't tell 1.05 from 1 over 5 s
# A line through both starts or both ends this near is as likely if it is worth this share.
_NEAR_S, _AS_GOOD = 0.8, 0.97


@dataclass(frozen=True)
class Run:
    """The best stretch of a line: disjoint pieces of query time that match, in order."""

    line: Line
    rows: TimedMatches  # of the pieces
    start: F64
    end: F64
    value: float

    @property
    def length_s(self) -> float:
        """From the first piece's start to the last one's end, in the query."""
        return float(self.end[-1] - self.start[0])


def best_run(rows: TimedMatches, ends: tuple[float, float]) -> Run:
    """The run of largest value on any line, its line refitted."""
    runs = [_run_on(rows, line) for line in lines_of(rows, ends)]
    best = _refitted(rows, max(runs, key=lambda run: run.value))
    return _at_the_ends(rows, best, ends)


def _at_the_ends(rows: TimedMatches, run: Run, ends: tuple[float, float]) -> Run:
    """The run on a line through the videos' starts or ends, where that explains as much.

    Copies mostly start or stop where the original does, and a second of tolerance hides it.
    """
    middle_s = 0.5 * (run.start[0] + run.end[-1])
    lines = [Line(1.0, 0.0), Line(1.0, ends[1] - ends[0]), Line(ends[1] / ends[0], 0.0)]
    for line in lines:
        shift_s = (line.speed - run.line.speed) * middle_s + line.offset_s - run.line.offset_s
        drift_s = 0.5 * abs(line.speed - run.line.speed) * run.length_s
        if abs(shift_s) + drift_s <= _NEAR_S:
            other = _run_on(rows, line)
            if other.value >= _AS_GOOD * run.value:
                return other
    return run


def _run_on(rows: TimedMatches, line: Line) -> Run:
    """The stretch of ``line`` with the largest sum of gains less gaps (Kadane's algorithm)."""
    near, fit = _near(rows, line)
    start, end = _cover(near, line)
    near, fit, start, end = _disjoint(near, fit, start, end)
    if not len(near):
        return Run(line, near, start, end, 0.0)
    gain = (fit - GAIN_FLOOR) * (end - start)
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
    return Run(line, near.take(np.arange(first, last + 1)), start[part], end[part], worth)


def _near(rows: TimedMatches, line: Line) -> tuple[TimedMatches, F64]:
    """Matches whose frames the line passes, one per moving query frame, and how well they fit."""
    miss = _miss_s(rows, line)
    which = np.flatnonzero(np.abs(miss) <= _TOLERANCE_S * max(1.0, line.speed))
    near, fit = rows.take(which), rows.weight[which] * (1.0 - 0.3 * miss[which] ** 2)
    order = np.lexsort((-fit, near.query))
    near, fit = near.take(order), fit[order]
    again = np.r_[False, near.query[1:] == near.query[:-1]]
    keep = np.flatnonzero(~again | (near.query_still > 0))
    return near.take(keep), fit[keep]


def _miss_s(rows: TimedMatches, line: Line) -> F64:
    """Reference seconds between a match and the line; 0 where it passes through two stills.

    Frames are sampled where they start; a still is the same picture up to its end.
    """
    late = rows.reference_start - line.speed * rows.query_start - line.offset_s
    after = np.maximum(0.0, late - line.speed * rows.query_still)
    before = np.minimum(0.0, late + rows.reference_still)
    return after + before


def _cover(rows: TimedMatches, line: Line) -> tuple[F64, F64]:
    """The query seconds each match explains: the whole frame, or the passed part of a still."""
    query_end = rows.query_start + rows.query_length
    start = (rows.reference_start - line.offset_s) / line.speed
    end = start + rows.reference_length / line.speed
    still = rows.query_still > 0
    return (
        np.where(still, np.maximum(rows.query_start, start - _STILL_PAD_S), rows.query_start),
        np.where(still, np.minimum(query_end, end + _STILL_PAD_S), query_end),
    )


def _disjoint(
    rows: TimedMatches, fit: F64, start: F64, end: F64
) -> tuple[TimedMatches, F64, F64, F64]:
    """In order of time; what an earlier one covers already is cut off."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    covered = np.maximum.accumulate(np.r_[-np.inf, end[:-1]]) if len(end) else end
    start = np.maximum(start, covered)
    keep = np.flatnonzero(end - start > 1e-3)
    return rows.take(order[keep]), fit[order[keep]], start[keep], end[keep]


def _refitted(rows: TimedMatches, run: Run) -> Run:
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


def _fits(rows: TimedMatches, run: Run) -> Iterator[Line]:
    """Lines near the run's: of its slope, of speed 1, and of the slope of least squares."""
    support, _ = support_of(rows, run)
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
            yield Line(speed, r - speed * q)


def support_of(rows: TimedMatches, run: Run) -> tuple[TimedMatches, F64]:
    """All matches within tolerance of the run's line, in its stretch of the query."""
    miss = _miss_s(rows, run.line)
    middle = rows.query_start + 0.5 * rows.query_length
    inside = (middle > run.start[0]) & (middle < run.end[-1])
    inside |= np.isin(rows.query, run.rows.query)
    near = np.abs(miss) <= _TOLERANCE_S * max(1.0, run.line.speed)
    which = np.flatnonzero(inside & near)
    return rows.take(which), miss[which]
