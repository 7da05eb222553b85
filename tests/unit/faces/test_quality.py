"""Quality falls and flaws appear with what makes people look alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.faces.alignment import DLIB, aligned_chip
from ml.faces.detector import Detector
from ml.faces.quality import Look, detail_of, flaw_of, look_at, outside_share, pose_of, quality_of
from ml.schemas import FACE_FLAWS
from tests.unit.faces.pictures import U8, astronaut

CLEAR = Look(
    size_px=100,
    detail=0.65,
    contrast=25.0,
    burnt_share=0.0,
    yaw=0.0,
    roll_deg=0.0,
    outside_share=0.0,
)
WORSE = {
    "small": {"size_px": 30},
    "blurred": {"detail": 0.35},
    "turned": {"yaw": -0.7},
    "cut": {"outside_share": 0.4},
}


@pytest.fixture(scope="module")
def chip() -> U8:
    picture = astronaut()
    (face,) = Detector().detect([picture])
    return aligned_chip(picture, face.landmarks[0], DLIB)


def seen(chip: U8) -> Look:
    return look_at(chip, DLIB.landmarks, 100, 150, 150)


def test_clear_face_has_no_flaw_and_full_quality() -> None:
    assert flaw_of(CLEAR, is_sure=True) == ""
    assert quality_of(CLEAR) == 1.0


@pytest.mark.parametrize("flaw", WORSE)
def test_each_flaw_has_its_measure(flaw: str) -> None:
    worse = replace(CLEAR, **WORSE[flaw])
    assert flaw_of(worse, is_sure=True) == flaw
    assert 0 <= quality_of(worse) < 0.7
    assert flaw in FACE_FLAWS


def test_unsure_detection_is_a_flaw_whatever_it_looks_like() -> None:
    assert flaw_of(CLEAR, is_sure=False) == "unsure"


@pytest.mark.parametrize(
    "change", [{"contrast": 4.0}, {"burnt_share": 0.8}, {"roll_deg": 60.0}, {"yaw": 0.6}]
)
def test_darkness_glare_and_turning_either_way_are_flaws(change: dict[str, float]) -> None:
    assert flaw_of(replace(CLEAR, **change), is_sure=True) in ("blurred", "turned")


def test_blur_lowers_detail_and_light_does_not(chip: U8) -> None:
    import cv2

    sharp = seen(chip)
    details = [seen(np.asarray(cv2.GaussianBlur(chip, (0, 0), s))).detail for s in (1, 2, 4, 8)]
    assert [sharp.detail, *details] == sorted([sharp.detail, *details], reverse=True)
    assert flaw_of(sharp, is_sure=True) == ""
    dark = seen((chip * 0.5).astype(np.uint8))
    assert dark.detail == pytest.approx(sharp.detail, abs=0.05)
    assert dark.contrast == pytest.approx(sharp.contrast / 2, rel=0.1)


def test_flat_chip_is_blurred_and_finite() -> None:
    look = seen(np.full((150, 150, 3), 7, np.uint8))
    assert flaw_of(look, is_sure=True) == "blurred"
    assert quality_of(look) == 0.0
    assert np.isfinite(detail_of(np.zeros((150, 150), np.float32)))


def test_yaw_and_roll_come_from_the_landmarks() -> None:
    yaw, roll_deg = pose_of(DLIB.landmarks)
    assert (yaw, roll_deg) == pytest.approx((0, 0), abs=1e-3)
    aside = DLIB.landmarks.copy()
    aside[2, 0] -= 27.2
    assert pose_of(aside)[0] == pytest.approx(-0.5, abs=0.01)
    assert pose_of(DLIB.landmarks @ np.array([[0, 1], [-1, 0]], np.float32))[1] == pytest.approx(90)
    assert pose_of(np.zeros((5, 2), np.float32)) == (0.0, 0.0)


def test_share_of_a_face_that_leaves_the_picture() -> None:
    assert outside_share(DLIB.landmarks, 150, 150) == 0
    assert outside_share(DLIB.landmarks, 75, 150) == pytest.approx(0.5, abs=0.05)
    assert outside_share(DLIB.landmarks - 1000, 150, 150) == 1
