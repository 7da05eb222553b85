"""Done work is not done again: keep the rows that still hold, compute the others, keep the order.

A dataset's file is rebuilt only when a video is missing from it, left it, or was made from
something else. The new file is the old rows and the new ones merged in the batch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from assets.stores.datasets import DatasetStore, Ledger, layout_of
from ml.runner import Timings, run
from ml.schemas import Dataset

Rows = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Plan:
    """What a batch's file should hold (``wanted``: key by video, in order) and what is to do."""

    maker: str
    wanted: Mapping[str, str]
    kept: frozenset[str]
    is_current: bool

    @property
    def todo(self) -> list[str]:
        """Videos to compute, in the batch's order."""
        return [video for video in self.wanted if video not in self.kept]


@dataclass(frozen=True)
class Report:
    """What an update did, for the asset's metadata."""

    rows: int
    computed: int
    kept: int
    timings: Timings


def plan(
    store: DatasetStore,
    dataset: Dataset,
    batch: str,
    maker: str,
    wanted: Mapping[str, str],
    *,
    force: bool = False,
) -> Plan:
    """Compare the file's ledger with what is wanted now."""
    old = store.usable_ledger(dataset.name, batch)
    usable = old is not None and not force and old.layout == layout_of(dataset)
    keys = old.keys if old is not None and usable else {}
    kept = frozenset(video for video, key in wanted.items() if keys.get(video) == key)
    is_current = usable and dict(keys) == dict(wanted)
    return Plan(maker, wanted, kept, is_current)


class Merge:
    """Writes new rows and the kept old ones in the batch's order, as a stream."""

    def __init__(
        self, write: Callable[[pa.RecordBatch], None], order: Iterable[str], kept: Rows
    ) -> None:
        self._write = write
        self._place = {video: i for i, video in enumerate(order)}
        self._kept = by_video(kept)
        self._next_kept = next(self._kept, None)

    def write(self, rows: pa.RecordBatch) -> None:
        """Write new rows, and before each video's the kept rows of the videos ahead of it."""
        for video, piece in by_video(iter([rows])):
            self._copy_kept_before(self._place[video])
            self._write(piece)

    def finish(self) -> None:
        """Write the kept rows that are left."""
        self._copy_kept_before(len(self._place))

    def _copy_kept_before(self, place: int) -> None:
        while self._next_kept is not None and self._place[self._next_kept[0]] < place:
            self._write(self._next_kept[1])
            self._next_kept = next(self._kept, None)


def update(
    store: DatasetStore,
    dataset: Dataset,
    batch: str,
    the_plan: Plan,
    read: Callable[[list[str]], Rows],
    compute: Callable[[Rows], Rows],
    unfinished: Collection[str] = (),
) -> Report:
    """Bring the batch's file up to the plan; a file that is current is not touched.

    Videos that are in ``unfinished`` when ``compute`` has ended are done again by the next run.
    """
    todo = the_plan.todo
    if the_plan.is_current:
        return Report(store.row_count(dataset.name, batch), 0, len(the_plan.kept), Timings())
    old = store.rows(dataset, batch, video_ids=the_plan.kept)
    with store.replace(dataset, batch) as new:
        merge = Merge(new.write, the_plan.wanted, old)
        timings = run(read(todo), compute, merge.write) if todo else Timings()
        merge.finish()
        done = {v: key for v, key in the_plan.wanted.items() if v not in unfinished}
        new.publish(Ledger(the_plan.maker, done))
        return Report(new.writer.rows, len(todo), len(the_plan.kept), timings)


def by_video(stream: Rows) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Cut record batches where the video changes."""
    for rows in stream:
        ids = rows.column("video_id").to_pylist()
        start = 0
        for i in range(1, len(ids) + 1):
            if i == len(ids) or ids[i] != ids[start]:
                yield ids[start], rows.slice(start, i - start)
                start = i


def ledger_of(store: DatasetStore, name: str, batch: str) -> Ledger:
    """The ledger of a dataset this step reads.

    Raises:
        dg.Failure: the dataset has no file for the batch, saying what to materialise.
    """
    ledger = store.ledger(name, batch)
    if ledger is None:
        raise dg.Failure(
            f"batch {batch} has no {name} yet: materialise {name} first", allow_retries=False
        )
    return ledger
