"""The pool and what its processes do (ml/workers.py, ml/worker_process.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ml.failures import Filtered, PermanentFailure, RetryableFailure
from ml.workers import run_tasks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def double(task: int) -> int:
    time.sleep(0.02 * (task % 3))  # later tasks overtake earlier ones
    return 2 * task


def act(task: str) -> str:
    """Do to the worker what hostile files do to a decoder."""
    if task == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "exit":
        os._exit(3)
    if task == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(60)
    if task == "sys.exit":
        raise SystemExit(1)
    raising = {
        "filtered": Filtered("too long"),
        "memory": MemoryError(),
        "reset": ConnectionResetError("peer"),
        "disk": OSError(28, "No space left on device"),
        "bug": KeyError("x"),
    }
    if task in raising:
        raise raising[task]
    return task.upper()


def unpicklable(task: int) -> object:
    return (lambda: task) if task == 1 else task


def note_pid(task: str) -> int:
    Path(task).write_text(str(os.getpid()))
    time.sleep(60)
    return 0


_loaded: dict[str, str] = {}


def load(name: str) -> None:
    _loaded["name"] = name + str(os.getpid())


def loaded(_: int) -> str:
    return _loaded["name"]


def refuse(reason: str) -> None:
    raise FileNotFoundError(reason)


def test_outcomes_come_in_task_order() -> None:
    outcomes = list(run_tasks(double, range(20), workers=2, limit_s=20))
    assert [(o.task, o.value, o.failure) for o in outcomes] == [(i, 2 * i, None) for i in range(20)]
    assert all(0 <= o.seconds < 10 for o in outcomes)


def test_no_tasks_start_no_worker() -> None:
    assert list(run_tasks(double, [], workers=2, limit_s=1)) == []


def test_crash_costs_only_its_own_task() -> None:
    tasks = ["a", "segfault", "b", "exit", "c", "killed", "d"]
    outcomes = {o.task: o for o in run_tasks(act, tasks, workers=2, limit_s=20)}
    assert [outcomes[t].value for t in "abcd"] == list("ABCD")
    assert str(outcomes["segfault"].failure) == "decoder crashed (signal 11)"
    assert isinstance(outcomes["segfault"].failure, PermanentFailure)
    assert str(outcomes["exit"].failure) == "decoder exited in the middle (status 3)"
    assert isinstance(outcomes["exit"].failure, PermanentFailure)


def test_worker_killed_for_memory_may_be_tried_again() -> None:
    (outcome,) = run_tasks(act, ["killed"], workers=1, limit_s=20)
    assert isinstance(outcome.failure, RetryableFailure)
    assert "memory" in str(outcome.failure)


def test_hanging_task_is_ended_at_its_own_limit_and_the_next_one_runs() -> None:
    limits = {"hang": 0.5, "a": 20.0}
    began = time.perf_counter()
    hang, after = run_tasks(act, ["hang", "a"], workers=1, limit_s=limits.__getitem__)
    assert isinstance(hang.failure, PermanentFailure)
    assert str(hang.failure) == "took longer than 0.5 s"
    assert 0.5 <= hang.seconds < 10
    assert after.value == "A"
    assert time.perf_counter() - began < 30


def test_exceptions_become_the_right_kind_of_failure() -> None:
    tasks = ["filtered", "memory", "reset", "disk", "bug", "sys.exit"]
    found = {o.task: o.failure for o in run_tasks(act, tasks, workers=1, limit_s=20)}
    kinds = {task: failure.kind for task, failure in found.items() if failure is not None}
    assert kinds == {
        "filtered": "filtered",
        "memory": "retryable",
        "reset": "retryable",
        "disk": "retryable",
        "bug": "permanent",
        "sys.exit": "permanent",
    }
    assert str(found["filtered"]) == "too long"
    assert str(found["bug"]).endswith("please report it (KeyError: 'x')")


def test_result_that_cannot_be_sent_is_a_failure_of_its_task() -> None:
    outcomes = list(run_tasks(unpicklable, range(3), workers=1, limit_s=20))
    assert [o.value for o in outcomes] == [0, None, 2]
    assert "can't be sent" in str(outcomes[1].failure)


def test_initializer_runs_once_in_each_worker() -> None:
    names = {
        str(o.value)
        for o in run_tasks(
            loaded, range(8), workers=1, limit_s=20, initializer=load, initargs=("m",)
        )
    }
    assert len(names) == 1
    assert names.pop().startswith("m")


def test_initializer_that_fails_ends_the_run_with_its_own_error() -> None:
    with pytest.raises(FileNotFoundError, match="no such model"):
        list(
            run_tasks(
                double,
                range(3),
                workers=2,
                limit_s=20,
                initializer=refuse,
                initargs=("no such model",),
            )
        )


def test_error_in_the_task_list_reaches_the_caller() -> None:
    def tasks():  # type: ignore[no-untyped-def]
        yield 1
        raise LookupError("the catalogue broke")

    with pytest.raises(LookupError, match="catalogue"):
        list(run_tasks(double, tasks(), workers=1, limit_s=20))


def test_slow_consumer_lets_only_a_few_results_pile_up() -> None:
    pulled: list[int] = []

    def tasks():  # type: ignore[no-untyped-def]
        for index in range(100):
            pulled.append(index)
            yield index

    outcomes = run_tasks(double, tasks(), workers=1, limit_s=20, look_ahead=5)
    next(outcomes)
    time.sleep(0.5)
    assert 2 <= len(pulled) <= 6
    outcomes.close()


def test_workers_stay_busy_while_the_consumer_is_occupied() -> None:
    outcomes = run_tasks(double, range(6), workers=1, limit_s=20, look_ahead=8)
    next(outcomes)
    time.sleep(1.0)
    began = time.perf_counter()
    assert len(list(outcomes)) == 5
    assert time.perf_counter() - began < 0.5


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """What a shell starts in the background is born deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_in_the_parent_ends_the_workers(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def interrupt() -> None:
        _wait_for(note)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(run_tasks(note_pid, [str(note)], workers=1, limit_s=60))
    thread.join()
    assert not _alive(int(note.read_text()))


def test_killing_the_parent_ends_the_workers(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "from tests.unit.test_workers import note_pid\n"
        "from ml.workers import run_tasks\n"
        "if __name__ == '__main__':\n"
        f"    list(run_tasks(note_pid, [{str(note)!r}], workers=1, limit_s=60))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    _wait_for(note)
    pid = int(note.read_text())
    assert _alive(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def test_at_least_one_worker_is_asked_for() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next(run_tasks(double, [1], workers=0, limit_s=1))


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
