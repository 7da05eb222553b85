"""What belongs to no other theme: a meadow, rain and a test card."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.photographs import photograph
from samples.themes.brush import WHITE, Paint, ground, wave


def meadow(rng: np.random.Generator) -> Paint:
    """A black horse (a silhouette from scikit-image) gallops over a meadow."""
    import cv2

    hills = rng.random(5) * 6.3
    dark = (photograph("horse")[..., 0] < 128).astype(np.uint8)
    found = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)[0]
    outline = max(found, key=cv2.contourArea)[:, 0, :] / 400.0

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 200, 130), (255, 235, 200))
        canvas.disc(12.5, 2.2, 1.0, (255, 245, 215))
        x = np.linspace(-2, 18, 70)
        ground(canvas, 5.6 - 0.8 * wave(x + 0.9 * time_s, hills), (120, 160, 80))
        ground(canvas, 7.5 - 0.3 * wave(2 * x + 3 * time_s, hills), (80, 125, 60))
        bounce = 0.3 * abs(np.sin(5 * time_s))
        lean = 0.06 * np.sin(5 * time_s)
        shape = outline * 6.2
        shape = shape + np.stack([lean * (3 - shape[:, 1]), -lean * (3 - shape[:, 0])], axis=1)
        canvas.polygon(shape + np.array([2.0 + 0.9 * time_s, 2.9 - bounce]), (40, 28, 22))
        for blade in range(40):
            left = (blade * 0.53 - 6 * time_s) % 21 - 2
            canvas.line([(left, 9.2), (left + 0.15, 8.2 + blade % 4 * 0.15)], 0.06, (60, 105, 45))

    return paint


def rain(rng: np.random.Generator) -> Paint:
    drops = rng.random((120, 3))
    lights = rng.random((12, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((50, 60, 75), (75, 85, 100))
        for a, b, c, d in lights:
            glow = (int(120 + 80 * c), int(110 + 60 * d), 90)
            canvas.disc(17 * a - 0.5, 4 + 4 * b, 0.4 + 0.5 * d, glow)
        for a, b, c in drops:
            y = (11 * b + (7 + 5 * c) * time_s) % 11 - 1
            canvas.line([(18 * a - 1, y), (18 * a - 1.1, y + 0.5)], 0.03, (170, 185, 205))
        for number in range(18):
            y = (number * 0.61 + 0.5 * time_s * (0.3 + number % 3)) % 10 - 0.5
            canvas.ellipse(number * 0.93 + 0.2, y, 0.1, 0.16, (200, 210, 225))
        for x in (-0.1, 7.8, 15.7):
            canvas.box(x, -1, x + 0.4, 10, (60, 45, 40))
        canvas.box(-2, 4.2, 18, 4.5, (60, 45, 40))

    return paint


def test_card(rng: np.random.Generator) -> Paint:
    order = rng.permutation(7)
    bars = ((235, 235, 235), (235, 235, 20), (20, 235, 235), (20, 235, 20), (235, 20, 235),
            (235, 20, 20), (20, 20, 235))  # fmt: skip

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((20, 20, 20), (20, 20, 20))
        for place, number in enumerate(order):
            canvas.box(place * 16 / 7, 0, (place + 1) * 16 / 7, 6.5, bars[number])
        canvas.disc(8, 4.2, 2.1, (30, 30, 30))
        canvas.ellipse(8, 4.2, 1.9, 1.9, WHITE, arc_deg=(-90, -89.9 + 72 * (time_s % 5)))
        canvas.disc(8, 4.2, 1.0, (30, 30, 30))
        across = (3 * time_s) % 16
        canvas.box(across, 7.2, across + 1.5, 8.2, (200, 200, 200))

    return paint
