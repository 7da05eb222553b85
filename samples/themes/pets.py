"""Cats and fish."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas, Colour
from samples.themes.brush import DARK, Paint


def _cat_head(canvas: Canvas, x: float, y: float, size: float, fur: Colour, awake: bool) -> None:
    for side in (-1, 1):
        ear = [(x + side * 0.85 * size, y - 0.3 * size), (x + side * 0.75 * size, y - 1.3 * size)]
        canvas.polygon([*ear, (x + side * 0.15 * size, y - 0.8 * size)], fur)
    canvas.disc(x, y, size, fur)
    for side in (-1, 1):
        eye = x + side * 0.4 * size
        if awake:
            canvas.ellipse(eye, y - 0.15 * size, 0.17 * size, 0.22 * size, (60, 140, 70))
            canvas.ellipse(eye, y - 0.15 * size, 0.06 * size, 0.2 * size, DARK)
        else:
            canvas.line(
                [(eye - 0.2 * size, y), (eye, y + 0.1 * size), (eye + 0.2 * size, y)], 0.06, DARK
            )
        for lift in (-0.1, 0.1):
            whisker = [(x + side * 0.3 * size, y + 0.35 * size)]
            canvas.line(
                [*whisker, (x + side * 1.3 * size, y + (0.35 + 2 * lift) * size)], 0.03, DARK
            )
    canvas.polygon([(x - 0.12 * size, y + 0.2 * size), (x + 0.12 * size, y + 0.2 * size),
                    (x, y + 0.36 * size)], (220, 120, 120))  # fmt: skip


def cat_asleep(rng: np.random.Generator) -> Paint:
    stripes = rng.random(12)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((205, 190, 160), (180, 160, 130))
        for number, shade in enumerate(stripes):
            tone = int(170 + 25 * shade)
            canvas.box(number * 1.6 - 1, -1, number * 1.6 - 0.2, 7, (tone, tone - 12, tone - 45))
        canvas.box(-2, 7.6, 18, 11, (120, 80, 55))
        canvas.box(1.5, 2.6, 14.5, 6.4, (165, 30, 35))
        canvas.box(1.0, 5.4, 15, 8.0, (190, 40, 45))
        for x in (1.2, 14.8):
            canvas.ellipse(x, 5.9, 1.0, 2.0, (150, 25, 30))
        breath = 0.12 * np.sin(2.2 * time_s)
        canvas.ellipse(8.6, 5.0 - breath / 2, 3.2, 1.35 + breath, (240, 238, 232))
        tail = np.linspace(0, 1, 12)
        wag = 0.3 * np.sin(1.3 * time_s)
        curve = np.stack([11.4 + 1.5 * tail, 5.3 - wag * tail + np.sin(3 * tail) * 0.5], axis=1)
        canvas.line(curve, 0.45, (232, 230, 224))
        _cat_head(canvas, 5.6, 5.0, 1.15, (246, 244, 238), awake=False)
        for number in range(3):
            rise = (time_s * 0.5 + number / 3) % 1
            x, y, size = 5.5 - 1.4 * rise, 3.2 - 2.2 * rise, 0.2 + 0.25 * rise
            letter = [(x, y), (x + size, y), (x, y + size), (x + size, y + size)]
            canvas.line(letter, 0.06, (90, 90, 130))

    return paint


def cat_walk(rng: np.random.Generator) -> Paint:
    tiles = rng.random((4, 12))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((190, 215, 215), (160, 195, 200))
        for row in range(4):
            for column in range(12):
                tone = int(185 + 40 * tiles[row, column])
                left, top = column * 1.7 - 2, row * 1.5 - 0.5
                canvas.box(left, top, left + 1.6, top + 1.4, (tone - 40, tone - 8, tone))
        canvas.box(-2, 6.4, 18, 11, (205, 170, 125))
        canvas.ellipse(12.8, 7.7, 1.3, 0.45, (60, 90, 170))
        canvas.ellipse(12.8, 7.5, 1.1, 0.3, (130, 80, 45))
        x = min(2.0 + 1.35 * time_s, 9.4)
        swing = np.sin(7 * time_s) if x < 9.4 else 0.0
        fur: Colour = (75, 75, 85)
        for leg, phase in ((-1.5, 1), (-1.0, -1), (0.9, 1), (1.4, -1)):
            canvas.line([(x + leg, 6.0), (x + leg + 0.4 * phase * swing, 7.8)], 0.35, fur)
        canvas.ellipse(x, 5.7, 2.1, 0.95, fur)
        canvas.line([(x - 1.9, 5.3), (x - 2.7, 4.3 + 0.2 * swing), (x - 2.5, 3.2)], 0.3, fur)
        dip = 0.0 if x < 9.4 else 0.7 + 0.12 * np.sin(8 * time_s)
        _cat_head(canvas, x + 2.3, 4.9 + dip, 0.9, (85, 85, 95), awake=True)

    return paint


def aquarium(rng: np.random.Generator) -> Paint:
    fish = rng.random((7, 5))
    colours = ((250, 140, 40), (245, 210, 60), (230, 80, 80), (140, 200, 250), (220, 130, 220))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((40, 150, 190), (10, 60, 110))
        canvas.box(-2, 8.2, 18, 11, (200, 180, 130))
        for plant in range(9):
            x = 0.8 + plant * 1.9
            height = 2.0 + (plant * 37 % 5) * 0.5
            up = np.linspace(0, 1, 9)
            sway = 0.35 * np.sin(1.5 * time_s + plant + 3 * up) * up
            canvas.line(np.stack([x + sway, 8.6 - height * up], axis=1), 0.22, (40, 150, 80))
        for number, (a, b, c, d, e) in enumerate(fish):
            way = 1 if a < 0.5 else -1
            x = (20 * b + way * (0.9 + c) * time_s) % 20 - 2
            y, size = 1.2 + 5.6 * d + 0.2 * np.sin(2 * time_s + 9 * e), 0.5 + 0.5 * e
            colour = colours[number % 5]
            flap = 0.25 * np.sin(9 * time_s + number)
            tail = [(x - way * size, y), (x - way * 1.9 * size, y - (0.6 + flap) * size)]
            canvas.polygon([*tail, (x - way * 1.9 * size, y + (0.6 - flap) * size)], colour)
            canvas.ellipse(x, y, 1.25 * size, 0.7 * size, colour)
            canvas.disc(x + way * 0.7 * size, y - 0.15 * size, 0.13 * size, DARK)
        for number in range(10):
            rise = (time_s * 0.35 + number * 0.137) % 1
            canvas.disc(3.2 + 0.2 * np.sin(9 * rise + number), 8 - 8 * rise, 0.1, (190, 225, 240))

    return paint
