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
from pathlib import Path

import dagster as dg

from assets.batches import BATCHES, BatchRegistry, cut, new_videos
from assets.sources import list_source
from assets.storage import Storage
from orchestration.instance import end_dead_runs
from orchestration.runs import run_batch, run_library, unfinished
from orchestration.settings import Settings

# What a killed step left in scratch is removed after a day: nothing that old is still being written.
_SCRATCH_KEPT_S = 24 * 3600.0
Say = Callable[[str], None]


class Busy(Exception):
    """Another ingestion works on the same library."""


@dataclass(frozen=True)
class Ingested:
    """What an ingestion did."""

    listed: int
    new: int
    batches_run: tuple[str, ...]


def ingest(
    settings: Settings,
    instance: dg.DagsterInstance,
    source: str,
    say: Say,
    *,
    every_batch: bool = False,
    force: bool = False,
) -> Ingested:
    """List the source, cut what is new into batches, run the unfinished ones, then the library.

    Args:
        every_batch: run all batches; what is done is skipped inside them.
        force: run all batches and compute everything again.

    Raises:
        Busy: another ingestion runs on this library.
        RunFailed: a run failed; the next ingestion tries its batch again.
    """
    with _alone(settings.state_dir / "ingest.lock"):
        _tidy(settings, instance)
        registry = BatchRegistry(Storage(settings.data_root, dict(settings.storage_options)))
        listed, new, touched = _cut(settings, registry, source)
        names = list(registry.names())
        instance.add_dynamic_partitions(str(BATCHES.name), names)
        say(f"{listed} videos listed, {new} new; {len(names)} batches in the library")
        to_run = names if every_batch or force else unfinished(instance, names)
        to_run = sorted({*to_run, *touched}, key=names.index)
        for batch in to_run:
            run_batch(instance, batch, force=force)
        if to_run:
            run_library(instance)
    return Ingested(listed, new, tuple(to_run))


def _cut(settings: Settings, registry: BatchRegistry, source: str) -> tuple[int, int, set[str]]:
    known = registry.known()
    listing = list(list_source(source, dict(settings.storage_options), known_count=len(known)))
    new, touched = new_videos(listing, registry)
    cut(new, registry, datetime.now(UTC).date(), settings.batch_size)
    return len(listing), len(new), touched


def _tidy(settings: Settings, instance: dg.DagsterInstance) -> None:
    end_dead_runs(instance)
    scratch = settings.state_dir / "scratch"
    for left in scratch.iterdir() if scratch.exists() else ():
        if time.time() - left.stat().st_mtime > _SCRATCH_KEPT_S:
            shutil.rmtree(left, ignore_errors=True)


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
