"""What can be wrong with a source."""

from __future__ import annotations

from collections.abc import Iterable

from ml.redaction import shown


class SourceError(Exception):
    """A source cannot be listed: says which, what is wrong, and what to do; no password and no
    signature of an address."""

    def __init__(self, text: str) -> None:
        super().__init__(shown(text))


class EmptySource(SourceError):
    """A source that had videos has none: an unmounted disk looks like this, so nothing is done."""


class CatalogueError(SourceError):
    """A catalogue has errors: every one (up to 20) with its row, and how many there are."""

    def __init__(self, source: str, errors: Iterable[str], count: int | None = None) -> None:
        self.errors = tuple(errors)
        count = len(self.errors) if count is None else count
        more = f"\n  and {count - len(self.errors)} more" if count > len(self.errors) else ""
        noun = "error" if count == 1 else "errors"
        lines = "".join(f"\n  {line}" for line in self.errors)
        super().__init__(f"{source}: {count} {noun}, nothing was read{lines}{more}")
