"""One file against the library: is it a copy, of what, and which seconds?

The file is decoded once, in a process of its own, described, and compared with at most 64 videos
that the two indexes of candidates name. It counts as the latest video, so everything in the library
is earlier. Nothing of the library is written or locked, so an ingestion may be at work meanwhile;
what it has not put into the indexes by then is not searched.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.source.fetching import fetch
from assets.stores.addresses import local_path, local_uri, look_at, title_of
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.storage import Storage, scheme_of
from ml.failures import PermanentFailure
from ml.schemas import COPY_DESCRIPTORS, FRAMES, VIDEOS

if TYPE_CHECKING:
    from assets.copies.pairs import Comparable
    from assets.copies.search import Indexes
    from assets.stores.batches import BatchRegistry
    from ml.copies.evidence import Evidence
    from ml.copies.features import FrameDescriber
    from ml.copies.verdicts import Verdict
    from ml.media.extract import Extracted, ExtractOptions

# These modules are imported when they are needed, and Dagster with them: that takes as long as a
# short file, so it happens while the file is decoded.

NEW, COPY, HARD_CASE = "new", "copy", "hard case"
EXIT_CODES = {NEW: 0, COPY: 10, HARD_CASE: 11}
ERROR_EXIT_CODE = 2
STRIP_MOMENTS = 8
_COPIES = frozenset(("duplicate", "partial"))
# Later than every video of the library, also than those without a date.
_LATEST = (datetime.max.replace(tzinfo=UTC), "\U0010ffff")
# A web address comes without a size; 1 GB gives it nearly six hours, the download included.
_UNKNOWN_BYTES = 1_000_000_000
# An ingestion may replace an index's files while they are opened.
_TRIES = 3


class NotSearchable(Exception):
    """There is no library, or none in which copies can be looked for; says what to do."""


@dataclass(frozen=True)
class Match:
    """A video of the library that shares pictures or sound with the file."""

    video_id: str
    batch: str
    title: str
    uri: str
    published_at: datetime | None
    licensed: bool
    is_same_file: bool
    verdict: Verdict

    def row(self, copy_id: str) -> dict[str, Any]:
        """The pair's values of ``PAIR_COLUMNS``."""
        return {"copy_id": copy_id, "original_id": self.video_id, **asdict(self.verdict)}


@dataclass(frozen=True)
class Checked:
    """What came of a check; ``matches`` are the strongest first.

    ``not_searched`` are batches that the indexes don't hold as they are now. ``strip`` is a JPEG
    file of the strongest match. ``seconds`` by stage: the library is opened while a worker starts,
    fetches and decodes the file; everything else is in turn.
    """

    uri: str
    media: Extracted
    matches: list[Match]
    video_count: int
    batch_count: int
    not_searched: list[str]
    has_evidence: bool
    strip: bytes | None
    seconds: dict[str, float]

    @property
    def name(self) -> str:
        """The file's name, which stands for its id."""
        return name_of(self.uri)

    @property
    def verdict(self) -> str:
        """``new``, ``copy`` or ``hard case``."""
        return verdict_on(match.verdict.verdict for match in self.matches)


def verdict_on(verdicts: Iterable[str]) -> str:
    """One verdict for a file from those of its pairs: a copy of one video is a copy."""
    found = set(verdicts)
    if found & _COPIES:
        return COPY
    return HARD_CASE if found else NEW


def uri_of(text: str) -> str:
    """The uri of what a person typed: an address as it stands, else a local path."""
    return text if scheme_of(text) else local_uri(text)


def name_of(uri: str) -> str:
    """What a file is called: its name without the suffix."""
    return title_of(uri) or uri


def by_strength(matches: Iterable[Match]) -> list[Match]:
    """Copies before hard cases, the surest first; of equals the one that is matched most, then the
    earliest."""
    return sorted(
        matches,
        key=lambda m: (
            m.verdict.verdict not in _COPIES,
            not m.is_same_file,
            -round(m.verdict.score, 2),
            -round(m.verdict.copy_share, 2),
            m.published_at or _LATEST[0],
            m.video_id,
        ),
    )


# The whole ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """How files are checked against the library at ``storage``; ``scratch`` is a local folder."""

    storage: Storage
    scratch: Path
    options: ExtractOptions
    workers: int = 1

    def run(self, uri: str) -> Checked:
        """Check one file.

        Raises:
            NotSearchable: no library, or no indexes in it.
            VideoFailure: the file can't be had or decoded; or a comparison failed, and without it
                the file would pass as new.
            IndexDamaged: an index of candidates can't be read.
        """
        if not any(self.storage.scan("batches")):
            raise NotSearchable(f"there is no library at {self.storage.root}: kadr ingest makes it")
        _look(uri)
        watch = _Stopwatch()
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="check-", dir=self.scratch) as folder:
            read = Reading(uri, folder, self.options, self.storage.options)
            with ThreadPoolExecutor(1) as aside:
                opening = aside.submit(self._opened, Path(folder), watch)
                media = decoded(read, watch)
                library = opening.result()
            return self._checked(read, media, library, watch)

    def _opened(self, folder: Path, watch: _Stopwatch) -> _Library:
        with watch.stage("open"):
            from assets.stores.batches import BatchRegistry

            store = DatasetStore(self.storage, self.scratch)
            return _open(store, BatchRegistry(self.storage), folder, self.workers)

    def _checked(
        self, read: Reading, media: Extracted, library: _Library, watch: _Stopwatch
    ) -> Checked:
        with watch.stage("describe"):
            evidence = described(read, media, library.describer)
        with watch.stage("search"):
            same = library.same_files(media)
            others = library.candidates(evidence, {match.video_id for match in same})
        with watch.stage("compare"):
            found = library.compared(evidence, others, self.workers)
        matches = by_strength([*same, *found])
        with watch.stage("strip"):
            strip = library.strip(matches[0], read) if matches else None
        return Checked(
            read.uri,
            media,
            matches,
            library.indexes.pictures.video_count,
            len(library.names),
            library.not_searched,
            has_evidence=bool(len(evidence.pictures.descriptors)) or evidence.sound is not None,
            strip=strip,
            seconds=watch.seconds,
        )


@dataclass
class _Stopwatch:
    """Seconds by stage; ``total`` so far."""

    spent: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[name] = time.perf_counter() - began

    @property
    def seconds(self) -> dict[str, float]:
        total = {"total": time.perf_counter() - self.began}
        return {stage: round(seconds, 3) for stage, seconds in (self.spent | total).items()}


# The file -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A file to read, and the folder for its rows."""

    uri: str
    folder: str
    options: ExtractOptions
    storage_options: Mapping[str, Any]

    def frames(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows of `frames`, once it is read."""
        from ml.media.spool import spooled

        return (rows.select(columns) for rows in spooled(self.folder, FRAMES.name))


def read_file(task: Reading) -> tuple[Extracted, float]:
    """Fetch and decode the file, in a worker process; what it is, and seconds spent on fetching."""
    from ml.media.extract import Source, extract

    began = time.perf_counter()
    with fetch(task.uri, task.folder, dict(task.storage_options)) as (path, _):
        fetched_s = time.perf_counter() - began
        source = Source(name_of(task.uri), str(path))
        return extract(source, task.folder, task.options), fetched_s


def decoded(task: Reading, watch: _Stopwatch) -> Extracted:
    """Read the file in a process that may crash or hang.

    Raises:
        VideoFailure: what became of it.
    """
    from ml.media.extract import limit_s
    from ml.workers import run_tasks

    began = time.perf_counter()
    limit = limit_s(_look(task.uri) or _UNKNOWN_BYTES)
    with closing(run_tasks(read_file, [task], workers=1, limit_s=limit)) as outcomes:
        (outcome,) = outcomes
    if outcome.failure is not None:
        raise outcome.failure
    assert outcome.value is not None
    media, fetched_s = outcome.value
    started_s = time.perf_counter() - began - outcome.seconds
    decoded_s = outcome.seconds - fetched_s
    watch.spent |= {"worker": started_s, "fetch": fetched_s, "decode": decoded_s}
    return media


def _look(uri: str) -> int:
    """The size of a local file, 0 for an address.

    Raises:
        PermanentFailure: there is no such file, or it may not be read.
    """
    if scheme_of(uri) not in ("", "file"):
        return 0
    state = look_at(local_path(uri))
    if state.problem:
        raise PermanentFailure(state.problem)
    return state.source_bytes


def described(read: Reading, media: Extracted, describer: FrameDescriber) -> Evidence:
    """The file as the library's videos are described."""
    from assets.copies.pairs import evidence_of
    from ml.copies.sound_bands import SoundFingerprinter
    from ml.media.spool import spooled

    frames, motion, audio = (spooled(read.folder, name) for name in ("frames", "motion", "audio"))
    return evidence_of(
        name_of(read.uri),
        media.duration_s,
        describer.describe(frames),
        motion,
        SoundFingerprinter().fingerprint(audio),
    )


# The library --------------------------------------------------------------------------------------


def _open(store: DatasetStore, registry: BatchRegistry, folder: Path, workers: int) -> _Library:
    from ml.copies.features import FrameDescriber

    names, describer = registry.names(), FrameDescriber(workers=workers)
    indexes, inside = opened_indexes(store.storage, folder)
    versions = store.versions(COPY_DESCRIPTORS.name)
    not_searched = [
        name
        for name in names
        if inside.get(name) != key_of(describer.model, versions.get(name, ""))
    ]
    library = _Library(store, registry, names, indexes, describer, not_searched)
    library.check_comparable()
    return library


def opened_indexes(storage: Storage, folder: Path) -> tuple[Indexes, Mapping[str, str]]:
    """The indexes as they are now, and the batches in that of pictures with their fingerprints.

    Raises:
        NotSearchable: there are none.
        IndexDamaged: one can't be read.
    """
    from assets.copies.search import PICTURE_INDEX, SOUND_INDEX, Indexes
    from ml.copies.picture_index import PictureIndex
    from ml.copies.picture_segments import read_manifest
    from ml.copies.sound_index import SoundIndex
    from ml.indexes.files import IndexDamaged

    for tries_left in reversed(range(_TRIES)):
        try:
            pictures, sound = (
                _index_files(storage, name, folder / f"{name}-{tries_left}")
                for name in (PICTURE_INDEX, SOUND_INDEX)
            )
            inside = read_manifest(pictures).batches
            return Indexes(PictureIndex.open(pictures), SoundIndex.open(sound)), inside
        except (IndexDamaged, FileNotFoundError):
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def _index_files(storage: Storage, name: str, copy: Path) -> Path:
    """The folder of an index; one in an object store is copied to ``copy``, its manifest first."""
    from ml.indexes.files import MANIFEST

    prefix = f"indexes/{name}"
    if not storage.exists(f"{prefix}/{MANIFEST}"):
        raise NotSearchable(
            f"the library at {storage.root} has no index of copies yet: an ingestion makes it "
            "(kadr ingest SOURCE --all)"
        )
    if storage.is_local:
        return Path(storage.url(prefix))
    copy.mkdir()
    keys = (file.key for file in storage.list(prefix))
    for key in sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")):
        (copy / Path(key).name).write_bytes(storage.read_bytes(key))
    return copy


@dataclass(frozen=True)
class _Library:
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
        from assets.copies.pairs import comparables, resolved
        from ml.copies.sound_bands import SoundFingerprinter

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
        from assets.copies.pairs import Query, find_copies, load_evidence

        query, load = Query(evidence, _LATEST, others), partial(load_evidence, self.store)
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
        from assets.copies.strips import frames_of, pair_strip

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
    from ml.copies.verdicts import Verdict

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
