"""What the process of every step needs, loaded once by each process that drives runs: steps are
forked from one that imported this module and did nothing else, and see the environment as it was at
the first of them.

A step's process that starts from nothing imports Dagster and the definitions anew, 1.9 s of a core
and 0.5 s more for the instance's storage; forked from here it is at work after some 0.2 s. Only
what every step imports stands here: no engine, no model, no thread of Python, no pool of polars.
Allocators and BLAS have threads by then, and see to them across a fork.
"""

# ruff: noqa: E402
from __future__ import annotations

import signal

# While this imports, Ctrl-C is for the run alone; a server that it ended could start no step, and
# the run would be taken for one that failed.
_on_ctrl_c = signal.signal(signal.SIGINT, signal.SIG_IGN)

import multiprocessing
import os
import threading
from multiprocessing.util import register_after_fork

import dagster._core.storage.sqlite_storage  # noqa: F401  (the instance's, loaded by its name)
import dagster_postgres  # noqa: F401

from orchestration.runs import batch_job


def end_with_the_run(_: object) -> None:
    """In a step's process: end it at once when the run's process is killed.

    It would work on beside the run that takes its place, and then wait for good for somebody to
    read its last events.
    """
    threading.Thread(target=_end_after_parent, name="kadr-run-watch", daemon=True).start()


def _end_after_parent() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
        os.kill(os.getpid(), signal.SIGKILL)


# Building the job once more in a step is then 0.02 s instead of 0.2: Dagster caches what it checks.
batch_job()
register_after_fork(end_with_the_run, end_with_the_run)
signal.signal(signal.SIGINT, _on_ctrl_c)
