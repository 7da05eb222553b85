"""Rockets, the Moon and planets, before stars."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.themes.brush import WHITE, Paint


def _stars(canvas: Canvas, stars: np.ndarray, time_s: float) -> None:
    for x, y, size, phase in stars:
        glow = int(150 + 90 * np.sin(2 * time_s + 6 * phase))
        canvas.disc(x, y, 0.03 + 0.05 * size, (glow, glow, min(255, glow + 15)))


def _star_field(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random((count, 4)) * [20, 11, 1, 1] - [2, 1, 0, 0]


def launch(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 60)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((12, 16, 60), (210, 120, 90))
        _stars(canvas, stars[stars[:, 1] < 4], time_s)
        canvas.polygon([(-2, 8.2), (18, 7.9), (18, 12), (-2, 12)], (40, 45, 40))
        y = 6.6 - 0.35 * time_s**1.7
        for puff in range(14):
            age = time_s * 1.5 - puff * 0.25
            if age > 0:
                side = np.sin(2.4 * puff) * (0.3 + 0.45 * age)
                grey = 235 - 7 * puff
                canvas.disc(8 + side, 8.0 + 0.2 * np.sin(puff), 0.25 + 0.12 * age, (grey,) * 3)
        flame = 1.0 + 0.25 * np.sin(40 * time_s)
        canvas.polygon([(7.6, y + 1.4), (8.4, y + 1.4), (8, y + 1.6 + flame)], (255, 190, 60))
        canvas.polygon([(7.1, y + 1.5), (7.6, y + 0.6), (7.6, y + 1.5)], (200, 50, 50))
        canvas.polygon([(8.9, y + 1.5), (8.4, y + 0.6), (8.4, y + 1.5)], (200, 50, 50))
        canvas.box(7.55, y - 1, 8.45, y + 1.5, WHITE)
        canvas.polygon([(7.55, y - 1), (8, y - 2), (8.45, y - 1)], (200, 50, 50))
        canvas.disc(8, y - 0.3, 0.25, (80, 140, 200))

    return paint


def moon_orbit(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 70)
    land = rng.random((7, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((4, 6, 20), (10, 14, 40))
        _stars(canvas, stars, time_s)
        angle = 0.8 * time_s + 2.3
        x, y = 8 + 5.4 * np.cos(angle), 4.3 + 1.5 * np.sin(angle)
        moon_first = np.sin(angle) < 0
        if moon_first:
            canvas.disc(x, y, 0.55, (190, 190, 185))
        canvas.disc(8, 4.3, 2.2, (45, 105, 190))
        for a, b, c, d in land:
            across = (a * 4 + 0.5 * time_s) % 4 - 2
            canvas.ellipse(
                8 + across * 0.75, 3 + 2.6 * b, 0.25 + 0.4 * c, 0.3 + 0.2 * d, (70, 150, 80)
            )
        if not moon_first:
            canvas.disc(x, y, 0.62, (205, 205, 200))
            canvas.disc(x + 0.2, y - 0.1, 0.12, (165, 165, 160))

    return paint


def planets(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 60)
    phases = rng.random(5) * 6.3
    sizes = (0.18, 0.3, 0.33, 0.24, 0.6)
    colours = ((170, 150, 130), (225, 180, 110), (80, 140, 220), (205, 90, 60), (215, 170, 130))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((8, 4, 24), (18, 10, 46))
        _stars(canvas, stars, time_s)
        canvas.disc(8, 4.2, 1.0, (255, 205, 80))
        canvas.disc(8, 4.2, 0.8, (255, 230, 140))
        for number, (size, colour) in enumerate(zip(sizes, colours, strict=True)):
            radius = 1.7 + 1.15 * number
            turn = np.linspace(0, 6.3, 90)
            ring = np.stack([8 + radius * np.cos(turn), 4.2 + 0.5 * radius * np.sin(turn)], axis=1)
            canvas.line(ring, 0.02, (70, 70, 105))
            angle = phases[number] + 1.6 * time_s / (number + 1)
            place = 8 + radius * np.cos(angle), 4.2 + 0.5 * radius * np.sin(angle)
            canvas.disc(*place, size, colour)

    return paint
