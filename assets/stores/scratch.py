"""Folders for temporary files that are gone with their process, also one that is killed.

Whoever works in such a folder holds a lock on it that the kernel lets go of when the process ends,
however it ends. So a folder whose lock is free is nobody's, and the next to start removes it. A
process that was forked from the holder holds the lock too: what it still writes is left alone until
it is gone. (Workers are spawned, and end with their step.)

These folders lie below ``KADR_STATE``, which is a disk of one machine: over a network such locks
may reach nobody. Where a file system has none, a folder is removed a day after the last write.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEPT_S = 24 * 3600.0


@contextmanager
def scratch_folder(place: Path, name: str) -> Iterator[Path]:
    """A new folder ``{name}-…`` below ``place``, removed with the block."""
    place.mkdir(parents=True, exist_ok=True)
    remove_dead(place)
    folder, lock = _new(place, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_dead(place: Path, pattern: str = "*-*") -> int:
    """Remove the folders below ``place`` whose process is gone; how many those were."""
    return sum(_removed(folder) for folder in place.glob(pattern) if folder.is_dir())


def _new(place: Path, name: str) -> tuple[Path, int]:
    """A folder and the lock on it. Between the two somebody may have taken it for a dead one."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if _try_lock(lock) is not False and folder.exists():
            return folder, lock
        os.close(lock)


def _removed(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # another was faster
        return False
    try:
        free = _try_lock(lock)
        dead = free or (free is None and time.time() - _last_touched(folder) > _KEPT_S)
        if dead:
            shutil.rmtree(folder, ignore_errors=True)
        return dead
    finally:
        os.close(lock)


def _try_lock(handle: int) -> bool | None:
    """Whether the lock is ours now; None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _last_touched(folder: Path) -> float:
    """When anything in the folder was last written; now, if it is just being removed."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()
