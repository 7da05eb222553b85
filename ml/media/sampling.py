"""Which frames to keep: about one a second, fewer where nothing moves, one at each shot's start.

An online algorithm over the tiny luma thumbnails that the motion stream needs anyway (8 a second),
so choosing frames converts no picture that isn't kept. A shot's start is found within one tick.

The thresholds for cuts were adjusted by eye on five real clips, so no accuracy is claimed;
those for movement were measured on drawn captions and on encodings at crf 18 to 40.
Cuts between scenes of equal light and layout, and dissolves, are not marked as
shots: their frames are still kept, once a second, because they move.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
Thumbnail = npt.NDArray[np.uint8]

# White captions moved a cell of the 32 x 32 grid by 16-23 of 255 levels at 3 % of the height, 22-26
# at 4 %, 40-54 at 5 %. Coding and sensor noise of a still picture moved none by more than 3 at
# crf 23 and 5 at crf 35 (9 at crf 40, where still pictures may give a frame a second).
MOVED_LEVELS = 6
HOLD_S = 10.0  # a still picture gives a frame at least this often
# A cut changes the mean cell by at least this, and by this multiple of the motion just before.
_CUT_LEVELS = 12.0
_CUT_TO_MOTION = 2.5
_CUT_TO_MOTION_AFTER = 1.8  # ... and after: a whip pan and a passing car had 1.5-1.7
# ... and changes the layout: brightness alone (flash, exposure, fade) keeps cells correlated.
_CUT_CORRELATION = 0.7
# A picture that comes back within this time was interrupted by a flash, not cut.
_FLASH_S = 0.375
_STROBE_S = 1.0  # no row of cuts and flashes puts off a frame that is due by more than this
_MOTION_MEMORY = 8  # ticks of motion that a cut is compared with: a second
_BLACK_MEAN, _BLACK_SPREAD = 10.0, 3.0
_LIT_MEAN, _LIT_SPREAD = 16.0, 6.0


@dataclass(frozen=True)
class Seen(Generic[Item]):
    """A picture on screen at a tick. ``item`` is the caller's own; it comes back when kept."""

    item: Item
    frame_no: int
    start_s: float
    thumbnail: Thumbnail


@dataclass(frozen=True)
class Kept(Generic[Item]):
    """A picture to keep."""

    item: Item
    frame_no: int
    start_s: float
    is_shot_start: bool


@dataclass
class Sampler(Generic[Item]):
    """Sees the picture at every tick, in order, and says which to keep.

    ``rate`` is kept pictures per second where something moves. At most two pictures are held: the
    start of a shot that may yet turn out to be a flash, and nothing else once that is decided.
    """

    rate: float = 1.0
    hold_s: float = HOLD_S
    _kept: Seen[Item] | None = field(default=None, init=False)
    _due_s: float = field(default=0.0, init=False)
    _waits_since_s: float | None = field(default=None, init=False)
    _last: Seen[Item] | None = field(default=None, init=False)
    _candidate: _Candidate[Item] | None = field(default=None, init=False)
    _motion: deque[float] = field(init=False)
    _black: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._motion = deque(maxlen=_MOTION_MEMORY)

    def see(self, seen: Seen[Item], tick_s: float) -> list[Kept[Item]]:
        """Pictures to keep, now that ``seen`` is on screen at ``tick_s``; none, one or two."""
        last, self._last = self._last, seen
        if last is None or self._kept is None:
            self._black = _is_black(seen.thumbnail)
            return [self._keep(seen, tick_s, is_shot_start=True)]
        if seen.frame_no == last.frame_no:  # the same picture still stands: no new evidence
            return self._settle(tick_s) + self._regular(seen, tick_s)
        if self._lights_up(seen.thumbnail):
            self._candidate = None
            return [self._keep(seen, tick_s, is_shot_start=True)]
        kept: list[Kept[Item]] = []
        if self._candidate is not None and self._candidate.was_flash(seen.thumbnail):
            self._candidate = None
        else:
            kept = self._settle(tick_s)
            self._look_for_cut(last, seen, tick_s)
        return kept + self._regular(seen, tick_s)

    def finish(self) -> list[Kept[Item]]:
        """A shot that began too close to the end to be told from a flash is kept."""
        return self._accept()

    def _lights_up(self, thumbnail: Thumbnail) -> bool:
        """Whether black ends here: a shot starts, however slowly it fades in."""
        lit = self._black and _is_lit(thumbnail)
        self._black = _is_black(thumbnail) or (self._black and not lit)
        return lit

    def _settle(self, tick_s: float) -> list[Kept[Item]]:
        """A candidate that has lasted longer than a flash is a shot."""
        if self._candidate is None or tick_s - self._candidate.tick_s < _FLASH_S - 1e-6:
            return []
        return self._accept()

    def _accept(self) -> list[Kept[Item]]:
        candidate, self._candidate = self._candidate, None
        if candidate is None or candidate.change < _CUT_TO_MOTION_AFTER * candidate.motion_after:
            return []
        return [self._keep(candidate.seen, candidate.tick_s, is_shot_start=True)]

    def _look_for_cut(self, last: Seen[Item], seen: Seen[Item], tick_s: float) -> None:
        change = _distance(last.thumbnail, seen.thumbnail)
        usual = statistics.median(self._motion) if self._motion else 0.0
        self._motion.append(change)
        if _is_cut(last.thumbnail, seen.thumbnail, change, usual):
            # A second cut before the first is decided: the third scene is the shot.
            before = self._candidate.before if self._candidate else last.thumbnail
            self._candidate = _Candidate(seen, tick_s, before, change)
        elif self._candidate is not None:
            self._candidate = self._candidate.followed_by(change)

    def _regular(self, seen: Seen[Item], tick_s: float) -> list[Kept[Item]]:
        assert self._kept is not None
        if tick_s < self._due_s or seen.frame_no == self._kept.frame_no:
            return []
        held = tick_s - self._kept.start_s >= self.hold_s
        if not held and not moved(self._kept.thumbnail, seen.thumbnail):
            return []
        if self._candidate is not None:
            self._waits_since_s = self._waits_since_s or tick_s
            if tick_s - self._waits_since_s < _STROBE_S:
                return []
        return [self._keep(seen, tick_s, is_shot_start=False)]

    def _keep(self, seen: Seen[Item], tick_s: float, is_shot_start: bool) -> Kept[Item]:
        self._kept, self._candidate, self._waits_since_s = seen, None, None
        self._due_s = tick_s + 1.0 / self.rate - 1e-6
        return Kept(seen.item, seen.frame_no, seen.start_s, is_shot_start)


@dataclass(frozen=True)
class _Candidate(Generic[Item]):
    """A picture unlike the one before it: the start of a shot, or a flash."""

    seen: Seen[Item]
    tick_s: float
    before: Thumbnail
    change: float
    motion_after: float = 0.0  # the largest change of a tick since

    def was_flash(self, now: Thumbnail) -> bool:
        """Whether the picture is again nearer to what was before than to the candidate."""
        back = _distance(self.before, now)
        return back < 0.5 * _distance(self.before, self.seen.thumbnail)

    def followed_by(self, change: float) -> _Candidate[Item]:
        return replace(self, motion_after=max(self.motion_after, change))


def moved(before: Thumbnail, now: Thumbnail) -> bool:
    """Whether any cell of the picture changed visibly: a caption changes few, noise none."""
    return int(np.abs(before.astype(np.int16) - now).max()) >= MOVED_LEVELS


def plain_frame_count(duration_s: float, rate: float = 1.0) -> int:
    """Frames that sampling at a fixed ``rate`` would keep of ``duration_s`` seconds; at least 1."""
    return max(1, math.ceil(duration_s * rate - 1e-6))


def _distance(one: Thumbnail, other: Thumbnail) -> float:
    """Mean absolute difference of the cells, in levels of 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def _is_cut(before: Thumbnail, now: Thumbnail, change: float, usual_motion: float) -> bool:
    if change < max(_CUT_LEVELS, _CUT_TO_MOTION * usual_motion) or _is_black(now):
        return False
    return _correlation(before, now) < _CUT_CORRELATION


def _correlation(one: Thumbnail, other: Thumbnail) -> float:
    """Pearson's correlation of the cells; 0 where a picture is flat."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > one.size else 0.0


def _is_black(thumbnail: Thumbnail) -> bool:
    return bool(thumbnail.mean() < _BLACK_MEAN and thumbnail.std() < _BLACK_SPREAD)


def _is_lit(thumbnail: Thumbnail) -> bool:
    return bool(thumbnail.mean() > _LIT_MEAN or thumbnail.std() > _LIT_SPREAD)
