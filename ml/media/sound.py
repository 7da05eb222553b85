"""Sound as the datasets hold it: 16 kHz mono, 16 bit, FLAC, in parts of at most 300 s.

A part says where it starts in the video, so a gap in the sound costs a new part instead of hours
of stored silence, and sample ``i`` of a part is heard at ``start_s + i / 16000``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Samples = npt.NDArray[np.int16]

SAMPLE_RATE_HZ = 16_000
PART_S = (
    300.0  # 8 MB of FLAC at worst (noise); parts of 600 s made it 14 % larger on a 2-hour video
)
SILENT_DBFS = -120.0
# Time stamps of healthy files wander by a packet (20-50 ms) against the sample count; following
# them would put a click into every packet. Beyond this, sound is really missing.
_JITTER_S = 0.1
_FILL_S = 10.0  # longer gaps start a new part; shorter ones are filled, so speech stays in one part
_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Sound:
    """A run of samples. ``start_s`` is None where the file has no time stamp."""

    start_s: float | None
    samples: Samples


@dataclass(frozen=True)
class AudioPart:
    """One row of `audio`, without its video and number."""

    start_s: float
    sample_count: int
    rms_dbfs: float
    flac: bytes


def encode_flac(samples: Samples, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Lossless FLAC of ``int16[n]`` mono samples; n may be 0."""
    writer = _FlacWriter(sample_rate_hz)
    writer.add(samples)
    return writer.finish()


def decode_flac(flac: bytes) -> Samples:
    """``int16[n]`` mono samples of what ``encode_flac`` made.

    Raises:
        ValueError: the bytes are not mono FLAC.
    """
    import av

    if flac[:4] != b"fLaC":
        raise ValueError(f"not FLAC: {len(flac)} bytes that begin with {flac[:4]!r}")
    try:
        with av.open(io.BytesIO(flac), "r", format="flac") as container:
            blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"not FLAC ({len(flac)} bytes): {error}") from error
    if not blocks:
        return np.zeros(0, np.int16)
    if blocks[0].shape[0] != 1 or blocks[0].dtype != np.int16:
        raise ValueError(f"expected 16 bit mono FLAC, found {blocks[0].dtype} {blocks[0].shape}")
    return np.concatenate([block[0] for block in blocks])


def rms_dbfs(samples: Samples) -> float:
    """Root-mean-square level in dB against full scale (32768); -120 when silent or empty."""
    if not len(samples):
        return SILENT_DBFS
    return _dbfs(float(np.dot(samples.astype(np.float64), samples)), len(samples))


def _dbfs(sum_of_squares: float, count: int) -> float:
    rms = math.sqrt(sum_of_squares / count) / _FULL_SCALE
    return max(SILENT_DBFS, 20.0 * math.log10(rms)) if rms > 0 else SILENT_DBFS


class MonoResampler:
    """Turns decoded frames of any rate, format and layout into 16 kHz mono ``int16``.

    Streams that change their rate or layout midway get a new resampler.
    """

    def __init__(self, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._rate = sample_rate_hz
        self._setup: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def push(self, frame: AudioFrame) -> Samples:
        """Samples that are ready after ``frame``; a few may stay inside until ``flush``."""
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        held = np.zeros(0, np.int16)
        if setup != self._setup:
            held = self.flush()
            self._start(setup)
        return np.concatenate([held, _joined(self._resampler.resample(frame))])

    def flush(self) -> Samples:
        """What is still inside. The next frame starts afresh."""
        if self._resampler is None:
            return np.zeros(0, np.int16)
        rest = _joined(self._resampler.resample(None))
        self._resampler = self._setup = None
        return rest

    def _start(self, setup: tuple[str, str, int]) -> None:
        from av.audio.resampler import AudioResampler

        self._setup = setup
        self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate)


def _joined(frames: list[AudioFrame]) -> Samples:
    blocks = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


class _FlacWriter:
    """FLAC as it grows: compressed at once, so a part never lies in memory as raw samples."""

    def __init__(self, sample_rate_hz: int) -> None:
        import av

        self._bytes = io.BytesIO()
        self._rate = sample_rate_hz
        self._container = av.open(self._bytes, "w", format="flac")
        self._stream = self._container.add_stream("flac", rate=sample_rate_hz, layout="mono")
        self._stream.format = "s16"

    def add(self, samples: Samples) -> None:
        from av.audio.frame import AudioFrame

        if not len(samples):
            return
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None, :]), format="s16", layout="mono"
        )
        frame.sample_rate = self._rate
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        self._container.start_encoding()
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._bytes.getvalue()


@dataclass
class _OpenPart:
    start_s: float
    writer: _FlacWriter
    count: int = 0
    sum_of_squares: float = 0.0

    @property
    def end_s(self) -> float:
        return self.start_s + self.count / SAMPLE_RATE_HZ

    def add(self, samples: Samples) -> None:
        self.writer.add(samples)
        self.count += len(samples)
        self.sum_of_squares += float(np.dot(samples.astype(np.float64), samples))

    def closed(self) -> AudioPart:
        level = _dbfs(self.sum_of_squares, self.count)
        return AudioPart(self.start_s, self.count, level, self.writer.finish())


@dataclass
class PartWriter:
    """Joins runs of samples into parts, keeping sound and picture together.

    A gap of 0.1 to 10 s in the time stamps is filled with silence, a longer one starts a new part,
    and stamps that jump back are not followed: the sound then goes on where it was.
    """

    part_s: float = PART_S
    _part: _OpenPart | None = field(default=None, init=False)
    _held: list[Samples] = field(default_factory=list, init=False)
    _held_count: int = field(default=0, init=False)
    end_s: float = field(default=0.0, init=False)

    def add(self, start_s: float | None, samples: Samples) -> Iterator[AudioPart]:
        """Append ``int16[n]`` samples heard at ``start_s`` (None: right after the last).

        Yields the parts that this fills. Sound before 0 is cut off: it is encoder priming.
        """
        if start_s is not None and start_s < 0:
            early = round(-start_s * SAMPLE_RATE_HZ)
            samples, start_s = samples[early:], 0.0
        if not len(samples):
            return
        yield from self._reach(start_s)
        yield from self._append(samples)

    def finish(self) -> Iterator[AudioPart]:
        """The last part, if any."""
        self._flush()
        if self._part is not None and self._part.count:
            yield self._part.closed()
        self._part = None

    def _reach(self, start_s: float | None) -> Iterator[AudioPart]:
        if self._part is None:
            self._open(self.end_s if start_s is None else start_s)
            return
        gap_s = 0.0 if start_s is None else start_s - self.end_s
        if gap_s > _FILL_S:
            yield from self.finish()
            self._open(self.end_s + gap_s)
        elif gap_s > _JITTER_S:
            yield from self._append(np.zeros(round(gap_s * SAMPLE_RATE_HZ), np.int16))

    def _append(self, samples: Samples) -> Iterator[AudioPart]:
        limit = round(self.part_s * SAMPLE_RATE_HZ)
        while len(samples):
            assert self._part is not None
            taken = samples[: limit - self._part.count - self._held_count]
            samples = samples[len(taken) :]
            self._hold(taken)
            if self._part.count + self._held_count >= limit:
                yield from self.finish()
                self._open(self.end_s)

    def _hold(self, samples: Samples) -> None:
        """Collect a second before encoding: one call per 20 ms packet cost 2.6 x as much."""
        self._held.append(samples)
        self._held_count += len(samples)
        self.end_s += len(samples) / SAMPLE_RATE_HZ
        if self._held_count >= SAMPLE_RATE_HZ:
            self._flush()

    def _flush(self) -> None:
        if self._held and self._part is not None:
            self._part.add(np.concatenate(self._held))
        self._held, self._held_count = [], 0

    def _open(self, start_s: float) -> None:
        self._part = _OpenPart(start_s, _FlacWriter(SAMPLE_RATE_HZ))
        self.end_s = start_s
