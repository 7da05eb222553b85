"""A video's sound as log-band energies, and what in them carries identity.

A frame of fingerprint is 32 ms apart from the next and looks at 128 ms of sound, in 48 bands of a
tenth of an octave from 200 Hz to 5.2 kHz: what is left of speech and music behind a telephone's
band, an 8 kHz recording or 16 kb/s of MP3. Frame ``i`` is centred on ``i / RATE_HZ`` seconds of the
video, across the seams of parts.

What is compared is not the energies but ``texture``: how the slope between bands changes in time,
the same second difference whose sign Haitsma and Kalker hash ("A Highly Robust Audio
Fingerprinting System", ISMIR 2002, section 4.2). It doesn't see volume, equalising or slow gain
control, and two voices that speak at the same time leave each other's peaks standing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.copies.evidence import F32, U8, Sound
from ml.media.sound import SAMPLE_RATE_HZ, decode_flac
from ml.schemas import AUDIO_FINGERPRINTS

MAKER = "bands-48@1"
HOP = 512
RATE_HZ = SAMPLE_RATE_HZ / HOP
BANDS = 48
BANDS_PER_OCTAVE = 10
LOWEST_HZ = 200.0
# Energy is stored in whole dB above this, against a full-scale sine.
FLOOR_DB = -120
_WINDOW = 2048
_BLOCK = 512  # frames transformed at once: 4 MB
_HASH_BANDS = slice(4, 37)  # 264 Hz to 2.4 kHz, about Haitsma and Kalker's 300 to 2,000 Hz

# Codec noise 50 dB under the loudest bands is not compared.
_RANGE_DB = 50.0
_QUIETEST = 20.0  # -100 dB
_TEXTURE_LIMIT_DB = 12.0


@dataclass(frozen=True)
class _Part:
    part_no: int
    first_frame: int
    bands: U8
    hashes: npt.NDArray[np.uint32]
    levels: U8


class SoundFingerprinter:
    """The step from `audio` rows to `audio_fingerprints` rows."""

    model = MAKER

    def fingerprint(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """A row for each part with sound in it, in the order of the rows.

        Parts that follow one another without a gap share their windows, so a seam leaves no trace.
        The last 64 ms before a gap, or of a video, have no full window and are left out; a part
        shorter than that has no row.

        Raises:
            ValueError: a part is not 16 kHz mono FLAC.
        """
        video_id, track = None, _Track()
        for batch in rows:
            made = []
            for row in batch.select(_AUDIO_COLUMNS).to_pylist():
                if row["video_id"] != video_id:
                    video_id, track = row["video_id"], _Track()
                part = track.add(row)
                if len(part.bands):
                    made.append(_row(row["video_id"], part))
            if made:
                yield pa.RecordBatch.from_pylist(made, schema=AUDIO_FINGERPRINTS.schema)


_AUDIO_COLUMNS = ["video_id", "part_no", "start_s", "sample_rate_hz", "flac"]


class _Track:
    """The sound of one video so far: the samples whose frames still wait for later ones."""

    def __init__(self) -> None:
        self._end = 0  # sample of the video's time where the sound so far ends
        self._tail = np.zeros(0, np.float32)
        self._next_frame = 0
        self._before = np.zeros((0, BANDS), np.uint8)  # the two frames before the next

    def add(self, row: dict[str, Any]) -> _Part:
        if row["sample_rate_hz"] != SAMPLE_RATE_HZ:
            raise ValueError(
                f"sound of {row['video_id']!r} at {row['sample_rate_hz']} Hz, not {SAMPLE_RATE_HZ}"
            )
        start = round(row["start_s"] * SAMPLE_RATE_HZ)
        if abs(start - self._end) > HOP:
            self._tail, self._before = np.zeros(0, np.float32), self._before[:0]
            self._end = start
        samples = decode_flac(row["flac"]).astype(np.float32) / 32768.0
        held = np.concatenate([self._tail, samples])
        held_start = self._end - len(self._tail)
        self._end += len(samples)
        return self._part(row["part_no"], held, held_start)

    def _part(self, part_no: int, held: F32, held_start: int) -> _Part:
        """Frames whose second half lies inside; before the first sample there is silence."""
        half = _WINDOW // 2
        first = max(self._next_frame, -(-held_start // HOP))
        stop = (held_start + len(held) - half) // HOP + 1
        before = max(0, held_start - (first * HOP - half))
        inside = max(0, first * HOP - half - held_start)
        bands, levels = energies(np.pad(held, (before, 0))[inside:], max(0, stop - first))
        self._next_frame = max(first, stop)
        self._tail = held[max(0, self._next_frame * HOP - half - held_start) :]
        held_bands = np.concatenate([self._before, bands])
        self._before, hashes = held_bands[-2:], hashes_of(held_bands)[len(self._before) :]
        return _Part(part_no, first, bands, hashes, levels)


def energies(samples: F32, frame_count: int) -> tuple[U8, U8]:
    """Band energies uint8[T, BANDS], dB above FLOOR_DB, and loudness uint8[T], dB below 0.

    Frame i looks at ``samples[i * HOP : i * HOP + 2048]``, full scale 1.
    """
    bands, levels = np.zeros((frame_count, BANDS), np.uint8), np.zeros(frame_count, np.uint8)
    if not frame_count:
        return bands, levels
    window, filters = _window(), _filters()
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::HOP][:frame_count]
    for start in range(0, frame_count, _BLOCK):
        block = frames[start : start + _BLOCK]
        spectrum = np.fft.rfft(block * window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        loud = _decibel(power @ filters / (window.sum() / 2) ** 2) - FLOOR_DB
        bands[start : start + _BLOCK] = np.clip(np.rint(loud), 0, 255)
        level = -_decibel(np.einsum("ij,ij->i", block, block) / _WINDOW)
        levels[start : start + _BLOCK] = np.clip(np.rint(level), 0, -FLOOR_DB)
    return bands, levels


def _decibel(power: F32) -> F32:
    return (10.0 * np.log10(np.maximum(power, 1e-13))).astype(np.float32)


def _window() -> F32:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def _filters() -> F32:
    """float32[1025, BANDS] triangles on a logarithmic scale, each of sum 1."""
    edges = LOWEST_HZ * 2 ** (np.arange(-1, BANDS + 1) / BANDS_PER_OCTAVE)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hz = np.arange(_WINDOW // 2 + 1)[:, None] * SAMPLE_RATE_HZ / _WINDOW
    rising, falling = (hz - low) / (middle - low), (high - hz) / (high - middle)
    filters = np.maximum(np.minimum(rising, falling), 0)
    return (filters / filters.sum(axis=0)).astype(np.float32)


def hashes_of(bands: U8) -> npt.NDArray[np.uint32]:
    """uint32[T]: bit b is set where the step from band b + 1 to b grew since two frames ago."""
    chosen = bands[:, _HASH_BANDS].astype(np.int16)
    steps = chosen[:, :-1] - chosen[:, 1:]
    grown = np.zeros(steps.shape, np.bool_)
    grown[2:] = steps[2:] > steps[:-2]
    packed: npt.NDArray[np.uint32] = np.packbits(grown, axis=1, bitorder="little").view("<u4")[:, 0]
    return packed


def sound_of(rows: Iterable[pa.RecordBatch]) -> Sound | None:
    """The sound of one video from its `audio_fingerprints` rows; None when there are none.

    Time without sound, before, between or after the parts, is silence.
    """
    parts = sorted(
        (row for batch in rows for row in batch.to_pylist()), key=lambda row: int(row["part_no"])
    )
    if not parts:
        return None
    starts = [round(row["start_s"] * RATE_HZ) for row in parts]
    count = max(s + row["frame_count"] for s, row in zip(starts, parts, strict=True))
    bands = np.zeros((count, BANDS), np.uint8)
    hashes = np.zeros(count, np.uint32)
    level_db = np.full(count, float(FLOOR_DB), np.float32)
    for start, row in zip(starts, parts, strict=True):
        place = slice(start, start + row["frame_count"])
        bands[place] = _unpack(row)
        hashes[place] = np.frombuffer(row["hashes"], "<u4")
        level_db[place] = -np.frombuffer(row["levels"], np.uint8).astype(np.float32)
    return Sound(RATE_HZ, bands, hashes, level_db)


def _unpack(row: dict[str, Any]) -> U8:
    shape = (row["frame_count"], row["band_count"])
    if shape[1] != BANDS or abs(row["rate_hz"] - RATE_HZ) > 1e-3:
        raise ValueError(
            f"fingerprints of {row['video_id']!r} have {shape[1]} bands at {row['rate_hz']} Hz "
            f"({row['model']}), not {BANDS} at {RATE_HZ} ({MAKER}): make them anew"
        )
    raw = pa.decompress(
        row["bands_zstd"], decompressed_size=shape[0] * shape[1], codec="zstd", asbytes=True
    )
    return np.frombuffer(raw, np.uint8).reshape(shape)


def _row(video_id: str, part: _Part) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "part_no": part.part_no,
        "start_s": part.first_frame / RATE_HZ,
        "rate_hz": RATE_HZ,
        "frame_count": len(part.bands),
        "band_count": BANDS,
        "bands_zstd": pa.compress(
            part.bands.tobytes(), codec="zstd", asbytes=True, memory_pool=pa.system_memory_pool()
        ),
        "hashes": part.hashes.astype("<u4").tobytes(),
        "levels": part.levels.tobytes(),
        "model": MAKER,
    }


def clipped(bands: npt.NDArray[Any]) -> F32:
    """Energies in dB, what lies far under the loudest of them raised to one floor."""
    values = bands.astype(np.float32)
    if not values.size:
        return values
    loudest = float(np.percentile(values, 97))
    return np.maximum(values, max(loudest - _RANGE_DB, _QUIETEST))


def texture(bands: npt.NDArray[Any]) -> F32:
    """float32[T, BANDS - 4]: how the slope over 3 bands changes within 4 frames, at most 12 dB.

    The spans were tried: 3 bands and 4 frames keep tempo-changed and compressed copies further
    from other sound than Haitsma and Kalker's 1 band and 1 frame.
    """
    energy = clipped(bands)
    smooth: F32 = energy[:, 1:] + energy[:, :-1]
    smooth /= 2
    slope: F32 = smooth[:, 3:] - smooth[:, :-3]
    change = np.zeros_like(slope)
    if len(slope) > 4:
        change[2:-2] = slope[4:] - slope[:-4]
    return np.clip(change, -_TEXTURE_LIMIT_DB, _TEXTURE_LIMIT_DB)


def local_mean(values: F32, reach: int) -> F32:
    """Mean over ``2 * reach + 1`` rows, fewer at the ends."""
    sums = np.cumsum(np.concatenate([np.zeros_like(values[:1]), values]), axis=0, dtype=np.float64)
    at = np.arange(len(values))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    return ((sums[high] - sums[low]) / (high - low)[:, None]).astype(np.float32)


def span(sound: Sound, start_s: float, end_s: float) -> slice:
    """The frames of a sound between two times."""
    first = max(0, round(start_s * RATE_HZ))
    return slice(first, max(first, min(len(sound.bands), round(end_s * RATE_HZ))))
