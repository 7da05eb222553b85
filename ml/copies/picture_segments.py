"""The files of a picture index: segments of postings that never change, and a manifest.

A folder holds one index. A segment is five files: ``keys`` (the cells of its postings, rising),
``signatures``, ``units`` and ``places`` beside them, and ``units.arrow``, which says of every unit
which video and batch it is of. Segments are only added and removed. ``manifest.json`` names those
that count and, for each, the batches in it that still do: it is replaced in one move, after the
new files are whole and before old ones go. A process that has old files open reads on.

Segments of about one size are merged four at a time, so a library of n postings has a handful of
segments per factor of four, and every posting is rewritten log4 n times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.indexes import files
from ml.indexes.files import FileEntry, IndexDamaged, read_arrow, write_arrow
from ml.indexes.verified import Verify

# Raise it when postings mean something else: another quantiser, another choice of features.
FORMAT = 2
COLUMNS = {"keys": np.uint32, "signatures": np.uint64, "units": np.uint32, "places": np.uint16}
POSTING_BYTES = sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
UNITS = pa.schema(
    [
        pa.field("video_id", pa.large_string(), nullable=False),
        pa.field("batch", pa.string(), nullable=False),
        pa.field("postings", pa.int64(), nullable=False),
    ]
)
MERGE = 4
_SMALLEST_TIER = 1 << 18
# Postings held at once while segments are merged or made: about 40 bytes each.
BLOCK = 1 << 22

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class SegmentEntry:
    """A segment in the manifest. ``batches`` are those whose postings in it count.

    ``files`` are empty where it was written before they were noted; the next update notes them.
    """

    number: int
    postings: int
    batches: list[str]
    files: list[FileEntry] = field(default_factory=list)

    def noted(self, folder: Path) -> SegmentEntry:
        """The entry with its files."""
        if self.files:
            return self
        paths = segment_files(folder, self.number)
        return replace(self, files=[FileEntry.of(path) for path in paths])

    def check(self, folder: Path, *, verify: Verify = False) -> None:
        """Raises IndexDamaged where a file is missing, cut off or altered."""
        for file in self.files:
            file.check(folder, verify=verify)


@dataclass(frozen=True)
class PictureManifest:
    """What a picture index holds."""

    format: int = FORMAT
    next_number: int = 0
    batches: dict[str, str] = field(default_factory=dict)  # to fingerprint
    segments: list[SegmentEntry] = field(default_factory=list)


def read_manifest(folder: Path) -> PictureManifest:
    """The manifest in a folder; an empty one when there is none.

    One of another format keeps its format, and has no batches: an update makes them anew.

    Raises:
        IndexDamaged: the manifest can't be read.
    """
    return files.read_manifest(folder, _manifest) or PictureManifest()


def has_manifest(folder: Path) -> bool:
    """Whether there is an index, be it an empty one."""
    return (folder / files.MANIFEST).exists()


def _manifest(raw: Any) -> PictureManifest:
    if raw["format"] != FORMAT:
        return PictureManifest(int(raw["format"]), int(raw["next_number"]))
    segments = [
        SegmentEntry(**{**entry, "files": [FileEntry(**of) for of in entry.get("files", ())]})
        for entry in raw["segments"]
    ]
    return PictureManifest(**{**raw, "segments": segments})


def write_manifest(folder: Path, manifest: PictureManifest) -> None:
    """Replaces the manifest in one move, then removes the segments that it doesn't name."""
    files.write_manifest(folder, manifest)
    kept = {file for s in manifest.segments for file in segment_files(folder, s.number)}
    for path in _files(folder):
        if path not in kept:
            path.unlink()


def free_number(folder: Path, manifest: PictureManifest) -> int:
    """A number that no segment had before, nor one of an update that was interrupted."""
    numbers = (path.stem.rpartition("-")[2] for path in _files(folder))
    return max([manifest.next_number, *(int(n) + 1 for n in numbers if n.isdecimal())])


def _files(folder: Path) -> list[Path]:
    return [path for name in (*COLUMNS, "videos") for path in folder.glob(f"{name}-[0-9]*.*")]


def segment_files(folder: Path, number: int) -> list[Path]:
    return [*(_column_file(folder, n, number) for n in COLUMNS), _units_file(folder, number)]


def _column_file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}-{number:06d}.npy"


def _units_file(folder: Path, number: int) -> Path:
    return folder / f"videos-{number:06d}.arrow"


@dataclass(frozen=True)
class Segment:
    """An open segment: columns mapped into memory, and which of its units count."""

    columns: Mapping[str, npt.NDArray[Any]]
    units: pa.Table
    live: npt.NDArray[np.bool_]  # [units]
    bytes: int  # of all its files

    @classmethod
    def open(cls, folder: Path, entry: SegmentEntry, *, verify: Verify = False) -> Segment:
        """Raises IndexDamaged when a file is not what the manifest says."""
        entry.check(folder, verify=verify)
        try:
            columns = {name: _mapped(_column_file(folder, name, entry.number)) for name in COLUMNS}
            units = read_arrow(str(_units_file(folder, entry.number)))
        except FileNotFoundError as error:
            missing = Path(str(error.filename or _units_file(folder, entry.number))).name
            raise IndexDamaged(folder, f"{missing} is missing") from error
        except (OSError, ValueError) as error:
            raise IndexDamaged(folder, f"segment {entry.number} is damaged ({error})") from error
        if {len(c) for c in columns.values()} != {entry.postings}:
            raise IndexDamaged(folder, f"segment {entry.number} has not {entry.postings} postings")
        live = pc.is_in(units["batch"], pa.array(entry.batches, pa.string()))
        size = sum(file.stat().st_size for file in segment_files(folder, entry.number))
        return cls(columns, units, live.to_numpy(), size)

    def __len__(self) -> int:
        return len(self.columns["keys"])

    @property
    def live_postings(self) -> int:
        return int(self.units["postings"].to_numpy()[self.live].sum())


def write_segment(folder: Path, number: int, columns: Arrays, units: pa.Table) -> SegmentEntry:
    """A segment of postings in any order; ``units`` numbers the rows of the table ``units``."""
    order = np.argsort(columns["keys"], kind="stable")
    for name, kind in COLUMNS.items():
        np.save(_column_file(folder, name, number), columns[name][order].astype(kind, copy=False))
    return _finished(folder, number, len(order), units)


def merge_segments(folder: Path, number: int, segments: Sequence[Segment]) -> SegmentEntry:
    """One segment of the live postings of several, in blocks of about `BLOCK` postings."""
    renumbered, tables, first = [], [], 0
    for segment in segments:
        count = int(segment.live.sum())
        numbers = np.full(len(segment.live), -1, np.int64)
        numbers[segment.live] = np.arange(first, first + count)
        renumbered.append(numbers)
        tables.append(segment.units.filter(pa.array(segment.live)))
        first += count
    units = pa.concat_tables(tables).combine_chunks()
    total = sum(segment.live_postings for segment in segments)
    outputs = {
        name: np.lib.format.open_memmap(
            _column_file(folder, name, number), mode="w+", dtype=kind, shape=(total,)
        )
        for name, kind in COLUMNS.items()
    }
    done = 0
    for block in _merged_blocks(segments, renumbered):
        size = len(block["keys"])
        for name, output in outputs.items():
            output[done : done + size] = block[name]
        done += size
    for output in outputs.values():
        output.flush()
    return _finished(folder, number, total, units)


def merge_plan(segments: Sequence[Segment]) -> list[int] | None:
    """Places of the segments to merge next, or None: a full tier, or a segment half dead."""
    tiers: dict[int, list[int]] = {}
    for place, segment in enumerate(segments):
        if segment.live_postings * 2 < len(segment) or not segment.live.any():
            return [place]
        size = max(segment.live_postings / _SMALLEST_TIER, 1)
        tiers.setdefault(int(np.log(size) / np.log(MERGE)), []).append(place)
    full = [places for _, places in sorted(tiers.items()) if len(places) >= MERGE]
    return full[0] if full else None


def _merged_blocks(
    segments: Sequence[Segment], renumbered: Sequence[npt.NDArray[np.int64]]
) -> Iterator[Arrays]:
    """Live postings of all segments, keys rising, a range of keys at a time."""
    for low, high in _key_ranges(segments):
        parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in COLUMNS}
        for segment, numbers in zip(segments, renumbered, strict=True):
            start, stop = _cut(segment, low, high)
            units = numbers[segment.columns["units"][start:stop]]
            kept = units >= 0
            for name, column in segment.columns.items():
                rows = units if name == "units" else column[start:stop]
                parts[name].append(rows[kept].astype(COLUMNS[name], copy=False))
        block = {name: np.concatenate(rows) for name, rows in parts.items()}
        order = np.argsort(block["keys"], kind="stable")
        yield {name: rows[order] for name, rows in block.items()}


def _cut(segment: Segment, low: int, high: int) -> tuple[int, int]:
    """Where the keys low to high - 1 start and stop."""
    start, stop = np.searchsorted(segment.columns["keys"], np.array([low, high], np.uint32))
    return int(start), int(stop)


def _key_ranges(segments: Sequence[Segment]) -> Iterator[tuple[int, int]]:
    """Ranges of keys, low to high - 1, with about `BLOCK` postings each."""
    step = len(segments)
    marks = [s.columns["keys"][BLOCK // step :: BLOCK // step] for s in segments]
    cuts = np.unique(np.concatenate([*marks, np.zeros(1, np.uint32)]))
    bounds = [*cuts[::step].tolist(), 1 << 31]
    yield from pairwise(bounds)


def _finished(folder: Path, number: int, postings: int, units: pa.Table) -> SegmentEntry:
    write_arrow(units, _units_file(folder, number))
    batches = sorted(pc.unique(units["batch"]).to_pylist())
    return SegmentEntry(number, postings, batches).noted(folder)


def _mapped(path: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return array.view(np.ndarray)
