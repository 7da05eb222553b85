"""A sound that was changed is found at its speed, its pitch and its lag."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.sound.along import compare_along
from ml.copies.sound.bands import RATE_HZ
from ml.media.sound import SAMPLE_RATE_HZ
from tests.unit.copies.sounds import along, heard, hiss, resampled, stretched, tune

ORIGINAL = tune(1, 12.0)
REFERENCE = heard(ORIGINAL)


@pytest.mark.parametrize(
    ("kind", "samples", "speed"),
    [
        ("as it is", ORIGINAL, 1.0),
        ("quieter", ORIGINAL * 0.1, 1.0),
        ("clipped", ORIGINAL * 8, 1.0),
        ("noise", ORIGINAL + hiss(5, 12.0, 950.0), 1.0),
        ("under other music", ORIGINAL + tune(9, 12.0), 1.0),
        ("under louder music", ORIGINAL + 2 * tune(9, 12.0), 1.0),
        ("tape speed", resampled(ORIGINAL, 1.25), 1.25),
        ("slow tape speed", resampled(ORIGINAL, 0.8), 0.8),
        ("tempo", stretched(ORIGINAL, 1.25), 1.25),
        ("slow tempo", stretched(ORIGINAL, 0.8), 0.8),
    ],
)
def test_changed_sound_is_the_same_sound(kind: str, samples: np.ndarray, speed: float) -> None:
    query = heard(samples)
    seconds = len(query.bands) / RATE_HZ
    found = compare_along(query, REFERENCE, along(seconds, 0.9, speed * 1.01))
    assert found.state == "same", (kind, found.reason)
    assert found.speed == pytest.approx(speed, rel=0.01)
    if speed != 1:
        assert found.pitch_shifted == ("tape" in kind)


def test_sound_that_was_shifted_against_the_pictures_is_found() -> None:
    late = np.concatenate([np.zeros(SAMPLE_RATE_HZ), ORIGINAL])
    found = compare_along(heard(late), REFERENCE, along(12.0))
    assert found.state == "same"
    assert found.lag_s == pytest.approx(-1.0, abs=0.05)
