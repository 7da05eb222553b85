"""A worker's life, in its own process: start, then answer one task after another.

It talks with the pool of ml/workers.py, which started it, over one pipe: what it loaded or why it
could not, then for each task the value or the failure in its place. It ends when the pool does,
also when the pool's process is killed.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ml.failures import failure_from

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@dataclass(frozen=True)
class Job:
    """What every worker of a pool does; travels to it when it starts.

    ``initializer`` is called once, before the first task; ``what`` names the worker in messages.
    """

    function: Callable[[Any], Any]
    initializer: Callable[..., None] | None
    initargs: tuple[Any, ...]
    what: str


def serve(connection: Connection, parent_pid: int, job: Job) -> None:
    """Start, say so on ``connection``, then answer task after task until the parent ends.

    Sends None once it has started, or the exception that ``job.initializer`` raised, and returns;
    then for each task the pickled ``(value, failure kind, failure text, seconds)``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _die_with_parent(parent_pid)
    try:
        if job.initializer is not None:
            job.initializer(*job.initargs)
    except BaseException as error:
        connection.send(_portable(error))
        return
    connection.send(None)
    while True:
        try:
            task = connection.recv()
            connection.send_bytes(_answer(job.function, task))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the parent is gone


def _die_with_parent(parent_pid: int) -> None:
    """Ask Linux for SIGKILL when the parent dies, so a kill -9 of it leaves nobody decoding.

    The signal follows the parent's *thread* that started us: the supervisor, which lives as long
    as the pool. Elsewhere than on Linux a worker ends at its next read or write of the pipe.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we asked
        os._exit(1)


def _answer(function: Callable[[Any], Any], task: Any) -> bytes:
    """The pickled ``(value, failure kind, failure text, seconds)`` of one task."""
    began = time.perf_counter()
    value: Any = None
    kind = text = ""
    try:
        value = function(task)
    except BaseException as error:  # SystemExit too: a library that exits costs one task
        failure = failure_from(error)
        kind, text = failure.kind, str(failure)
    seconds = time.perf_counter() - began
    try:
        return pickle.dumps((value, kind, text, seconds))
    except Exception as error:
        return pickle.dumps((None, "permanent", f"the result can't be sent: {error}", seconds))


def _portable(error: BaseException) -> BaseException:
    """``error`` itself where it survives pickling, else a RuntimeError that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
