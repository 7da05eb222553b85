"""The files of an index: written beside and moved into place, named by a manifest that comes last.

A folder holds one index. `manifest.json` is written last and in one move, and names the files that
count: a reader sees the old index or the new one, and an update that was killed leaves files that
no manifest names. One process writes at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

MANIFEST = "manifest.json"

T = TypeVar("T")


class IndexDamaged(Exception):
    """The files of an index are missing or not what its manifest says; says what mends it."""

    def __init__(self, folder: Path, found: str) -> None:
        super().__init__(
            f"the index in {folder} can't be used: {found}. It holds nothing that the datasets "
            "don't: build it anew (update_index with rebuild=True, or delete the folder first)"
        )


@dataclass(frozen=True)
class FileEntry:
    """A file of the index beside its manifest."""

    name: str
    bytes: int
    blake2b: str

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """The entry of a file as it is now."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        return cls(path.name, path.stat().st_size, digest.hexdigest())

    def check(self, folder: Path, within: str = "", *, verify: bool = False) -> None:
        """Hold the file against its entry.

        Args:
            folder: the index's.
            within: the folder in it that the file lies in.
            verify: compare the checksum too, about 1 s per GB.

        Raises:
            IndexDamaged: it is missing, cut off or altered.
        """
        path = folder / within / self.name
        name = path.relative_to(folder)
        if not path.is_file():
            raise IndexDamaged(folder, f"{name} is missing")
        if path.stat().st_size != self.bytes:
            raise IndexDamaged(folder, f"{name} has {path.stat().st_size} bytes, not {self.bytes}")
        if verify and FileEntry.of(path).blake2b != self.blake2b:
            raise IndexDamaged(folder, f"{name} was altered: its checksum is another")


def read_manifest(folder: Path, make: Callable[[Any], T]) -> T | None:
    """What ``make`` takes from the manifest in a folder; None where there is no manifest.

    Raises:
        IndexDamaged: it is no JSON, or not what ``make`` takes.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return make(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexDamaged(folder, f"{MANIFEST} is not a manifest ({error})") from error


def write_manifest(folder: Path, manifest: Any) -> None:
    """Puts the manifest, a dataclass, in place in one move."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
    replace_file(folder / MANIFEST, lambda partial: partial.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, and move it there once it is whole."""
    partial = path.with_name(f"{path.name}.partial")
    write(partial)
    partial.replace(path)


def write_arrow(table: pa.Table, path: Path) -> None:
    """Uncompressed Arrow, which can be mapped instead of read."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_arrow(path: str) -> pa.Table:
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()
