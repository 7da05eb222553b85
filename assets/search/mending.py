"""How every index is mended: what is damaged is cleared away and built anew from the datasets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def mended(
    folder: Path, update: Callable[[bool], T], warn: Callable[[str], None], *, anew: bool = False
) -> T:
    """What an update returns; a damaged index, which holds nothing of its own, is built anew.

    Args:
        folder: the index's.
        update: brings it up to the datasets, from nothing where it is told so, and raises
            IndexDamaged where it can't be read.
        warn: told what is damaged.
        anew: build from nothing in any case.
    """
    from ml.indexes.files import IndexDamaged

    try:
        return update(anew)
    except IndexDamaged as error:
        warn(f"{error.folder.name} can't be used: {error.found}; it is built anew")
        clear(folder)
        return update(True)


def clear(folder: Path) -> None:
    """Take away what lies in a folder, or the file in its place."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    else:
        folder.unlink(missing_ok=True)
