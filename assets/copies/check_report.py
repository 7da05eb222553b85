"""What a check says of a file: the videos that share something with it, and one verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from assets.copies.check_file import name_of

if TYPE_CHECKING:
    from ml.copies.verdicts import Verdict
    from ml.media.extract import Extracted

NEW, COPY, HARD_CASE = "new", "copy", "hard case"
EXIT_CODES = {NEW: 0, COPY: 10, HARD_CASE: 11}
# Videos without a date are later than all with one.
UNDATED = datetime.max.replace(tzinfo=UTC)
_COPIES = frozenset(("duplicate", "partial"))


class NotSearchable(Exception):
    """There is no library, or none in which copies can be looked for; says what to do."""


@dataclass(frozen=True)
class Match:
    """A video of the library that shares pictures or sound with the file."""

    video_id: str
    batch: str
    title: str
    uri: str
    published_at: datetime | None
    licensed: bool
    is_same_file: bool
    verdict: Verdict

    def row(self, copy_id: str) -> dict[str, Any]:
        """The pair's values of ``PAIR_COLUMNS``."""
        return {"copy_id": copy_id, "original_id": self.video_id, **asdict(self.verdict)}


@dataclass(frozen=True)
class Checked:
    """What came of a check; ``matches`` are the strongest first.

    ``not_searched`` are batches that the indexes don't hold as they are now. ``strip`` is a JPEG
    file of the strongest match. ``seconds`` by stage: the library is opened while a worker starts,
    fetches and decodes the file; everything else is in turn.
    """

    uri: str
    media: Extracted
    matches: list[Match]
    video_count: int
    batch_count: int
    not_searched: list[str]
    has_evidence: bool
    strip: bytes | None
    seconds: dict[str, float]

    @property
    def name(self) -> str:
        """The file's name, which stands for its id."""
        return name_of(self.uri)

    @property
    def verdict(self) -> str:
        """``new``, ``copy`` or ``hard case``."""
        return verdict_on(match.verdict.verdict for match in self.matches)


def verdict_on(verdicts: Iterable[str]) -> str:
    """One verdict for a file from those of its pairs: a copy of one video is a copy."""
    found = set(verdicts)
    if found & _COPIES:
        return COPY
    return HARD_CASE if found else NEW


def by_strength(matches: Iterable[Match]) -> list[Match]:
    """Copies before hard cases, the surest first; of equals the one that is matched most, then the
    earliest."""
    return sorted(
        matches,
        key=lambda m: (
            m.verdict.verdict not in _COPIES,
            not m.is_same_file,
            -round(m.verdict.score, 2),
            -round(m.verdict.copy_share, 2),
            m.published_at or UNDATED,
            m.video_id,
        ),
    )
