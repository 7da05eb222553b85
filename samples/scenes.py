"""A shot's pictures: slow pans and zooms over photographs, and a canvas for drawn scenes.

A scene is a function of two times to an RGB picture, uint8 [height, width, 3]: seconds since the
shot's start move the camera, seconds since the drawing began move what is drawn. Photographs are
those that scikit-image and scikit-learn ship in their wheels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

Colour = tuple[int, int, int]
Point = tuple[float, float]
Scene = Callable[[float, float], np.ndarray]

PHOTOGRAPHS = {
    "astronaut": "skimage:data/astronaut.png",
    "cameraman": "skimage:data/camera.png",
    "chelsea": "skimage:data/chelsea.png",
    "coffee": "skimage:data/coffee.png",
    "coins": "skimage:data/coins.png",
    "hubble": "skimage:data/hubble_deep_field.jpg",
    "moon": "skimage:data/moon.png",
    "motorcycle": "skimage:data/motorcycle_left.png",
    "rocket": "skimage:data/rocket.jpg",
    "horse": "skimage:data/horse.png",
    "china": "sklearn:datasets/images/china.jpg",
    "flower": "sklearn:datasets/images/flower.jpg",
}
# Photographs with a face that a detector can be asked for.
FACES = {"astronaut": "Eileen Collins"}


@dataclass(frozen=True)
class View:
    """A crop of a photograph: its centre as shares of the picture, and its size.

    ``zoom`` 1 is the largest crop of the frame's shape that the picture holds; 2 is half of it.
    """

    x: float
    y: float
    zoom: float


@dataclass(frozen=True)
class Guest:
    """A made-up presenter of `samples.presenters` who stands at the picture's lower edge.

    ``x`` is the middle of the face as a share of the frame's width, ``height`` that of head and
    shoulders as a share of its height. ``turn_px`` turns the head, -5 to 5; ``tone`` is the light.
    """

    person: str
    x: float
    height: float = 0.8
    turn_px: float = 0
    tone: str = "plain"


@dataclass(frozen=True)
class Shot:
    """A stretch of a clip without a cut: a photograph seen from view to view, or a drawing."""

    seconds: float
    picture: str
    start: View
    end: View
    tone: str = "plain"
    guests: tuple[Guest, ...] = ()


def photograph(name: str) -> np.ndarray:
    """RGB uint8 [height, width, 3] of one of `PHOTOGRAPHS`.

    Raises ModuleNotFoundError when the package that ships it is not installed.
    """
    from PIL import Image

    package, file_name = PHOTOGRAPHS[name].split(":")
    spec = find_spec(package)  # found, not imported: scikit-learn alone takes a second to import
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the picture {name!r} comes with {package}: install it")
    with Image.open(Path(spec.origin).parent / file_name) as image:
        return np.asarray(image.convert("RGB"))


def tinted(picture: np.ndarray, tone: str) -> np.ndarray:
    """``picture`` under another light; ``tone`` is plain, archive (dim, grey) or warm."""
    if tone == "plain":
        return picture
    if tone == "archive":
        grey = picture @ np.array([0.299, 0.587, 0.114])
        return np.clip(grey[..., None] * [0.8, 0.77, 0.7] + 14, 0, 255).astype(np.uint8)
    if tone == "warm":
        return np.clip(picture * [1.12, 1.0, 0.8], 0, 255).astype(np.uint8)
    raise ValueError(f"unknown tone {tone!r}: expected plain, archive or warm")


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


class Canvas:
    """A frame to draw on, in units that make any frame at least 16 wide and 9 high.

    Shapes are anti-aliased and placed to 1/16 of a pixel, so slow motion stays smooth.
    """

    _BITS = 4

    def __init__(self, width: int, height: int, view: View) -> None:
        self.pixels: np.ndarray = np.zeros((height, width, 3), np.uint8)
        self.scale = max(width / 16, height / 9) * view.zoom
        self._origin = np.array(
            [width / 2 - view.x * 16 * self.scale, height / 2 - view.y * 9 * self.scale]
        )

    def sky(self, top: Colour, bottom: Colour) -> None:
        """Fill with a gradient from y = 0 to y = 9."""
        import cv2

        height, width = self.pixels.shape[:2]
        rows = (np.arange(height) - self._origin[1]) / (9 * self.scale)
        share = np.clip(rows, 0, 1)[:, None]
        column = np.array(top) * (1 - share) + np.array(bottom) * share
        # Four times as fast as broadcasting three bytes at a time.
        line = np.ascontiguousarray(column.astype(np.uint8)[:, None, :])
        self.pixels = cv2.resize(line, (width, height), interpolation=cv2.INTER_NEAREST)

    def polygon(self, points: Sequence[Point] | np.ndarray, colour: Colour) -> None:
        import cv2

        cv2.fillPoly(self.pixels, [self._fixed(points)], colour, cv2.LINE_AA, self._BITS)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self.ellipse(x, y, radius, radius, colour)

    def ellipse(
        self,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        colour: Colour,
        turn_deg: float = 0,
        arc_deg: tuple[float, float] = (0, 360),
    ) -> None:
        angles = np.radians(np.linspace(*arc_deg, 49))
        points = np.stack([radius_x * np.cos(angles), radius_y * np.sin(angles)], axis=1)
        if arc_deg != (0, 360):
            points = np.vstack([points, [[0, 0]]])
        cosine, sine = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        turned = points @ np.array([[cosine, sine], [-sine, cosine]])
        self.polygon(turned + np.array([x, y]), colour)

    def line(self, points: Sequence[Point] | np.ndarray, width: float, colour: Colour) -> None:
        import cv2

        pixels = max(1, round(width * self.scale))
        fixed = [self._fixed(points)]
        cv2.polylines(self.pixels, fixed, False, colour, pixels, cv2.LINE_AA, self._BITS)

    def _fixed(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        pixels = np.asarray(points, dtype=float) * self.scale + self._origin
        return np.round(pixels * (1 << self._BITS)).astype(np.int32)


def drawn_scene(shot: Shot, width: int, height: int, rng: np.random.Generator) -> Scene:
    """A drawing of `samples.drawings` under a camera that moves from view to view."""
    from samples.drawings import DRAWINGS

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
    from samples.presenters import with_guests

    return with_guests(pictures, shot.guests, width, height)
