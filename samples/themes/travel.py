"""A city at night, a train and a hike."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas, Colour
from samples.themes.brush import DARK, WHITE, Paint, ground, wave


def skyline(rng: np.random.Generator) -> Paint:
    towers = rng.random((15, 3))
    lamps = rng.random((15, 12, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((15, 15, 50), (90, 50, 95))
        canvas.disc(12.8, 1.5, 0.7, (240, 235, 210))
        for number, (a, b, c) in enumerate(towers):
            left, top = number * 1.3 - 1.8, 5.0 - 3.6 * a
            tone = int(25 + 25 * b)
            canvas.box(left, top, left + 0.8 + 0.5 * c, 6.3, (tone, tone, tone + 25))
            for row in range(12):
                for column in range(3):
                    lit = lamps[number, row, column] > 0.45 + 0.2 * np.sin(
                        time_s + 9 * lamps[number, row, 3]
                    )
                    y = top + 0.2 + 0.38 * row
                    if lit and y < 5.9:
                        x = left + 0.12 + 0.25 * column
                        canvas.box(x, y, x + 0.14, y + 0.2, (250, 215, 120))
        canvas.box(-2, 6.3, 18, 11, (20, 25, 60))
        for number in range(34):
            x = number * 0.55 - 1.5 + 0.15 * np.sin(3 * time_s + number)
            y = 6.5 + (number * 29 % 23) / 10
            canvas.line([(x, y), (x + 0.7, y)], 0.05, (220, 180, 110))
        boat = -1 + 1.3 * time_s
        canvas.polygon(
            [(boat, 7.2), (boat + 2.4, 7.2), (boat + 2, 7.8), (boat + 0.4, 7.8)], (200, 60, 60)
        )
        canvas.box(boat + 0.7, 6.7, boat + 1.7, 7.2, WHITE)

    return paint


def train(rng: np.random.Generator) -> Paint:
    ridges = rng.random((2, 5)) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((130, 190, 235), (235, 240, 240))
        x = np.linspace(-2, 18, 80)
        ground(canvas, 3.6 - 1.6 * wave(x * 1.3 + 0.2 * time_s, ridges[0]), (140, 150, 185))
        ground(canvas, 5.2 - 0.7 * wave(x + 0.7 * time_s, ridges[1]), (95, 150, 90))
        ground(canvas, np.full(80, 7.4), (120, 105, 90))
        for sleeper in range(30):
            left = (sleeper * 0.8 - 5 * time_s) % 22 - 3
            canvas.box(left, 7.75, left + 0.35, 7.95, (80, 60, 45))
        canvas.line([(-2, 7.7), (18, 7.7)], 0.07, (60, 60, 65))
        shake = 0.03 * np.sin(20 * time_s)
        for car in range(4):
            left = 11.2 - car * 4.2 + 0.25 * time_s
            body: Colour = (190, 40, 45) if car == 0 else (45, 85, 150)
            canvas.box(left, 5.3 + shake, left + 4, 7.3 + shake, body)
            canvas.box(left, 6.5 + shake, left + 4, 6.7 + shake, WHITE)
            for window in range(4):
                start = left + 0.3 + 0.92 * window
                canvas.box(start, 5.6 + shake, start + 0.65, 6.3 + shake, (190, 225, 240))
            for wheel in (0.8, 3.2):
                canvas.disc(left + wheel, 7.4, 0.32, DARK)
        for pole in range(3):
            left = (pole * 7.5 - 7 * time_s) % 22 - 3
            canvas.line([(left, 9), (left, 2.5)], 0.12, (75, 65, 60))

    return paint


def hiking(rng: np.random.Generator) -> Paint:
    ridges = rng.random((3, 6)) * 6.3
    trees = rng.random((14, 2))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 170, 110), (255, 235, 190))
        canvas.disc(4.2, 4.6 - 0.35 * time_s, 0.9, (255, 250, 215))
        x = np.linspace(-2, 18, 90)
        layers = ((3.4, 1.7, 0.1, (170, 120, 130)), (5.0, 1.1, 0.3, (110, 90, 110)),
                  (6.8, 0.5, 0.7, (60, 75, 60)))  # fmt: skip
        for ridge, (level, height, speed, colour) in zip(ridges, layers, strict=True):
            ground(canvas, level - height * wave(x * 1.2 + speed * time_s, ridge), colour)
        for a, b in trees:
            left = (20 * a - 0.8 * time_s) % 20 - 2
            foot = 7.9 + 0.8 * b
            for tier in range(3):
                wide, top = 0.6 - 0.12 * tier, foot - 0.7 - 0.5 * tier
                canvas.polygon([(left - wide, top + 0.5), (left + wide, top + 0.5),
                                (left, top - 0.5)], (35, 70, 50))  # fmt: skip
        step = np.sin(6 * time_s)
        canvas.disc(9.0, 4.75, 0.3, (235, 190, 150))
        canvas.line([(9.0, 5.1), (9.0, 6.1)], 0.5, (200, 60, 50))
        canvas.box(8.3, 5.0, 8.75, 5.9, (60, 80, 140))
        for side in (-1, 1):
            canvas.line([(9.0, 6.1), (9.0 + 0.35 * side * step, 7.0)], 0.22, (50, 50, 70))
        canvas.line(
            [(9.1, 5.3), (9.7 + 0.2 * step, 5.9), (9.9 + 0.2 * step, 7.0)], 0.1, (90, 60, 40)
        )

    return paint
