"""What Dagster costs: a batch through it against the same steps called one after another.

Run: ``python -m benchmarks.overhead [--clips 200] [--repeats 1]``

Clips of the sample library, made with as many seeds as are needed, are one batch. Its steps run

bare      as plain functions, one after another in one process, with no run, no event log;
one       through ``run_batch``, as `kadr ingest` does it, a step at a time;
as set    likewise with the project's two steps at a time.

Each in a process of its own and on a folder of its own, with tables in the embedded engine. The
answer is checked before a time is printed: every dataset and table has the same rows in all three.
The wall time through Dagster over the sum of the bare steps should be at most 1.15.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from inspect import signature
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from assets.source.cutting import ingest
from assets.stores.clickhouse import ClickHouse
from assets.stores.resources import Library
from assets.stores.tables import TABLES
from assets.tables.load import count_rows
from orchestration.definitions import build_defs, resources
from orchestration.instance import open_here, prepare
from orchestration.jobs import BATCH_JOB
from orchestration.runs import run_batch
from orchestration.settings import Settings, settled
from samples.make import make_library

DAY = date(2026, 1, 1)
BATCH = "2026-01-01-001"
WAYS = {"bare": 0, "one": 1, "as set": 2}
MOST = 1.15


@dataclass(frozen=True)
class _Run:
    """The run that there is not."""

    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bare:
    """What steps ask of their context, without Dagster behind it."""

    selected_asset_keys: set[dg.AssetKey]
    selected_asset_check_keys: set[dg.AssetCheckKey]
    partition_key: str = BATCH
    run: _Run = field(default_factory=_Run)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("bare"))


def bare(settings: Settings) -> dict[str, float]:
    """Seconds of each step's own work."""
    definitions, given = build_defs(settings), resources(settings)
    steps = {a.op.name: a for a in definitions.assets or [] if isinstance(a, dg.AssetsDefinition)}
    job = definitions.resolve_job_def(BATCH_JOB)
    return {node.name: _seconds(steps[node.name], given) for node in job.nodes_in_topological_order}


def _seconds(step: dg.AssetsDefinition, given: dict[str, Any]) -> float:
    function = step.op.compute_fn.decorated_fn  # type: ignore[union-attr]
    wanted = {name: given[name] for name in signature(function).parameters if name in given}
    began = time.perf_counter()
    made = function(Bare(set(step.keys), set(step.check_keys)), **wanted)
    if isinstance(made, Iterator):
        list(made)
    return time.perf_counter() - began


def through_dagster(settings: Settings) -> dict[str, float]:
    """Seconds from asking for the batch until it is done."""
    with open_here(settings) as instance:
        instance.add_dynamic_partitions("batches", [BATCH])
        began = time.perf_counter()
        run_batch(instance, BATCH)
        return {"batch": time.perf_counter() - began}


def measure(way: str, clips: Path, data: Path) -> dict[str, float]:
    """Register the clips in an empty folder and run the batch there, in a new process."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--way", way, "--media", str(clips)]
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("KADR_", "DAGSTER_"))}
    set_here = {"KADR_DATA": str(data), "KADR_STEPS_AT_ONCE": str(WAYS[way] or 1)}
    done = subprocess.run(command, env=ours | set_here, check=True, stdout=subprocess.PIPE)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}: {sum(seconds.values()):.1f} s", file=sys.stderr)
    return seconds


def _run_here(way: str, clips: Path) -> None:
    settings = settled()
    prepare(settings)
    library = Library(root=settings.data_root, state=str(settings.state_dir))
    ingest(str(clips), library.batches, DAY, 100_000)
    print(json.dumps(bare(settings) if way == "bare" else through_dagster(settings)))


def make_clips(folder: Path, wanted: int) -> Path:
    """A folder with so many clips of the sample library."""
    clips = folder / "clips"
    clips.mkdir()
    made = 0
    for seed in count():
        library = make_library(folder / f"seed-{seed}", seed)
        for path in sorted((library / "clips").iterdir()):
            if made == wanted:
                return clips
            path.rename(clips / f"{seed}-{path.name}")
            made += 1
    raise AssertionError("seeds do not end")


def contents(data: Path) -> dict[str, Any]:
    """The rows of every dataset, as a digest, and the row count of every table."""
    found: dict[str, Any] = {}
    for path in sorted((data / "datasets").glob("*/*.parquet")):
        ledger = json.loads(pq.read_metadata(path).metadata[b"kadr.ledger"])
        found[path.parent.name] = (ledger["maker"], ledger["digest"], len(ledger["keys"]))
    with ClickHouse(f"chdb://{data / 'clickhouse'}").session("benchmark", read_only=True) as client:
        for table in TABLES.values():
            if table.by_batch and table.with_batch:
                found[f"table {table.name}"] = count_rows(client, table.name, BATCH)
    return found


def main() -> None:
    """Measure, compare the answers, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--media", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        _run_here(given.way, given.media)
        return
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), given.clips, given.repeats)


def _compare(folder: Path, clips: int, repeats: int) -> None:
    media = make_clips(folder, clips)
    rounds: list[dict[str, dict[str, float]]] = []
    for turn in range(repeats):
        # In turns from either end: the first one reads files that are in no cache yet.
        order = list(WAYS)[:: -1 if turn % 2 else 1]
        rounds.append({w: measure(w, media, folder / f"{turn} {w}") for w in order})
        answers = [contents(folder / f"{turn} {way}") for way in WAYS]
        if any(answer != answers[0] for answer in answers):
            sys.exit(f"the three ways differ: {answers}")
    _print(rounds, clips)


def _print(rounds: list[dict[str, dict[str, float]]], clips: int) -> None:
    sums = {way: [sum(turn[way].values()) for turn in rounds] for way in WAYS}
    print(f"| {clips} clips, one batch | seconds | over the bare steps |\n|---|---:|---:|")
    for way, seconds in sums.items():
        ratio = median(own / base for own, base in zip(seconds, sums["bare"], strict=True))
        print(f"| {way} | {median(seconds):.1f} | {ratio:.3f} |")
    steps = {name: median(turn["bare"][name] for turn in rounds) for name in rounds[0]["bare"]}
    print("\nBare steps: " + ", ".join(f"{name} {s:.1f} s" for name, s in steps.items()))
    worst = max(own / base for own, base in zip(sums["as set"], sums["bare"], strict=True))
    if worst > MOST:
        sys.exit(f"over {MOST}: {worst:.3f}")


if __name__ == "__main__":
    main()
