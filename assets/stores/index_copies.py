"""Local copies of indexes that lie in an object store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from assets.stores.datasets import key_of
from assets.stores.scratch import scratch_folder


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
    with scratch_folder(place / "partial", folder.name) as partial_folder:
        fetch(partial_folder / "files")
        older = [path for path in place.iterdir() if path.name not in (folder.name, "partial")]
        with suppress(OSError):  # another process was faster
            (partial_folder / "files").rename(folder)
    for path in older:
        shutil.rmtree(path, ignore_errors=True)
    return folder
