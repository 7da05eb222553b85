"""Whether two videos move alike along a segment, from thumbnails drawn by a formula."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.evidence import Motion
from tests.unit.copies.motion.filmed import FPS, compared, filmed, part, ticks


def test_copy_moves_alike_and_its_lag_is_found(original: Motion) -> None:
    found = compared(filmed(1, ticks(8, 5.3)), original, part((0, 8), 4.6))
    assert found.finding == "same" and found.correlation > 0.9
    assert found.lag_s == pytest.approx(0.7, abs=0.05)
    assert found.speed == 1.0
    assert (found.agreement > 0.8).all() and len(found.times_s) == len(found.agreement) == 8


def test_other_take_in_the_same_room_does_not(original: Motion) -> None:
    for take in (2, 3, 4):
        found = compared(filmed(take, ticks(8)), original, part((0, 8), 4))
        assert found.can_tell and found.finding == "other"


def test_other_minute_of_the_same_broadcast_does_not(original: Motion) -> None:
    found = compared(filmed(1, ticks(6)), original, part((0, 6), 10))
    assert found.finding == "other"


def test_nothing_can_be_told_of_stills() -> None:
    still = filmed(1, np.zeros(64), noise=0)
    grainy = filmed(1, np.zeros(64), noise=0.7)
    found = compared(grainy, still, part((0, 8), 0))
    assert not found.can_tell and found.finding == "unclear"


def test_nothing_can_be_told_of_too_few_thumbnails(original: Motion) -> None:
    assert not compared(filmed(1, ticks(0.5)), original, part((0, 0.5), 0)).can_tell
    assert not compared(filmed(1, ticks(8)), original, part((0, 8), 100)).can_tell


def test_all_black_can_not_be_told() -> None:
    black = Motion(FPS, np.zeros((80, 32, 32), np.uint8))
    assert not compared(black, black, part((0, 10), 0)).can_tell
