"""Which device a model runs on, and what to do when its memory is full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
R = TypeVar("R")


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


def in_halves(run: Callable[[Sequence[T]], Iterable[R]], items: Sequence[T]) -> list[R]:
    """``run(items)``, in two halves (and so on) when the device is out of memory.

    Args:
        run: gives one result for each item, in order.
        items: what to run on; a sequence that can be sliced.

    Raises:
        torch.OutOfMemoryError: a single item does not fit.
    """
    import torch

    try:
        return list(run(items))
    except torch.OutOfMemoryError:
        if len(items) < 2:
            raise
    # Outside the handler: there the exception still holds the failed step's tensors.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(items) // 2
    return in_halves(run, items[:middle]) + in_halves(run, items[middle:])
