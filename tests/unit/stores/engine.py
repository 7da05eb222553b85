"""The embedded engine for many tests: what was made once is copied, and stays open meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def copied(made: Path, folder: Path) -> Path:
    """A library of a test's own. Tables that are open in a process can't be copied."""
    shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)
    return folder


@contextmanager
def kept_open(directory: Path) -> Iterator[None]:
    """Keep the engine open, so that a session takes 14 ms, and not 70 to 100.

    A process opens one directory at a time; nobody may remove it, or open it from another process.
    """
    import chdb

    directory.parent.mkdir(parents=True, exist_ok=True)
    connection = chdb.connect(str(directory))
    try:
        yield
    finally:
        connection.close()


@contextmanager
def opened_copy(made: Path, folder: Path) -> Iterator[Path]:
    """A copy of a library whose tables are in ``state/clickhouse``, and stay open."""
    with kept_open(copied(made, folder) / "state" / "clickhouse"):
        yield folder
