"""Two sounds laid over each other at one speed, and how sure their best lag is.

With the pitch kept or shifted along, their textures (``ml/copies/sound/bands.py``) are correlated
at every lag in windows of 3 s. The same sound shows as a peak one or two frames wide that stands
far above all other lags: what decides is its height times how far it stands out, in standard
deviations of the other lags. The correlation alone doesn't: two sentences of one speaker reach .33,
as does a sentence under music 6 dB louder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, Segment, Sound
from ml.copies.sound.audibility import LEAST_AUDIBLE_S
from ml.copies.sound.bands import BANDS, BANDS_PER_OCTAVE, RATE_HZ, span, texture

# Long matches are heard in pieces of this many frames.
PIECE = round(30.0 * RATE_HZ)
# Windows that correlate less near the peak have other sound.
SAME_WINDOW = 0.18
# Below this change a shift of pitch, a twentieth of an octave, is not told from none.
LEAST_CHANGE = 0.02
# Speeds tried around one that is nearly right.
FINE_STEPS = (-0.006, -0.003, 0.0, 0.003, 0.006)

# Pictures a second apart place a match to about 1.5 s; re-muxing shifts sound by less.
_LAG_S = 2.2
_WINDOW = round(3.0 * RATE_HZ)
_STEP = round(0.5 * RATE_HZ)
# Speeds tried around the pictures' speed: that is read off frames a second apart.
_SPEED_STEPS = (-0.03, -0.015, 0.0, 0.015, 0.03)
_TRIAL = round(10.0 * RATE_HZ)
# Around a peak, what still belongs to it.
_PEAK_REACH = 6
_LEAST_TEXTURE = 44.0
_LEAST_SPREAD = 0.003


@dataclass(frozen=True)
class Laid:
    """One piece of a match, at the speed and pitch under which it fits best."""

    speed: float
    pitch_shifted: bool
    lag_s: float
    height: float  # correlation at the peak, mean over windows
    peak: float  # the peak over the other lags, in their standard deviations
    windows: F32  # correlation of each window near the peak
    seconds: float

    @property
    def sureness(self) -> float:
        """How surely it is the same sound: other sound came to 2.1 at most, mostly to 1."""
        return self.height * self.peak


@dataclass(frozen=True)
class Fit:
    """The best lag at one speed and pitch, as in ``Laid``; the lag in frames of the query."""

    height: float
    peak: float
    lag: int
    windows: F32

    @property
    def sureness(self) -> float:
        """As in ``Laid``."""
        return self.height * self.peak


def lay(query: Sound, reference: Sound, piece: Segment) -> Laid | None:
    """The best fit of a piece; None when it is too short to say anything."""
    place = span(query, piece.query_start_s, piece.query_end_s)
    if place.stop - place.start < LEAST_AUDIBLE_S * RATE_HZ:
        return None
    middle = _middle(place, _TRIAL)
    trials = [
        (speed, shifted, fit_at(query, reference, piece, middle, speed, shifted))
        for speed, shifted in _speeds(piece.speed)
    ]
    speed, shifted, best = max(trials, key=lambda trial: trial[2].sureness)
    finer = [speed] if speed == 1.0 else [speed * (1 + step) for step in FINE_STEPS]
    fits = [(s, fit_at(query, reference, piece, place, s, shifted)) for s in finer]
    speed, best = max(fits, key=lambda fit: fit[1].sureness)
    return Laid(
        speed,
        shifted,
        best.lag * speed / RATE_HZ,
        best.height,
        best.peak,
        best.windows,
        (place.stop - place.start) / RATE_HZ,
    )


def _middle(place: slice, length: int) -> slice:
    spare = max(0, place.stop - place.start - length) // 2
    return slice(place.start + spare, place.stop - spare)


def _speeds(speed: float) -> list[tuple[float, bool]]:
    """(speed, whether the pitch goes with it) to try around the pictures' speed."""
    around = {round(speed * (1 + step), 4) for step in _SPEED_STEPS}
    if abs(speed - 1) < 0.04:
        around.add(1.0)
    return [
        (tried, shifted)
        for tried in sorted(around)
        for shifted in ((False, True) if abs(tried - 1) >= LEAST_CHANGE else (False,))
    ]


def fit_at(
    query: Sound,
    reference: Sound,
    piece: Segment,
    place: slice,
    speed: float,
    shifted: bool,
) -> Fit:
    """Correlation at all lags of the query's frames in ``place`` with the reference at a speed."""
    count = place.stop - place.start
    middle_s = (piece.query_start_s + piece.query_end_s) / 2
    lag = round(_LAG_S * RATE_HZ / speed)
    at_s = (place.start + np.arange(-lag, count + lag)) / RATE_HZ
    from_s = (piece.reference_start_s + piece.reference_end_s) / 2
    ours = texture(query.bands[place])
    theirs = texture_at(reference, from_s + speed * (at_s - middle_s), speed if shifted else 1.0)
    curves = curves_of(ours, theirs)
    return _peak_of(curves, lag)


def texture_at(sound: Sound, at_s: F64, pitch: float) -> F32:
    """Texture of a sound read at the given times, its pitch multiplied; zeros outside it."""
    position = at_s * RATE_HZ
    count = len(sound.bands)
    inside = (position >= 0) & (position <= count - 1)
    read = np.clip(position, 0, count - 1)
    first = np.minimum(read.astype(np.int64), max(count - 2, 0))
    second = np.minimum(first + 1, count - 1)
    share = (read - first).astype(np.float32)[:, None]
    energy = sound.bands[first] * (1 - share) + sound.bands[second] * share
    result = texture(_shifted(energy, pitch))
    result[~inside] = 0
    return result


def _shifted(energy: F32, pitch: float) -> F32:
    if pitch == 1.0:
        return energy
    source = np.arange(BANDS) - BANDS_PER_OCTAVE * np.log2(pitch)
    low = np.clip(np.floor(source).astype(int), 0, BANDS - 2)
    share = np.clip(source - low, 0, 1).astype(np.float32)
    moved: F32 = energy[:, low] * (1 - share) + energy[:, low + 1] * share
    moved[:, (source < -0.5) | (source > BANDS - 0.5)] = 0
    return moved


def curves_of(ours: F32, theirs: F32, window: int = _WINDOW, step: int = _STEP) -> F32:
    """float32[windows, lags]: correlation of windows of ``ours`` at each lag."""
    count, lags = len(ours), len(theirs) - len(ours) + 1
    products = np.empty((count, lags), np.float32)
    for start in range(0, count, 128):
        block = ours[start : start + 128]
        n = len(block)
        gram = block @ theirs[start : start + n + lags - 1].T
        products[start : start + n] = np.lib.stride_tricks.as_strided(
            gram, (n, lags), (gram.strides[0] + gram.strides[1], gram.strides[1])
        )
    length = min(window, count)
    starts = np.arange(0, count - length + 1, step)
    sums = _running(products)
    dot = sums[starts + length] - sums[starts]
    mine = _running((ours * ours).sum(axis=1))
    other = _running((theirs * theirs).sum(axis=1))
    at = starts[:, None] + np.arange(lags)
    own = mine[starts + length] - mine[starts]
    beside = other[at + length] - other[at]
    least = _LEAST_TEXTURE * length
    return (dot / np.sqrt(np.maximum(own, least)[:, None] * np.maximum(beside, least))).astype(
        np.float32
    )


def _running(values: npt.NDArray[np.float32]) -> F64:
    return np.concatenate(
        [np.zeros_like(values[:1], np.float64), np.cumsum(values, axis=0, dtype=np.float64)]
    )


def _peak_of(curves: F32, lag: int) -> Fit:
    mean = curves.mean(axis=0)
    smooth = np.convolve(np.pad(mean, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    best = int(np.argmax(smooth))
    far = np.concatenate([smooth[: max(0, best - _PEAK_REACH)], smooth[best + _PEAK_REACH + 1 :]])
    peak = float((smooth[best] - far.mean()) / (far.std() + _LEAST_SPREAD))
    near = curves[:, max(0, best - 3) : best + 4].max(axis=1)
    return Fit(float(mean[best]), peak, best - lag, near)


def score_of(found: Laid, even: float = 2.0) -> float:
    """0 to 1; 0.5 where the sureness is ``even``."""
    sureness = max(0.0, found.sureness)
    return sureness**2 / (sureness**2 + even**2)
