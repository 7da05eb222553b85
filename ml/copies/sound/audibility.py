"""What of a sound can be heard to be this sound: silence, hiss, hum and a steady tone cannot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, Sound
from ml.copies.sound.bands import BANDS, RATE_HZ, clipped, local_mean, span

# A sound with less of it than this says nothing about which one it is.
LEAST_AUDIBLE_S = 0.6

_AUDIBLE_SHARE = 0.02
# Loudness below which nothing is heard: 16 bit dither lies at -98 dB, and a phone's noise in a
# quiet room at -56 to -46 dB in the clips tried.
_SILENT_DB = -75.0
# The shape of the spectrum, over 0.2 s and 4 bands, must move by this much within 2 s.
_MOVING_DB = 2.2
_LOUD_DB = -45.0


def audible(sound: Sound) -> npt.NDArray[np.bool_]:
    """bool[T]: frames that say which sound this is.

    Silence, a steady hiss and a steady tone don't: there the shape of the spectrum, smoothed over
    0.2 s and 4 bands, spreads by up to 0.8 dB within 2 s (hiss after 16 kb/s MP3: 2.2), a rocket's
    rumble by 1.7. In speech it spreads by 2.7 to 7.5 dB, in music by 1.8 to 6.5. A gain that swells
    doesn't count. Music under noise 10 dB below it passes in a quarter to 0.8 of its frames only.
    """
    if not len(sound.bands):
        return np.zeros(0, np.bool_)
    groups: F32 = clipped(sound.bands).reshape(-1, BANDS // 4, 4).mean(axis=2)
    shape = local_mean(groups - groups.mean(axis=1, keepdims=True), 3)
    around = local_mean(shape, 31)
    spread = np.maximum(local_mean(shape * shape, 31) - around * around, 0).mean(axis=1)
    heard = _local_max(sound.level_db, 3) > _SILENT_DB
    result: npt.NDArray[np.bool_] = heard & (spread > _MOVING_DB**2)
    return result


def _local_max(values: F32, reach: int) -> F32:
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)


def is_silent(sound: Sound) -> bool:
    """Whether nothing in it says which sound this is: silence, hiss, hum or a tone throughout."""
    heard = int(audible(sound).sum())
    return heard < max(LEAST_AUDIBLE_S * RATE_HZ, _AUDIBLE_SHARE * len(sound.bands))


def heard(sound: Sound, start_s: float, end_s: float) -> tuple[float, bool]:
    """Seconds that say which sound this is, and whether it is loud noise from end to end."""
    margin = round(1.0 * RATE_HZ)
    place = span(sound, start_s, end_s)
    wide = slice(max(0, place.start - margin), place.stop + margin)
    cut = Sound(sound.rate_hz, sound.bands[wide], sound.hashes[wide], sound.level_db[wide])
    mask = audible(cut)[place.start - wide.start :][: place.stop - place.start]
    return float(mask.sum()) / RATE_HZ, _is_loud_noise(cut)


def _is_loud_noise(sound: Sound) -> bool:
    """Wind, an engine, applause: loud in most bands, which neither a noise floor nor a tone is."""
    if not len(sound.bands) or float(np.median(sound.level_db)) < _LOUD_DB:
        return False
    typical = np.median(sound.bands, axis=0).astype(np.float32)
    return bool((typical > typical.max() - 30).mean() > 0.5)
