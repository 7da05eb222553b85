"""A coast road, a race and a crossing."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas, Colour
from samples.themes.brush import DARK, WHITE, Paint, ground, wave


def _car(canvas: Canvas, x: float, y: float, size: float, body: Colour, turn: float) -> None:
    cabin = [(-1.2, -0.55), (-0.7, -1.2), (0.6, -1.2), (1.2, -0.55)]
    canvas.polygon([(x + size * a, y + size * b) for a, b in cabin], body)
    glass = [(-0.95, -0.6), (-0.6, -1.05), (0.5, -1.05), (0.95, -0.6)]
    canvas.polygon([(x + size * a, y + size * b) for a, b in glass], (190, 220, 235))
    canvas.box(x - 2 * size, y - 0.6 * size, x + 2.1 * size, y + 0.15 * size, body)
    canvas.disc(x + 2.0 * size, y - 0.3 * size, 0.15 * size, (255, 240, 160))
    for wheel in (-1.2, 1.3):
        canvas.disc(x + wheel * size, y + 0.15 * size, 0.46 * size, DARK)
        canvas.disc(x + wheel * size, y + 0.15 * size, 0.24 * size, (190, 190, 195))
        spoke = 0.22 * size * np.array([np.cos(turn), np.sin(turn)])
        hub = np.array([x + wheel * size, y + 0.15 * size])
        canvas.line([tuple(hub - spoke), tuple(hub + spoke)], 0.07 * size, DARK)


def coast_road(rng: np.random.Generator) -> Paint:
    hills = rng.random(5) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((90, 175, 235), (215, 235, 245))
        canvas.disc(13.2, 1.5, 0.8, (255, 240, 150))
        canvas.box(-2, 3.6, 18, 6.2, (40, 120, 185))
        for glint in range(14):
            left = (glint * 1.7 - 0.6 * time_s) % 20 - 2
            canvas.line(
                [(left, 4 + glint % 5 * 0.35), (left + 0.6, 4 + glint % 5 * 0.35)], 0.04, WHITE
            )
        x = np.linspace(-2, 18, 70)
        ground(canvas, 5.5 - 0.5 * wave(x + 1.6 * time_s, hills), (110, 165, 80))
        canvas.box(-2, 6.3, 18, 11, (80, 80, 88))
        for dash in range(8):
            left = (dash * 2.8 - 8 * time_s) % 22.4 - 3
            canvas.box(left, 7.6, left + 1.3, 7.75, (240, 240, 235))
        for palm in range(3):
            left = (palm * 8 - 4 * time_s) % 24 - 4
            canvas.line([(left, 6.4), (left + 0.3, 3.4)], 0.25, (120, 85, 55))
            for leaf in range(5):
                turn = 2.4 + leaf * 0.9
                tip = left + 0.3 + 1.5 * np.cos(turn), 3.4 + 0.8 * np.sin(turn) + 0.3
                canvas.line([(left + 0.3, 3.4), tip], 0.22, (45, 130, 60))
        _car(canvas, 7.2 + 0.5 * np.sin(time_s), 7.3, 1.15, (205, 30, 35), 9 * time_s)

    return paint


def race(rng: np.random.Generator) -> Paint:
    wobble = rng.random(4) * 6.3
    colours = ((40, 90, 220), (220, 50, 50), (245, 200, 40), (240, 240, 240))

    def place(turn: float, lane: float) -> tuple[float, float]:
        far = 1 + 0.12 * np.sin(2 * turn + 1)
        return 8 + (5.4 + lane) * far * np.cos(turn), 4.4 + (2.6 + lane) * far * np.sin(turn)

    track = [place(turn, 0) for turn in np.linspace(0, 6.32, 120)]

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 140, 65), (60, 125, 60))
        canvas.line(track, 1.9, (225, 225, 220))
        canvas.line(track, 1.7, (75, 75, 82))
        for row in range(6):
            for column in range(2):
                tone = WHITE if (row + column) % 2 else DARK
                left, top = 8 + 0.28 * column, 5.75 + 0.28 * row
                canvas.box(left, top + 0.2, left + 0.28, top + 0.48, tone)
        for number, colour in enumerate(colours):
            turn = 1.0 + (0.95 - 0.06 * number) * time_s + 0.1 * np.sin(time_s + wobble[number])
            x, y = place(turn, 0.42 * (number % 2 * 2 - 1))
            ahead = place(turn + 0.05, 0.42 * (number % 2 * 2 - 1))
            heading = np.degrees(np.arctan2(ahead[1] - y, ahead[0] - x))
            canvas.ellipse(x, y, 0.62, 0.3, colour, turn_deg=heading)
            canvas.ellipse(x, y, 0.25, 0.2, DARK, turn_deg=heading)
        for tree in range(7):
            canvas.disc(5.6 + tree * 0.8, 3.9 + 0.5 * (tree % 3), 0.4, (40, 105, 50))

    return paint


def crossing(rng: np.random.Generator) -> Paint:
    walls = rng.random((8, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((175, 205, 225), (225, 230, 230))
        for number, (a, b, c) in enumerate(walls):
            tone = (int(150 + 60 * a), int(130 + 60 * b), int(120 + 50 * c))
            canvas.box(number * 2.4 - 2, 2.8 - 1.8 * a, number * 2.4 + 0.1, 6.2, tone)
        canvas.box(-2, 6.2, 18, 11, (85, 85, 92))
        for stripe in range(5):
            canvas.box(8.3 + stripe * 0.9, 6.3, 8.8 + stripe * 0.9, 9.0, WHITE)
        green = time_s > 2.6
        colours: tuple[Colour, ...] = ((70, 25, 25), (70, 60, 20), (40, 220, 80))
        if not green:
            colours = ((240, 45, 40), (70, 60, 20), (20, 60, 25))
        canvas.line([(14.2, 8.4), (14.2, 3.4)], 0.2, (60, 60, 65))
        canvas.box(13.6, 0.9, 14.8, 3.9, (40, 40, 45))
        for lamp, colour in enumerate(colours):
            canvas.disc(14.2, 1.45 + 0.95 * lamp, 0.38, colour)
        gone = 3.2 * max(time_s - 2.9, 0.0) ** 1.5
        arriving = 4.6 - 3.5 * max(1.4 - time_s, 0.0)
        _car(canvas, arriving + gone, 7.6, 1.0, (235, 190, 50), 3 * (arriving + gone))
        _car(canvas, arriving + gone - 4.8, 7.6, 1.0, (70, 130, 90), 3 * (arriving + gone))

    return paint
