"""A real PostgreSQL below Dagster, and the processes of docker-compose.yml started by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from assets.source.cutting import ingest as cut
from assets.stores.batches import BATCHES
from assets.stores.needs import LIBRARY_POOLS
from orchestration.definitions import build_defs, resources
from orchestration.instance import open_here, prepare, set_slots
from orchestration.jobs import BATCH_JOB
from orchestration.settings import Settings, from_environment
from tests.unit.media.clips import moving_box, tone, write_clip
from tests.unit.orchestration.postgres_server import Postgres, free_port, running_postgres

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
SERVICES = ("code", "webserver", "daemon")
# One decode: the cheapest part of a batch that goes through every process.
DECODE = ("videos", "frames", "audio", "motion")
OFF = {f"KADR_{channel}_MODEL": "off" for channel in ("SPEECH", "OCR", "FACES", "TEXT")}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def environment(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A library of one clip of a second, in this process's environment."""
    folder = tmp_path_factory.mktemp("postgres")
    (folder / "clips").mkdir()
    write_clip(folder / "clips" / "one.mp4", moving_box, frames=10, sound=tone(1.0))
    ours = {"KADR_DATA": str(folder / "data"), "KADR_POSTGRES_URL": postgres.url, **OFF}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("KADR_", "DAGSTER_"))]:
            patch.delenv(name)
        for name, value in {**ours, "DAGSTER_HOME": "", "OMP_THREAD_LIMIT": "1"}.items():
            patch.setenv(name, value)
        prepare(from_environment())
        yield from_environment()


@dataclass(frozen=True)
class Servers:
    """Webserver, daemon and code location on loopback, and what is asked of them."""

    address: str
    processes: tuple[subprocess.Popen[bytes], ...]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data that GraphQL answers."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return dict(json.load(response)["data"])

    def launch(self, batch: str, **tags: str) -> str:
        """Put a decode of the batch into the queue; returns the run's id."""
        tags = {"dagster/partition": batch, **tags}
        params = {
            "selector": {
                "repositoryLocationName": "kadr",
                "repositoryName": "__repository__",
                "jobName": BATCH_JOB,
                "assetSelection": [{"path": [name]} for name in DECODE],
            },
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])


_LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
  }
}"""
_LOCATIONS = """{ workspaceOrError { ... on Workspace {
  locationEntries { name locationOrLoadError { __typename } }
} } }"""


@pytest.fixture(scope="module")
def servers(environment: Settings) -> Iterator[Servers]:
    """What docker-compose.yml starts, with its commands, on free ports of loopback."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = {"3000": str(free_port()), "4000": str(free_port())}
    here = {"0.0.0.0": "127.0.0.1", **ports}
    env = {
        **os.environ,
        "DAGSTER_CODE_HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": ports["4000"],
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    entry = [sys.executable, "-m", "orchestration.instance"]  # as in the image
    commands = [[here.get(a, a) for a in services[s]["command"]] for s in SERVICES]
    started = tuple(
        subprocess.Popen([*entry, *command], cwd=ROOT, env=env, start_new_session=True)
        for command in commands
    )
    try:
        servers = Servers(f"http://127.0.0.1:{ports['3000']}", started)
        _wait(lambda: _answers(servers), "the webserver has the code location")
        yield servers
    finally:
        for process in started:
            _signal(process, signal.SIGTERM)
        for process in started:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the process and all that it started, which are in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _answers(servers: Servers) -> bool:
    assert all(process.poll() is None for process in servers.processes), "a process has ended"
    try:
        (location,) = servers.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
    except OSError:
        return False
    loaded = (location["locationOrLoadError"] or {}).get("__typename")
    return bool(location["name"] == "kadr" and loaded == "RepositoryLocation")


def _wait(happened: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < end_s, f"not within {LIMIT_S:.0f} s: {what}"
        time.sleep(0.5)


def _status(postgres: Postgres, run_id: str) -> str:
    ((status,),) = postgres.rows(f"SELECT status FROM runs WHERE run_id = '{run_id}'")
    return str(status)


def _has_ended(postgres: Postgres, run_id: str) -> Callable[[], bool]:
    return lambda: _status(postgres, run_id) in {"SUCCESS", "FAILURE", "CANCELED"}


def _materialised(postgres: Postgres, run_id: str) -> set[str]:
    rows = postgres.rows(
        "SELECT asset_key FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'"
        f" AND run_id = '{run_id}'"
    )
    return {json.loads(row[0])[-1] for row in rows}


def _cut(settings: Settings, instance: dg.DagsterInstance) -> str:
    """Cut the clips into a batch, if they are not yet."""
    library = resources(settings)["library"]
    source = Path(settings.data).parent / "clips"
    cut(str(source), library.batches, date(2026, 11, 20), settings.batch_size)
    (name,) = library.batches.names()
    instance.add_dynamic_partitions(str(BATCHES.name), [name])
    return str(name)


def test_the_processes_of_compose_do_a_batch_that_was_put_into_the_queue(
    servers: Servers, environment: Settings, postgres: Postgres
) -> None:
    with open_here(environment) as instance:
        batch = _cut(environment, instance)
    run = servers.launch(batch)
    _wait(_has_ended(postgres, run), "the run ends")
    assert _status(postgres, run) == "SUCCESS"
    assert _materialised(postgres, run) == set(DECODE)
    assert not (environment.dagster_home / "history").exists(), "something was kept in SQLite"


def test_a_run_ends_by_itself_when_the_server_went_away_and_came_back(
    servers: Servers, environment: Settings, postgres: Postgres
) -> None:
    with open_here(environment) as instance:
        batch = _cut(environment, instance)
    run = servers.launch(batch, **{"kadr/force": "1"})
    _wait(lambda: _status(postgres, run) == "STARTED", "the run starts")
    postgres.stop()
    time.sleep(2)  # Dagster goes on asking for 12 s
    postgres.start()
    _wait(_has_ended(postgres, run), "the run ends, well or with an error of the server")
    _wait(lambda: _answers(servers), "the webserver answers again")


def test_processes_that_start_at_the_same_time_give_every_pool_its_slots_once(
    environment: Settings,
) -> None:
    processes = 4
    together = threading.Barrier(processes)
    with open_here(environment) as instance, ThreadPoolExecutor(processes) as several:
        storage = instance.event_log_storage
        for _ in range(5):
            for pool in LIBRARY_POOLS:
                storage.delete_concurrency_limit(pool)
            list(several.map(_set_slots_at, [together] * processes, [environment] * processes))
            slots = {pool: storage.get_concurrency_info(pool).slot_count for pool in LIBRARY_POOLS}
            assert slots == dict.fromkeys(LIBRARY_POOLS, 64)


def _set_slots_at(moment: threading.Barrier, settings: Settings) -> None:
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        moment.wait(LIMIT_S)
        set_slots(instance, settings)


def test_a_whole_batch_runs_on_postgres_and_completes_what_an_outage_cut(
    environment: Settings, postgres: Postgres
) -> None:
    with open_here(environment) as instance:
        batch = _cut(environment, instance)
        job = build_defs(environment).resolve_job_def(BATCH_JOB)
        done = job.execute_in_process(instance=instance, partition_key=batch)
    assert done.success
    assert _status(postgres, done.run_id) == "SUCCESS"
    assert {"videos", "visual", "duplicate_pairs"} <= _materialised(postgres, done.run_id)
