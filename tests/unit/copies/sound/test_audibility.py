"""What can be heard to be a sound of its own."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.sound.alone import match_sounds
from ml.copies.sound.along import compare_along
from ml.copies.sound.audibility import is_silent
from ml.media.sound import SAMPLE_RATE_HZ
from tests.unit.copies.sounds import along, heard, hiss, tune
from tests.unit.speech.sounds import speech

REFERENCE = heard(tune(1, 12.0))


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(5 * SAMPLE_RATE_HZ),
        hiss(1, 5.0, 20.0),
        9000 * np.sin(np.arange(5 * SAMPLE_RATE_HZ) * 2 * np.pi * 1000 / SAMPLE_RATE_HZ),
    ],
    ids=["silence", "hiss", "tone"],
)
def test_silence_hiss_and_tone_say_nothing(samples: np.ndarray) -> None:
    sound = heard(samples)
    assert is_silent(sound)
    assert compare_along(sound, REFERENCE, along(5.0)).state == "silent"
    assert compare_along(REFERENCE, sound, along(5.0)).state == "silent"
    assert match_sounds(sound, sound) == []


def test_speech_and_music_are_audible() -> None:
    assert not is_silent(REFERENCE)
    assert not is_silent(heard(speech("moon").astype(np.float64)))
