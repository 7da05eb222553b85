"""A transform says where a crop was, how a frame was turned, and what both show."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.evidence import Pictures
from ml.copies.geometry.frames import match_frames
from ml.copies.geometry.transforms import overlap_box, rotation_deg, scale
from tests.unit.copies.geometry.edited import HEIGHT, WIDTH, cropped, picture, pictures


def test_transform_says_where_the_crop_was(originals: Pictures) -> None:
    found = match_frames(pictures([cropped(picture("china"))]), originals)
    transform = found.transform[found.reference_frame == 0][0]
    assert scale(transform) == pytest.approx(0.5, abs=0.02)
    assert rotation_deg(transform) == pytest.approx(0, abs=2) or (rotation_deg(transform) > 358)
    overlap = overlap_box(transform, WIDTH / HEIGHT, WIDTH / HEIGHT)
    assert overlap is not None
    expected = np.array([100, 70, 340, 205]) / WIDTH
    assert np.allclose(overlap.reference, expected, atol=0.02)
    assert overlap.query_share == pytest.approx(1, abs=0.03)
    assert overlap.reference_share == pytest.approx(0.25, abs=0.03)


def test_transform_of_a_turned_frame_turns_it_back(originals: Pictures) -> None:
    query = pictures([np.rot90(picture("china"), -1)])  # a quarter turn clockwise
    found = match_frames(query, originals)
    assert rotation_deg(found.transform[0]) == pytest.approx(270, abs=2)


def test_transform_of_a_mirrored_frame_maps_mirrored_places(originals: Pictures) -> None:
    found = match_frames(pictures([picture("china")[:, ::-1]]), originals, mirrored=True)
    assert np.allclose(found.transform[0], np.eye(2, 3), atol=0.01)


def test_pictures_apart_do_not_overlap() -> None:
    shifted = np.array([[1, 0, 2.0], [0, 1, 0]], np.float32)
    assert overlap_box(shifted, 1.5, 1.5) is None
