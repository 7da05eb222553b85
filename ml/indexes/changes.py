"""How an index grows: what is new, changed or gone among the batches it shall hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """What brings an index from the batches it holds to the wanted ones, each with a fingerprint.

    Only what is new or was made from something else is read; what is gone is taken out.

    Attributes:
        gone: batches to take out.
        touched: batches to put in, new or in the place of what was there.
        counts: added, replaced, removed and unchanged batches.
    """

    gone: list[str]
    touched: list[str]
    counts: dict[str, int]

    @classmethod
    def between(cls, have: Mapping[str, str], wanted: Mapping[str, str]) -> Changes:
        """From batch to fingerprint, as held and as wanted."""
        gone = [name for name in have if name not in wanted]
        touched = [name for name in sorted(wanted) if have.get(name) != wanted[name]]
        replaced = sum(name in have for name in touched)
        counts = {
            "added": len(touched) - replaced,
            "replaced": replaced,
            "removed": len(gone),
            "unchanged": len(wanted) - len(touched),
        }
        return cls(gone, touched, counts)

    def __bool__(self) -> bool:
        return bool(self.gone or self.touched)
