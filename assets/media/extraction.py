"""``videos``, ``frames``, ``motion``, ``audio``: one decode of each file gives all four.

The files of a batch are decoded in worker processes; a file that crashes, hangs or is broken costs
its own row. A re-run decodes again only what is missing, was left for another try, or was made by
another decoder or other options.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from assets.media.retries import Waiting, judged, met, stored, waiting_from
from assets.source.fetching import Gone, fetch
from assets.stores.addresses import UNREADABLE
from assets.stores.batches import Batch, SourceVideo
from assets.stores.datasets import DatasetStore, Ledger, key_of, layout_of
from assets.stores.incremental import Merge
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.progress import Progress
from assets.stores.resources import Library
from assets.stores.scratch import scratch_folder
from assets.stores.storage import scheme_of
from ml.failures import Filtered, PermanentFailure, RetryableFailure, VideoFailure
from ml.runner import Timings
from ml.schemas import AUDIO, FRAMES, MOTION, VIDEOS, Dataset

if TYPE_CHECKING:
    from ml.media.extract import Extracted, ExtractOptions
    from ml.workers import Outcome

MEDIA = (FRAMES, MOTION, AUDIO)
# Addresses in a catalogue come without a size; 1 GB gives such a file, its download included,
# nearly six hours.
_UNKNOWN_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Task:
    """One file for one worker process."""

    video: SourceVideo
    spool: str
    options: ExtractOptions
    storage_options: Mapping[str, str] = field(repr=False)
    superseded_by: str
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True)
class Done:
    """What a worker sends back; the rows lie in the spool folder."""

    media: Extracted
    source_version: str


def extract_one(task: Task) -> Done:
    """Fetch and decode one file. Runs in a worker process."""
    from ml.media.extract import Source, extract

    if task.superseded_by:
        raise Filtered(f"superseded by a newer version in batch {task.superseded_by}")
    spool = Path(task.spool)
    spool.mkdir(parents=True)
    with ExitStack() as stack:
        try:
            source = fetch(
                task.video.uri,
                spool,
                dict(task.storage_options),
                task.limits,
                public_only=bool(task.video.public_only),
            )
            path, version = stack.enter_context(source)
        except PermanentFailure as error:
            raise _since_listed(task.video, error) from error
        media = extract(Source(task.video.video_id, str(path)), spool, task.options)
    return Done(media, version)


def _since_listed(video: SourceVideo, error: PermanentFailure) -> VideoFailure:
    """What the listing could read is not the file's fault now (an unmounted disk, say), unless it
    is sure that the file is gone. Only local files are looked at when they are listed."""
    if scheme_of(video.uri) not in ("", "file") or video.version in ("", UNREADABLE):
        return error
    if isinstance(error, Gone):
        return PermanentFailure(f"{error}: it was deleted or moved after it was listed")
    return RetryableFailure(f"{error}, and it was there when it was listed")


@dataclass
class Extraction:
    """The four files of a batch while they are being brought up to date."""

    store: DatasetStore
    batch: Batch
    superseded: Mapping[str, str]
    options: ExtractOptions
    force: bool = False
    licences: Mapping[str, bool] = field(default_factory=dict)
    attempts: int = 3
    clock: Callable[[], float] = time
    waiting: dict[str, Waiting] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    has_new_licences: bool = False
    held: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)

    def __post_init__(self) -> None:
        self.keys = {v.video_id: self._source_key(v) for v in self.batch.videos}
        if not self.force:
            self._keep_what_holds()

    @property
    def todo(self) -> list[SourceVideo]:
        """Videos to decode, in the batch's order."""
        return [v for v in self.batch.videos if v.video_id not in self.kept]

    @property
    def is_current(self) -> bool:
        """Whether the four files already say all there is to say."""
        return self._holds_all and not self.has_new_licences

    @property
    def _holds_all(self) -> bool:
        return len(self.kept) == len(self.keys) > 0

    def _is_licensed(self, video: SourceVideo) -> bool:
        return self.licences.get(video.video_id, bool(video.licensed))

    def _source_key(self, video: SourceVideo) -> str:
        later = self.superseded.get(video.video_id, "")
        catalogue = (str(video.published_at), video.title, video.description, video.tags)
        return key_of(video.uri, video.version, later, self.options.maker, *catalogue)

    def _media_key(self, row: Mapping[str, Any]) -> str:
        return key_of(row["content_hash"], self.options.maker)

    def _keep_what_holds(self) -> None:
        name = self.batch.name
        ledgers = {d.name: self.store.usable_ledger(d.name, name) for d in (VIDEOS, *MEDIA)}
        if (of_videos := ledgers[VIDEOS.name]) is not None:
            self.waiting = waiting_from(of_videos.waiting)
        keys = {d: ledger.keys for d, ledger in ledgers.items() if ledger is not None}
        layouts = {d: ledger.layout for d, ledger in ledgers.items() if ledger is not None}
        if any(layouts.get(d.name) != layout_of(d) for d in MEDIA):
            return
        self.held = {d.name: keys[d.name] for d in MEDIA}
        licensed = {v.video_id: self._is_licensed(v) for v in self.batch.videos}
        for row in self._old_rows(layouts.get("videos", "")):
            video = row["video_id"]
            if keys["videos"].get(video) == self.keys.get(video) and (
                row["status"] != "ok"
                or all(keys[d.name].get(video) == self._media_key(row) for d in MEDIA)
            ):
                self.has_new_licences |= row.get("licensed") != licensed[video]
                self.rows[video] = row | {"licensed": licensed[video]}
        self.kept = frozenset(self.rows)

    def _old_rows(self, layout: str) -> list[dict[str, Any]]:
        """The rows of ``videos``, also of a file from before videos had licences."""
        for dataset in (VIDEOS, _WITHOUT_LICENCES):
            if layout == layout_of(dataset):
                return self.store.table(dataset, self.batch.name).to_pylist()
        return []

    def write(self, outcomes: Iterator[Outcome[Task, Done]], progress: Progress) -> None:
        """Write the four files from the kept rows and the workers' outcomes, in batch order.

        Where licences alone changed, or nothing came of another try, that is one file."""
        if self._holds_all:
            self._write_videos()
            return
        began = perf_counter()
        with ExitStack() as stack:
            name, order = self.batch.name, list(self.keys)
            new = {d: stack.enter_context(self.store.replace(d, name)) for d in MEDIA}
            old = {d: self.store.rows(d, name, video_ids=self.kept) for d in MEDIA}
            merges = {d: Merge(new[d].write, order, old[d]) for d in MEDIA}
            for outcome in outcomes:
                self._take(outcome, merges)
                progress.step()
            for dataset, merge in merges.items():
                merge.finish()
                if self.held.get(dataset.name) != self._media_ledger():
                    new[dataset].publish(Ledger(self.options.maker, self._media_ledger()))
        self._write_videos()
        self.timings.wall_s = perf_counter() - began

    def _take(self, outcome: Outcome[Task, Done], merges: Mapping[Dataset, Merge]) -> None:
        from ml.media.spool import spooled

        task, began = outcome.task, perf_counter()
        self.timings.compute_s += outcome.seconds
        failure = self._judged(task.video.video_id, outcome.failure)
        row = _video_row(task.video, outcome.value, failure)
        self.rows[task.video.video_id] = row | {"licensed": self._is_licensed(task.video)}
        if outcome.failure is None:
            for dataset, merge in merges.items():
                for rows in spooled(task.spool, dataset.name):
                    merge.write(rows)
        shutil.rmtree(task.spool, ignore_errors=True)
        self.timings.write_s += perf_counter() - began

    def _judged(self, video: str, failure: VideoFailure | None) -> VideoFailure | None:
        """The failure, and one for good where it is the same as in the last nights."""
        before = self.waiting.pop(video, None)
        if not isinstance(failure, RetryableFailure):
            return failure
        self.waiting[video] = met(before, str(failure), self.clock())
        return judged(failure, self.waiting[video], self.attempts)

    def _media_ledger(self) -> dict[str, str]:
        return {
            v: self._media_key(row) for v in self.keys if (row := self.rows[v])["status"] == "ok"
        }

    def _write_videos(self) -> None:
        """Last, so that a step killed before here does its unfinished videos again.

        One that was given up is no reason to run the batch, but is tried whenever it runs."""
        rows = [self.rows[video] for video in self.keys]
        with self.store.replace(VIDEOS, self.batch.name) as new:
            new.write(pa.RecordBatch.from_pylist(rows, VIDEOS.schema))
            keys = {v: key for v, key in self.keys.items() if v not in self.waiting}
            new.publish(Ledger(self.options.maker, keys, waiting=stored(self.waiting)))


def _video_row(
    video: SourceVideo, done: Done | None, failure: VideoFailure | None
) -> dict[str, Any]:
    row: dict[str, Any] = {f.name: _EMPTY[f.type] for f in VIDEOS.schema}
    row |= {
        name: getattr(video, name)
        for name in ("video_id", "uri", "published_at", "title", "description", "tags")
    }
    row |= {"source_version": video.version, "source_bytes": video.source_bytes}
    if done is not None:
        media = {k: v for k, v in asdict(done.media).items() if k in row}
        return row | media | {"status": "ok", "source_version": done.source_version}
    assert failure is not None
    status = "filtered" if isinstance(failure, Filtered) else "failed"
    return row | {"status": status, "failure_kind": failure.kind, "error": str(failure)}


_WITHOUT_LICENCES = replace(
    VIDEOS, schema=pa.schema([f for f in VIDEOS.schema if f.name != "licensed"])
)
_EMPTY = {f.type: 0 for f in VIDEOS.schema} | {pa.string(): "", pa.bool_(): False}


@contextmanager
def decoded(
    extraction: Extraction, library: Library, workers: int
) -> Iterator[Iterator[Outcome[Task, Done]]]:
    """Outcomes of decoding what is to do, in the batch's order, from worker processes."""
    from ml.workers import run_tasks

    with scratch_folder(library.scratch, "extract") as spool:
        tasks = [
            Task(
                video,
                str(spool / str(i)),
                extraction.options,
                library.storage_options,
                extraction.superseded.get(video.video_id, ""),
                library.limits,
            )
            for i, video in enumerate(extraction.todo)
        ]
        outcomes = run_tasks(extract_one, tasks, workers=workers, limit_s=_limit_s)
        with closing(outcomes):
            yield outcomes


def _limit_s(task: Task) -> float:
    from ml.media.extract import limit_s

    return limit_s(task.video.source_bytes or _UNKNOWN_BYTES)
