"""Landmarks: threes of spectral peaks, the words by which an inverted index finds sound.

A peak is a local maximum of a video's log-band energies (``ml/copies/sound/bands.py``) over 0.26 s
and half an octave, the 16 strongest of each second. A landmark is a peak and two of the five after
it within 1 s and 1.6 octaves, and the times between them: Wang's pairs ("An Industrial-Strength
Audio Search Algorithm", ISMIR 2003) with a third peak, because there are so few words of pairs
that a query of 30 s took twice as long against 1,000 videos. Speeding a sound up divides times, and
shifting its pitch adds to the bands, so that a query is tried at other speeds without its sound.

Of some 105 landmarks a second a copy keeps, in the median over 16 sounds: 49 after 32 kb/s AAC, 18
under noise 10 dB below the sound, 17 in reverb, 27 at another tempo, 16 at another tempo and pitch,
7 under music as loud and 2.4 under music 6 dB louder.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, I32, Sound
from ml.copies.sound.audibility import audible
from ml.copies.sound.bands import BANDS_PER_OCTAVE, RATE_HZ, clipped, local_mean

PEAKS_PER_S = 16
_FAN = 5
_LONGEST = 32  # frames between the peaks of a landmark
_FURTHEST = 16  # bands between them
_LEAST_DB = 3.0  # over the band's mean within 2 s
# Times are rounded to 2 frames, for cutting elsewhere moves a peak by a frame; bands to 1.5.
_STEP, _STEPS = 2.0, 17
_COARSE, _PLACES = 1.5, 33
_JUMPS = 2 * 12 + 1
WORDS = _PLACES * _JUMPS**2 * _STEPS**2

# Speeds at which a query is tried, 4.5 % apart, each with the pitch kept and shifted.
_SPEEDS = tuple(float(np.exp(step * 0.045)) for step in range(-9, 10))
CHANGES = tuple(
    (speed, shifted) for speed in _SPEEDS for shifted in ((False,) if speed == 1 else (False, True))
)
# Votes are counted in bins of 6 frames and their neighbours: at a speed 2 % off, 10 s drift by 6.
BIN = 6
_LEAST_VOTES = 5
_MOST_LINES = 12


@dataclass(frozen=True)
class Peaks:
    """Peaks in order of time."""

    frame: F32  # [P] with fractions
    band: F32  # [P] with fractions

    def changed(self, speed: float, shifted: bool) -> Peaks:
        """The peaks as they lie in a sound that this one is ``speed`` times as fast as."""
        shift = BANDS_PER_OCTAVE * float(np.log2(speed)) if shifted else 0.0
        return Peaks(self.frame * np.float32(speed), self.band - np.float32(shift))


def peaks_of(sound: Sound) -> Peaks:
    """The peaks of what is audible."""
    if len(sound.bands) < 8:
        return Peaks(np.zeros(0, np.float32), np.zeros(0, np.float32))
    raised = clipped(sound.bands)
    raised = raised - local_mean(raised, 31)
    raised[1:-1] = (raised[:-2] + 2 * raised[1:-1] + raised[2:]) / 4
    highest = _highest(_highest(raised, 4, 0), 2, 1)
    found = (raised >= highest) & (raised > _LEAST_DB) & audible(sound)[:, None]
    frame, band = np.nonzero(found)
    kept = _strongest(frame, raised[frame, band])
    frame, band = frame[kept], band[kept]
    return Peaks(frame + _vertex(raised, frame, band, 0), band + _vertex(raised, frame, band, 1))


def _highest(values: F32, reach: int, axis: int) -> F32:
    width = [(0, 0), (0, 0)]
    width[axis] = (reach, reach)
    padded = np.pad(values, width, constant_values=-np.inf)
    result = values.copy()
    for shift in range(2 * reach + 1):
        moved = np.take(padded, range(shift, shift + values.shape[axis]), axis=axis)
        np.maximum(result, moved, out=result)
    return result


def _strongest(frame: npt.NDArray[np.int64], height: F32) -> npt.NDArray[np.int64]:
    """Positions of the ``PEAKS_PER_S`` highest of each second, in order of time."""
    second = (frame / RATE_HZ).astype(np.int64)
    order = np.lexsort((-height, second))
    rank = np.arange(len(order)) - np.searchsorted(second[order], second[order])
    return np.sort(order[rank < PEAKS_PER_S])


def _vertex(
    values: F32, frame: npt.NDArray[np.int64], band: npt.NDArray[np.int64], axis: int
) -> F32:
    """Where between its neighbours the parabola through a peak is highest, -0.5 to 0.5."""
    step = (1, 0) if axis == 0 else (0, 1)
    last = (values.shape[0] - 1, values.shape[1] - 1)
    before = values[np.maximum(frame - step[0], 0), np.maximum(band - step[1], 0)]
    after = values[np.minimum(frame + step[0], last[0]), np.minimum(band + step[1], last[1])]
    bend = np.minimum(before - 2 * values[frame, band] + after, -1e-3)
    return np.clip(0.5 * (before - after) / bend, -0.5, 0.5).astype(np.float32)


def landmarks(peaks: Peaks, *, both_sides: bool = False) -> tuple[I32, F32]:
    """Words int32[L], 0 to WORDS - 1, and the frame of each one's first peak, float32[L].

    With ``both_sides`` a landmark comes four times: with each of its times rounded to either side,
    as a query needs that was cut elsewhere than what it looks for.
    """
    first, second, third = _threes(peaks)
    place = np.rint(peaks.band / _COARSE).astype(np.int64)
    low, reach = place[first], _JUMPS // 2
    jumps = (place[second] - low + reach) * _JUMPS + place[third] - low + reach
    good = (low >= 0) & (low < _PLACES)
    words, frames = [], []
    for near in _rounded((peaks.frame[second] - peaks.frame[first]) / _STEP, both_sides):
        for far in _rounded((peaks.frame[third] - peaks.frame[first]) / _STEP, both_sides):
            kept = good & (near >= 0) & (near < _STEPS) & (far >= 0) & (far < _STEPS)
            word = (low * _JUMPS**2 + jumps) * _STEPS**2 + near * _STEPS + far
            words.append(word[kept])
            frames.append(peaks.frame[first[kept]])
    return np.concatenate(words).astype(np.int32), np.concatenate(frames)


def _rounded(values: F32, both_sides: bool) -> list[npt.NDArray[np.int64]]:
    nearest = np.rint(values).astype(np.int64)
    if not both_sides:
        return [nearest]
    return [nearest, nearest + np.where(values > nearest, 1, -1)]


def _threes(peaks: Peaks) -> list[npt.NDArray[np.int64]]:
    """Positions of each peak and of every two of the first five that follow it near enough."""
    count = len(peaks.frame)
    following = np.full((count, _FAN), -1, np.int64)
    known = np.zeros(count, np.int64)
    for ahead in range(1, 4 * _FAN):
        first = np.arange(max(0, count - ahead))
        apart = peaks.frame[first + ahead] - peaks.frame[first]
        away = np.abs(peaks.band[first + ahead] - peaks.band[first])
        near = (apart >= 2) & (apart < _LONGEST) & (away <= _FURTHEST)
        first = first[near & (known[first] < _FAN)]
        following[first, known[first]] = first + ahead
        known[first] += 1
    found = []
    for second, third in combinations(range(_FAN), 2):
        first = np.flatnonzero(following[:, third] >= 0)
        found.append(np.stack([first, following[first, second], following[first, third]]))
    return list(np.concatenate(found, axis=1))


def joined(ours: I32, theirs: I32) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of positions with the same word: in ``ours``, and in ``theirs``, which is sorted."""
    low, high = np.searchsorted(theirs, ours), np.searchsorted(theirs, ours, "right")
    return expanded(low, high)


def expanded(
    low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(i, position) for each i and each position from ``low[i]`` to ``high[i] - 1``."""
    counts = high - low
    which = np.repeat(np.arange(len(low)), counts)
    ends = np.cumsum(counts)
    return which, np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts - low, counts)


def voted_lines(query: Peaks, reference: Peaks) -> list[tuple[float, bool, float, float]]:
    """(speed, pitch shifted, offset_s, middle_s) of lines most landmarks agree on, best first.

    Reference time is ``speed * query time + offset_s``; ``middle_s`` is the query's time around
    which the votes lie. Lines that few landmarks support are left out.
    """
    words, frames = landmarks(reference)
    order = np.argsort(words, kind="stable")
    words, frames = words[order], frames[order]
    found = []
    for speed, shifted in CHANGES:
        ours, at = landmarks(query.changed(speed, shifted), both_sides=True)
        mine, other = joined(ours, words)
        if not len(mine):
            continue
        offsets = np.rint((frames[other] - at[mine]) / BIN).astype(np.int64)
        lowest = int(offsets.min()) - 1
        votes = np.bincount(offsets - lowest, minlength=int(offsets.max()) - lowest + 2)
        near = votes + np.roll(votes, 1) + np.roll(votes, -1)
        usual = len(mine) * 3 / len(votes)
        for best in np.argsort(-near, kind="stable")[:3]:
            surplus = near[best] - usual - 3 * usual**0.5
            if surplus >= _LEAST_VOTES:
                agreeing = np.abs(offsets - lowest - best) <= 1
                middle = float(np.median(at[mine[agreeing]])) / speed
                offset = float(np.median((frames[other] - at[mine])[agreeing]))
                line = (speed, shifted, offset / RATE_HZ, middle / RATE_HZ)
                found.append((float(surplus), line))
    found.sort(key=lambda item: (-item[0], item[1]))
    return [line for _, line in found[:_MOST_LINES]]
