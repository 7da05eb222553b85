"""Movement is compared in the region that both pictures show, however it lies there."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import Motion
from tests.unit.copies.motion.filmed import compared, filmed, part, ticks


def test_small_picture_in_another_moving_picture_is_found(original: Motion) -> None:
    to_scene = np.array([[1 / 0.35, 0, -0.6 / 0.35], [0, 1 / 0.35, -0.55 / 0.35]])
    query = filmed(1, ticks(8, 3), to_scene)
    found = compared(query, original, part((0, 8), 3), to_scene.astype(np.float32))
    assert found.finding == "same"
    assert compared(query, original, part((0, 8), 3)).finding == "other"  # not the whole picture


def test_crop_is_found_in_the_region_that_it_shows(original: Motion) -> None:
    to_scene = np.array([[0.6, 0, 0.2], [0, 0.6, 0.3]])
    found = compared(
        filmed(1, ticks(8, 3), to_scene), original, part((0, 8), 3), to_scene.astype(np.float32)
    )
    assert found.finding == "same" and found.correlation > 0.9


def test_mirrored_copy_is_found_when_mirrored(original: Motion) -> None:
    query = filmed(1, ticks(8, 3), np.array([[-1.0, 0, 1], [0, 1, 0]]))
    assert compared(query, original, part((0, 8), 3), mirrored=True).finding == "same"
    assert compared(query, original, part((0, 8), 3)).finding == "other"


def test_quarter_turn_of_a_wide_picture_is_found(original: Motion) -> None:
    # Turned clockwise: the reference's x is the query's y, its y runs against the query's x.
    query = filmed(1, ticks(8, 3), np.array([[0, 1.0, 0], [-1.0, 0, 1]]))
    turn = np.array([[0, 1, 0], [-1, 0, 9 / 16]], np.float32)
    found = compared(query, original, part((0, 8), 3), turn, (9 / 16, 16 / 9))
    assert found.finding == "same" and found.correlation > 0.9


def test_nothing_can_be_told_where_no_region_is_shared(original: Motion) -> None:
    away = np.array([[1, 0, 5], [0, 1, 5]], np.float32)
    flat = np.array([[0, 0, 0.5], [0, 0, 0.5]], np.float32)
    for transform in (away, flat):
        assert not compared(original, original, part((0, 20), 0), transform).can_tell
