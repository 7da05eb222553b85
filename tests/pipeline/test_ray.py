"""A batch on a Ray cluster of several nodes, one of which is lost in the middle."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from assets.batches import ingest as cut_new
from assets.resources import Library
from tests.pipeline.conftest import LIMIT_S, Kadr

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")
pytest.importorskip("dagster_ray", reason="dagster-ray is not installed: see above")

from ray.cluster_utils import Cluster  # noqa: E402
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient  # noqa: E402

CLIPS = ("space-01", "pets-01", "copy-muted")
STEP = "asr"  # needs a GPU, and says how much it has to do long before it is done
# Two nodes with room for a step of any kind each; the head runs none. The GPU is a stand-in.
WORKER = {"num_cpus": 4, "num_gpus": 1, "memory": 64 * 2**30}
LOOPBACK = {"node_ip_address": "127.0.0.1"}
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback everywhere, as on those systems
}
RUN = """
import sys
from assets.batches import BATCHES
from orchestration.instance import open_here, prepare
from orchestration.runs import run_batch
from orchestration.settings import settled
settings = settled()
prepare(settings)
with open_here(settings) as instance:
    instance.add_dynamic_partitions(BATCHES.name, [sys.argv[1]])
    run_batch(instance, sys.argv[1])
"""


@dataclass(frozen=True)
class OnRay(Kadr):
    """A library whose batch runs on the cluster."""

    batch: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        """Start the batch's run."""
        return subprocess.Popen(
            [sys.executable, "-c", RUN, self.batch],
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
    host, port = "127.0.0.1", _free_port()
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


def test_a_batch_whose_node_is_lost_says_so_and_its_next_run_ends_with_the_same_tables(
    nodes: Nodes, finished: Kadr, sample: Path, tmp_path: Path
) -> None:
    library = _cut(tmp_path, _part(sample, tmp_path / "part.csv"), nodes.address)
    run = library.start()
    nodes.lose_node_of(_wait_for(nodes, run))
    _, said = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 1
    assert f"{STEP}: " in said
    assert "node has died" in said
    again = library.start()
    _, said = again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0, said
    tables = {name: rows for name, rows in _by_video(library).items() if rows}
    assert {"videos", "frames", "asr_segments", "frame_embeddings", "video_texts"} <= tables.keys()
    expected = _by_video(finished)
    assert {name: expected[name] for name in tables} == tables


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _part(sample: Path, catalogue: Path) -> Path:
    """A catalogue of a few of the sample's videos, at the same places."""
    with (sample / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["video_id"] in CLIPS]
    with catalogue.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "uri": str(sample / row["uri"])} for row in rows)
    return catalogue


def _cut(folder: Path, catalogue: Path, address: str) -> OnRay:
    """A library with one batch that was not run yet."""
    data, today = folder / "data", datetime.now(UTC).date()
    library = Library(root=str(data), state=str(data))
    (batch,) = cut_new(str(catalogue), library.batches, today, len(CLIPS), {}).batches
    environment = {
        "KADR_EXECUTOR": "ray",
        "KADR_DEVICE": "cpu",
        "KADR_WORKERS": "2",
        "RAY_ADDRESS": address,
    }
    return OnRay(data, batch, environment)


def _wait_for(nodes: Nodes, run: subprocess.Popen[str]) -> JobDetails:
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s and run.poll() is None:
        if job := nodes.step(STEP):
            return job
        time.sleep(0.5)
    run.kill()
    raise AssertionError(f"{STEP} was not seen at work: {run.communicate()[1]}")


def _by_video(library: Kadr) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the clips in every table that a batch fills, without the batch's name."""
    tables = library.query(
        "SELECT table FROM system.columns WHERE database = currentDatabase()"
        " AND name IN ('video_id', 'batch') GROUP BY table HAVING count() = 2"
        " AND table IN (SELECT name FROM system.tables WHERE engine != 'View') ORDER BY table"
    )
    clips = ", ".join(f"'{clip}'" for clip in CLIPS)
    query = "SELECT * EXCEPT (batch) FROM {} WHERE video_id IN ({}) ORDER BY ALL"
    return {name: library.query(query.format(name, clips)) for (name,) in tables}
