"""The files of the lexical index: a folder for each version, and a manifest moved in place last.

The search library never changes a file of a segment, so that a new version starts as hard links
to the last one's files and writes only what is new. The version before the current one stays, for
readers that are just opening it. One process writes at a time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ml.indexes import files
from ml.indexes.files import MANIFEST, FileEntry, IndexDamaged
from ml.indexes.verified import Verify

FORMAT = 1
# Rewritten in place by a move at every commit; all other files stay as they were written.
_CHANGING = ("meta.json", ".managed.json")
_LOCK = ".lock"


@dataclass(frozen=True)
class LexicalManifest:
    """What an index is; `manifest.json`.

    Attributes:
        format: of these files.
        version: the folder `v{version}` holds the index.
        model: what the words were made by.
        tantivy: version of the library that wrote it last.
        count: passages inside.
        deleted: passages that are gone but still take place in segments.
        batches: batch to the fingerprint of what its passages were made from.
        files: the files of that folder.
    """

    format: int
    version: int
    model: str
    tantivy: str
    count: int
    deleted: int
    batches: dict[str, str]
    files: tuple[FileEntry, ...]

    @property
    def folder_name(self) -> str:
        return f"v{self.version}"


def read_manifest(folder: Path | str, *, verify: Verify = False) -> LexicalManifest:
    """The manifest of the index in a folder, once its files have the sizes it gives.

    Args:
        folder: where the index lies.
        verify: compare checksums too; or only those of files not known to be whole.

    Raises:
        IndexDamaged: no index, or files that are missing, cut off or altered.
    """
    folder = Path(folder)
    manifest = find_manifest(folder, verify=verify)
    if manifest is None:
        raise IndexDamaged(folder, f"there is no {MANIFEST}")
    return manifest


def find_manifest(folder: Path, *, verify: Verify = False) -> LexicalManifest | None:
    """As `read_manifest`; None where there is no manifest."""
    manifest = files.read_manifest(folder, _manifest)
    if manifest is None:
        return None
    if manifest.format != FORMAT:
        raise IndexDamaged(folder, f"it has format {manifest.format}, this is {FORMAT}")
    for entry in manifest.files:
        entry.check(folder, manifest.folder_name, verify=verify)
    return manifest


def _manifest(raw: Any) -> LexicalManifest:
    batches = {str(name): str(of) for name, of in raw["batches"].items()}
    entries = tuple(FileEntry(**entry) for entry in raw["files"])
    return LexicalManifest(**{**raw, "batches": batches, "files": entries})


def new_version(folder: Path, before: LexicalManifest | None) -> tuple[int, Path]:
    """The number and folder of a new version that holds what the version `before` does."""
    folder.mkdir(parents=True, exist_ok=True)
    version = max([0, *(found for found, _ in _versions(folder))]) + 1
    path = folder / f"v{version}"
    path.mkdir()
    if before is not None:
        for entry in before.files:
            source = folder / before.folder_name / entry.name
            if entry.name in _CHANGING or not _linked(source, path / entry.name):
                shutil.copyfile(source, path / entry.name)
    return version, path


def files_of(path: Path, before: LexicalManifest | None) -> tuple[FileEntry, ...]:
    """The files of a version by name; those that the version `before` has are not read again."""
    known = {} if before is None else {e.name: e for e in before.files if e.name not in _CHANGING}
    for name in _CHANGING:
        # They are made for their owner alone, the files of segments for everyone.
        (path / name).chmod(0o644)
    names = sorted(p.name for p in path.iterdir() if not p.name.endswith(_LOCK))
    return tuple(known.get(name) or FileEntry.of(path / name) for name in names)


def publish(folder: Path, manifest: LexicalManifest, before: LexicalManifest | None) -> None:
    """Moves the manifest into place and forgets the versions that no reader can be opening."""
    files.write_manifest(folder, manifest)
    kept = {manifest.version, 0 if before is None else before.version}
    for version, path in list(_versions(folder)):
        if version not in kept:
            # What a reader still holds on a network drive goes next time.
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def told_as_damage(folder: Path) -> Iterator[None]:
    """What the search library says of files it can't read, as `IndexDamaged`.

    It raises ValueError, or panics, which is no `Exception`.
    """
    try:
        yield
    except ValueError as error:
        raise IndexDamaged(folder, str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise IndexDamaged(folder, "its files are not what they were") from error


def readable(
    folder: Path, manifest: LexicalManifest
) -> tuple[Path, TemporaryDirectory[str] | None]:
    """A folder where the search library can open a version, and what to clean up after closing.

    It makes a lock file where it opens an index: where that is not allowed, in a passing folder of
    links to the version's files. It may do so from a thread, a moment after opening.
    """
    path = (folder / manifest.folder_name).resolve()
    if os.access(path, os.W_OK):
        return path, None
    view = TemporaryDirectory(prefix="kadr-lexical-")
    for entry in manifest.files:
        (Path(view.name) / entry.name).symlink_to(path / entry.name)
    return Path(view.name), view


def _versions(folder: Path) -> Iterator[tuple[int, Path]]:
    """(version, path) of every version, also one that was interrupted."""
    for path in folder.iterdir():
        if path.name[:1] == "v" and path.name[1:].isdigit():
            yield int(path.name[1:]), path


def _linked(source: Path, target: Path) -> bool:
    """Whether a hard link was made; not every file system has them."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
