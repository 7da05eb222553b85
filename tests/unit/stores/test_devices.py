"""Every step claims a GPU of its own. Real processes and real locks; only the GPUs are names."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from assets.stores.devices import claimed_device
from ml.workers import run_tasks

LIMIT_S = 30.0
Gpus = tuple[str, ...]


class Step:
    """A process that claims a device, says which, and holds it until it is told to go on."""

    def __init__(self, folder: Path, gpus: Gpus, wanted: str = "auto", work: Any = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_step, args=(theirs, folder, gpus, wanted, work), daemon=work is None
        )
        self.process.start()
        theirs.close()

    def hear(self, limit_s: float = LIMIT_S) -> str:
        """What the process says next."""
        assert self._pipe.poll(limit_s), "nothing was said"
        return str(self._pipe.recv())

    def is_silent_for(self, seconds: float) -> bool:
        return not self._pipe.poll(seconds)

    def go_on(self) -> None:
        self._pipe.send("go on")

    def kill(self) -> None:
        self.process.kill()  # kill -9
        self.process.join(LIMIT_S)


def _step(pipe: Connection, folder: Path, gpus: Gpus, wanted: str, work: Any) -> None:
    with claimed_device(wanted, folder, pipe.send, lambda: gpus) as device:
        pipe.send(device)
        if work is not None:
            work(folder)
        pipe.recv()
    pipe.send("let go")
    pipe.recv()


StepOf = Callable[..., Step]


@pytest.fixture
def step(tmp_path: Path) -> Iterator[StepOf]:
    """Starts steps on a machine of two GPUs, and ends those that are left."""
    with ExitStack() as left:

        def start(gpus: Gpus = ("A", "B"), wanted: str = "auto", work: Any = None) -> Step:
            started = Step(tmp_path, gpus, wanted, work)
            left.callback(started.kill)
            return started

        yield start


def test_two_steps_never_share_a_gpu(step: StepOf) -> None:
    steps = [step(), step()]
    assert sorted(s.hear() for s in steps) == ["cuda:0", "cuda:1"]


def test_a_step_waits_aloud_until_a_gpu_is_free(step: StepOf) -> None:
    first, second = step(), step()
    devices = {first.hear(): first, second.hear(): second}
    third = step()
    said = third.hear()
    assert said.startswith("waiting for a GPU: cuda:0 by process")
    assert all(f"by process {s.process.pid}" in said for s in devices.values())
    assert third.is_silent_for(1.5)
    devices["cuda:1"].go_on()
    assert devices["cuda:1"].hear() == "let go"
    assert third.hear() == "cuda:1"


def test_kill_9_of_a_holder_frees_its_gpu(step: StepOf) -> None:
    holder = step(gpus=("A",))
    assert holder.hear() == "cuda:0"
    waiting = step(gpus=("A",))
    assert waiting.hear().startswith("waiting")
    holder.kill()
    assert waiting.hear() == "cuda:0"


def test_kill_9_of_a_holder_ends_its_workers_too(step: StepOf, tmp_path: Path) -> None:
    holder = step(gpus=("A",), work=_work_in_a_child)
    assert holder.hear() == "cuda:0"
    worker = int(_when_written(tmp_path / "worker"))
    holder.kill()
    deadline = time.monotonic() + LIMIT_S
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)
    assert step(gpus=("A",)).hear() == "cuda:0"


def test_a_child_that_outlives_the_step_does_not_keep_its_gpu(tmp_path: Path) -> None:
    with claimed_device("auto", tmp_path, _never, lambda: ("A",)):
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False
        )
    try:
        with claimed_device("auto", tmp_path, _never, lambda: ("A",)) as device:
            assert device == "cuda:0"
    finally:
        child.kill()
        child.wait(LIMIT_S)


def test_a_step_that_fails_lets_go(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match="model"),
            claimed_device("auto", tmp_path, _never, lambda: ("A",)),
        ):
            raise RuntimeError("the model does not load")


def test_a_gpu_that_is_asked_for_by_number_is_claimed_and_no_other(step: StepOf) -> None:
    holder = step(wanted="cuda:1")
    assert holder.hear() == "cuda:1"
    waiting = step(wanted="cuda:1")
    assert waiting.hear() == f"waiting for a GPU: cuda:1 by process {holder.process.pid}"
    assert step().hear() == "cuda:0"


def test_a_gpu_is_the_same_whatever_its_number_is(step: StepOf) -> None:
    # Each of the three sees other devices, as on Ray, where every job's own GPU is cuda:0.
    assert step(gpus=("B",)).hear() == "cuda:0"
    assert step(gpus=("A",)).hear() == "cuda:0"
    assert step(gpus=("B", "A", "C")).hear() == "cuda:2"


@pytest.mark.parametrize(
    ("wanted", "gpus", "device"), [("cpu", ("A",), "cpu"), ("auto", (), "cpu"), ("mps", (), "mps")]
)
def test_a_step_on_the_cpu_claims_nothing(
    wanted: str, gpus: Gpus, device: str, tmp_path: Path
) -> None:
    folder = tmp_path / "gpus"
    with claimed_device(wanted, folder, _never, lambda: gpus) as found:
        assert found == device
    assert not folder.exists()


@pytest.mark.parametrize(
    ("wanted", "gpus", "seen"), [("cuda", (), "no CUDA device"), ("cuda:2", ("A", "B"), "cuda:1")]
)
def test_a_gpu_that_is_not_there_is_an_error(
    wanted: str, gpus: Gpus, seen: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(ValueError, match=f"{wanted}.*torch sees.*{seen}"),
        claimed_device(wanted, tmp_path, _never, lambda: gpus),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch is always asked")
@pytest.mark.skipif(Path("/dev/kfd").exists(), reason="AMD's driver is here")
@pytest.mark.parametrize("has_driver", [False, True])
def test_torch_is_loaded_only_where_a_driver_is(has_driver: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKED_FOR_GPUS, str(has_driver)], capture_output=True, text=True
    )
    assert done.stdout.split() == [str(has_driver)], done.stderr


_ASKED_FOR_GPUS = """
import ctypes, sys
from assets.stores.devices import gpu_names

class Library(ctypes.CDLL):
    def __init__(self, name, *arguments, **named):
        if name != "libcuda.so.1":
            super().__init__(name, *arguments, **named)
        elif sys.argv[1] == "False":
            raise OSError(f"{name}: cannot open shared object file")

ctypes.CDLL = Library
gpu_names()
print("torch" in sys.modules)
"""


def _never(said: str) -> None:
    raise AssertionError(f"there was nothing to wait for: {said}")


def _work_in_a_child(folder: Path) -> None:
    list(run_tasks(_say_who_and_sleep, [folder / "worker"], workers=1, limit_s=60, what="a sleep"))


def _say_who_and_sleep(file: Path) -> None:
    file.write_text(f"{os.getpid()}\n")
    time.sleep(60)


def _when_written(file: Path) -> str:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().endswith("\n"):
            return file.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{file.name} was not written")


def _runs(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
