"""How what moves in two videos correlates along a segment, over lag and speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, Motion, Segment
from ml.copies.motion.changes import Moments, differences, levelled, weighted
from ml.copies.motion.shared_cells import SharedCells
from ml.copies.motion.thumbnails import at_one_contrast, interpolated

SPEED_REACH = 0.12  # around the segment's speed

_BLOCK_S = 30.0  # of a long segment, eight such blocks are compared, evenly spread
_BLOCKS = 8
_SPEED_STEP_TICKS = 0.5  # at the segment's ends
_SPEED_COST = 0.05  # of correlation, per unit of speed
# Speed 1 is taken where it costs no more correlation, and the difference is a fraction of a tick.
_ALIKE, _DRIFT_TICKS = 0.02, 1.0


@dataclass(frozen=True)
class Pair:
    """The part of two videos that a segment and its surroundings need, in shared cells.

    Times are ticks of the query's clock, counted from the middle of the segment.
    """

    query: F32  # [ticks + 2, cells]: one tick more at either end, to take differences
    reference: F32
    first: float  # of the ticks, against the segment's middle
    reference_middle: float  # row of ``reference`` that the middle maps to
    fps: float
    rate: float  # reference ticks per second over the query's

    @classmethod
    def of(
        cls,
        query: Motion,
        reference: Motion,
        shared: SharedCells,
        segment: Segment,
        search_s: float,
    ) -> Pair:
        """As much of the reference as may be compared when it is up to ``search_s`` off."""
        middle_s = 0.5 * (segment.query_start_s + segment.query_end_s)
        low = max(0, round(segment.query_start_s * query.fps))
        high = min(len(query.luma), round(segment.query_end_s * query.fps))
        there_s = 0.5 * (segment.reference_start_s + segment.reference_end_s)
        half_s = 0.6 * segment.speed * (segment.query_end_s - segment.query_start_s) + 0.5
        start = max(0, int((there_s - half_s - 2 * search_s) * reference.fps))
        stop = min(len(reference.luma), int((there_s + half_s + 2 * search_s) * reference.fps) + 2)
        return cls(
            query=at_one_contrast(query, shared.query, low, high),
            reference=at_one_contrast(reference, shared.reference, start, stop),
            first=low + 1 - middle_s * query.fps,
            reference_middle=there_s * reference.fps - start,
            fps=query.fps,
            rate=reference.fps / query.fps,
        )

    @property
    def ticks(self) -> int:
        """How many can be compared at most."""
        return max(0, min(len(self.query), len(self.reference)) - 2)

    def moments(self, speed: float, lag: float) -> Moments:
        """Sums at three lags: a tick less than ``lag``, ``lag`` and a tick more."""
        parts = [self._block(speed, lag, *block) for block in self.blocks()]
        return sum(parts[1:], start=parts[0])

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Ranges of ticks to compare: all of them, or some blocks of a long segment."""
        count, block = len(self.query) - 2, round(_BLOCK_S * self.fps)
        if count <= _BLOCKS * block:
            yield 0, count
            return
        for start in np.linspace(0, count - block, _BLOCKS).astype(int):
            yield int(start), int(start) + block

    def _block(self, speed: float, lag: float, low: int, high: int) -> Moments:
        mine = self.query_changes(low, high)
        theirs, known = self.reference_changes(speed, lag, low - 1, high + 1)
        count = high - low
        shifted = [slice(step, step + count) for step in range(3)]
        return Moments(
            np.stack([np.einsum("kp,kp->p", mine, theirs[part]) for part in shifted]),
            np.stack([known[part] @ mine**2 for part in shifted]),
            np.stack([np.einsum("kp,kp->p", theirs[part], theirs[part]) for part in shifted]),
            np.array([known[part].sum() for part in shifted]),
        )

    def query_changes(self, low: int, high: int) -> F32:
        """``[high - low, cells]`` changes of the query at its ticks ``low`` to ``high``."""
        return levelled(differences(self.query[low : high + 2]))

    def reference_changes(self, speed: float, lag: float, low: int, high: int) -> tuple[F32, F32]:
        """Changes of the reference at the query's ticks ``low`` to ``high``, and 1 where known."""
        tick = np.arange(low - 1, high + 1, dtype=np.float64) + self.first + lag
        seen, inside = self.reference_at(speed, tick)
        known = (inside[2:] & inside[:-2]).astype(np.float32)
        return levelled(differences(seen)) * known[:, None], known

    def reference_at(self, speed: float, tick: F64) -> tuple[F32, npt.NDArray[np.bool_]]:
        """The reference at ticks of the query counted from the middle, between two thumbnails."""
        place = self.reference_middle + speed * self.rate * tick
        inside = (place >= -0.5) & (place <= len(self.reference) - 0.5)
        return interpolated(self.reference, place), inside


def best_lag_and_speed(pair: Pair, usual: float, reach: int) -> tuple[float, float]:
    """Speed and lag (ticks of the query) of the largest correlation.

    A wrong speed is a lag that grows along the segment, so one pass over all lags at the usual
    speed, kept apart by seconds, gives the correlation at every speed near it.
    """
    half = 0.5 * pair.ticks
    most = min(SPEED_REACH, reach / half)
    steps = int(np.clip(np.ceil(most * half / _SPEED_STEP_TICKS), 2, 60))
    changes = most * np.arange(-steps, steps + 1) / steps
    lags, surface = _surface(pair, usual, reach, changes)
    surface -= _SPEED_COST * np.abs(changes)[:, None]
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    found = _climbed(pair, usual + float(changes[row]), float(lags[column]), most / steps)
    if abs(found.speed - 1.0) <= most:
        at_one = _top(pair, 1.0, found.lag)
        is_near = abs(found.speed - 1.0) * half < _DRIFT_TICKS
        if at_one.correlation >= found.correlation - (_ALIKE if is_near else 0.0):
            found = at_one
    return found.speed, found.lag


class _Place(NamedTuple):
    correlation: float
    speed: float
    lag: float


def _climbed(pair: Pair, speed: float, lag: float, step: float) -> _Place:
    """The best place near the given one, to a quarter of ``step`` and a fraction of a tick."""
    best = _top(pair, speed, lag)
    for part in (step, step / 2, step / 4):
        nearby = [_top(pair, best.speed + change, best.lag) for change in (-part, part)]
        best = max(best, *nearby)
    return best


def _top(pair: Pair, speed: float, lag: float) -> _Place:
    """The top of the parabola through the correlations at three lags."""
    values = pair.moments(speed, lag).correlations()
    vertex = _vertex(values)
    top = float(values[1] - 0.25 * (values[0] - values[2]) * vertex)
    return _Place(top, speed, lag + vertex)


def _surface(
    pair: Pair, speed: float, reach: int, changes: F64
) -> tuple[npt.NDArray[np.int_], F64]:
    """Lags -reach to reach, and ``[changes, lags]`` correlations at ``speed`` plus each change.

    -2 where less than half of the query is compared.
    """
    lags = np.arange(-2 * reach, 2 * reach + 1)
    parts = [_by_tick(pair, speed, lags, low, high) for low, high in pair.blocks()]
    second = max(1, round(pair.fps))
    sums = np.concatenate([_by_second(values, second) for _, values in parts], axis=2)
    middle = np.concatenate([_middles(tick, second) for tick, _ in parts])
    shift = changes[:, None, None] / speed * middle + np.arange(reach, 3 * reach + 1)[:, None]
    below = np.clip(np.floor(shift).astype(np.int64), 0, len(lags) - 2)
    part = np.clip(shift - below, 0.0, 1.0)
    block = np.arange(len(middle))
    product, query, reference = (
        ((1 - part) * value[below, block] + part * value[below + 1, block]).sum(axis=2)
        for value in sums
    )
    values = product / np.sqrt(query * reference + 1e-9)
    enough = query >= 0.5 * query.max()
    return lags[reach : 3 * reach + 1], np.where(enough, values, -2.0)


def _by_tick(
    pair: Pair, speed: float, lags: npt.NDArray[np.int_], low: int, high: int
) -> tuple[F64, F64]:
    """Ticks from the middle, and ``[3, lags, ticks]``: product, query's and reference's energy."""
    mine = pair.query_changes(low, high)
    first, last = low + int(lags[0]), high + int(lags[-1])
    theirs, known = pair.reference_changes(speed, 0.0, first, last)
    count = high - low
    mine, theirs = weighted(mine, theirs)
    product = np.stack(
        [np.einsum("kp,kp->k", mine, theirs[n : n + count]) for n in range(len(lags))]
    )
    window = np.lib.stride_tricks.sliding_window_view
    reference = window((theirs**2).sum(axis=1), count)
    query = window(known, count) * (mine**2).sum(axis=1)
    tick = np.arange(low, high, dtype=np.float64) + pair.first
    return tick, np.stack([product, query, reference]).astype(np.float64)


def _by_second(values: F64, second: int) -> F64:
    return np.asarray(np.add.reduceat(values, np.arange(0, values.shape[2], second), axis=2))


def _middles(tick: F64, second: int) -> F64:
    starts = np.arange(0, len(tick), second)
    return np.asarray(np.add.reduceat(tick, starts) / np.diff(np.r_[starts, len(tick)]))


def _vertex(values: F64) -> float:
    """Where the parabola through three values is highest, -0.5 to 0.5 from the second."""
    bend = values[0] - 2 * values[1] + values[2]
    if bend >= -1e-6:
        return 0.0
    return float(np.clip(0.5 * (values[0] - values[2]) / bend, -0.5, 0.5))
