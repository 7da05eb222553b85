"""The asset ``duplicate_pairs``: the pairs that a batch's videos are in, found and verified.

The two indexes of candidates are first brought up to every batch that is described by now, this one
among them, and then asked, under one lock: of two batches at work at the same time, the one that is
described later finds the other. What was not described anew is not compared again.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import dagster as dg
import pyarrow as pa

from assets.copies.descriptors import GROUP
from assets.copies.indexes import POOL, opened_indexes
from assets.copies.pairs import (
    DESCRIBED,
    Comparable,
    Compared,
    Query,
    comparables,
    find_copies,
    load_evidence,
    one_way,
    resolved,
)
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec, row_count
from assets.stores.incremental import Report, Rows, ledger_of, plan, update
from assets.stores.needs import LIBRARY
from assets.stores.progress import Progress, is_forced, timing_metadata
from assets.stores.resources import Library, Models
from ml.failures import RetryableFailure
from ml.schemas import FOUND_PAIRS, VERDICTS

_FAILURE_CHECK = "every_pair_was_compared"
_NAMED = 20


@dg.multi_asset(
    name=FOUND_PAIRS.name,
    specs=[dataset_spec(FOUND_PAIRS, GROUP, ["videos", "motion", *(d.name for d in DESCRIBED)])],
    partitions_def=BATCHES,
    op_tags=LIBRARY.op_tags,
    pool=POOL,
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
    search = Search(library, makers, own, context.log.warning, models.workers)

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


# One batch ----------------------------------------------------------------------------------------


@dataclass
class Search:
    """The search for the pairs of some of a batch's videos (``own``), and what it took.

    ``warn`` is told of an index that is damaged.
    """

    library: Library
    makers: Sequence[str]
    own: Mapping[str, Comparable]
    warn: Callable[[str], None]
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
        with opened_indexes(self.library, self.makers, self.warn) as indexes:
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
