"""A batch and the library on a Ray cluster of several nodes, one of which is lost in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from ray.cluster_utils import Cluster
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from assets.source.cutting import ingest as cut_new
from assets.stores.resources import Library
from samples.make import make_library
from tests.pipeline.conftest import LIMIT_S, Kadr
from tests.unit.orchestration.postgres_server import free_port

CLIPS = ("space-01", "pets-01", "copy-muted")
STEP = "asr"  # needs a GPU, and says how much it has to do long before it is done
# Two nodes with room for a step of any kind each; the head runs none. The GPU is a stand-in.
WORKER = {"num_cpus": 4, "num_gpus": 1, "memory": 64 * 2**30}
FILLED = {
    *("videos", "frames", "asr_segments", "frame_embeddings", "video_texts", "duplicate_pairs"),
    *("video_keywords", "search_vocabulary"),
}
LOOPBACK = {"node_ip_address": "127.0.0.1"}
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback everywhere, as on those systems
}
RUN = """
import sys
from assets.stores.batches import BATCHES
from orchestration.instance import open_here, prepare
from orchestration.runs import run_batch, run_library
from orchestration.settings import settled
settings = settled()
prepare(settings)
with open_here(settings) as instance:
    for batch in sys.argv[1:]:
        instance.add_dynamic_partitions(BATCHES.name, [batch])
        run_batch(instance, batch)
    if not sys.argv[1:]:
        run_library(instance)
"""


@dataclass(frozen=True)
class OnRay(Kadr):
    """A library whose runs work on the cluster."""

    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *batches: str) -> subprocess.Popen[str]:
        """Start the runs of batches, or that of the library."""
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *batches],
            env=self._environment() | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Nodes:
    """A head and two workers on this machine."""

    cluster: Cluster
    address: str

    def wait_until_ready(self) -> None:
        """Wait until a job is taken; the head's agent starts after the head."""
        client, end_s = JobSubmissionClient(self.address), time.monotonic() + LIMIT_S
        while True:
            try:
                client.submit_job(entrypoint="true")
                return
            except RuntimeError:
                if time.monotonic() > end_s:
                    raise
                time.sleep(0.5)

    def step(self, name: str) -> JobDetails | None:
        """The job of a step that runs now and has something to do."""
        client = JobSubmissionClient(self.address)
        running = [job for job in client.list_jobs() if job.status == JobStatus.RUNNING]
        named = [job for job in running if (job.metadata or {}).get("dagster/op") == name]
        said = [job for job in named if f"{name}: " in client.get_job_logs(job.submission_id)]
        return said[0] if said else None

    def lose_node_of(self, job: JobDetails) -> None:
        """Kill the node on which the job runs, with all that runs there."""
        (node,) = (n for n in self.cluster.worker_nodes if n.node_id == job.driver_node_id)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        running = raylet.children(recursive=True)
        self.cluster.remove_node(node, allow_graceful=False)
        # On a lost machine nothing goes on; here jobs would, until they miss their node.
        for process in running:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # A step is the command `dagster` of its node.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    host, port = "127.0.0.1", free_port()
    dashboard = {"include_dashboard": True, "dashboard_host": host, "dashboard_port": port}
    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=0, **dashboard, **LOOPBACK)
        for _ in range(2):
            cluster.add_node(**WORKER, **LOOPBACK)
        nodes = Nodes(cluster, f"http://{host}:{port}")
        nodes.wait_until_ready()
        yield nodes
    finally:
        for node in reversed(cluster.list_all_nodes()):
            cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return make_library(tmp_path / "sample", only=CLIPS) / "catalogue.csv"


# Some 33 jobs, each a process that imports everything anew.
@pytest.mark.timeout(1800)
def test_where_a_node_was_lost_the_tables_end_as_on_one_machine(
    nodes: Nodes, catalogue: Path, tmp_path: Path
) -> None:
    library, batch = _cut(tmp_path / "ray", catalogue, nodes.address)
    run = library.start(batch)
    nodes.lose_node_of(_wait_for(nodes, run))
    code, said = _end(run)
    assert code == 1
    assert f"{STEP}: " in said
    assert "node has died" in said
    for rest in ((batch,), ()):
        code, said = _end(library.start(*rest))
        assert code == 0, said
    alone = Kadr(tmp_path / "alone")
    alone.run("ingest", str(catalogue))
    expected = alone.tables()
    assert {name for name, rows in expected.items() if rows} >= FILLED
    assert library.tables() == expected


def _cut(data: Path, catalogue: Path, address: str) -> tuple[OnRay, str]:
    """A library with one batch that was not run yet."""
    today = datetime.now(UTC).date()
    library = Library(root=str(data), state=str(data))
    (batch,) = cut_new(str(catalogue), library.batches, today, 500, {}).batches
    environment = {
        "KADR_EXECUTOR": "ray",
        "KADR_DEVICE": "cpu",
        "KADR_WORKERS": "2",
        "RAY_ADDRESS": address,
    }
    return OnRay(data, environment), batch


def _wait_for(nodes: Nodes, run: subprocess.Popen[str]) -> JobDetails:
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s and run.poll() is None:
        if job := nodes.step(STEP):
            return job
        time.sleep(0.5)
    run.kill()
    raise AssertionError(f"{STEP} was not seen at work: {run.communicate()[1]}")


def _end(run: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a run and what it said."""
    try:
        _, said = run.communicate(timeout=LIMIT_S)
    finally:
        run.kill()
    return run.returncode, said
