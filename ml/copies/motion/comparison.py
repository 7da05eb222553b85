"""Whether two videos move alike along an alignment: tiny thumbnails, eight a second.

Pictures can look alike without being the same: a presenter in the same studio on another day,
another minute of the same broadcast. What changes from one eighth of a second to the next does not.
The query's thumbnails are warped into the reference's picture by the transform of the matched
frames, both are reduced to the cells of the region that they share, and what moves there is
correlated over lag and speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.copies.alignment import AlignedSegment, align
from ml.copies.evidence import F32, F64, FrameMatches, Motion, Pictures, Segment

SIZE = 32
Curve = F64

_CELLS = 12  # across and down the shared region, at most; 8 lost .03 of the copies' correlation
_LEAST_AREA = 1e-3  # a transform that makes a point of the picture is none
_SAMPLES = 4  # per cell, across and down
# Thumbnails are brought to one contrast, so that fades and filters don't count as movement; a
# flat one is not blown up beyond its noise.
_CONTRAST, _FLAT = 30.0, 4.0
# Cells count by how much moves in them in both videos, against noise of about this many levels
# (Wiener's filter). Of 169 copies, 98 % then correlate above .68, without it above .39.
_NOISE = 2.0
_LARGE = 4.0  # levels: root mean square change of all cells
# Sensor noise and coding of a still gave up to 0.6 levels (0.9 in a picture in picture of 35 %), a
# speaker whose lips move 0.2 to 2. Noise is added to one video of two, so less will do in both.
_MOVES, _BOTH_MOVE = 1.0, 0.25
_BLOCK_S = 30.0  # of a long segment, eight such blocks are compared, evenly spread
_BLOCKS = 8
_LEAST_S = 1.0
_SPEED_REACH = 0.12  # around the segment's speed
_SPEED_STEP_TICKS = 0.5  # at the segment's ends
_SPEED_COST = 0.05  # of correlation, per unit of speed
# Speed 1 is taken where it costs no more correlation, and the difference is a fraction of a tick.
_ALIKE, _DRIFT_TICKS = 0.02, 1.0


# Offsets over all of two videos: at 4 % from the true speed 3 s still move together.
SEARCH_SPEEDS = (1.0, 0.75, 0.8, 0.9, 1.1, 1.2, 1.25, 1.33)
_LEAST_OVERLAP_S = 2.0
# Aligning by movement: two seconds around each second of the query, at these speeds.
_WINDOW_S, _WINDOW_SPEEDS = 2.0, (0.7, 0.82, 1.0, 1.12, 1.25, 1.45)
_WINDOW_CORRELATION = 0.55
_WINDOW_PEAKS = 6
_WINDOW_REACH_S = 300.0  # of the reference, before and after the segment
_CLEARLY = 1.05  # what is aligned anew must agree for this much longer
_THROUGHOUT = 0.8  # of the seconds agree: then a line needs no alternative
# Ends: thumbnails agree when their cells correlate at least this, and nearly as in the middle.
_LEAST_ALIKE, _ALIKE_MARGIN = 0.5, 0.2
_OTHER_MOVEMENT = 0.2  # where a second correlates less, a longer stretch is not the same
_FLAT_SPREAD = 3.0  # levels: flatter thumbnails show nothing to compare
_CORE_SHARE = 0.5
_SKIPPED_TICKS = 2  # what disagrees this long is a flash or a dropped frame


@dataclass(frozen=True)
class MotionComparison:
    """How alike two videos move along a segment.

    The best line is ``reference = middle of the segment's reference + lag_s
    + speed * (query - middle of the segment's query)``; ``realigned`` gives it as a segment.
    Energies are what changes in a quarter of a second in the tenth of the cells that move most:
    root mean squares, in levels of a picture brought to a contrast (standard deviation) of 30.
    """

    correlation: float  # -1 to 1 at the best lag and speed; 0 where nothing can be compared
    curve_correlation: float  # that of how much moves per tick, wherever it moves
    query_energy: float
    reference_energy: float
    can_tell: bool  # False where next to nothing moves in either, or nothing is shared
    lag_s: float
    speed: float
    support_s: float  # seconds of the query compared
    times_s: F64  # [k] of the query, a second apart
    agreement: F32  # [k] correlation of the second around that time; 0 where nothing moves

    @property
    def finding(self) -> str:
        """``same``, ``other`` or ``unclear``: what the correlation means for so many seconds.

        The best of many lags and speeds correlates by chance, the more so in a short segment.
        13 real clips in 13 edits each were compared at the right place and at wrong ones, other
        takes of one speaker included. Over 1.5 / 2 / 3 / 4.5 / 6 s, 2 % of the right ones were
        below .33 / .51 / .53 / .79 / .82 and 2 % of the wrong ones above .66 / .57 / .49 / .35 /
        .37; of 55 pairs of talking faces in one studio the highest was .83, over 1.6 s.
        """
        if not self.can_tell:
            return "unclear"
        if self.correlation >= max(0.6, 1.1 - 0.15 * self.support_s):
            return "same"
        return "other" if self.correlation < min(0.5, 0.2 + 0.1 * self.support_s) else "unclear"


_NOTHING = np.zeros(0, np.float64)


def motion_of(rows: Iterable[pa.RecordBatch]) -> Motion | None:
    """The thumbnails of one video's rows of `motion`, part after part; None without rows.

    Where the pictures begin later than 0 (the sound began first), the first thumbnail is repeated,
    so that thumbnail i is shown at ``i / fps``.
    """
    from ml.media.rows import decode_motion

    fps, parts, count = 0.0, [], 0
    for row in (row for batch in rows for row in batch.to_pylist()):
        fps = row["fps"]
        luma = decode_motion(row["luma_zstd"], row["thumbnail_count"], row["size"])
        late = max(0, round(row["start_s"] * fps) - count)
        parts += [np.repeat(luma[:1], late, axis=0), luma]
        count += late + len(luma)
    return Motion(fps=fps, luma=np.concatenate(parts)) if parts else None


def compare(
    query: Motion,
    reference: Motion,
    segment: Segment,
    transform: F32,
    *,
    query_aspect: float,
    reference_aspect: float,
    mirrored: bool,
    search_s: float = 1.5,
) -> MotionComparison:
    """How alike the two move along ``segment``, and the lag and speed at which they do most.

    Args:
        transform: ``[2, 3]``, as in ``FrameMatches``.
        search_s: how far the reference's time may be from the segment's.
    """
    shared = _shared(transform, query_aspect, reference_aspect, mirrored)
    if shared is None:
        return _cannot_tell(segment)
    pair = _Pair.of(query, reference, shared, segment, search_s)
    if pair.ticks < _LEAST_S * query.fps:
        return _cannot_tell(segment)
    speed, lag = _best_lag_and_speed(pair, segment.speed, round(search_s * query.fps))
    found = pair.moments(speed, lag)
    energies = found.energies()[:, 1]
    times_s, agreement = _agreement(pair, speed, lag)
    return MotionComparison(
        correlation=float(found.correlations()[1]),
        curve_correlation=_curve_correlation(pair, speed, lag),
        query_energy=float(energies[0]),
        reference_energy=float(energies[1]),
        can_tell=bool(energies.max() >= _MOVES or energies.min() >= _BOTH_MOVE),
        lag_s=speed * lag / query.fps,
        speed=speed,
        support_s=float(found.count[1]) / query.fps,
        times_s=times_s,
        agreement=agreement,
    )


def realigned(segment: Segment, comparison: MotionComparison) -> Segment:
    """The segment on the line that motion found; its query times stay."""
    half_s = 0.5 * comparison.speed * (segment.query_end_s - segment.query_start_s)
    middle_s = 0.5 * (segment.reference_start_s + segment.reference_end_s) + comparison.lag_s
    return replace(
        segment,
        reference_start_s=max(0.0, middle_s - half_s),
        reference_end_s=middle_s + half_s,
        speed=comparison.speed,
    )


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
    shared = _shared(transform, query_aspect, reference_aspect, mirrored)
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
    return _with_query_ends(segment, start_s, end_s)


def resolve(
    query: Motion,
    reference: Motion,
    aligned: AlignedSegment,
    *,
    query_aspect: float,
    reference_aspect: float,
    reference_duration_s: float,
) -> list[tuple[Segment, MotionComparison]]:
    """What a segment of ``alignment.align`` becomes when movement is asked too.

    A segment that moves alike gets its line and its ends from the movement. One whose pictures
    match at many offsets (a camera that never moves) is aligned anew by movement alone, and may
    become several. What movement can't confirm comes back as it was, with its ``finding``.
    """
    view = _View(query, reference, aligned.transform, query_aspect, reference_aspect)
    plain = view.followed(aligned.segment, aligned.mirrored)
    found = [plain] if plain[1].finding == "same" else []
    throughout = float((plain[1].agreement > 0.5).sum()) >= _THROUGHOUT * len(plain[1].agreement)
    if (aligned.ambiguous or not found) and not (found and throughout):
        lines = view.moving(aligned.segment, aligned.mirrored, reference_duration_s)
        anew = [view.compared(line, aligned.mirrored) for line in lines]
        anew = [one for one in anew if one[1].finding == "same"]
        if _agreeing_s(anew) > _CLEARLY * _agreeing_s(found):
            found = anew
    if not found:
        return [plain]
    apart = _apart([view.extended(*one, aligned.mirrored) for one in found])
    return [(_within(segment, reference_duration_s), motion) for segment, motion in apart]


def _within(segment: Segment, reference_duration_s: float) -> Segment:
    """Without what lies beyond the reference's end, by a fraction of a tick."""
    return replace(segment, reference_end_s=min(segment.reference_end_s, reference_duration_s))


def _apart(
    found: list[tuple[Segment, MotionComparison]],
) -> list[tuple[Segment, MotionComparison]]:
    """In the query's order, each ended where the next begins: at the middle of what both claim."""
    found = sorted(found, key=lambda one: one[0].query_start_s)
    for number in range(len(found) - 1):
        (one, mine), (other, theirs) = found[number], found[number + 1]
        if one.query_end_s > other.query_start_s:
            middle_s = 0.5 * (one.query_end_s + other.query_start_s)
            found[number] = _with_query_ends(one, one.query_start_s, middle_s), mine
            found[number + 1] = _with_query_ends(other, middle_s, other.query_end_s), theirs
    return [one for one in found if one[0].query_end_s - one[0].query_start_s > 0.25]


def _agreeing_s(found: list[tuple[Segment, MotionComparison]]) -> float:
    return sum(float((c.agreement * (c.agreement > 0)).sum()) for _, c in found)


@dataclass(frozen=True)
class _View:
    """Two videos' movement, and how one picture lies in the other."""

    query: Motion
    reference: Motion
    transform: F32
    query_aspect: float
    reference_aspect: float

    def compared(self, segment: Segment, mirrored: bool) -> tuple[Segment, MotionComparison]:
        found = compare(
            self.query,
            self.reference,
            segment,
            self.transform,
            query_aspect=self.query_aspect,
            reference_aspect=self.reference_aspect,
            mirrored=mirrored,
        )
        return segment, found

    def followed(self, segment: Segment, mirrored: bool) -> tuple[Segment, MotionComparison]:
        """Compared, and again around what was found where that lies at the reach of the search."""
        found = self.compared(segment, mirrored)
        for _ in range(2):
            change = abs(found[1].speed / found[0].speed - 1)
            if change < 0.9 * _SPEED_REACH or found[1].correlation < _WINDOW_CORRELATION:
                break
            again = self.compared(realigned(*found), mirrored)
            if again[1].correlation <= found[1].correlation:
                break
            found = again
        return found

    def extended(
        self, segment: Segment, comparison: MotionComparison, mirrored: bool
    ) -> tuple[Segment, MotionComparison]:
        longer = extend(
            self.query,
            self.reference,
            realigned(segment, comparison),
            self.transform,
            query_aspect=self.query_aspect,
            reference_aspect=self.reference_aspect,
            mirrored=mirrored,
        )
        return longer, comparison

    def moving(
        self, segment: Segment, mirrored: bool, reference_duration_s: float
    ) -> list[Segment]:
        """Segments within the given one's query time that follow from movement alone."""
        shared = _shared(self.transform, self.query_aspect, self.reference_aspect, mirrored)
        if shared is None:
            return []
        rows, columns, matches = _moving_matches(self.query, self.reference, shared, segment)
        if not len(matches.weight):
            return []
        found = align(
            rows,
            columns,
            matches,
            query_duration_s=segment.query_end_s,
            reference_duration_s=reference_duration_s,
        )
        return [one.segment for one in found]


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
    shared = _shared(transform, query_aspect, reference_aspect, mirrored)
    if shared is None or min(len(query.luma), len(reference.luma)) < 2 * query.fps:
        return []
    mine = _levelled(_differences(_seen(query, shared.query, 0, len(query.luma))))
    seen = _seen(reference, shared.reference, 0, len(reference.luma))
    found = []
    for speed in speeds:
        place = np.arange(0, len(seen) - 1, speed * reference.fps / query.fps)
        theirs = _levelled(_differences(_between(seen, place)))
        values = _at_all_lags(mine, theirs, round(_LEAST_OVERLAP_S * query.fps))
        for lag in _peaks(values, round(query.fps), most):
            value = float(values[lag])
            found.append((speed * (lag - len(mine) + 1) / query.fps, speed, value))
    return sorted(found, key=lambda one: -one[2])[:most]


def _cannot_tell(segment: Segment) -> MotionComparison:
    return MotionComparison(
        correlation=0.0,
        curve_correlation=0.0,
        query_energy=0.0,
        reference_energy=0.0,
        can_tell=False,
        lag_s=0.0,
        speed=segment.speed,
        support_s=0.0,
        times_s=_NOTHING,
        agreement=_NOTHING.astype(np.float32),
    )


# ---------------------------------------------------------------- where


@dataclass(frozen=True)
class _Shared:
    """Two matrices that average thumbnails over the same cells: ``float32[1024, cells]`` each."""

    query: F32
    reference: F32


def _shared(
    transform: F32, query_aspect: float, reference_aspect: float, mirrored: bool
) -> _Shared | None:
    """Cells of the region that both pictures show; None where that is too small to tell."""
    to_reference = _between_thumbnails(transform, query_aspect, reference_aspect, mirrored)
    if abs(np.linalg.det(to_reference[:, :2])) < _LEAST_AREA:
        return None
    to_query = np.linalg.inv(np.vstack([to_reference, [0.0, 0.0, 1.0]]))[:2]
    line = (np.arange(64) + 0.5) / 64
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    inside = points[_is_inside(_apply(to_query, points))]
    if len(inside) < 16:
        return None
    low, high = inside.min(axis=0) - 0.5 / 64, inside.max(axis=0) + 0.5 / 64
    finest = np.minimum(1.0, np.abs(to_query[:, :2]).sum(axis=0))  # query pixels per reference's
    cells = np.clip(np.rint((high - low) * SIZE * finest), 3, _CELLS).astype(int)
    return _cells(low, high, cells, to_query)


def _between_thumbnails(
    transform: F32, query_aspect: float, reference_aspect: float, mirrored: bool
) -> F64:
    """``transform`` between shares of width and height, instead of shares of the longer side."""
    query = np.diag([*_sides(query_aspect), 1.0])
    if mirrored:
        query = query @ np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    whole = transform.astype(np.float64) @ query
    return np.asarray(whole / np.array(_sides(reference_aspect))[:, None])


def _sides(aspect: float) -> tuple[float, float]:
    """Width and height of a picture whose longer side is 1."""
    return min(1.0, aspect), min(1.0, 1.0 / aspect)


def _apply(transform: F64, points: F64) -> F64:
    return points @ transform[:, :2].T + transform[:, 2]


def _is_inside(points: F64) -> npt.NDArray[np.bool_]:
    return np.asarray(((points >= 0.0) & (points <= 1.0)).all(axis=-1))


def _cells(low: F64, high: F64, cells: npt.NDArray[np.int_], to_query: F64) -> _Shared | None:
    x, y = (
        low[k] + (high - low)[k] * (np.arange(cells[k] * _SAMPLES) + 0.5) / (cells[k] * _SAMPLES)
        for k in (0, 1)
    )
    points = np.stack(np.meshgrid(x, y), axis=-1)
    points = points.reshape(cells[1], _SAMPLES, cells[0], _SAMPLES, 2).swapaxes(1, 2)
    points = points.reshape(cells[0] * cells[1], _SAMPLES**2, 2)
    in_query = _apply(to_query, points)
    whole = _is_inside(in_query).all(axis=1)
    if whole.sum() < 9:
        return None
    return _Shared(_averages(in_query[whole]), _averages(points[whole]))


def _averages(points: F64) -> F32:
    """``[cells, samples, 2]`` in 0..1 to ``float32[1024, cells]``: means of bilinear samples."""
    position = np.clip(points * SIZE - 0.5, 0.0, SIZE - 1.001)
    below = position.astype(np.int64)
    part = position - below
    weights = np.zeros((SIZE * SIZE, len(points)), np.float64)
    column = np.broadcast_to(np.arange(len(points))[:, None], points.shape[:2])
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[..., 0]) * np.abs(1 - dy - part[..., 1])
            cell = (below[..., 1] + dy) * SIZE + below[..., 0] + dx
            np.add.at(weights, (cell, column), share / points.shape[1])
    return weights.astype(np.float32)


# ---------------------------------------------------------------- what moves


def _seen(motion: Motion, cells: F32, first: int, last: int) -> F32:
    """``[last - first, cells]`` thumbnails ``first`` to ``last`` at one mean and contrast."""
    luma = motion.luma[first:last]
    seen = luma.reshape(len(luma), SIZE * SIZE).astype(np.float32) @ cells
    seen -= seen.mean(axis=1, keepdims=True)
    seen *= _CONTRAST / (seen.std(axis=1, keepdims=True) + _FLAT)
    return np.asarray(seen)


def _differences(seen: F32) -> F32:
    """What changes over a quarter of a second (two ticks), but for the picture's contrast.

    A fade multiplies the picture: it goes with the part of the change that is like the picture.
    """
    change, picture = seen[2:] - seen[:-2], seen[1:-1]
    size = np.einsum("tp,tp->t", picture, picture) + 1e-3
    share = np.einsum("tp,tp->t", change, picture) / size
    return np.asarray(change - share[:, None] * picture)


def _between(seen: F32, place: F64) -> F32:
    """Rows of ``seen`` at fractional places; the first and the last beyond the ends."""
    last = len(seen) - 1
    below = np.clip(place, 0.0, last).astype(np.int64)
    part = np.clip(place - below, 0.0, 1.0).astype(np.float32)[:, None]
    lower = seen[below]
    return np.asarray(lower + part * (seen[np.minimum(below + 1, last)] - lower))


def _levelled(changes: F32) -> F32:
    """Large changes are drawn closer, so that one cut does not outweigh seconds of movement."""
    size = np.sqrt(np.einsum("tp,tp->t", changes, changes) / changes.shape[1])
    return np.asarray(changes / np.sqrt(1.0 + size / _LARGE)[:, None], np.float32)


@dataclass(frozen=True)
class _Moments:
    """Sums over time per lag and cell: ``[lags, cells]``; ticks per lag: ``[lags]``."""

    product: F64
    query: F64
    reference: F64
    count: F64

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def correlations(self) -> F64:
        """``[lags]``; cells weigh by what moves in both."""
        ticks = np.maximum(self.count, 1.0)[:, None]
        moves = np.minimum(self.query, self.reference) / ticks
        weight = moves / (moves + _NOISE**2)
        query, reference = (weight * self.query).sum(axis=1), (weight * self.reference).sum(axis=1)
        return np.asarray((weight * self.product).sum(axis=1) / np.sqrt(query * reference + 1e-9))

    def energies(self) -> F64:
        """``[2, lags]`` of the query and the reference, as in ``MotionComparison``."""
        ticks = np.maximum(self.count, 1.0)[:, None]
        return np.asarray(
            [np.sqrt(np.quantile(e / ticks, 0.9, axis=1)) for e in (self.query, self.reference)]
        )


def _values(moments: _Moments) -> tuple[F64, F64, F64, F64]:
    return moments.product, moments.query, moments.reference, moments.count


@dataclass(frozen=True)
class _Pair:
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
        cls, query: Motion, reference: Motion, shared: _Shared, segment: Segment, search_s: float
    ) -> _Pair:
        middle_s = 0.5 * (segment.query_start_s + segment.query_end_s)
        low = max(0, round(segment.query_start_s * query.fps))
        high = min(len(query.luma), round(segment.query_end_s * query.fps))
        there_s = 0.5 * (segment.reference_start_s + segment.reference_end_s)
        half_s = 0.6 * segment.speed * (segment.query_end_s - segment.query_start_s) + 0.5
        start = max(0, int((there_s - half_s - 2 * search_s) * reference.fps))
        stop = min(len(reference.luma), int((there_s + half_s + 2 * search_s) * reference.fps) + 2)
        return cls(
            query=_seen(query, shared.query, low, high),
            reference=_seen(reference, shared.reference, start, stop),
            first=low + 1 - middle_s * query.fps,
            reference_middle=there_s * reference.fps - start,
            fps=query.fps,
            rate=reference.fps / query.fps,
        )

    @property
    def ticks(self) -> int:
        return max(0, min(len(self.query), len(self.reference)) - 2)

    def moments(self, speed: float, lag: float) -> _Moments:
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

    def _block(self, speed: float, lag: float, low: int, high: int) -> _Moments:
        mine = self.query_changes(low, high)
        theirs, known = self.reference_changes(speed, lag, low - 1, high + 1)
        count = high - low
        shifted = [slice(step, step + count) for step in range(3)]
        return _Moments(
            np.stack([np.einsum("kp,kp->p", mine, theirs[part]) for part in shifted]),
            np.stack([known[part] @ mine**2 for part in shifted]),
            np.stack([np.einsum("kp,kp->p", theirs[part], theirs[part]) for part in shifted]),
            np.array([known[part].sum() for part in shifted]),
        )

    def query_changes(self, low: int, high: int) -> F32:
        """``[high - low, cells]`` changes of the query at its ticks ``low`` to ``high``."""
        return _levelled(_differences(self.query[low : high + 2]))

    def reference_changes(self, speed: float, lag: float, low: int, high: int) -> tuple[F32, F32]:
        """Changes of the reference at the query's ticks ``low`` to ``high``, and 1 where known."""
        tick = np.arange(low - 1, high + 1, dtype=np.float64) + self.first + lag
        seen, inside = self.reference_at(speed, tick)
        known = (inside[2:] & inside[:-2]).astype(np.float32)
        return _levelled(_differences(seen)) * known[:, None], known

    def reference_at(self, speed: float, tick: F64) -> tuple[F32, npt.NDArray[np.bool_]]:
        """The reference at ticks of the query counted from the middle, between two thumbnails."""
        place = self.reference_middle + speed * self.rate * tick
        inside = (place >= -0.5) & (place <= len(self.reference) - 0.5)
        return _between(self.reference, place), inside


# ---------------------------------------------------------------- when


def _best_lag_and_speed(pair: _Pair, usual: float, reach: int) -> tuple[float, float]:
    """Speed and lag (ticks of the query) of the largest correlation.

    A wrong speed is a lag that grows along the segment, so one pass over all lags at the usual
    speed, kept apart by seconds, gives the correlation at every speed near it.
    """
    half = 0.5 * pair.ticks
    most = min(_SPEED_REACH, reach / half)
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


def _climbed(pair: _Pair, speed: float, lag: float, step: float) -> _Place:
    """The best place near the given one, to a quarter of ``step`` and a fraction of a tick."""
    best = _top(pair, speed, lag)
    for part in (step, step / 2, step / 4):
        nearby = [_top(pair, best.speed + change, best.lag) for change in (-part, part)]
        best = max(best, *nearby)
    return best


def _top(pair: _Pair, speed: float, lag: float) -> _Place:
    """The top of the parabola through the correlations at three lags."""
    values = pair.moments(speed, lag).correlations()
    vertex = _vertex(values)
    top = float(values[1] - 0.25 * (values[0] - values[2]) * vertex)
    return _Place(top, speed, lag + vertex)


def _surface(
    pair: _Pair, speed: float, reach: int, changes: F64
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
    pair: _Pair, speed: float, lags: npt.NDArray[np.int_], low: int, high: int
) -> tuple[F64, F64]:
    """Ticks from the middle, and ``[3, lags, ticks]``: product, query's and reference's energy."""
    mine = pair.query_changes(low, high)
    first, last = low + int(lags[0]), high + int(lags[-1])
    theirs, known = pair.reference_changes(speed, 0.0, first, last)
    count = high - low
    moves = np.minimum((mine**2).mean(axis=0), (theirs**2).mean(axis=0))
    weight = np.sqrt(moves / (moves + _NOISE**2))
    mine, theirs = mine * weight, theirs * weight
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


def _changes(pair: _Pair, speed: float, lag: float) -> tuple[F32, F32, F32]:
    """Changes of both along the whole segment, and 1 where the reference's are known."""
    mine = pair.query_changes(0, len(pair.query) - 2)
    theirs, known = pair.reference_changes(speed, lag, 0, len(mine))
    return mine * known[:, None], theirs, known


def _curve_correlation(pair: _Pair, speed: float, lag: float) -> float:
    """Pearson's correlation of the root mean square change per tick."""
    mine, theirs, known = _changes(pair, speed, lag)
    use = known > 0
    if use.sum() < 4:
        return 0.0
    curves = [np.sqrt((values[use] ** 2).mean(axis=1)) for values in (mine, theirs)]
    a, b = (curve - curve.mean() for curve in curves)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-9))


def _agreement(pair: _Pair, speed: float, lag: float) -> tuple[F64, F32]:
    """Times of the query, a second apart, and the correlation of the second around each."""
    mine, theirs, _ = _changes(pair, speed, lag)
    second = max(1, round(pair.fps))
    starts = np.arange(0, max(1, len(mine) - second // 2), second)
    product, query, reference = (
        np.add.reduceat(values, starts, axis=0).astype(np.float64)
        for values in (mine * theirs, mine**2, theirs**2)
    )
    count = np.diff(np.r_[starts, len(mine)]).astype(np.float64)
    moments = _Moments(product, query, reference, count)
    energies = moments.energies()
    moving = (energies.max(axis=0) >= _MOVES) | (energies.min(axis=0) >= _BOTH_MOVE)
    times_s = (starts + 0.5 * count + 1) / pair.fps
    return times_s, np.where(moving, moments.correlations(), 0.0).astype(np.float32)


# ---------------------------------------------------------------- ends


def _agreement_by_tick(
    query: Motion, reference: Motion, shared: _Shared, segment: Segment, reach_s: float
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
    mine = _seen(query, shared.query, low, high)
    theirs = _between(_seen(reference, shared.reference, start, stop), place - start)
    size, other = (np.sqrt((values**2).mean(axis=1)) for values in (mine, theirs))
    alike = (mine * theirs).mean(axis=1) / (size * other + 1e-6)
    flat = _CONTRAST * _FLAT_SPREAD / (_FLAT_SPREAD + _FLAT)
    shows = (size > flat) & (other > flat)
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
    pair = (_levelled(_differences(values)) for values in (mine, theirs))
    one, other = (np.pad(values, ((1, 1), (0, 0))) for values in pair)
    sums = [
        np.apply_along_axis(np.convolve, 0, values, np.ones(width), "same")
        for values in (one * other, one**2, other**2)
    ]
    moments = _Moments(sums[0], sums[1], sums[2], np.full(len(one), float(width)))
    energies = moments.energies()
    moving = (energies.max(axis=0) >= _MOVES) | (energies.min(axis=0) >= _BOTH_MOVE)
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


def _with_query_ends(segment: Segment, start_s: float, end_s: float) -> Segment:
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


# ---------------------------------------------------------------- alignment by movement


def _moving_matches(
    query: Motion, reference: Motion, shared: _Shared, segment: Segment
) -> tuple[Pictures, Pictures, FrameMatches]:
    """Each second of the segment's query, each tick of the reference, and those that move alike."""
    first, last = int(segment.query_start_s * query.fps), int(segment.query_end_s * query.fps)
    mine = _levelled(_differences(_seen(query, shared.query, first, last + 2)))
    low = max(0, int((segment.reference_start_s - _WINDOW_REACH_S) * reference.fps))
    high = int((segment.reference_end_s + _WINDOW_REACH_S) * reference.fps) + 2
    seen = _seen(reference, shared.reference, low, high)
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
    theirs = _levelled(_differences(_between(seen, place)))
    if len(theirs) < width or not len(starts):
        return
    moves = np.minimum((mine**2).mean(axis=0), (theirs**2).mean(axis=0))
    weight = np.sqrt(moves / (moves + _NOISE**2))
    mine, theirs = mine * weight, theirs * weight
    window = np.stack([mine[start : start + width].ravel() for start in starts])
    energy = np.convolve((theirs**2).sum(axis=1), np.ones(width), "valid")
    own = (window**2).sum(axis=1)
    product = np.zeros((len(starts), len(energy)), np.float32)
    for tick in range(width):
        product += mine[starts + tick] @ theirs[tick : tick + len(energy)].T
    floor = _BOTH_MOVE**2 * width * mine.shape[1] * 0.1
    values = product / np.sqrt(np.maximum(own, floor)[:, None] * np.maximum(energy, floor))
    middle = np.rint((np.arange(len(energy)) + 0.5 * (width - 1)) * step).astype(int)
    inside = middle < best.shape[1]
    best[:, middle[inside]] = np.maximum(best[:, middle[inside]], values[:, inside])


def _peaks_as_matches(best: F64, apart: int) -> FrameMatches:
    pairs = [
        (row, column, best[row, column])
        for row in range(len(best))
        for column in _peaks(best[row], apart // 2, _WINDOW_PEAKS)
        if best[row, column] >= _WINDOW_CORRELATION
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


# ---------------------------------------------------------------- all offsets


def _at_all_lags(mine: F32, theirs: F32, least: int) -> F64:
    """``[len(mine) + len(theirs) - 1]`` correlations; -2 where fewer than ``least`` ticks meet.

    Element ``len(mine) - 1 + k`` is the query begun k ticks into the reference.
    """
    moves = np.minimum((mine**2).mean(axis=0), (theirs**2).mean(axis=0))
    weight = np.sqrt(moves / (moves + _NOISE**2))
    mine, theirs = mine * weight, theirs * weight
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


def _peaks(values: F64, apart: int, most: int) -> list[int]:
    """Places of the largest positive values, at least ``apart`` from one another."""
    left = values.copy()
    peaks: list[int] = []
    while len(peaks) < most and left.max() > 0:
        at = int(left.argmax())
        peaks.append(at)
        left[max(0, at - apart) : at + apart + 1] = -2.0
    return peaks
