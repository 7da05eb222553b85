"""Dagster's run launcher, and a watch on what it launched.

The default launcher starts a run in the code location and can't say later whether it still lives:
when that process is killed, its runs stay "started" for good and hold their slots. This one asks,
and run monitoring reports such runs as failed.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

from orchestration.liveness import LAUNCHER_TAG, dead_runs
from orchestration.owners import Owner, beating


class WatchingRunLauncher(DefaultRunLauncher):
    """Launches runs in the code location and tells whether they live."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._beats, self._lock = ExitStack(), threading.Lock()
        self._me: Owner | None = None

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch, and note by whom: what other machines can see of this one."""
        with self._lock:
            if self._me is None:
                self._me = self._beats.enter_context(beating(self._instance))
        tag = {LAUNCHER_TAG: self._me.as_tag()}
        self._instance.add_run_tags(context.dagster_run.run_id, tag)
        super().launch_run(context)

    def dispose(self) -> None:
        """Stop saying that this process lives."""
        self._beats.close()
        super().dispose()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Always: this is what the class is for."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """``FAILED`` when the run's process is gone for sure, ``RUNNING`` in every other case."""
        if dead_runs(self._instance, [run]):
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
