"""Which files were found to be as they were written, so that each is read in full once only.

A checksum takes about 1 s per GB, too long for every start of a search. A file that was found whole
is noted with its inode, size and time of change, and taken for whole until one of these differs.
What alters a file and none of them, such as a bad disk, is found where everything is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# inode, bytes, time of change in ns, and the checksum that was expected.
_Note = list[int | str]


class Verified:
    """The notes on some files. Use `known_files`."""

    def __init__(self, notes: dict[str, _Note]) -> None:
        self._before, self.notes = notes, dict[str, _Note]()

    @property
    def changed(self) -> bool:
        """Whether other files were asked for, or found whole, than last time."""
        return self.notes != self._before

    def holds(self, path: Path, expected: str, digest: Callable[[], str]) -> bool:
        """Whether a file's checksum is the expected one; ``digest`` computes it where needed."""
        stat = path.stat()
        now: _Note = [stat.st_ino, stat.st_size, stat.st_mtime_ns, expected]
        if self._before.get(str(path)) != now and digest() != expected:
            return False
        self.notes[str(path)] = now
        return True


Verify = bool | Verified


def is_as_written(
    path: Path, expected: str, digest: Callable[[], str], verify: Verify = True
) -> bool:
    """Whether a file is as it was written; it is believed to be where ``verify`` is False."""
    if isinstance(verify, Verified):
        return verify.holds(path, expected, digest)
    return not verify or digest() == expected


@contextmanager
def known_files(notes: Path) -> Iterator[Verified]:
    """What is noted in a file, which has what was found in the block at its end.

    Where nothing can be written, files are read in full the next time, too.
    """
    verified = Verified(_read(notes))
    yield verified
    if verified.changed:
        with suppress(OSError):
            notes.parent.mkdir(parents=True, exist_ok=True)
            fresh = notes.with_name(f"{notes.name}.new")
            fresh.write_text(json.dumps(verified.notes), encoding="utf-8")
            fresh.replace(notes)


def _read(notes: Path) -> dict[str, _Note]:
    try:
        found = json.loads(notes.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
