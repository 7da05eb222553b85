"""Sound that two videos share is found without pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ml.copies.sound.alone import match_sounds
from ml.media.sound import SAMPLE_RATE_HZ
from tests.unit.copies.sounds import heard, resampled, tune

ORIGINAL = tune(1, 12.0)
REFERENCE = heard(ORIGINAL)


def test_a_stretch_of_sound_is_found_without_pictures() -> None:
    copy = np.concatenate([tune(20, 3.0), ORIGINAL[4 * SAMPLE_RATE_HZ : 10 * SAMPLE_RATE_HZ]])
    (found,) = match_sounds(heard(copy), REFERENCE)
    assert found.query_start_s == pytest.approx(3.0, abs=0.4)
    assert found.query_end_s == pytest.approx(9.0, abs=0.3)
    assert found.reference_start_s == pytest.approx(4.0, abs=0.4)
    assert found.speed == pytest.approx(1.0, abs=0.01)


def test_a_faster_stretch_of_sound_is_found_without_pictures() -> None:
    (found,) = match_sounds(heard(resampled(ORIGINAL, 1.2)), REFERENCE)
    assert found.speed == pytest.approx(1.2, rel=0.01)
    assert found.query_end_s - found.query_start_s > 8.5


def test_other_music_shares_no_sound() -> None:
    for seed in range(30, 34):
        assert match_sounds(heard(tune(seed, 8.0)), REFERENCE) == []


def test_a_loop_gives_segments_that_share_no_time() -> None:
    loop = np.tile(tune(40, 4.0), 3)
    found = match_sounds(heard(loop), heard(loop[: 8 * SAMPLE_RATE_HZ]))
    assert 1 <= len(found) <= 3
    for before, after in pairwise(found):
        assert after.query_start_s >= before.query_end_s
