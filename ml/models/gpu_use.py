"""How busy a GPU is while a step computes, as NVIDIA's driver counts it (NVML)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ml.models.device import device_number

# The driver averages over a sixth of a second to a second, by device; a sample takes it 1 ms.
EVERY_S = 0.5
_DAY_S = 86_400.0
_HOUR_S = 3_600.0

_log = logging.getLogger(__name__)
Read = Callable[[], float]


@dataclass
class GpuUse:
    """Samples of the share of time, 0 to 1, in which the GPU computed."""

    samples: list[float] = field(default_factory=list)

    @property
    def busy_share(self) -> float | None:
        """Their mean; None without a GPU, and for what ended before the first sample."""
        return sum(self.samples) / len(self.samples) if self.samples else None


@contextmanager
def gpu_use(
    device: str, every_s: float = EVERY_S, read_from: Callable[[str], Read] | None = None
) -> Iterator[GpuUse]:
    """Samples the device in a thread for as long as the block runs; nothing on a CPU.

    Args:
        device: ``cuda:1``, ``cuda`` or ``cpu``.
        every_s: seconds between samples.
        read_from: from a device to what reads its share, by default through NVML.
    """
    use, stop = GpuUse(), threading.Event()
    read = _reader(device, read_from or nvml_reader)
    if read is None:
        yield use
        return
    thread = threading.Thread(
        target=_sample, args=(read, use, stop, every_s), name="kadr-gpu-use", daemon=True
    )
    thread.start()
    try:
        yield use
    finally:
        stop.set()
        thread.join()


def _reader(device: str, read_from: Callable[[str], Read]) -> Read | None:
    """None on a CPU, and where a GPU does not tell: that is said, and no reason to stop a step."""
    if not device.startswith("cuda"):
        return None
    try:
        read = read_from(device)
        read()
    except Exception as error:  # the package is missing, or the driver's own errors
        _log.warning("how busy %s is can't be measured: %s", device, error)
        return None
    return read


def _sample(read: Read, use: GpuUse, stop: threading.Event, every_s: float) -> None:
    while not stop.wait(every_s):
        try:
            use.samples.append(read())
        except Exception as error:
            _log.warning("the GPU no longer tells how busy it is: %s", error)
            return


def nvml_reader(device: str) -> Read:
    """What reads the share of time in which a device computed.

    Raises:
        ImportError: the package nvidia-ml-py is not installed.
        pynvml.NVMLError: the driver does not know the device.
    """
    import pynvml
    import torch

    # By UUID: the driver numbers devices in another order than CUDA does.
    uuid = torch.cuda.get_device_properties(device_number(device)).uuid
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    return lambda: float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100.0


def gpu_count() -> int:
    """GPUs of this machine, without loading torch; 0 without NVIDIA's driver or nvidia-ml-py."""
    try:
        import pynvml
    except ImportError:
        return 0
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    return int(pynvml.nvmlDeviceGetCount())


def video_hours_per_day(durations_s: Iterable[float], wall_s: float) -> float:
    """Hours of video that a step does in a day at this pace.

    On one GPU this is cosmos-curate's ``video_hours_per_day_per_gpu``.

    Args:
        durations_s: of the videos that were done.
        wall_s: seconds that it took, above 0.
    """
    return sum(durations_s) / _HOUR_S / (wall_s / _DAY_S)
