"""From a source to tables: list, cut new videos into batches, run what is unfinished."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import dagster as dg

from assets.source.listing import cut_new, outdated, summary, worth_another_try
from assets.stores.clickhouse import CannotConnect
from assets.stores.resources import Library, Tables
from assets.stores.scratch import remove_dead
from orchestration.definitions import resources
from orchestration.liveness import end_dead_runs, held_batches
from orchestration.owners import Busy, alone
from orchestration.pending import library_is_behind, unfinished
from orchestration.runs import RunFailed, run_batch, run_library
from orchestration.settings import Settings

# A file that a killed step left half written is removed after a day: nothing that old is still
# being written.
_UNFINISHED_KEPT_S = 24 * 3600.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ingested:
    """The batches that were run, whether the library-wide assets were behind them, and the batches
    that were left to others who work on them."""

    batches: tuple[str, ...]
    library: bool
    left: tuple[str, ...] = ()


def ingest(
    settings: Settings,
    instance: dg.DagsterInstance,
    source: str,
    say: Say,
    *,
    every_batch: bool = False,
    force: bool = False,
    licensed: bool = False,
) -> Ingested:
    """List the source, cut what is new into batches, run the unfinished ones, then the library.

    Args:
        every_batch: run all batches; what is done is skipped inside them.
        force: run all batches and compute everything again.
        licensed: every video of the source is of the licensed base.

    Raises:
        Busy: another ingestion runs on this library.
        RunFailed: a run failed; the next ingestion tries its batch again.
        CannotConnect: ClickHouse is away; nothing more is begun without it.
    """
    with alone_here(settings), alone(instance, "ingestion"):
        ours = resources(settings)
        library: Library = ours["library"]
        _tidy(library, instance)
        done, names = cut_new(library, instance, source, settings.batch_size, licensed=licensed)
        say(summary(done, names))
        again = worth_another_try(ours["tables"], say)
        old = unfinished(instance, names)
        gone = _lost(library, ours["tables"], [name for name in names if name not in old], say)
        todo = {*old, *gone, *outdated(library), *again}
        # What was lost first: a batch is compared with what the others have at that moment.
        in_order = sorted(names, key=lambda name: name not in gone)
        wanted = [n for n in in_order if every_batch or force or n in todo]
        work = _Work(instance, force)
        work.run_batches(wanted, say)
        behind = library_is_behind(instance) or _is_filed_otherwise(library)
        if behind or every_batch or force:
            work.run("library", partial(run_library, instance, force=force))
        if work.failures:
            raise RunFailed("\n".join(work.failures))
    return Ingested(tuple(work.ran), behind, tuple(work.left))


@dataclass
class _Work:
    """Runs, one after another; one that fails does not keep the others from running.

    Attributes:
        ran: batches, also those that failed.
        left: batches that others work on.
        failures: what failed, and why.
    """

    instance: dg.DagsterInstance
    force: bool
    ran: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run_batches(self, batches: Sequence[str], say: Say) -> None:
        """Run them, but for those that others work on at that moment: they may have begun since."""
        for batch in batches:
            holder = self._holder(batch)
            if holder:
                say(f"batch {batch} is left to others: {holder}")
                self.left.append(batch)
                continue
            self.ran.append(batch)
            self.run(batch, partial(run_batch, self.instance, batch, force=self.force))

    def _holder(self, batch: str) -> str:
        """Who works on the batch; empty for nobody, or somebody who died meanwhile."""
        if batch in held_batches(self.instance):
            end_dead_runs(self.instance)
        return held_batches(self.instance).get(batch, "")

    def run(self, what: str, run: Callable[[], None]) -> None:
        """Run, and note what fails.

        Raises:
            CannotConnect: with the failures that there were before.
        """
        try:
            run()
        except RunFailed as error:
            self.failures.append(f"{what}: {error}")
        except CannotConnect as error:
            raise CannotConnect("\n".join([*self.failures, str(error)])) from error


def _lost(library: Library, tables: Tables, finished: Sequence[str], say: Say) -> set[str]:
    """Finished batches whose files or tables are not what they were."""
    from assets.tables.standing import lost

    found = lost(library, tables, finished, say)
    for batch, why in found.items():
        say(f"batch {batch} is run again: {why}")
    return set(found)


def _is_filed_otherwise(library: Library) -> bool:
    """Whether videos are filed under another taxonomy than the settings'."""
    from assets.tags.zero_shot import filed_by

    return bool(library.batches.names()) and filed_by(library) != library.read_taxonomy().version


def _tidy(library: Library, instance: dg.DagsterInstance) -> None:
    """Clear away what killed processes left."""
    end_dead_runs(instance)
    library.storage.clean_temporary(older_than_s=_UNFINISHED_KEPT_S)
    remove_dead(library.scratch)


@contextmanager
def alone_here(settings: Settings) -> Iterator[None]:
    """Be the only process of this machine that ingests, or mends, the library.

    Raises:
        Busy: another one does.
    """
    path = settings.state_dir / "ingest.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Busy(f"another ingestion (process {lock.read().strip()}) is at work") from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        lock.flush()
        yield
