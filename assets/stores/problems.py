"""What is wrong with a part of the library, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        what: is wrong, in a few words.
        where: the file, folder or table.
        remedy: the command, or what to do.
        mend: does it, where a program can.
    """

    what: str
    where: str
    remedy: str
    mend: Callable[[], None] | None = None
