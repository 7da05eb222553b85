"""What `kadr doctor` finds: a thing that is wrong, where, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        what: in words.
        where: the file, folder or table.
        remedy: the command that mends it, or what a person has to do.
        mend: does it, where a program can.
    """

    what: str
    where: str
    remedy: str
    mend: Callable[[], None] | None = None
