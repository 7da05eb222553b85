"""The asset ``duplicate_pairs``: the pairs that a batch's videos are in, found and verified.

The two indexes of candidates are first brought up to every batch that is described by now, this one
among them, and then asked, under one lock: of two batches at work at the same time, the one that is
described later finds the other. What was not described anew is not compared again.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from assets.copies.descriptors import GROUP
from assets.copies.pairs import (
    DESCRIBED,
    Comparable,
    Compared,
    Query,
    candidate_items,
    comparables,
    find_copies,
    item_of,
    load_evidence,
    one_way,
    resolved,
)
from assets.search.indexes import index_folder
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec, row_count
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import Report, Rows, by_video, ledger_of, plan, update
from assets.stores.needs import LIBRARY
from assets.stores.progress import Progress, is_forced, timing_metadata
from assets.stores.resources import Library, Models
from ml.failures import RetryableFailure
from ml.schemas import (
    AUDIO_FINGERPRINTS,
    COPY_DESCRIPTORS,
    FOUND_PAIRS,
    VERDICTS,
    Dataset,
)

if TYPE_CHECKING:
    from ml.copies.evidence import Evidence
    from ml.copies.picture_index import PictureIndex
    from ml.copies.sound_index import SoundIndex

PICTURE_INDEX, SOUND_INDEX = "copies_pictures", "copies_sound"
_FAILURE_CHECK = "every_pair_was_compared"
_NAMED = 20


@dg.multi_asset(
    name=FOUND_PAIRS.name,
    specs=[dataset_spec(FOUND_PAIRS, GROUP, ["videos", "motion", *(d.name for d in DESCRIBED)])],
    partitions_def=BATCHES,
    op_tags=LIBRARY.op_tags,
    pool="copy_indexes",
    check_specs=[
        dg.AssetCheckSpec(
            _FAILURE_CHECK,
            asset=FOUND_PAIRS.name,
            description="No comparison crashed or ran out of time.",
        ),
    ],
)
def duplicate_pairs(
    context: dg.AssetExecutionContext, library: Library, models: Models
) -> dg.MaterializeResult:
    """Find and verify the pairs of the batch's videos that were described anew."""
    from ml.copies.pairs import VERSION

    store, batch = library.datasets, context.partition_key
    makers = [ledger_of(store, d.name, batch).maker for d in DESCRIBED]
    own = comparables(store, library.batches, batch)
    wanted = {video_id: video.key for video_id, video in own.items()}
    maker = f"copies-{VERSION}"
    old = store.usable_ledger(FOUND_PAIRS.name, batch)
    is_other = old is not None and old.maker != maker  # the keys don't hold the version
    todo = plan(store, FOUND_PAIRS, batch, maker, wanted, force=is_forced(context) or is_other)
    progress = Progress(context, FOUND_PAIRS.name, len(todo.todo))
    search = Search(library, makers, own, models.workers)

    def compute(_: Rows) -> Rows:
        return search.rows(todo.todo, progress)

    report = update(store, FOUND_PAIRS, batch, todo, lambda _: iter(()), compute, search.unfinished)
    context.log.info(f"{FOUND_PAIRS.name}: {report.rows} pairs, {search.in_words()}")
    for failure in search.failed:
        context.log.warning(f"{FOUND_PAIRS.name}: {failure}")
    if search.retryable is not None:  # what is done is kept; the next run does the rest
        raise search.retryable
    return _result(search, report, store.table(FOUND_PAIRS, batch, ["verdict"]))


def _result(search: "Search", report: Report, pairs: pa.Table) -> dg.MaterializeResult:
    verdicts = Counter(pairs.column("verdict").to_pylist())
    per_video = search.candidates / search.asked if search.asked else 0.0
    return dg.MaterializeResult(
        metadata={
            **row_count(report.rows),
            **timing_metadata(report.timings),
            **{verdict: verdicts[verdict] for verdict in VERDICTS},
            "computed": report.computed,
            "kept": report.kept,
            "candidates_per_video": round(per_video, 2),
            "compared": search.compared,
            "index_s": round(search.index_s, 3),
            "search_s": round(search.search_s, 3),
            "verify_s": round(search.verify_s, 3),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_FAILURE_CHECK,
                passed=not search.failed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "failed": len(search.failed),
                    "examples": dg.MetadataValue.json(search.failed[:_NAMED]),
                },
            )
        ],
    )


# The indexes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Indexes:
    """The two indexes of candidates, opened."""

    pictures: "PictureIndex"
    sound: "SoundIndex"

    def candidates(self, evidence: "Evidence", item: str = "") -> list[str]:
        """The items worth comparing with a video, itself (``item``) left out."""
        by_pictures = self.pictures.search(evidence.pictures, exclude=item)
        sound = evidence.sound
        by_sound = self.sound.search(sound, exclude=item) if sound is not None else []
        return candidate_items(by_pictures, by_sound)


@contextmanager
def opened_indexes(library: Library, makers: Sequence[str] = ()) -> Iterator[Indexes]:
    """The indexes, for as long as the block lasts; nobody else changes them meanwhile.

    Args:
        makers: of ``copy_descriptors`` and ``audio_fingerprints``: bring the indexes up to what is
            on disk of them first. Batches that others made are left out, because descriptions of
            two kinds can't be compared. Without makers the indexes stay as they are.
    """
    from ml.copies.picture_growth import update_picture_index
    from ml.copies.picture_index import PictureIndex
    from ml.copies.sound_growth import update_sound_index
    from ml.copies.sound_index import SoundIndex
    from ml.indexes.files import IndexDamaged

    with ExitStack() as stack:
        # Always in this order, so that two never wait for each other.
        pictures = stack.enter_context(index_folder(library, PICTURE_INDEX))
        sound = stack.enter_context(index_folder(library, SOUND_INDEX))
        if makers:
            store = library.datasets
            held = [_held(library, d, m) for d, m in zip(DESCRIBED, makers, strict=True)]
            read = partial(_pictures, store, makers[0])
            try:
                update_picture_index(pictures, held[0], read)
            except IndexDamaged:  # nothing is lost: it is made from the datasets
                update_picture_index(pictures, held[0], read, rebuild=True)
            update_sound_index(sound, held[1], partial(_sounds, store, makers[1]))
        yield Indexes(PictureIndex.open(pictures), SoundIndex.open(sound))


def _held(library: Library, dataset: Dataset, maker: str) -> dict[str, str]:
    """Batch to what changes with its rows, for the batches that are described; one listing."""
    versions = library.datasets.versions(dataset.name)
    names = (name for name in library.batches.names() if name in versions)
    return {name: key_of(maker, versions[name]) for name in names}


def _pictures(store: DatasetStore, maker: str, batch: str) -> Iterator[tuple[str, Any]]:
    from ml.copies.features import pictures_of

    for video_id, rows in _by_video(store, COPY_DESCRIPTORS, maker, batch):
        yield item_of(batch, video_id), pictures_of(rows)


def _sounds(store: DatasetStore, maker: str, batch: str) -> Iterator[tuple[str, Any]]:
    from ml.copies.sound.bands import sound_of

    for video_id, rows in _by_video(store, AUDIO_FINGERPRINTS, maker, batch):
        sound = sound_of(rows)
        if sound is not None:
            yield item_of(batch, video_id), sound


def _by_video(
    store: DatasetStore, dataset: Dataset, maker: str, batch: str
) -> Iterator[tuple[str, list[pa.RecordBatch]]]:
    ledger = store.ledger(dataset.name, batch)
    if ledger is not None and ledger.maker == maker:
        for video_id, pieces in groupby(by_video(store.rows(dataset, batch)), key=itemgetter(0)):
            yield video_id, [rows for _, rows in pieces]


# One batch ----------------------------------------------------------------------------------------


@dataclass
class Search:
    """The search for the pairs of some of a batch's videos (``own``), and what it took."""

    library: Library
    makers: Sequence[str]
    own: Mapping[str, Comparable]
    workers: int = 1
    asked: int = 0
    candidates: int = 0
    compared: int = 0
    index_s: float = 0.0
    search_s: float = 0.0
    verify_s: float = 0.0
    failed: list[str] = field(default_factory=list)
    unfinished: set[str] = field(default_factory=set)
    retryable: RetryableFailure | None = None

    def rows(self, todo: Sequence[str], progress: Progress) -> Rows:
        """The rows of ``FOUND_PAIRS`` that the videos ``todo`` find, in their order."""
        store, videos = self.library.datasets, [self.own[video_id] for video_id in todo]
        pairs = self._pairs(videos)
        asking = [video for video in videos if pairs[video.video_id]]
        progress.step(len(videos) - len(asking))
        began = time.monotonic()
        queries = (
            Query(evidence, video.place, pairs[video.video_id])
            for video, evidence in load_evidence(store, asking)
        )
        load = partial(load_evidence, store)
        for found in find_copies(queries, load, workers=self.workers):
            progress.step()
            yield from self._found(found)
        self.verify_s = time.monotonic() - began

    def in_words(self) -> str:
        """For the log."""
        if not self.asked:
            return "nothing to compare"
        return f"{self.compared} comparisons for {self.asked} videos"

    def _pairs(self, videos: Sequence[Comparable]) -> dict[str, list[Comparable]]:
        """What each video is to be compared with, by its id."""
        of_batch = partial(
            comparables, self.library.datasets, self.library.batches, makers=self.makers
        )
        named = self._named(videos)
        others = resolved({item for items in named.values() for item in items}, of_batch)
        wanted = {
            video_id: {item: others[item] for item in items if item in others}
            for video_id, items in named.items()
        }
        return one_way(wanted, self.own)

    def _named(self, videos: Sequence[Comparable]) -> dict[str, list[str]]:
        """The items that the indexes name for each video."""
        began = time.monotonic()
        named: dict[str, list[str]] = {video.video_id: [] for video in videos}
        with opened_indexes(self.library, self.makers) as indexes:
            self.index_s = time.monotonic() - began
            for video, evidence in load_evidence(self.library.datasets, videos):
                named[video.video_id] = indexes.candidates(evidence, video.item)
        self.search_s = time.monotonic() - began - self.index_s
        self.asked, self.candidates = len(videos), sum(map(len, named.values()))
        return named

    def _found(self, found: Iterable[Compared]) -> Rows:
        """The rows of one video; one that failed against another is left for the next run."""
        rows = []
        for pair in found:
            self.compared += 1
            if isinstance(pair.failure, RetryableFailure):
                self.retryable = pair.failure
            if pair.failure is not None:
                self.unfinished.add(pair.query.evidence.video_id)
                self.failed.append(f"{pair.copy_id} against {pair.original_id}: {pair.failure}")
            if pair.verdict is not None:
                rows.append(_row(pair))
        if rows:
            rows.sort(key=itemgetter("copy_id", "original_id"))
            yield pa.RecordBatch.from_pylist(rows, FOUND_PAIRS.schema)


def _row(pair: Compared) -> dict[str, Any]:
    assert pair.verdict is not None
    return {
        "video_id": pair.query.evidence.video_id,
        "copy_id": pair.copy_id,
        "original_id": pair.original_id,
        **asdict(pair.verdict),
        "other_key": pair.other.key,
    }
