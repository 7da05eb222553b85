"""Frames without features match by their hashes, unless they have no detail either."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import Pictures
from ml.copies.geometry.frames import match_frames
from tests.unit.copies.geometry.edited import HEIGHT, NAMES, WIDTH, pairs, pictures


def test_frames_without_features_match_by_hash_alone(originals: Pictures) -> None:
    bare = Pictures(
        **{
            **vars(originals),
            "offsets": np.zeros(len(NAMES) + 1, np.int32),
            "geometry": np.zeros((0, 4), np.float32),
            "descriptors": np.zeros((0, 128), np.uint8),
        }
    )
    found = match_frames(bare, originals)
    assert pairs(found) == {(i, i) for i in range(len(NAMES))}
    assert not found.inliers.any()


def test_black_and_flat_frames_match_nothing_not_even_themselves() -> None:
    flat = pictures([np.full((HEIGHT, WIDTH, 3), grey, np.uint8) for grey in (0, 90, 255)])
    assert pairs(match_frames(flat, flat), 0) == set()
