"""Voice activity: where somebody speaks, cut into windows that a recogniser takes.

silero-vad (its packaged ONNX model) gives a speech probability for every 32 ms. Its own rule turns
these into regions, cutting regions that grow too long at their longest pause; neighbouring regions
are joined into windows. 400 s of sound take 0.5 s of one core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.media.sound import SAMPLE_RATE_HZ, Samples, decode_flac

# Attenuated step by step, a sentence was found whole down to -54 dBFS and not at all at -65. A
# sentence alone in a part of 600 s lowers the part's level by up to 23 dB: -70 leaves room for it.
SILENCE_FLOOR_DBFS = -70.0
SPEECH_PROBABILITY = 0.5  # silero-vad's own default, like the 250 ms of the next line
MIN_SPEECH_S = 0.25


class Part(NamedTuple):
    """A row of `audio`, without the columns that are not needed here."""

    video_id: str
    part_no: int
    start_s: float
    rms_dbfs: float
    flac: bytes


@dataclass(frozen=True)
class Window:
    """A stretch of sound with speech in it: ``samples`` is int16[n], n <= 30 s at 16 kHz."""

    video_id: str
    part_no: int
    start_s: float
    samples: Samples

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Cutting:
    """How regions become windows, in seconds.

    A window is at most ``max_s`` long. A pause of ``pause_s`` ends a region; regions less than
    ``join_gap_s`` apart share a window when they fit; ``pad_s`` is kept around each.
    """

    max_s: float = 30.0
    pause_s: float = 0.5
    join_gap_s: float = 5.0
    pad_s: float = 0.25


class SpeechDetector:
    """silero-vad and the rules that make windows of its answer."""

    def __init__(self, cutting: Cutting | None = None) -> None:
        import silero_vad

        self.cutting = cutting or Cutting()
        self.model = f"silero-vad@{silero_vad.__version__}"
        self._vad = _load_vad()

    def regions(self, samples: Samples) -> list[tuple[int, int]]:
        """``(first, end)`` sample numbers of speech in ``int16[n]``, in order, not overlapping."""
        from silero_vad import get_speech_timestamps_from_probs

        if len(samples) < MIN_SPEECH_S * SAMPLE_RATE_HZ:
            return []
        sound: npt.NDArray[np.float32] = samples.astype(np.float32) / 32768.0
        found = get_speech_timestamps_from_probs(
            self._vad.audio_forward(sound).tolist(),
            threshold=SPEECH_PROBABILITY,
            min_speech_duration_ms=round(MIN_SPEECH_S * 1000),
            max_speech_duration_s=self.cutting.max_s,
            min_silence_duration_ms=round(self.cutting.pause_s * 1000),
            speech_pad_ms=round(self.cutting.pad_s * 1000),
            audio_length_samples=len(samples),
        )
        limit = round(self.cutting.max_s * SAMPLE_RATE_HZ)
        return [(r["start"], min(r["end"], r["start"] + limit)) for r in found]

    def windows(self, part: Part) -> Iterator[Window]:
        """The windows of one part. A part below ``SILENCE_FLOOR_DBFS`` has none."""
        if part.rms_dbfs < SILENCE_FLOOR_DBFS:
            return
        samples = decode_flac(part.flac)
        for first, end in join_regions(self.regions(samples), self.cutting):
            start_s = part.start_s + first / SAMPLE_RATE_HZ
            yield Window(part.video_id, part.part_no, start_s, samples[first:end].copy())


def join_regions(regions: Iterable[tuple[int, int]], cutting: Cutting) -> list[tuple[int, int]]:
    """Neighbouring regions as one, where they are close and fit a window (sample numbers)."""
    limit = round(cutting.max_s * SAMPLE_RATE_HZ)
    gap = round(cutting.join_gap_s * SAMPLE_RATE_HZ)
    joined: list[tuple[int, int]] = []
    for first, end in regions:
        if joined and first - joined[-1][1] <= gap and end - joined[-1][0] <= limit:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined


def parts_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Part]:
    """The rows of `audio` batches, one by one; one part's bytes are copied at a time."""
    return chain.from_iterable(_rows(batch) for batch in batches)


def _rows(batch: pa.RecordBatch) -> Iterator[Part]:
    columns = [batch.column(name) for name in Part._fields]
    for row in range(batch.num_rows):
        yield Part(*(column[row].as_py() for column in columns))


def _load_vad() -> Any:
    """The sequence model: one ONNX call for 16 s, where the plain one needs a call per 32 ms."""
    from silero_vad import load_silero_vad

    from ml.models.device import quiet_onnxruntime

    quiet_onnxruntime()
    return load_silero_vad(sequence=True)
