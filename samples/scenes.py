"""A shot's pictures: slow pans and zooms over photographs, drawings, and guests before them."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.drawings import DRAWINGS
from samples.photographs import PHOTOGRAPHS, photograph, tinted
from samples.presenters import with_guests
from samples.shots import Scene, Shot, View


def photo_scene(shot: Shot, width: int, height: int) -> Scene:
    """A photograph under a camera that eases from ``shot.start`` to ``shot.end``."""
    import cv2

    picture = tinted(photograph(shot.picture), shot.tone)
    rows, columns = picture.shape[:2]
    fit = min(columns / width, rows / height)

    def frame(shot_s: float, _: float) -> np.ndarray:
        share = min(shot_s / shot.seconds, 1.0)
        eased = share * share * (3 - 2 * share)
        x, y, zoom = (
            a + (b - a) * eased
            for a, b in zip(_numbers(shot.start), _numbers(shot.end), strict=True)
        )
        step = fit / zoom  # picture pixels per frame pixel
        left = np.clip(x * columns - width * step / 2, 0, columns - width * step)
        top = np.clip(y * rows - height * step / 2, 0, rows - height * step)
        crop = np.array([[step, 0, left], [0, step, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            picture, crop, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )

    return frame


def _numbers(view: View) -> tuple[float, float, float]:
    return view.x, view.y, view.zoom


def drawn_scene(shot: Shot, width: int, height: int, rng: np.random.Generator) -> Scene:
    """A drawing of `samples.drawings` under a camera that moves from view to view."""
    paint = DRAWINGS[shot.picture](rng)

    def frame(shot_s: float, drawing_s: float) -> np.ndarray:
        share = min(shot_s / shot.seconds, 1.0)
        start, end = _numbers(shot.start), _numbers(shot.end)
        view = View(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))
        canvas = Canvas(width, height, view)
        paint(canvas, drawing_s)
        return canvas.pixels

    return frame


def scene(shot: Shot, width: int, height: int, rng: np.random.Generator) -> Scene:
    """The pictures of ``shot``. Raises KeyError for a picture or a person that is not known."""
    if shot.picture in PHOTOGRAPHS:
        pictures = photo_scene(shot, width, height)
    else:
        pictures = drawn_scene(shot, width, height, rng)
    if not shot.guests:
        return pictures
    return with_guests(pictures, shot.guests, width, height)
