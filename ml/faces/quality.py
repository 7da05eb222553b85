"""How much a face can be trusted: a quality of 0 to 1, and the flaw that keeps it from clustering.

Limits were chosen on 39 clear faces of 12 people in recordings, made worse step by step and found,
aligned and embedded anew. What counts is when different people come to lie less than .36 apart,
which clear faces never did. Faces that lose their detail all come to look alike, and would join
people who never met. Not told from clear ones: pictures squeezed to half their width, JPEG of
quality 4 and grain of 40 levels, which bring 4-16 % of strangers' pairs too near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.faces.alignment import DLIB, similarity
from ml.faces.boxes import F32, U8

# Scaled down to 36 px of 768, a face lies .17 from its own clear ones (.12 among themselves); at
# 30 px .19, and .4 % of strangers' pairs are too near; at 22 px .26, and 1 % are.
SMALLEST_PX = 40
# Blurred by 2 % of the face's width detail is .43-.53 and .9 % of strangers' pairs are too near;
# by 3 % it is .37-.43 and 4 % are, by 4 % 19 %. Clear faces have .57-.76, at 36 px .49-.61.
LEAST_DETAIL = 0.43
# In levels of 255, standard deviation within the face: at 5-7 1 % of strangers' pairs are too near,
# at 3-4 4-30 %. Clear faces have 20 and more, in a dark hall 11.
LEAST_CONTRAST = 8.0
# Burnt-out pixels: at .2-.4 of the face 1.6 % of strangers' pairs are too near, at .8 12 %.
MOST_BURNT_SHARE = 0.5
# Shift of the nose from the middle in distances between the eyes. A speaker who turns has up to
# .33; faces seen from the side .5 to 1, and two strangers seen from the side lie .35 apart.
MOST_YAW = 0.4
# In the picture's plane: at 30 degrees a face is known as well as upright, at 45 two of 38 were
# taken for somebody else.
MOST_ROLL_DEG = 40.0
# Cut off at 15 % of its box a face lies .14-.17 from its own; at 30 % .20-.24, and up to 1.4 % of
# strangers' pairs are too near.
MOST_OUTSIDE_SHARE = 0.2

# The face within a 150 px chip, which has a margin of a quarter of the face on each side.
_FACE_PX = slice(25, 125)
_BURNT_LEVEL = 250


@dataclass(frozen=True)
class Look:
    """What was measured of one face.

    Attributes:
        size_px: shorter side of its box, in pixels of the picture.
        detail: fine structure against the next coarser, about .3 (none) to .8; see `detail_of`.
        contrast: standard deviation of luma within the face, 0 to 127.
        burnt_share: share of its pixels at the upper end of the scale.
        yaw: shift of the nose in distances between the eyes; negative towards the left.
        roll_deg: turn in the picture's plane, clockwise.
        outside_share: share of the face that leaves the picture.
    """

    size_px: int
    detail: float
    contrast: float
    burnt_share: float
    yaw: float
    roll_deg: float
    outside_share: float


def look_at(chip: U8, landmarks: F32, size_px: int, width_px: int, height_px: int) -> Look:
    """Measures a face.

    Args:
        chip: uint8[150, 150, 3], aligned by `ml.faces.alignment.DLIB`.
        landmarks: float32[5, 2], pixels of the picture.
        size_px: shorter side of its box.
        width_px, height_px: the picture's.
    """
    import cv2

    luma = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    face = luma[_FACE_PX, _FACE_PX]
    yaw, roll_deg = pose_of(landmarks)
    return Look(
        size_px=size_px,
        detail=detail_of(luma),
        contrast=float(face.std()),
        burnt_share=float((face >= _BURNT_LEVEL).mean()),
        yaw=yaw,
        roll_deg=roll_deg,
        outside_share=outside_share(landmarks, width_px, height_px),
    )


def detail_of(luma: F32) -> float:
    """Structure of some 3 px in a chip float32[150, 150], as a multiple of that of some 6 px.

    Differences of Gaussians, so it does not depend on contrast or light, and blocks and noise of
    single pixels weigh little: the plain Laplacian took JPEG at quality 4 for the sharpest.
    """
    import cv2

    once, twice, four = (cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in (1.5, 3.0, 6.0))
    coarse = float((twice - four)[_FACE_PX, _FACE_PX].std())
    return float((once - twice)[_FACE_PX, _FACE_PX].std()) / max(coarse, 1e-3)


def pose_of(landmarks: F32) -> tuple[float, float]:
    """Yaw and roll (see `Look`) of float32[5, 2]; landmarks that coincide give no yaw, no roll."""
    left_eye, right_eye, nose = landmarks[:3].astype(np.float64)
    across = right_eye - left_eye
    distance = float(np.hypot(*across))
    if distance < 1e-6:
        return 0.0, 0.0
    middle = landmarks[[0, 1, 3, 4]].mean(axis=0)
    yaw = float((nose - middle) @ across) / distance**2
    return yaw, float(np.degrees(np.arctan2(across[1], across[0])))


def outside_share(landmarks: F32, width_px: int, height_px: int) -> float:
    """The share of the face that leaves the picture, 0 to 1, by a grid of 20 x 20 places."""
    places = np.linspace(_FACE_PX.start, _FACE_PX.stop, 20, dtype=np.float32)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    transform = similarity(DLIB.landmarks, landmarks)
    at = grid @ transform[:, :2].T + transform[:, 2]
    inside = (at >= 0).all(axis=1) & (at[:, 0] < width_px) & (at[:, 1] < height_px)
    return float(1 - inside.mean())


def flaw_of(look: Look, is_sure: bool) -> str:
    """One of `ml.schemas.FACE_FLAWS`, the first that holds; empty for a clear face.

    "blurred" stands for faces without detail for any reason: out of focus, too dark, burnt out.

    Args:
        look: the face.
        is_sure: whether the detector is.
    """
    flaws = {
        "unsure": not is_sure,
        "small": look.size_px < SMALLEST_PX,
        "cut": look.outside_share > MOST_OUTSIDE_SHARE,
        "turned": abs(look.yaw) > MOST_YAW or abs(look.roll_deg) > MOST_ROLL_DEG,
        "blurred": look.detail < LEAST_DETAIL
        or look.contrast < LEAST_CONTRAST
        or look.burnt_share > MOST_BURNT_SHARE,
    }
    return next((flaw for flaw, holds in flaws.items() if holds), "")


def quality_of(look: Look) -> float:
    """0 to 1: the product of size, detail, pose and light, each 1 for a face that is good enough.

    Over 1,297 faces made smaller, blurred, darker, brighter or cut, its rank correlation with the
    distance to their own clear faces is -.74.
    """
    size = _ramp(look.size_px, 8, 64)
    detail = _ramp(look.detail, 0.3, 0.6)
    pose = 1 - _ramp(abs(look.yaw), 0.1, 1.0)
    light = _ramp(look.contrast, 2, 14) * (1 - look.burnt_share)
    return float(size * detail * pose * light * (1 - look.outside_share))


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
