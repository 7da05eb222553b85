"""Charts and coins that grow."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas, Colour
from samples.themes.brush import Paint


def _mixed(one: Colour, other: Colour) -> Colour:
    red, green, blue = ((a + b) // 2 for a, b in zip(one, other, strict=True))
    return red, green, blue


def _axes(canvas: Canvas, paper: Colour, ink: Colour) -> None:
    canvas.sky(paper, paper)
    faint = _mixed(paper, ink)
    for row in range(6):
        canvas.line(
            [(1.5, 1.3 + row * 1.1), (15, 1.3 + row * 1.1)],
            0.02,
            faint,
        )
    canvas.line([(1.5, 0.8), (1.5, 6.8), (15, 6.8)], 0.08, ink)


def line_chart(rng: np.random.Generator) -> Paint:
    steps = np.cumsum(rng.normal(0.05, 0.28, 80))
    values = (steps - steps.min()) / np.ptp(steps)

    def paint(canvas: Canvas, time_s: float) -> None:
        _axes(canvas, (18, 24, 40), (150, 160, 180))
        shown = max(2, min(int(8 + 10 * time_s), 80))
        x = 1.6 + np.arange(shown) * 0.165
        y = 6.4 - 4.6 * values[:shown]
        area = np.vstack([np.stack([x, y], axis=1), [(x[-1], 6.75), (x[0], 6.75)]])
        canvas.polygon(area, (25, 70, 80))
        canvas.line(np.stack([x, y], axis=1), 0.1, (70, 220, 170))
        canvas.disc(x[-1], y[-1], 0.18 + 0.06 * np.sin(8 * time_s), (245, 245, 120))

    return paint


def coin_stacks(rng: np.random.Generator) -> Paint:
    heights = np.sort(rng.integers(4, 15, 5))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((35, 95, 85), (20, 60, 60))
        canvas.box(-2, 7.3, 18, 11, (95, 65, 45))
        for stack, height in enumerate(heights):
            x = 2.4 + stack * 2.8
            grown = min(2.2 * time_s + 1 - 0.8 * stack, float(height))
            for coin in range(max(int(grown), 0)):
                y = 7.2 - 0.36 * coin
                canvas.ellipse(x, y, 1.0, 0.32, (170, 120, 30))
                canvas.ellipse(x, y - 0.12, 1.0, 0.32, (240, 195, 70))
            if 0 < grown < height:
                fall = grown % 1
                y = 7.2 - 0.36 * int(grown) - 3.0 * (1 - fall)
                canvas.ellipse(x, y, 1.0, 0.2 + 0.15 * abs(np.sin(9 * fall)), (255, 215, 90))

    return paint


def bar_chart(rng: np.random.Generator) -> Paint:
    values = rng.random(8) * 0.35 + np.linspace(0.2, 0.65, 8)

    def paint(canvas: Canvas, time_s: float) -> None:
        _axes(canvas, (245, 245, 240), (90, 90, 100))
        for number, value in enumerate(values):
            grown = np.clip(time_s * 0.6 - 0.35 * number + 0.6, 0, 1) * value
            sway = 1 + 0.03 * np.sin(3 * time_s + number)
            left = 2.1 + number * 1.6
            colour: Colour = (60, 120, 200) if number < 4 else (230, 120, 50)
            canvas.box(left, 6.75 - 5.6 * grown * sway, left + 1.1, 6.75, colour)

    return paint


def pie_chart(rng: np.random.Generator) -> Paint:
    shares = rng.random(5) + 0.5
    edges = np.concatenate([[0], np.cumsum(shares / shares.sum())]) * 360
    colours = ((230, 90, 80), (250, 190, 70), (90, 180, 120), (70, 140, 210), (150, 110, 190))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 248, 240), (235, 230, 220))
        chosen = int(time_s / 1.2) % 5
        for number, colour in enumerate(colours):
            start, end = edges[number] + 18 * time_s, edges[number + 1] + 18 * time_s
            middle = np.radians((start + end) / 2)
            out = 0.45 if number == chosen else 0.05
            x, y = 8 + out * np.cos(middle), 3.9 + out * np.sin(middle)
            canvas.ellipse(x, y, 3.1, 3.1, colour, arc_deg=(start, end))
        canvas.disc(8, 3.9, 1.1, (245, 242, 233))

    return paint
