"""How the index of pictures grows: features of new batches become segments, which are merged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.copies.evidence import Pictures
from ml.copies.index_features import IndexFeatures, index_features
from ml.copies.picture_index import PictureIndex
from ml.copies.picture_segments import (
    FORMAT,
    UNITS,
    PictureManifest,
    Segment,
    SegmentEntry,
    free_number,
    has_manifest,
    merge_plan,
    merge_segments,
    read_manifest,
    write_manifest,
    write_segment,
)
from ml.copies.quantiser import Quantiser
from ml.indexes.changes import Changes
from ml.indexes.verified import Verify

Read = Callable[[str], Iterable[tuple[str, Pictures]]]


@dataclass(frozen=True)
class PictureIndexReport:
    """What an update did, in batches, and what is inside now."""

    added: int
    replaced: int
    removed: int
    unchanged: int
    videos: int
    postings: int
    bytes: int
    segments: int
    seconds: float


@dataclass
class _Unwritten:
    """Postings of whole videos that wait for a segment."""

    features: list[IndexFeatures] = field(default_factory=list)
    videos: list[tuple[str, str]] = field(default_factory=list)  # video, batch
    count: int = 0

    def add(self, video_id: str, batch: str, features: IndexFeatures) -> None:
        self.features.append(features)
        self.videos.append((video_id, batch))
        self.count += len(features.places)

    def write(self, folder: Path, number: int, quantiser: Quantiser) -> SegmentEntry:
        descriptors = np.concatenate([f.descriptors for f in self.features])
        firsts = np.cumsum([0, *(f.unit_count for f in self.features)])[:-1].tolist()
        units = [f.units + first for f, first in zip(self.features, firsts, strict=True)]
        columns: dict[str, npt.NDArray[np.generic]] = {
            "keys": quantiser.keys(descriptors),
            "signatures": quantiser.signatures(descriptors),
            "units": np.concatenate(units),
            "places": np.concatenate([f.places for f in self.features]),
        }
        return write_segment(folder, number, columns, self._units())

    def _units(self) -> pa.Table:
        rows = [
            {"video_id": video_id, "batch": batch, "postings": int(postings)}
            for (video_id, batch), features in zip(self.videos, self.features, strict=True)
            for postings in np.bincount(features.units, minlength=features.unit_count)
        ]
        return pa.Table.from_pylist(rows, schema=UNITS)


# Descriptors that wait at most: 128 bytes each.
_WRITE_AT = 1 << 20


def update_picture_index(
    folder: Path | str,
    wanted: Mapping[str, str],
    read: Read,
    *,
    rebuild: bool = False,
    verify: Verify = True,
) -> PictureIndexReport:
    """Makes the index in a folder hold the wanted batches, and no others.

    Only batches that are new or have another fingerprint are read; all of them where the index is
    of another version of this code. When nothing changed, no file is written. An update that is
    interrupted leaves the index as it was.

    Args:
        folder: local folder of the index; made when missing.
        wanted: batch to the fingerprint of what its features are made from.
        read: batch to its videos' (id, pictures), one after the other.
        rebuild: build from nothing, whatever is there.
        verify: compare checksums first, about 1 s per GB, or only those of files that are not
            known to be whole.

    Raises:
        IndexDamaged: the folder's index can't be read.
    """
    began = time.monotonic()
    folder = Path(folder)
    old = PictureManifest() if rebuild else read_manifest(folder)
    for entry in old.segments:
        Segment.open(folder, entry, verify=verify)
    folder.mkdir(parents=True, exist_ok=True)
    noted = replace(old, segments=[entry.noted(folder) for entry in old.segments])
    changes = Changes.between(old.batches, wanted)
    if changes or rebuild or noted != old or old.format != FORMAT or not has_manifest(folder):
        rest = _without(_numbered(folder, noted), {*changes.gone, *changes.touched})
        new = _merged(folder, _with_batches(folder, rest, changes.touched, read))
        batches = {name: wanted[name] for name in sorted(wanted)}
        write_manifest(folder, replace(new, batches=batches))
    index = PictureIndex.open(folder)
    return PictureIndexReport(
        **changes.counts,
        videos=index.video_count,
        postings=index.posting_count,
        bytes=index.bytes,
        segments=index.segment_count,
        seconds=time.monotonic() - began,
    )


def _numbered(folder: Path, manifest: PictureManifest) -> PictureManifest:
    """The manifest in this code's format, with a number that is free for the next segment."""
    return replace(manifest, format=FORMAT, next_number=free_number(folder, manifest))


def _without(manifest: PictureManifest, stale: set[str]) -> PictureManifest:
    segments = [
        replace(entry, batches=[name for name in entry.batches if name not in stale])
        for entry in manifest.segments
    ]
    return replace(manifest, segments=[entry for entry in segments if entry.batches])


def _with_batches(
    folder: Path, manifest: PictureManifest, names: list[str], read: Read
) -> PictureManifest:
    """Writes segments of the batches' videos."""
    quantiser = Quantiser.load()
    waiting = _Unwritten()
    for name in names:
        for video_id, pictures in read(name):
            waiting.add(video_id, name, index_features(pictures))
            if waiting.count >= _WRITE_AT:
                entry = waiting.write(folder, manifest.next_number, quantiser)
                manifest, waiting = with_segment(folder, manifest, entry), _Unwritten()
    if not waiting.videos:
        return manifest
    entry = waiting.write(folder, manifest.next_number, quantiser)
    return with_segment(folder, manifest, entry)


def with_segment(folder: Path, manifest: PictureManifest, entry: SegmentEntry) -> PictureManifest:
    """A manifest with one more segment, after the merges that it makes due."""
    segments = [*manifest.segments, entry]
    return _merged(folder, replace(manifest, next_number=entry.number + 1, segments=segments))


def _merged(folder: Path, manifest: PictureManifest) -> PictureManifest:
    """Merges segments until no tier is full. Files that are no longer named stay for now."""
    while True:
        segments = [Segment.open(folder, entry) for entry in manifest.segments]
        places = merge_plan(segments)
        if places is None:
            return manifest
        merged = merge_segments(folder, manifest.next_number, [segments[p] for p in places])
        rest = [e for p, e in enumerate(manifest.segments) if p not in places]
        manifest = replace(manifest, next_number=manifest.next_number + 1, segments=[*rest, merged])
