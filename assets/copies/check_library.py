"""The library that a file is checked against: its indexes are asked, and what they name compared.

Importing this takes about a second, Dagster among it, so `check` does it while the file is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from assets.copies.check_file import Reading, name_of
from assets.copies.check_report import COPY, UNDATED, Match, NotSearchable, verdict_on
from assets.copies.indexes import PICTURE_INDEX, SOUND_INDEX, Indexes
from assets.copies.pairs import Comparable, Query, comparables, find_copies, load_evidence, resolved
from assets.copies.strips import frames_of, pair_strip
from assets.search.indexes import verified_notes
from assets.stores.batches import BatchRegistry
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.storage import Storage
from ml.copies.features import FrameDescriber
from ml.copies.picture_index import PictureIndex
from ml.copies.picture_segments import read_manifest
from ml.copies.sound.bands import SoundFingerprinter
from ml.copies.sound_index import SoundIndex
from ml.copies.verdicts import Verdict
from ml.indexes.files import MANIFEST, IndexDamaged
from ml.indexes.verified import known_files
from ml.schemas import COPY_DESCRIPTORS, VIDEOS

if TYPE_CHECKING:
    from ml.copies.evidence import Evidence
    from ml.media.extract import Extracted

STRIP_MOMENTS = 8
# Later than every video of the library, also than those without a date.
_AS_LATEST = (UNDATED, "\U0010ffff")
# An ingestion may replace an index's files while they are opened.
_TRIES = 3


def open_library(storage: Storage, scratch: Path, folder: Path, workers: int) -> SearchedLibrary:
    """The library as it is now; indexes of an object store are copied to ``folder``.

    Raises:
        NotSearchable: there are no indexes, or no batch is described as the file will be.
        IndexDamaged: an index can't be read.
    """
    store, registry = DatasetStore(storage, scratch), BatchRegistry(storage)
    names, describer = registry.names(), FrameDescriber(workers=workers)
    indexes, inside = opened_indexes(storage, folder, scratch.parent / "search")
    versions = store.versions(COPY_DESCRIPTORS.name)
    not_searched = [
        name
        for name in names
        if inside.get(name) != key_of(describer.model, versions.get(name, ""))
    ]
    library = SearchedLibrary(store, registry, names, indexes, describer, not_searched)
    library.check_comparable()
    return library


def opened_indexes(
    storage: Storage, folder: Path, cache: Path
) -> tuple[Indexes, Mapping[str, str]]:
    """The indexes as they are now, and the batches in that of pictures with their fingerprints.

    Files that were not found whole before, which is noted in ``cache``, are read in full first.

    Raises:
        NotSearchable: there are none.
        IndexDamaged: one can't be read.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            pictures, sound = (
                _index_files(storage, name, folder / f"{name}-{tries_left}")
                for name in (PICTURE_INDEX, SOUND_INDEX)
            )
            inside = read_manifest(pictures).batches
            with known_files(verified_notes(cache, "check")) as verified:
                of_pictures = PictureIndex.open(pictures, verify=verified)
                return Indexes(of_pictures, SoundIndex.open(sound, verify=verified)), inside
        except (IndexDamaged, FileNotFoundError):
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _index_files(storage: Storage, name: str, copy: Path) -> Path:
    """The folder of an index; one in an object store is copied to ``copy``, its manifest first."""
    prefix = f"indexes/{name}"
    if not storage.exists(f"{prefix}/{MANIFEST}"):
        raise NotSearchable(
            f"the library at {storage.root} has no index of copies: {name} is missing, and kadr "
            "index makes it"
        )
    if storage.is_local:
        return Path(storage.url(prefix))
    copy.mkdir()
    keys = (file.key for file in storage.list(prefix))
    for key in sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")):
        (copy / Path(key).name).write_bytes(storage.read_bytes(key))
    return copy


@dataclass(frozen=True)
class SearchedLibrary:
    """The library as it was when it was opened."""

    store: DatasetStore
    registry: BatchRegistry
    names: Sequence[str]
    indexes: Indexes
    describer: FrameDescriber
    not_searched: list[str]

    def check_comparable(self) -> None:
        """Raises NotSearchable where no batch is described as the file will be."""
        if len(self.not_searched) < len(self.names):
            return
        ledgers = (self.store.ledger(COPY_DESCRIPTORS.name, name) for name in self.names)
        if not any(ledger and ledger.maker == self.describer.model for ledger in ledgers):
            raise NotSearchable(
                f"the library at {self.store.storage.root} was described by another version of "
                "this program: kadr ingest SOURCE --all brings it up to date"
            )

    def same_files(self, media: Extracted) -> list[Match]:
        """Videos whose files have the same bytes."""
        matches: list[Match] = []
        for batch in self.names:
            rows = self.store.table(VIDEOS, batch, ["video_id", "content_hash"])
            same = rows.filter(pc.equal(rows["content_hash"], media.content_hash))
            ids = set(same["video_id"].to_pylist())
            if ids:
                ids -= set(self.registry.superseded(batch))
                matches += self._matches(batch, ids, _same_file(media), is_same_file=True)
        return matches

    def candidates(self, evidence: Evidence, left_out: set[str]) -> list[Comparable]:
        """What is worth comparing with the file."""
        makers = (self.describer.model, SoundFingerprinter.model)
        of_batch = partial(comparables, self.store, self.registry, makers=makers)
        found = resolved(self.indexes.candidates(evidence), of_batch).values()
        return [video for video in found if video.video_id not in left_out]

    def compared(
        self, evidence: Evidence, others: Sequence[Comparable], workers: int
    ) -> list[Match]:
        """The videos that share something with the file.

        Raises:
            VideoFailure: a comparison failed, and no other says that the file is a copy.
        """
        query, load = Query(evidence, _AS_LATEST, others), partial(load_evidence, self.store)
        (pairs,) = find_copies([query], load, workers=workers)
        matches = [
            match
            for pair in pairs
            if pair.verdict is not None
            for match in self._matches(pair.other.batch, {pair.other.video_id}, pair.verdict)
        ]
        failure = next((pair.failure for pair in pairs if pair.failure is not None), None)
        if failure is not None and verdict_on(m.verdict.verdict for m in matches) != COPY:
            raise failure
        return matches

    def strip(self, match: Match, read: Reading) -> bytes | None:
        """Matching moments side by side; None where the video's frames are just being replaced."""
        frames = frames_of(self.store, match.batch, match.video_id)
        return pair_strip(match.row(name_of(read.uri)), read.frames, frames, STRIP_MOMENTS)

    def _matches(
        self, batch: str, ids: set[str], verdict: Verdict, *, is_same_file: bool = False
    ) -> Iterator[Match]:
        columns = ["video_id", "uri", "title", "published_at", "licensed"]
        for rows in self.store.rows(VIDEOS, batch, columns=columns, video_ids=ids):
            for row in rows.to_pylist():
                # Files of before videos had licences lack the column.
                known = {"licensed": False, **row, "batch": batch}
                yield Match(**known, is_same_file=is_same_file, verdict=verdict)


def _same_file(media: Extracted) -> Verdict:
    """The verdict on two files of the same bytes."""
    return Verdict(
        verdict="duplicate",
        score=1.0,
        visual_score=1.0,
        audio_score=1.0 if media.has_audio else 0.0,
        sound="same" if media.has_audio else "missing",
        copy_share=1.0,
        original_share=1.0,
        mirrored=False,
        rotated_deg=0,
        speed=1.0,
        copy_starts_s=[0.0],
        copy_ends_s=[round(media.duration_s, 2)],
        original_starts_s=[0.0],
        original_ends_s=[round(media.duration_s, 2)],
        reason="the same file, byte for byte",
    )
