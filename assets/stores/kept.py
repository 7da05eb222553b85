"""What is kept below ``indexes/``: whether it is there, whole, and up to the datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assets.stores.problems import Problem
from assets.stores.resources import Library
from assets.stores.scratch import scratch_folder
from assets.stores.seen import read_seen
from assets.stores.storage import Storage
from ml.indexes.files import MANIFEST, IndexDamaged

MENDS = "kadr index"
# An update may replace files while they are read.
_TRIES = 3


def _not_behind(folder: Path) -> str:
    return ""


@dataclass(frozen=True)
class Kept:
    """A folder below ``indexes/``.

    Attributes:
        name: the folder's.
        damage: reads all of it and says, with the file, what is wrong; empty where nothing is.
        marker: the file without which it is missing; empty where it need not be there.
        behind: why it is not up to the datasets; empty where it is.
        remedy: what mends it where it is damaged.
    """

    name: str
    damage: Callable[[Path], str]
    marker: str = MANIFEST
    behind: Callable[[Path], str] = _not_behind
    remedy: str = MENDS


def problems_of(library: Library, kept: Iterable[Kept]) -> Iterator[Problem]:
    """What is missing, damaged or behind; everything is read in full, about 1 s per GB.

    What lies in an object store is fetched for it. A library without batches has no problem.
    """
    if not library.batches.names():
        return
    for one in kept:
        where = library.storage.url(f"indexes/{one.name}")
        for state, found in _found(library, one):
            remedy = one.remedy if state == "damaged" else MENDS
            yield Problem(f"{one.name} is {state}{found and f': {found}'}", where, remedy)


def _found(library: Library, one: Kept) -> list[tuple[str, str]]:
    """(missing, damaged or behind; what exactly); read again where it was replaced meanwhile."""
    storage, prefix = library.storage, f"indexes/{one.name}"
    for _ in range(_TRIES):
        before = _listed(storage, prefix)
        found = _found_once(library, one, before)
        if not found or _listed(storage, prefix) == before:
            break
    return found


def _found_once(library: Library, one: Kept, files: Mapping[str, str]) -> list[tuple[str, str]]:
    if one.marker and f"indexes/{one.name}/{one.marker}" not in files:
        return [("missing", f"there is no {one.marker}" if files else "")]
    with _at_hand(library, one.name) as folder:
        for state, look in (("damaged", one.damage), ("behind", one.behind)):
            if found := look(folder):
                return [(state, found)]
    return []


def _listed(storage: Storage, prefix: str) -> dict[str, str]:
    return {file.key: file.etag for file in storage.list(prefix)}


@contextmanager
def _at_hand(library: Library, name: str) -> Iterator[Path]:
    """A local folder with the files."""
    storage, prefix = library.storage, f"indexes/{name}"
    if storage.is_local:
        yield Path(storage.url(prefix))
        return
    with scratch_folder(library.scratch, name) as folder:
        fetch_folder(storage, prefix, folder)
        yield folder


def damage_found(check: Callable[[Path], object]) -> Callable[[Path], str]:
    """A check that raises IndexDamaged, as one that tells."""

    def damage(folder: Path) -> str:
        try:
            check(folder)
        except IndexDamaged as error:
            return error.found
        return ""

    return damage


def behind_versions(versions: Callable[[], Mapping[str, str]]) -> Callable[[Path], str]:
    """A check of the versions that were noted beside an index against those there are now."""

    def behind(folder: Path) -> str:
        return changed_batches(read_seen(folder) or {}, versions())

    return behind


def changed_batches(held: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """How many batches differ, and one of them; empty where none does."""
    changed = [batch for batch in {*held, *wanted} if held.get(batch) != wanted.get(batch)]
    if not changed:
        return ""
    return f"{len(changed)} batches changed since it was made, such as {min(changed)}"


def fetch_folder(storage: Storage, prefix: str, folder: Path) -> None:
    """Copy all files below a prefix into a local folder."""
    for file in storage.list(prefix):
        path = folder / file.key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(storage.read_bytes(file.key))
