"""Local copies of indexes that lie in an object store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from assets.stores.datasets import key_of


def kept_here(place: Path, files: Mapping[str, str], fetch: Callable[[Path], object]) -> Path:
    """A local copy of remote files, brought here once for each of their versions.

    Args:
        place: local folder for the copies of one index; older ones are removed.
        files: key of each remote file to its etag.
        fetch: brings them into a folder.
    """
    folder = place / key_of(*(f"{key}={etag}" for key, etag in sorted(files.items())))
    if folder.exists():
        return folder
    place.mkdir(parents=True, exist_ok=True)
    partial_folder = place / f"{folder.name}.partial-{os.getpid()}"
    fetch(partial_folder)
    older = [path for path in place.iterdir() if path != folder and not _is_being_made(path)]
    try:
        partial_folder.rename(folder)
    except OSError:  # another process was faster
        older.append(partial_folder)
    for path in older:
        shutil.rmtree(path, ignore_errors=True)
    return folder


def _is_being_made(path: Path) -> bool:
    """Whether a process that lives is fetching it."""
    _, _, pid = path.name.partition(".partial-")
    return pid.isdigit() and psutil.pid_exists(int(pid))
