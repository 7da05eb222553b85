"""A GPU of its own for every step, let go of whatever happens.

A pool counts slots, not devices: two steps with a slot each would both take the first GPU. So a
process that needs one locks a file, and the kernel unlocks it when the process ends, however it
ends. A step's worker processes get the device by name and die with the step (``ml/workers.py``).

A file goes by the device's UUID: processes that see only some of the devices (Ray, containers and
``CUDA_VISIBLE_DEVICES`` see to that) number them differently.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# The pool that has a slot for each device.
GPU_POOL = "gpu"
_POLL_S = 0.5
_REPEAT_S = 60.0


def gpu_names() -> list[str]:
    """The UUID of each device that torch sees, in its order."""
    # Most steps that ask need torch for nothing else, and importing it takes 1.5 s of a core.
    if "torch" not in sys.modules and not _has_driver():
        return []
    import torch

    return [
        str(torch.cuda.get_device_properties(number).uuid)
        for number in range(torch.cuda.device_count())
    ]


def _has_driver() -> bool:
    """False only where torch can't see a GPU: on Linux, without NVIDIA's driver and AMD's.

    The driver is looked for by the name under which CUDA loads it.
    """
    if sys.platform != "linux" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@contextmanager
def claimed_device(
    wanted: str,
    folder: Path,
    say: Callable[[str], None],
    gpus: Callable[[], Sequence[str]] = gpu_names,
) -> Iterator[str]:
    """A device that no other process claims meanwhile: ``cuda:1``. A CPU needs no claim.

    When all are taken it waits until one is free, and says so. On leaving, the device's memory that
    torch keeps for later is given back.

    Args:
        wanted: ``auto`` (any GPU, or ``cpu`` where there is none), ``cuda`` (any), ``cuda:1`` (that
            one), ``cpu``.
        folder: where the locks lie; the same for all processes of a machine, and on its own disk.
        say: told who holds the devices that it waits for.
        gpus: what identifies each device, in torch's order.

    Raises:
        ValueError: the GPU that is asked for is not there.
    """
    devices = _devices(wanted, gpus)
    if not devices:
        yield "cpu" if wanted == "auto" else wanted
        return
    folder.mkdir(parents=True, exist_ok=True)
    device, handle = _take(devices, folder, say)
    try:
        yield device
    finally:
        _empty_cache()
        # Said aloud: closing frees the lock only when no forked child shares the handle.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _devices(wanted: str, gpus: Callable[[], Sequence[str]]) -> dict[str, str]:
    """The devices to choose from, with the name of each; none for a step that runs on the CPU."""
    if wanted != "auto" and not wanted.startswith("cuda"):
        return {}
    there = {f"cuda:{number}": name for number, name in enumerate(gpus())}
    if wanted == "auto":
        return there
    found = there if wanted == "cuda" else {d: n for d, n in there.items() if d == wanted}
    if not found:
        seen = ", ".join(there) or "no CUDA device"
        raise ValueError(f"device {wanted!r} is asked for, but torch sees {seen}")
    return found


def _take(devices: Mapping[str, str], folder: Path, say: Callable[[str], None]) -> tuple[str, int]:
    """The first device that is free, and the handle that holds its lock."""
    tell_at = time.monotonic()
    while True:
        holders = {}
        for device, name in devices.items():
            handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            if _try_lock(handle):
                return device, handle
            holders[device] = os.pread(handle, 32, 0).decode() or "?"
            os.close(handle)
        if time.monotonic() >= tell_at:
            held = ", ".join(f"{device} by process {pid}" for device, pid in holders.items())
            say(f"waiting for a GPU: {held}")
            tell_at = time.monotonic() + _REPEAT_S
        time.sleep(_POLL_S)


def _try_lock(handle: int) -> bool:
    """Lock it, and write our process id for those who wait."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return True


def _empty_cache() -> None:
    """Leave the next holder the memory of models that are no longer in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
