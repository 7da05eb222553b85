"""From a source to tables: list, cut new videos into batches, run what is unfinished."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg

import sql
from assets.batches import BATCHES
from assets.batches import ingest as cut_new
from assets.clickhouse import ClickHouse
from assets.extraction import knows_later_news
from assets.resources import Library
from assets.sources import VIDEO_SUFFIXES, SourceError
from orchestration.definitions import resources
from orchestration.instance import end_dead_runs
from orchestration.runs import (
    RunFailed,
    library_is_behind,
    run_batch,
    run_library,
    unfinished,
)
from orchestration.settings import Settings

# What a killed step left is removed after a day: nothing that old is still being written.
_SCRATCH_KEPT_S = 24 * 3600.0
Say = Callable[[str], None]


class Busy(Exception):
    """Another ingestion works on the same library."""


@dataclass(frozen=True)
class Ingested:
    """The batches that were run, and whether the library-wide assets were behind them."""

    batches: tuple[str, ...]
    library: bool


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
    """
    with _alone(settings.state_dir / "ingest.lock"):
        library: Library = resources(settings)["library"]
        _tidy(library, instance)
        names = _cut(settings, instance, library, source, say, licensed=licensed)
        stale = [n for n in library.batches.touched() if not knows_later_news(library, n)]
        todo = {*unfinished(instance, names), *stale, *_worth_another_try(settings)}
        to_run = [n for n in names if every_batch or force or n in todo]
        failures = [_failure(b, partial(run_batch, instance, b, force=force)) for b in to_run]
        behind = library_is_behind(instance) or _is_filed_otherwise(library)
        if behind or every_batch or force:
            failures.append(_failure("library", partial(run_library, instance, force=force)))
        if any(failures):
            raise RunFailed("\n".join(filter(None, failures)))
    return Ingested(tuple(to_run), behind)


def _is_filed_otherwise(library: Library) -> bool:
    """Whether videos are filed under another taxonomy than the settings'."""
    from assets.zero_shot import filed_by

    return bool(library.batches.names()) and filed_by(library) != library.read_taxonomy().version


def _cut(
    settings: Settings,
    instance: dg.DagsterInstance,
    library: Library,
    source: str,
    say: Say,
    *,
    licensed: bool,
) -> list[str]:
    """Cut what is new, and bring Dagster's partitions up to the batch lists."""
    today, options = datetime.now(UTC).date(), dict(settings.storage_options)
    done = cut_new(source, library.batches, today, settings.batch_size, options, licensed=licensed)
    names = library.batches.names()
    if not done.listed and not names:
        raise SourceError(
            f"no video found in {source} (looked for {', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    instance.add_dynamic_partitions(str(BATCHES.name), names)
    say(
        f"{done.listed} videos listed: {done.new} new, {done.changed} changed, "
        f"{done.moved} moved, {done.licences} with another licence; "
        f"{len(names)} batches in the library"
    )
    return names


def _failure(what: str, run: Callable[[], None]) -> str:
    """Run; what fails does not keep the others from running."""
    try:
        run()
    except RunFailed as error:
        return f"{what}: {error}"
    return ""


def _worth_another_try(settings: Settings) -> list[str]:
    """Batches with videos whose failure may pass: network, server, memory."""
    tables = ClickHouse(settings.clickhouse)
    if tables.directory and not tables.directory.exists():
        return []
    with tables.session("looking for failures that may pass") as client:
        rows = client.query(sql.statement("load/retryable_batches")).result_rows
    return [str(row[0]) for row in rows]


def _tidy(library: Library, instance: dg.DagsterInstance) -> None:
    """Clear away what killed processes left."""
    end_dead_runs(instance)
    library.storage.clean_temporary(older_than_s=_SCRATCH_KEPT_S)
    for left in library.scratch.iterdir() if library.scratch.exists() else ():
        if time.time() - _last_touched(left) > _SCRATCH_KEPT_S:
            shutil.rmtree(left, ignore_errors=True)


def _last_touched(folder: Path) -> float:
    """When anything in the folder was last written; now, if it is just being removed."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Busy(f"another ingestion (process {lock.read().strip()}) is at work") from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield
