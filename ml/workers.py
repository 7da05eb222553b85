"""Run tasks in worker processes that may crash or hang, at the cost of the one task only.

Decoders are C libraries fed with hostile files: they can segfault, loop for ever, or be killed for
memory. ``run_tasks`` gives every task a process to itself for as long as it lasts and a time limit;
a worker that dies or overruns is replaced, and its task ends in a named failure.

Processes are spawned, never forked: a forked child of a threaded parent (or of one that has the
embedded ClickHouse open) can deadlock. A supervising thread starts, feeds and watches the workers,
so they stay busy while the consumer is occupied with earlier results. What a worker does in its
own process is ml/worker_process.py.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from ml.failures import Filtered, PermanentFailure, RetryableFailure, VideoFailure
from ml.worker_process import Job, serve

Task = TypeVar("Task")
Value = TypeVar("Value")

START_LIMIT_S = 600.0  # to import and load models; a cold full-size model takes about a minute
_FAILURES: dict[str, type[VideoFailure]] = {
    kind.kind: kind for kind in (PermanentFailure, RetryableFailure, Filtered)
}
_SIGNAL_POLL_S = 0.5  # how late Ctrl-C may be noticed


@dataclass(frozen=True)
class Outcome(Generic[Task, Value]):
    """What became of one task: a value, or the failure that took its place.

    ``seconds`` is the wall time one worker spent on it.
    """

    task: Task
    value: Value | None
    failure: VideoFailure | None
    seconds: float


def run_tasks(
    function: Callable[[Task], Value],
    tasks: Iterable[Task],
    *,
    workers: int,
    limit_s: float | Callable[[Task], float],
    look_ahead: int | None = None,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    what: str = "decoder",
) -> Generator[Outcome[Task, Value], None, None]:
    """Run ``function`` over ``tasks`` in spawned processes; outcomes come in task order.

    Args:
        function: importable (module-level), as are its argument and result picklable.
        tasks: pulled lazily from a supervising thread; pulling must be quick.
        workers: processes at most; fewer are started when there are fewer tasks.
        limit_s: seconds for a task, or a function of the task. Starting up does not count.
        look_ahead: tasks begun but not yet yielded; default 4 per worker and at least 8, so that
            one long video at the head leaves the other cores work, and results stay few.
        initializer: called once in every worker, to load models.
        what: names the worker in messages: "decoder crashed (signal 11)".

    A task that raises a ``VideoFailure`` keeps it; running out of memory, a network error or
    SIGKILL (the kernel's answer to a full memory) is a ``RetryableFailure``; any other exception,
    a crash or an overrun is a ``PermanentFailure``. Closing the iterator ends the workers.

    Raises:
        Exception: what ``initializer`` raised (a ``RuntimeError`` where it can't travel), or what
            iterating ``tasks`` raised. These concern every task, so none is blamed.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    job = Job(function, initializer, initargs, what)
    limit = limit_s if callable(limit_s) else lambda _: limit_s
    supervisor = _Supervisor(job, iter(tasks), workers, limit, look_ahead or max(8, 4 * workers))
    supervisor.start()
    try:
        yield from supervisor.outcomes()
    finally:
        supervisor.close()


@contextmanager
def _no_sigint() -> Iterator[None]:
    """Start a process with SIGINT blocked: Ctrl-C may come before it can ignore the signal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(eq=False)
class _Worker:
    """One process and what it is doing; ``index`` is the task's number, -1 when it has none."""

    process: BaseProcess
    connection: Connection
    deadline: float
    ready: bool = False
    index: int = -1
    task: Any = None
    limit_s: float = START_LIMIT_S
    began: float = field(default_factory=time.perf_counter)

    @property
    def idle(self) -> bool:
        return self.ready and self.index < 0

    def give(self, index: int, task: Any, limit_s: float) -> None:
        self.began = time.perf_counter()
        self.index, self.task, self.limit_s = index, task, limit_s
        self.deadline = self.began + limit_s
        self.connection.send(task)

    def end(self) -> int | None:
        """Kill it if it still lives; returns its exit status (negative: the signal)."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.connection.close()
        return self.process.exitcode


class _Supervisor(threading.Thread):
    """Starts workers, hands out tasks, and notices who finished, died or overran."""

    def __init__(
        self,
        job: Job,
        tasks: Iterator[Any],
        workers: int,
        limit: Callable[[Any], float],
        look_ahead: int,
    ) -> None:
        super().__init__(name="kadr-workers", daemon=True)
        self._job, self._tasks, self._limit = job, tasks, limit
        self._size, self._look_ahead = workers, look_ahead
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._waiting: list[tuple[int, Any]] = []  # pulled, but no worker has it yet
        self._pulled = 0
        self._exhausted = False
        self._results: dict[int, Outcome[Any, Any]] = {}
        self._yielded = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._finished = False
        self._error: BaseException | None = None
        self._bell, self._ringer = self._context.Pipe(duplex=False)

    # -- called by the consumer

    def outcomes(self) -> Iterator[Outcome[Any, Any]]:
        while True:
            with self._changed:
                # In short waits: a signal that another thread took doesn't wake a waiting one.
                while not self._changed.wait_for(self._next_is_known, timeout=_SIGNAL_POLL_S):
                    pass
                outcome = self._results.pop(self._yielded, None)
                if outcome is None:
                    break
                self._yielded += 1
            self._ringer.send_bytes(b".")
            yield outcome
        if self._error is not None:
            raise self._error

    def _next_is_known(self) -> bool:
        return self._yielded in self._results or self._finished

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        self._stopping = True
        self._ringer.send_bytes(b".")
        self.join()
        self._bell.close()
        self._ringer.close()

    # -- the thread

    def run(self) -> None:
        try:
            while not self._stopping and not self._done():
                self._pull()
                self._dispatch()
                self._watch()
        except BaseException as error:
            self._error = error
        finally:
            for worker in self._workers:
                worker.end()
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _done(self) -> bool:
        busy = any(worker.index >= 0 for worker in self._workers)
        return self._exhausted and not self._waiting and not busy

    def _pull(self) -> None:
        """Take as many tasks as idle or startable workers can begin, within the look-ahead."""
        can_begin = self._size - sum(worker.index >= 0 for worker in self._workers)
        while len(self._waiting) < can_begin and not self._exhausted:
            if self._pulled - self._yielded >= self._look_ahead:
                return
            try:
                task = next(self._tasks)
            except StopIteration:
                self._exhausted = True
                return
            self._waiting.append((self._pulled, task))
            self._pulled += 1

    def _dispatch(self) -> None:
        idle = [worker for worker in self._workers if worker.idle]
        while self._waiting and idle:
            index, task = self._waiting.pop(0)
            worker = idle.pop()
            try:
                worker.give(index, task, self._limit(task))
            except (BrokenPipeError, ConnectionResetError):  # died while idle: no task's fault
                self._waiting.insert(0, (index, task))
                self._drop(worker)
        starting = sum(not worker.ready for worker in self._workers)
        wanted = min(len(self._waiting) - starting, self._size - len(self._workers))
        for _ in range(wanted):
            self._workers.append(self._start_worker())

    def _start_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve, args=(theirs, os.getpid(), self._job), daemon=True
        )
        with _no_sigint():
            process.start()
        theirs.close()  # ours then reads end-of-file when the process dies
        return _Worker(process, ours, deadline=time.perf_counter() + START_LIMIT_S)

    def _watch(self) -> None:
        """Wait until a worker speaks or dies, a deadline passes, or the consumer rings."""
        if self._done():
            return
        deadlines = [worker.deadline for worker in self._workers if not worker.idle]
        timeout = max(0.0, min(deadlines) - time.perf_counter()) if deadlines else None
        by_connection = {worker.connection: worker for worker in self._workers}
        for source in wait([self._bell, *by_connection], timeout):
            if source is self._bell:
                self._bell.recv_bytes()
            else:
                self._hear(by_connection[source])  # type: ignore[index]
        now = time.perf_counter()
        for worker in [w for w in self._workers if not w.idle and now >= w.deadline]:
            self._overrun(worker)

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._died(worker)
            return
        if not worker.ready:
            if message is not None:
                raise message
            worker.ready = True
            return
        value, kind, text, seconds = message
        failure = _FAILURES[kind](text) if kind else None
        self._settle(worker, value, failure, seconds)

    def _died(self, worker: _Worker) -> None:
        status = self._drop(worker)
        if not worker.ready:
            raise RuntimeError(f"a {self._job.what} process could not start: {_ended(status)}")
        if worker.index >= 0:
            text = f"{self._job.what} {_ended(status)}"
            killed = status == -signal.SIGKILL
            failure = RetryableFailure(text) if killed else PermanentFailure(text)
            self._settle(worker, None, failure, time.perf_counter() - worker.began)

    def _overrun(self, worker: _Worker) -> None:
        self._drop(worker)
        if not worker.ready:
            raise RuntimeError(
                f"a {self._job.what} process did not start within {START_LIMIT_S:.0f} s"
            )
        failure = PermanentFailure(f"took longer than {worker.limit_s:g} s")
        self._settle(worker, None, failure, time.perf_counter() - worker.began)

    def _drop(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        # A process whose pipe has closed is about to be gone: let it leave its own exit status.
        worker.process.join(1.0 if time.perf_counter() < worker.deadline else 0.0)
        return worker.end()

    def _settle(
        self, worker: _Worker, value: Any, failure: VideoFailure | None, seconds: float
    ) -> None:
        outcome = Outcome(worker.task, value, failure, seconds)
        with self._changed:
            self._results[worker.index] = outcome
            self._changed.notify_all()
        worker.index, worker.task = -1, None


def _ended(status: int | None) -> str:
    """How a process ended, in words."""
    if status == -signal.SIGKILL:
        return "was killed (signal 9), most likely for lack of memory"
    if status is not None and status < 0:
        return f"crashed (signal {-status})"
    return f"exited in the middle (status {status})"
