"""How busy a GPU was, batches that get smaller when its memory is full, and the benchmark's code.

No GPU is needed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from benchmarks import gpu
from ml.models.device import FittingBatches, device_number
from ml.models.gpu_use import gpu_count, gpu_use, video_hours_per_day
from ml.vectors import as_list_array

pytestmark = pytest.mark.slow


class Memory:
    """A model on a device that holds so many items; counts the batches it is asked for."""

    def __init__(self, holds: int, error: str = "") -> None:
        self.holds, self.sizes = holds, list[int]()
        self._error = RuntimeError(error) if error else torch.cuda.OutOfMemoryError("CUDA is full")

    def __call__(self, items: np.ndarray) -> np.ndarray:
        self.sizes.append(len(items))
        if len(items) > self.holds:
            raise self._error
        return items * 2


def test_a_batch_that_does_not_fit_is_halved_and_the_work_goes_on() -> None:
    model, items = Memory(holds=4), np.arange(20)
    done = list(FittingBatches(16).run(model, items))
    assert np.concatenate(done).tolist() == (items * 2).tolist()
    assert model.sizes == [16, 8, 4, 4, 4, 4, 4]


def test_the_smaller_size_is_remembered_for_the_batches_that_follow() -> None:
    model, batches = Memory(holds=4), FittingBatches(16)
    list(batches.run(model, np.arange(16)))
    model.sizes.clear()
    list(batches.run(model, np.arange(16)))
    assert (batches.size, model.sizes) == (4, [4, 4, 4, 4])


def test_halving_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ml.models.device"):
        list(FittingBatches(16).run(Memory(holds=8), np.arange(16)))
    assert caplog.messages == ["a batch of 16 is out of memory: going on with 8"]


def test_a_single_item_that_does_not_fit_is_a_clear_error() -> None:
    model = Memory(holds=0)
    with pytest.raises(torch.OutOfMemoryError, match=r"a single item does not fit.*CUDA is full"):
        list(FittingBatches(4).run(model, np.arange(4)))
    assert model.sizes == [4, 2, 1]


@pytest.mark.parametrize("said", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when"])
def test_full_memory_is_known_by_the_words_of_other_libraries_too(said: str) -> None:
    done = list(FittingBatches(8).run(Memory(holds=4, error=said), np.arange(8)))
    assert np.concatenate(done).tolist() == list(range(0, 16, 2))


def test_another_error_is_not_taken_for_full_memory() -> None:
    model = Memory(holds=4, error="shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(FittingBatches(8).run(model, np.arange(8)))
    assert model.sizes == [8]


def test_a_device_has_a_number() -> None:
    assert [device_number(name) for name in ("cuda", "cuda:0", "cuda:3", "cpu")] == [0, 0, 3, 0]


def test_busy_share_is_the_mean_of_what_the_device_said_meanwhile() -> None:
    enough = threading.Event()
    shares = iter([0.9, 0.0, 0.5, 1.0])

    def read() -> float:
        share = next(shares, None)
        if share is None:
            enough.set()
            raise RuntimeError("enough")
        return share

    with gpu_use("cuda:1", every_s=0.001, read_from=_says(read)) as use:
        assert enough.wait(10)
    # The first was taken to see whether the device tells at all.
    assert use.samples == [0.0, 0.5, 1.0]
    assert use.busy_share == 0.5


def test_sampling_ends_with_the_block_also_when_it_fails() -> None:
    with pytest.raises(ValueError), gpu_use("cuda", 0.001, _says(lambda: 1.0)) as use:
        _until(lambda: bool(use.samples))
        raise ValueError
    assert "kadr-gpu-use" not in [thread.name for thread in threading.enumerate()]


def test_sampling_goes_on_while_a_generator_is_read() -> None:
    def step() -> Iterator[int]:
        with gpu_use("cuda", 0.001, _says(lambda: 0.7)) as use:
            yield 1
            _until(lambda: bool(use.samples))
            shares.append(use.busy_share)

    shares: list[float | None] = []
    assert list(step()) == [1]
    assert shares == [pytest.approx(0.7)]


def test_there_is_no_share_on_a_cpu() -> None:
    with gpu_use("cpu", 0.001, _says(lambda: 1.0)) as use:
        time.sleep(0.02)
    assert use.busy_share is None


def test_a_gpu_that_does_not_tell_stops_no_step(caplog: pytest.LogCaptureFixture) -> None:
    def without_nvml(device: str) -> Callable[[], float]:
        raise ImportError("No module named 'pynvml'")

    with gpu_use("cuda", 0.001, without_nvml) as use:
        pass
    assert use.busy_share is None
    assert caplog.messages == ["how busy cuda is can't be measured: No module named 'pynvml'"]


def test_no_gpu_that_torch_sees_is_left_out_of_the_count() -> None:
    assert gpu_count() >= torch.cuda.device_count()


def test_two_hours_of_video_in_a_minute_are_2880_a_day() -> None:
    assert video_hours_per_day([3600.0, 3600.0], wall_s=60.0) == pytest.approx(2880.0)


def test_the_benchmark_checks_and_measures_every_step_with_tiny_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--device", "cpu", "--tiny", "--seconds", "0.2", "--folder", str(tmp_path)]
    assert gpu.main(small) == 0
    table = capsys.readouterr().out
    for step in ("SigLIP2 large, 384 px: step over bare", "Whisper large-v3-turbo", "videos/s"):
        assert step in table


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_benchmark_says_that_there_is_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_the_benchmark_tells_no_time_of_wrong_answers() -> None:
    reference = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0].astype(np.float32)
    gpu.check_vectors([_embeddings(reference), _embeddings(reference)], reference)
    swapped = _embeddings(reference[[1, 0, *range(2, 8)]])
    with pytest.raises(gpu.WrongAnswer, match="frame 0"):
        gpu.check_vectors([swapped], reference)
    alike = reference * 0.01 + reference.mean(axis=0)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    with pytest.raises(gpu.WrongAnswer, match="nearest to another frame's"):
        gpu.check_vectors([_embeddings(alike[::-1])], alike)


def test_a_target_that_is_missed_is_known() -> None:
    figures = [gpu.Figure("a", 0.84, 0.85), gpu.Figure("b", 0.85, 0.85), gpu.Figure("c", 0.1)]
    assert [figure.missed for figure in figures] == [True, False, False]


def _embeddings(vectors: np.ndarray) -> pa.RecordBatch:
    return pa.record_batch({"embedding": as_list_array(vectors)})


def _says(read: Callable[[], float]) -> Callable[[str], Callable[[], float]]:
    return lambda device: read


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.001)
