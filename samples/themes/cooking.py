"""Soup, coffee, bread and pizza."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas, Colour
from samples.themes.brush import DARK, Paint


def soup(rng: np.random.Generator) -> Paint:
    pieces = rng.random((16, 3))
    colours = ((240, 130, 40), (235, 225, 190), (90, 160, 60))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((235, 225, 205), (215, 200, 170))
        canvas.box(-2, 7.6, 18, 11, (90, 85, 85))
        for number, (a, b, _) in enumerate(pieces):
            fall = (time_s * 1.1 - number * 0.42) % 6.8
            if fall < 1.5:
                x, y = 5.5 + 5 * a, -0.6 + 3.0 * fall**1.3
                canvas.ellipse(x, y, 0.35, 0.2, colours[number % 3], turn_deg=200 * fall + 90 * b)
        for x in (3.4, 12.6):
            canvas.ellipse(x, 5.2, 0.7, 0.3, (60, 60, 70))
        canvas.box(3.7, 4.0, 12.3, 7.4, (105, 110, 125))
        canvas.ellipse(8, 7.4, 4.3, 0.5, (105, 110, 125))
        canvas.ellipse(8, 4.0, 4.3, 0.85, (70, 72, 82))
        canvas.ellipse(8, 4.05, 4.0, 0.7, (205, 120, 40))
        for number, (a, b, c) in enumerate(pieces):
            turn = 6.3 * a + 0.9 * time_s
            x, y = 8 + 3.4 * b * np.cos(turn), 4.05 + 0.5 * b * np.sin(turn)
            canvas.ellipse(x, y, 0.28, 0.13, colours[number % 3], turn_deg=180 * c)
        spoon = 8 + 2.2 * np.cos(2.0 * time_s), 4.1 + 0.3 * np.sin(2.0 * time_s)
        canvas.line([spoon, (spoon[0] + 2.4, spoon[1] - 3.9)], 0.25, (150, 105, 60))

    return paint


def latte(rng: np.random.Generator) -> Paint:
    grain = rng.random(9) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((60, 40, 35), (95, 65, 50))
        for number, phase in enumerate(grain):
            x = np.linspace(-2, 18, 30)
            y = number * 1.2 + 0.12 * np.sin(x + phase)
            canvas.line(np.stack([x, y], axis=1), 0.04, (115, 80, 60))
        canvas.disc(8, 4.5, 3.9, (225, 222, 215))
        canvas.disc(8, 4.5, 2.95, (250, 248, 244))
        canvas.ellipse(11.4, 4.5, 0.9, 0.35, (250, 248, 244))
        canvas.disc(8, 4.5, 2.65, (110, 62, 30))
        grown = min(0.35 + time_s / 10, 1.0)
        for ring in range(5):
            size = grown * (2.3 - 0.42 * ring)
            colour: Colour = (240, 225, 200) if ring % 2 == 0 else (150, 95, 55)
            lift = 0.25 * ring * grown
            canvas.disc(8 - 0.42 * size, 4.2 + lift, 0.6 * size, colour)
            canvas.disc(8 + 0.42 * size, 4.2 + lift, 0.6 * size, colour)
            tip = [(8 - 0.97 * size, 4.4 + lift), (8 + 0.97 * size, 4.4 + lift)]
            canvas.polygon([*tip, (8, 4.6 + lift + 0.9 * size)], colour)
        sway = 0.5 * np.sin(3 * time_s)
        canvas.line([(8 + sway, 4.0), (9.6 + sway, 0.6)], 0.16, (250, 245, 235))
        canvas.polygon([(9.2 + sway, 1.2), (10.0 + sway, -0.4), (13.2 + sway, -1.4),
                        (14 + sway, 1.4)], (170, 175, 185))  # fmt: skip

    return paint


def oven(rng: np.random.Generator) -> Paint:
    coals = rng.random((30, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 75, 85), (45, 48, 55))
        for number in range(5):
            canvas.disc(3.2 + 2.4 * number, 0.8, 0.36, (200, 200, 205))
            turn = 0.6 * time_s + number
            tip = 3.2 + 2.4 * number + 0.3 * np.cos(turn), 0.8 + 0.3 * np.sin(turn)
            canvas.line([(3.2 + 2.4 * number, 0.8), tip], 0.08, DARK)
        canvas.box(1.8, 1.9, 14.2, 8.3, (30, 28, 30))
        glow = int(25 * np.sin(3 * time_s))
        canvas.box(2.2, 2.3, 13.8, 7.9, (150 + glow, 70 + glow // 2, 25))
        for a, b, c in coals:
            heat = int(200 + 50 * np.sin(5 * time_s + 20 * c))
            canvas.disc(2.6 + 10.8 * a, 7.4 + 0.4 * b, 0.18, (heat, heat // 2, 20))
        rise = min(time_s / 6.5, 1.0)
        brown = (int(225 - 45 * rise), int(185 - 70 * rise), int(130 - 80 * rise))
        canvas.ellipse(8, 6.6, 3.6, 1.1 + 1.4 * rise, brown, arc_deg=(180, 360))
        canvas.ellipse(8, 6.6, 3.6, 0.35, brown)
        for cut in (-1.6, 0, 1.6):
            top = 6.3 - 1.6 * rise - 0.3 + abs(cut) * 0.2
            canvas.line([(8 + cut - 0.4, top + 0.5), (8 + cut + 0.4, top)], 0.14, (120, 70, 35))
        for y in (6.95, 7.15):
            canvas.line([(2.2, y), (13.8, y)], 0.06, (120, 120, 125))

    return paint


def pizza(rng: np.random.Generator) -> Paint:
    toppings = rng.random((26, 3))
    colours = ((190, 40, 35), (60, 120, 50), (50, 45, 50))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 110, 120), (50, 85, 95))
        canvas.disc(8, 4.5, 4.1, (235, 235, 230))
        canvas.disc(8, 4.5, 3.7, (205, 150, 85))
        canvas.disc(8, 4.5, 3.3, (245, 205, 95))
        shown = int(4 + time_s * 5)
        for number, (a, b, c) in enumerate(toppings[:shown]):
            turn, far = 6.3 * a + 0.5 * time_s, 3.0 * np.sqrt(b)
            x, y = 8 + far * np.cos(turn), 4.5 + far * np.sin(turn)
            size = (0.45, 0.28, 0.2)[number % 3]
            canvas.ellipse(x, y, size, size * (0.6 + 0.4 * c), colours[number % 3], 57 * turn)
        for slice_no in range(4):
            turn = slice_no * np.pi / 4 + 0.5 * time_s
            reach = 3.7 * np.array([np.cos(turn), np.sin(turn)])
            canvas.line(
                np.array([8, 4.5]) + np.array([-1, 1])[:, None] * reach, 0.04, (190, 130, 60)
            )

    return paint
