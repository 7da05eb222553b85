"""The files of a vector index: a manifest that names them, checksums, and one move at the end.

A folder holds one index. `manifest.json` is written last and in one move, and names the files of
its version: a reader sees the old index or the new one. The version before stays until the next
one is written, for readers that are just opening it. One process writes at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa

MANIFEST = "manifest.json"
# 2: keys with the video and the item in columns.
FORMAT = 2
_SUFFIXES = {"index": "faiss", "codes": "faiss", "keys": "arrow", "truth": "arrow"}


class IndexDamaged(Exception):
    """The files of an index are missing or not what its manifest says; says what mends it."""

    def __init__(self, folder: Path, found: str) -> None:
        super().__init__(
            f"the index in {folder} can't be used: {found}. It holds nothing that the datasets "
            "don't: build it anew (update_index with rebuild=True, or delete the folder first)"
        )


@dataclass(frozen=True)
class BatchEntry:
    """What of a batch is inside: ids start_id to stop_id - 1, less none; zero vectors left out."""

    fingerprint: str
    start_id: int
    stop_id: int
    left_out: int


@dataclass(frozen=True)
class FileEntry:
    """A file of the index beside its manifest."""

    name: str
    bytes: int
    blake2b: str


@dataclass(frozen=True)
class Manifest:
    """What an index is; `manifest.json`."""

    format: int
    version: int
    model: str
    metric: str
    dimension: int
    count: int
    kind: str
    device: str
    faiss: str
    cells: int
    probes: int
    trained_count: int
    next_id: int
    recall_at_10: float | None
    batches: dict[str, BatchEntry]
    files: dict[str, FileEntry]
    reranked: int = 0


@dataclass(frozen=True)
class Changes:
    """What brings an index from the batches it holds to the wanted ones, each with a fingerprint.

    Attributes:
        gone: batches to take out.
        touched: batches to put in, new or in the place of what was there.
        counts: added, replaced, removed and unchanged batches.
    """

    gone: list[str]
    touched: list[str]
    counts: dict[str, int]

    @classmethod
    def between(cls, have: Mapping[str, str], wanted: Mapping[str, str]) -> Changes:
        """From batch to fingerprint, as held and as wanted."""
        gone = [name for name in have if name not in wanted]
        touched = [name for name in sorted(wanted) if have.get(name) != wanted[name]]
        replaced = sum(name in have for name in touched)
        counts = {
            "added": len(touched) - replaced,
            "replaced": replaced,
            "removed": len(gone),
            "unchanged": len(wanted) - len(touched),
        }
        return cls(gone, touched, counts)

    def __bool__(self) -> bool:
        return bool(self.gone or self.touched)


def write_version(
    folder: Path,
    writers: Mapping[str, Callable[[Path], None]],
    manifest: Callable[[int, dict[str, FileEntry]], Manifest],
) -> Manifest:
    """Writes a new version of an index, and its manifest last; forgets the version before last.

    Args:
        folder: made when missing.
        writers: role (index, codes, keys, truth) to what writes that file.
        manifest: from the new version's number and files to its manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _current_version(folder)
    version = max([before, *(found for found, _ in _index_files(folder))]) + 1
    files = {}
    for role, write in writers.items():
        path = folder / f"{role}-{version}.{_SUFFIXES[role]}"
        write(path)
        files[role] = FileEntry(path.name, path.stat().st_size, _checksum(path))
    made = manifest(version, files)
    _write_manifest(folder, made)
    for found, path in list(_index_files(folder)):
        if found not in (before, version):
            path.unlink()
    return made


def read_manifest(folder: Path | str, *, verify: bool = False) -> Manifest:
    """The manifest of the index in a folder, once its files have the sizes it gives.

    Args:
        folder: where the index lies.
        verify: compare checksums too.

    Raises:
        IndexDamaged: no index, or one of a newer format, or files that are missing, cut off or
            altered. One of an older format has a manifest; see `require_format`.
    """
    folder = Path(folder)
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        raw["batches"] = {name: BatchEntry(**e) for name, e in raw["batches"].items()}
        raw["files"] = {role: FileEntry(**e) for role, e in raw["files"].items()}
        manifest = Manifest(**raw)
    except FileNotFoundError as error:
        raise IndexDamaged(folder, f"there is no {MANIFEST}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexDamaged(folder, f"{MANIFEST} is not a manifest ({error})") from error
    if manifest.format > FORMAT:
        raise IndexDamaged(folder, f"it has format {manifest.format}, newer than {FORMAT}")
    for entry in manifest.files.values():
        _check_file(folder, entry, verify)
    return manifest


def require_format(folder: Path, manifest: Manifest) -> None:
    """Raises IndexDamaged for an index of an older format, which `update_index` builds anew."""
    if manifest.format != FORMAT:
        raise IndexDamaged(
            folder, f"it has format {manifest.format}, and only format {FORMAT} can be searched"
        )


def write_arrow(table: pa.Table, path: Path) -> None:
    """Uncompressed Arrow, which can be mapped instead of read."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_arrow(path: str) -> pa.Table:
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()


def _checksum(path: Path) -> str:
    digest = blake2b(digest_size=16)
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path, size: int = 1 << 20) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(size):
            yield block


def _check_file(folder: Path, entry: FileEntry, verify: bool) -> None:
    path = folder / entry.name
    if not path.is_file():
        raise IndexDamaged(folder, f"{entry.name} is missing")
    if path.stat().st_size != entry.bytes:
        found = path.stat().st_size
        raise IndexDamaged(folder, f"{entry.name} has {found} bytes, not {entry.bytes}")
    if verify and _checksum(path) != entry.blake2b:
        raise IndexDamaged(folder, f"{entry.name} was altered: its checksum is another")


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(asdict(manifest), indent=1, ensure_ascii=False), "utf-8")
    partial.replace(folder / MANIFEST)


def _index_files(folder: Path) -> Iterator[tuple[int, Path]]:
    """(version, path) of every file that an index wrote, also one that was interrupted."""
    for path in folder.iterdir():
        role, _, version = path.stem.rpartition("-")
        if role in _SUFFIXES and version.isdigit():
            yield int(version), path


def _current_version(folder: Path) -> int:
    """The version that readers see; 0 when there is none, or none that can be read."""
    try:
        return read_manifest(folder).version
    except IndexDamaged:
        return 0
