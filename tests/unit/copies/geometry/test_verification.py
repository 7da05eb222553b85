"""Features that look alike are no match unless their places agree."""

from __future__ import annotations

import cv2
import numpy as np

from ml.copies.geometry.frames import match_frames
from tests.unit.copies.geometry.edited import pairs, pictures


def test_repeated_texture_does_not_match_another_one() -> None:
    tile = np.random.default_rng(1).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    other = np.random.default_rng(2).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    wall, other_wall = (np.tile(cv2.GaussianBlur(t, (0, 0), 2), (9, 16, 1)) for t in (tile, other))
    assert pairs(match_frames(pictures([wall]), pictures([other_wall]))) == set()
