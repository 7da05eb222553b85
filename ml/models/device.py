"""Which device a model runs on, and what to do when its memory is full."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

R = TypeVar("R")

_log = logging.getLogger(__name__)

# What libraries say that do not raise torch's own error: cuBLAS and the CUDA runtime.
_OUT_OF_MEMORY = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory")


def pick_device(wanted: str = "auto") -> str:
    """``cuda`` when there is a GPU and ``wanted`` is ``auto``, else ``cpu``; or ``wanted`` itself.

    Raises:
        ValueError: a CUDA device is asked for by name and torch sees none.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {wanted!r} is asked for, but torch sees no CUDA device")
    return wanted


def device_number(device: str) -> int:
    """1 of ``cuda:1``, 0 of ``cuda``: for libraries that take a number instead of a name."""
    return int(device.partition(":")[2] or 0)


def quiet_onnxruntime() -> None:
    """Keep onnxruntime from collecting usage data (1.31 writes a store below ``~/.cache``)."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()


def half_precision(device: str) -> torch.dtype:
    """The dtype models run in: bfloat16 on GPUs that have it, float16 on older, else float32.

    bfloat16 has float32's range, so activations that overflow float16 stay finite.
    """
    import torch

    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


class FittingBatches:
    """Runs a model in batches; where one does not fit, in batches half as large from then on.

    Attributes:
        size: items in a batch, at most. It is not raised again: running out of memory costs more
            than a smaller batch does.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def run(self, work: Callable[[Any], R], items: Any) -> Iterator[R]:
        """``work`` of one batch after another, in order.

        Args:
            work: takes a slice of ``items`` and computes it before it returns.
            items: a sequence, array or tensor.

        Raises:
            torch.OutOfMemoryError: a single item does not fit.
        """
        done = 0
        while done < len(items):
            batch = items[done : done + self.size]
            try:
                result = work(batch)
            except RuntimeError as error:
                _refuse_others(error, len(batch))
            else:
                yield result
                done += len(batch)
                continue
            # Outside the handler: there the exception still holds the failed step's tensors.
            self._halve(len(batch))

    def _halve(self, failed: int) -> None:
        import torch

        self.size = failed // 2
        _log.warning("a batch of %d is out of memory: going on with %d", failed, self.size)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _refuse_others(error: RuntimeError, batch: int) -> None:
    """Return when half the batch may fit.

    Raises:
        RuntimeError: the error, when it is another one.
        torch.OutOfMemoryError: nothing is left to halve.
    """
    import torch

    full = isinstance(error, torch.OutOfMemoryError)
    if not full and not any(said in str(error) for said in _OUT_OF_MEMORY):
        raise error
    if batch < 2:
        raise torch.OutOfMemoryError(
            "a single item does not fit into the device's memory: take a smaller model or a GPU "
            f"with more memory ({error})"
        ) from error
