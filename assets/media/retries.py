"""How long a failure is believed that may pass: some nights, and then it is one for good.

What a video waits for stands in the ledger of its batch's ``videos``, so it is as true as the rows.
A night is an attempt a night after the one that counted last: whoever runs a batch five times in an
hour while a server is away has tried one night.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ml.failures import PermanentFailure, RetryableFailure, VideoFailure

# Nightly runs begin 24 h apart, and one may reach a batch hours later than the next.
NIGHT_S = 20 * 3600.0
# Reasons that change from night to night end as well, later.
_OTHER_REASONS = 3


@dataclass(frozen=True)
class Waiting:
    """What a video waits for.

    Attributes:
        reason: why it failed last.
        nights: how many in a row it failed so.
        in_all: how many in a row it failed, for whatever reasons.
        counted_at_s: Unix time of the last attempt that counted.
    """

    reason: str
    nights: int
    in_all: int
    counted_at_s: float

    def why_over(self, attempts: int) -> str:
        """Why it is not waited for any longer; empty while it is."""
        if self.nights >= attempts:
            return f"the same in {_nights(self.nights)}"
        if self.in_all >= _OTHER_REASONS * attempts:
            return f"in vain in {_nights(self.in_all)}"
        return ""


def waiting_from(stored: Mapping[str, Any]) -> dict[str, Waiting]:
    """As `stored` gave it."""
    return {video: Waiting(**values) for video, values in stored.items()}


def stored(waiting: Mapping[str, Waiting]) -> dict[str, Any]:
    """As JSON, by video."""
    return {video: asdict(values) for video, values in waiting.items()}


def met(before: Waiting | None, reason: str, now_s: float) -> Waiting:
    """What a video waits for that failed now. A clock that was set back makes a night of it."""
    if before is None:
        return Waiting(reason, 1, 1, now_s)
    nights = before.nights if _alike(reason) == _alike(before.reason) else 0
    if 0 <= now_s - before.counted_at_s < NIGHT_S:
        return replace(before, reason=reason, nights=max(1, nights))
    return Waiting(reason, nights + 1, before.in_all + 1, now_s)


def judged(failure: RetryableFailure, waiting: Waiting, attempts: int) -> VideoFailure:
    """The failure, or one for good after so many nights."""
    why = waiting.why_over(attempts)
    if not why:
        return failure
    return PermanentFailure(f"{failure} ({why}, given up; kadr ingest SOURCE --all tries again)")


def _alike(reason: str) -> str:
    """Bytes received and seconds waited differ from night to night."""
    return re.sub(r"\d+", "0", reason)


def _nights(count: int) -> str:
    return "1 night" if count == 1 else f"{count} nights"
