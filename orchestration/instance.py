"""The Dagster instance under the state folder, and runs that died with their process."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.instance.ref import InstanceRef

from orchestration.settings import Settings

CONFIG = Path(__file__).parent.parent / "dagster.yaml"
PID_TAG, HOST_TAG = "kadr/pid", "kadr/host"
_UNFINISHED = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def prepare(settings: Settings) -> None:
    """Create the instance's folder with the project's ``dagster.yaml`` and point Dagster at it.

    An edited copy is left alone.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / CONFIG.name).exists():
        shutil.copyfile(CONFIG, home / CONFIG.name)
    os.environ["DAGSTER_HOME"] = str(home)
    # Tesseract's own threads cost more than they bring on caption-sized crops.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")


def open_here(settings: Settings) -> dg.DagsterInstance:
    """The instance, for runs that a terminal watches: steps print to it directly.

    Dagster would copy each step's output through four more processes, which slow its start and
    print traces of their own on Ctrl-C. The event log is the same either way.
    """
    no_copies = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    overrides = {"compute_logs": no_copies}
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(settings.dagster_home), overrides=overrides)
    )


def run_tags() -> dict[str, str]:
    """Tags that tell which process drives a run, so that its death can be noticed later."""
    return {PID_TAG: str(os.getpid()), HOST_TAG: socket.gethostname()}


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Report as failed the runs of this machine whose process was killed; return how many."""
    mine = dg.RunsFilter(statuses=_UNFINISHED, tags={HOST_TAG: socket.gethostname()})
    dead = [run for run in instance.get_runs(mine) if not psutil.pid_exists(int(run.tags[PID_TAG]))]
    for run in dead:
        instance.report_run_failed(run, "the process that drove this run was killed")
    return len(dead)
