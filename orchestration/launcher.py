"""Dagster's run launcher, and a watch on what it launched.

The default launcher starts a run in the code location and can't say later whether it still lives:
when that process is killed, its runs stay "started" for good and hold their slots. This one asks,
and run monitoring reports such runs as failed.
"""

from __future__ import annotations

import json
import socket
from typing import Any

import dagster as dg
import psutil
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

PID_TAG, HOST_TAG = "kadr/pid", "kadr/host"
_ANSWER_WITHIN_S = 10


class WatchingRunLauncher(DefaultRunLauncher):
    """Launches runs in the code location and tells whether they live."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always: this is what the class is for."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """``FAILED`` when the run's process is gone for sure, ``RUNNING`` in every other case."""
        if is_dead(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def is_dead(run: dg.DagsterRun) -> bool:
    """Whether the process that drove this unfinished run is gone, as far as can be told here."""
    if GRPC_INFO_TAG in run.tags:
        server = json.loads(run.tags[GRPC_INFO_TAG])
        if "socket" in server:
            # Of `kadr ui`. It serves through a proxy, which forgets runs when code is reloaded.
            return not _accepts(server["socket"])
        return run.status == dg.DagsterRunStatus.STARTED and _is_unknown(run.run_id, server)
    if run.tags.get(HOST_TAG) == socket.gethostname():
        return not psutil.pid_exists(int(run.tags[PID_TAG]))
    return False


def _is_unknown(run_id: str, server: dict[str, Any]) -> bool:
    """Whether the code location answers and does not have the run. One that does not answer may be
    starting again: it will tell next time."""
    client = DagsterGrpcClient(**server)
    try:
        answer = client.can_cancel_execution(
            CanCancelExecutionRequest(run_id=run_id), _ANSWER_WITHIN_S
        )
    except DagsterUserCodeUnreachableError:
        return False
    return not deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _accepts(path: str) -> bool:
    """Whether somebody listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
