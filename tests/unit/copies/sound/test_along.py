"""Whether two videos sound alike along shared pictures."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.sound.along import compare_along
from ml.copies.sound.bands import RATE_HZ
from tests.unit.copies.sounds import along, heard, tune
from tests.unit.speech.sounds import speech

ORIGINAL = tune(1, 12.0)
REFERENCE = heard(ORIGINAL)


def test_other_words_of_the_same_voice_are_different() -> None:
    names = ["moon", "orbit", "planets", "rocket"]
    sounds = [heard(speech(name).astype(np.float64)) for name in names]
    for i, one in enumerate(sounds):
        for other in sounds[i + 1 :]:
            seconds = min(len(one.bands), len(other.bands)) / RATE_HZ
            found = compare_along(one, other, along(seconds))
            assert found.state == "different", found.reason
            assert found.score < 0.5


def test_another_part_of_one_programme_is_different() -> None:
    half = len(ORIGINAL) // 2
    found = compare_along(heard(ORIGINAL[:half]), heard(ORIGINAL[half:]), along(6.0))
    assert found.state == "different"


def test_half_of_it_redubbed_is_told_by_its_share() -> None:
    redubbed = np.concatenate([ORIGINAL[: len(ORIGINAL) // 2], tune(7, 6.0)])
    found = compare_along(heard(redubbed), REFERENCE, along(12.0))
    assert found.same_share == pytest.approx(0.5, abs=0.15)
    assert "of the match only" in found.reason


def test_a_missing_track_is_missing_on_either_side() -> None:
    assert compare_along(None, REFERENCE, along(5.0)).state == "missing"
    assert compare_along(REFERENCE, None, along(5.0)).state == "missing"
    assert compare_along(None, None, along(5.0)).state == "missing"


def test_no_match_to_compare_along_says_nothing() -> None:
    assert compare_along(REFERENCE, REFERENCE, []).state == "silent"
