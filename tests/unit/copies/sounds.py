"""Small sound for tests of copies: made-up speech and music, and what people do to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ml.copies.evidence import Segment, Sound
from ml.copies.sound.bands import SoundFingerprinter, sound_of
from ml.media.sound import SAMPLE_RATE_HZ, Samples
from tests.unit.speech.sounds import audio


def fingerprints(*batches: pa.RecordBatch) -> list[pa.RecordBatch]:
    return list(SoundFingerprinter().fingerprint(iter(batches)))


def heard(samples: np.ndarray) -> Sound:
    """The fingerprints of one part of sound."""
    found = sound_of(fingerprints(audio("v", (0.0, whole(samples)))))
    assert found is not None
    return found


def along(seconds: float, offset_s: float = 0.0, speed: float = 1.0) -> list[Segment]:
    """Pictures that match from the query's start on."""
    return [Segment(0.0, seconds, offset_s, offset_s + seconds * speed, speed, 1.0)]


def whole(samples: np.ndarray) -> Samples:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def tune(seed: int, seconds: float) -> np.ndarray:
    """Notes with harmonics that never repeat, float64[n] at -20 dBFS."""
    rng = np.random.default_rng(seed)
    track = np.zeros(round(seconds * SAMPLE_RATE_HZ))
    for start, length, pitch_hz in _notes(rng, seconds):
        time = np.arange(round(length * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        wave = sum(np.sin(2 * np.pi * pitch_hz * k * time + k) / k for k in range(1, 8))
        note = wave * np.minimum(time / 0.01, 1) * np.exp(-time / 0.15)
        first = round(start * SAMPLE_RATE_HZ)
        note = note[: len(track) - first]
        track[first : first + len(note)] += note
    return track * 3000 / (np.sqrt(np.mean(track**2)) + 1e-9)


def _notes(rng: np.random.Generator, seconds: float) -> Iterator[tuple[float, float, float]]:
    start = 0.05
    while start < seconds - 0.1:
        yield start, float(rng.uniform(0.2, 0.5)), float(220 * 2 ** rng.uniform(0, 3))
        start += float(rng.uniform(0.06, 0.25))


def hiss(seed: int, seconds: float, level: float = 300.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * SAMPLE_RATE_HZ))


def resampled(samples: np.ndarray, speed: float) -> np.ndarray:
    """Faster and higher, as a tape is."""
    return np.interp(np.arange(0, len(samples) - 1, speed), np.arange(len(samples)), samples)


def stretched(samples: np.ndarray, speed: float) -> np.ndarray:
    """Faster with the pitch kept: overlap-add of the best fitting pieces of 40 ms (WSOLA)."""
    size, hop, reach = 640, 320, 160
    window = np.hanning(size)
    count = int((len(samples) - size - 2 * reach) / (hop * speed))
    made, last = np.zeros(count * hop + size), samples[:size]
    for i in range(count):
        near = round(i * hop * speed) + reach
        options = np.lib.stride_tricks.sliding_window_view(
            samples[near - reach : near + reach + size], size
        )
        best = near - reach + int(np.argmax(options @ last))
        made[i * hop : i * hop + size] += window * samples[best : best + size]
        last = samples[best + hop : best + hop + size]
        last = np.pad(last, (0, size - len(last)))
    return made
