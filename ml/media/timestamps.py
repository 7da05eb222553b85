"""When things happen: the file's time stamps on one timeline, in seconds.

Timeline: 0 is the container's presentation start, the earliest of its streams, so sound and picture
share one origin (the file's own 0 where it names no start). A start up to 0.25 s before 0 is
encoder priming, which players skip: then 0 is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

_PRIMING_S = 0.25
# A step this far beyond the file's own length is a broken time stamp, not a long still picture.
_BEYOND_LENGTH_S = 10.0


def origin_of(container: InputContainer) -> float:
    """Where 0 of the timeline lies on the file's own clock, in seconds."""
    start_s = (container.start_time or 0) / 1_000_000
    return 0.0 if -_PRIMING_S <= start_s < 0 else start_s


def seconds_from(stamp: int | None, base: Fraction | None, origin_s: float) -> float | None:
    """Time stamp ``stamp``, in units of ``base`` seconds, on the timeline; None if not stamped."""
    if stamp is None or base is None:
        return None
    return stamp * base.numerator / base.denominator - origin_s  # 5 x as fast as a Fraction


@dataclass
class Clock:
    """Repairs the time stamps of pictures: they must rise, and stay near the file's length.

    A missing stamp is one step after the last. A single wrong one is replaced; where the clock
    itself jumps (joined streams, a wrapped counter), all later stamps are shifted.
    """

    step_s: float
    length_s: float | None
    repaired: int = 0
    _last: float | None = None
    _shift: float = 0.0

    def place(self, stamp_s: float | None) -> float:
        """Where a picture stamped ``stamp_s`` (None: not stamped) stands on the timeline."""
        if self._last is not None:
            placed = self._after(self._last, stamp_s)
        elif stamp_s is None or not self._sane(stamp_s):
            placed, self._shift = 0.0, -(stamp_s or 0.0)
        else:
            placed = max(0.0, stamp_s)
        self._last = placed
        return placed

    def _after(self, last: float, stamp_s: float | None) -> float:
        if stamp_s is not None:
            for shift in (0.0, self._shift):
                if last < stamp_s + shift and self._sane(stamp_s + shift, last):
                    self._shift = shift
                    return stamp_s + shift
            self._shift = last + self.step_s - stamp_s
        self.repaired += stamp_s is not None
        return last + self.step_s

    def _sane(self, stamp_s: float, last: float = 0.0) -> bool:
        """Within the stated length (or, if none is stated, within an hour of the last)."""
        if self.length_s is None:
            return stamp_s - last < 3600.0
        return stamp_s <= max(self.length_s, last) + _BEYOND_LENGTH_S


def last_duration_s(claim_s: float, steps: int, steps_s: float, longest_step_s: float) -> float:
    """How long the last picture stands: as the file says, unless that is out of proportion.

    ``claim_s`` is 0 where the file says nothing; ``steps`` lie between the pictures before it and
    take ``steps_s`` seconds, the longest one ``longest_step_s``.
    """
    usual_s = steps_s / steps if steps else 1.0 / 25.0
    credible_s = max(1.0, 2 * longest_step_s) if steps else 60.0
    return claim_s if 0 < claim_s <= credible_s else usual_s
