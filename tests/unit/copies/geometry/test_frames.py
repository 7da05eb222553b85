"""Frames that show the same picture are found whatever was done to them, and others are not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from ml.copies.evidence import Pictures
from ml.copies.features import empty_pictures
from ml.copies.geometry.confidence import MIN_WEIGHT
from ml.copies.geometry.frames import match_frames
from tests.unit.copies.geometry.edited import (
    NAMES,
    captioned,
    cropped,
    filmed,
    in_corner,
    letterboxed,
    pairs,
    picture,
    pictures,
    recompressed,
    small,
    turned,
)

Edit = Callable[[np.ndarray], np.ndarray]
EDITS: dict[str, Edit] = {
    "recompressed": recompressed,
    "a quarter of the size": small,
    "cropped to half": cropped,
    "turned by 5 degrees": lambda p: turned(p, 5),
    "turned by 90 degrees": lambda p: np.rot90(p, -1),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 3),
    "picture in picture": in_corner,
    "filmed from a screen": filmed,
    "captioned": lambda p: captioned(p, "WATCH UNTIL THE END"),
    "letterboxed": letterboxed,
    "dark": lambda p: (p * 0.4).astype(np.uint8),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_frame_matches_its_original_and_no_other(originals: Pictures, edit: str) -> None:
    query = pictures([EDITS[edit](picture(name)) for name in NAMES])
    found = match_frames(query, originals)
    wanted = {(i, i) for i in range(len(NAMES))}
    assert pairs(found, MIN_WEIGHT) - wanted == set()
    assert len(pairs(found) & wanted) >= len(NAMES) - (edit == "picture in picture")


def test_mirrored_frames_match_when_asked_for_and_not_otherwise(originals: Pictures) -> None:
    query = pictures([picture(name)[:, ::-1] for name in NAMES])
    found = match_frames(query, originals, mirrored=True)
    assert pairs(found) == {(i, i) for i in range(len(NAMES))}
    assert found.mirrored.all()
    plain = match_frames(query, originals)
    assert pairs(plain) == set()
    assert not plain.mirrored.any()


def test_nothing_matches_an_empty_video(originals: Pictures) -> None:
    assert len(match_frames(empty_pictures(), originals).weight) == 0
    assert len(match_frames(originals, empty_pictures()).weight) == 0


def test_swapping_the_videos_finds_the_same_pairs(originals: Pictures) -> None:
    query = pictures([in_corner(picture("china")), cropped(picture("coffee"))])
    forth = pairs(match_frames(query, originals), 0.3)
    back = pairs(match_frames(originals, query), 0.3)
    assert forth == {(q, r) for r, q in back} == {(0, 0), (1, 1)}
