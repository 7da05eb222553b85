"""What a vector index is, and the versions of its files.

The version before stays until the next one is written, for readers that are just opening it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.indexes import files as files_of
from ml.indexes.files import MANIFEST, FileEntry, IndexDamaged
from ml.indexes.verified import Verify

# 2: keys with the video and the item in columns.
FORMAT = 2
_SUFFIXES = {"index": "faiss", "codes": "faiss", "keys": "arrow", "truth": "arrow"}


@dataclass(frozen=True)
class BatchEntry:
    """What of a batch is inside: ids start_id to stop_id - 1, less none; zero vectors left out."""

    fingerprint: str
    start_id: int
    stop_id: int
    left_out: int


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
        files[role] = FileEntry.of(path)
    made = manifest(version, files)
    files_of.write_manifest(folder, made)
    for found, path in list(_index_files(folder)):
        if found not in (before, version):
            path.unlink()
    return made


def read_manifest(folder: Path | str, *, verify: Verify = False) -> Manifest:
    """The manifest of the index in a folder, once its files have the sizes it gives.

    Args:
        folder: where the index lies.
        verify: compare checksums too; or only those of files not known to be whole.

    Raises:
        IndexDamaged: no index, or one of a newer format, or files that are missing, cut off or
            altered. One of an older format has a manifest; see `require_format`.
    """
    folder = Path(folder)
    manifest = find_manifest(folder, verify=verify)
    if manifest is None:
        raise IndexDamaged(folder, f"there is no {MANIFEST}")
    return manifest


def find_manifest(folder: Path, *, verify: Verify = False) -> Manifest | None:
    """As `read_manifest`; None where there is no manifest."""
    manifest = files_of.read_manifest(folder, _manifest)
    if manifest is None:
        return None
    if manifest.format > FORMAT:
        raise IndexDamaged(folder, f"it has format {manifest.format}, newer than {FORMAT}")
    for entry in manifest.files.values():
        entry.check(folder, verify=verify)
    return manifest


def _manifest(raw: Any) -> Manifest:
    batches = {name: BatchEntry(**entry) for name, entry in raw["batches"].items()}
    files = {role: FileEntry(**entry) for role, entry in raw["files"].items()}
    return Manifest(**{**raw, "batches": batches, "files": files})


def require_format(folder: Path, manifest: Manifest) -> None:
    """Raises IndexDamaged for an index of an older format, which `update_index` builds anew."""
    if manifest.format != FORMAT:
        raise IndexDamaged(
            folder, f"it has format {manifest.format}, and only format {FORMAT} can be searched"
        )


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
