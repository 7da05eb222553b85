"""Brings faces to where a recogniser expects them: eyes, nose and mouth at fixed places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.faces.boxes import F32, U8


@dataclass(frozen=True)
class Template:
    """Where a recogniser expects the landmarks, float32[5, 2], in a chip of side_px a side."""

    landmarks: F32
    side_px: int


# Where MTCNN's landmarks fall in the chips that dlib cuts out by its own five landmarks
# (get_face_chip, 150 px, padding 0.25): means over 107 near-frontal faces of 11 people, with
# standard deviations of 0.9-2.7 px; made symmetric, so that mirroring a picture mirrors its chip.
# Vectors lie .075 from those by dlib's own alignment, two frames of one person .137 apart.
DLIB = Template(
    np.array([[47.3, 46.3], [101.7, 46.3], [74.5, 76.7], [52.3, 108.6], [96.7, 108.6]], np.float32),
    150,
)


def similarity(source: F32, target: F32) -> npt.NDArray[np.float64]:
    """The turn, scale and shift float64[2, 3] that brings points [n, 2] nearest to others.

    Least squares without mirroring (Umeyama 1991), in closed form for two dimensions. Points that
    are all the same are only shifted.
    """
    source, target = source.astype(np.float64), target.astype(np.float64)
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    spread = float((a**2).sum())
    if spread == 0:
        return np.hstack([np.eye(2), (target.mean(axis=0) - source.mean(axis=0))[:, None]])
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([turn, (target.mean(axis=0) - turn @ source.mean(axis=0))[:, None]])


def aligned_chip(picture: U8, landmarks: F32, template: Template) -> U8:
    """The face uint8[side, side, 3] at the template's place and scale; black outside the picture.

    A face larger than the chip is warped at a whole multiple of its side and then averaged:
    bilinear sampling alone would skip pixels.
    """
    import cv2

    transform = similarity(landmarks, template.landmarks)
    scale = float(np.hypot(*transform[:, 0]))
    side = template.side_px
    # A multiple of 8 is a face eight chips wide, 1,200 px and more: frames hold none.
    times = int(np.clip(np.ceil(1 / max(scale, 1e-6)), 1, 8))
    transform = _for_pixel_centres(transform, times)
    chip = cv2.warpAffine(picture, transform, (side * times,) * 2, flags=cv2.INTER_LINEAR)
    if times > 1:
        chip = cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(chip, np.uint8)


def _for_pixel_centres(transform: npt.NDArray[np.float64], times: int) -> npt.NDArray[np.float64]:
    """The transform into a picture of `times` the size, whose pixels' centres are whole numbers."""
    larger = transform * times
    larger[:, 2] += (times - 1) / 2
    return larger
