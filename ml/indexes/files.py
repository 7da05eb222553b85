"""The files of an index: written beside and moved into place, named by a manifest that comes last.

A folder holds one index. `manifest.json` is written last and in one move, and names the files that
count: a reader sees the old index or the new one, and an update that was killed leaves files that
no manifest names. One process writes at a time.

Every file has a checksum in the manifest, and the manifest one of itself. They are compared before
an index is changed, and before it is searched for files that were not found whole before
(``ml/indexes/verified.py``): FAISS, Arrow and tantivy end the process, or answer wrongly, where a
byte in the middle of a file is another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ml.indexes.verified import Verify, is_as_written

MANIFEST = "manifest.json"
_CHECKSUM = "self_checksum"

T = TypeVar("T")


class IndexDamaged(Exception):
    """The files of an index are missing or not what its manifest says; says what mends it.

    Attributes:
        found: what is wrong, without the folder and what mends it.
    """

    def __init__(self, folder: Path, found: str) -> None:
        self.folder, self.found = folder, found
        super().__init__(
            f"the index in {folder} can't be used: {found}. It holds nothing that the datasets "
            "don't: kadr index builds it anew"
        )

    def __reduce__(self) -> tuple[type[IndexDamaged], tuple[Path, str]]:
        return IndexDamaged, (self.folder, self.found)


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

    def check(self, folder: Path, within: str = "", *, verify: Verify = False) -> None:
        """Hold the file against its entry.

        Args:
            folder: the index's.
            within: the folder in it that the file lies in.
            verify: compare the checksum too, about 1 s per GB; or only that of files which were
                not found whole before.

        Raises:
            IndexDamaged: it is missing, cut off or altered.
        """
        path = folder / within / self.name
        name = path.relative_to(folder)
        if not path.is_file():
            raise IndexDamaged(folder, f"{name} is missing")
        if path.stat().st_size != self.bytes:
            raise IndexDamaged(folder, f"{name} has {path.stat().st_size} bytes, not {self.bytes}")
        if not is_as_written(path, self.blake2b, lambda: FileEntry.of(path).blake2b, verify):
            raise IndexDamaged(folder, f"{name} was altered: its checksum is another")


def read_manifest(folder: Path, make: Callable[[Any], T]) -> T | None:
    """What ``make`` takes from the manifest in a folder; None where there is no manifest.

    Raises:
        IndexDamaged: it is no JSON, was altered, or is not what ``make`` takes; or the folder is
            a file.
    """
    try:
        return make(checked_values((folder / MANIFEST).read_bytes()))
    except FileNotFoundError:
        return None
    except (NotADirectoryError, IsADirectoryError) as error:
        raise IndexDamaged(folder, f"{error.strerror}: {error.filename}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IndexDamaged(folder, f"{MANIFEST} is not a manifest ({error})") from error


def write_manifest(folder: Path, manifest: Any) -> None:
    """Puts the manifest, a dataclass, in place in one move."""
    text = checked_text(asdict(manifest))
    replace_file(folder / MANIFEST, lambda partial: partial.write_text(text, encoding="utf-8"))


def checked_text(values: Mapping[str, Any]) -> str:
    """A JSON object with a checksum of itself; its keys are text."""
    return json.dumps({**values, _CHECKSUM: _checksum(values)}, indent=1, ensure_ascii=False)


def checked_values(text: bytes) -> Any:
    """What `checked_text` was given; or JSON of before there were checksums, as it is.

    Raises:
        ValueError: it is no JSON, or was altered.
    """
    values = json.loads(text)
    if isinstance(values, dict) and _CHECKSUM in values:
        found = values.pop(_CHECKSUM)
        if found != _checksum(values):
            raise ValueError("it was altered: its checksum is another")
    return values


def _checksum(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


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
