"""Abstract pictures, for the parts of a copy that come from elsewhere."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.themes.brush import Paint, wave


def ribbons(rng: np.random.Generator) -> Paint:
    phases = rng.random((6, 4)) * 6.3
    colours = rng.integers(60, 240, (6, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((30, 20, 50), (60, 30, 80))
        x = np.linspace(-2, 18, 50)
        for number, (phase, colour) in enumerate(zip(phases, colours, strict=True)):
            y = 1.2 + 1.3 * number + 0.9 * wave(x + (0.7 + 0.3 * number) * time_s, phase)
            canvas.line(np.stack([x, y], axis=1), 0.7, tuple(int(c) for c in colour))  # type: ignore[arg-type]

    return paint


def tiles(rng: np.random.Generator) -> Paint:
    phases = rng.random((10, 17)) * 6.3
    warm, cold = rng.integers(120, 255, 3), rng.integers(0, 110, 3)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((15, 15, 18), (15, 15, 18))
        for row, line in enumerate(phases):
            for column, phase in enumerate(line):
                share = 0.5 + 0.5 * np.sin(1.7 * time_s + phase)
                colour = tuple(int(c) for c in warm * share + cold * (1 - share))
                canvas.box(column, row, column + 0.92, row + 0.92, colour)  # type: ignore[arg-type]

    return paint


def confetti(rng: np.random.Generator) -> Paint:
    flakes = rng.random((90, 4))
    colours = rng.integers(40, 250, (90, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((245, 240, 225), (225, 225, 240))
        for (a, b, c, d), colour in zip(flakes, colours, strict=True):
            x = 18 * a - 1 + 0.5 * np.sin(2 * time_s + 9 * d)
            y = (11 * b + (1 + 2 * c) * time_s) % 11 - 1
            size = 0.2 + 0.25 * d
            tilt = abs(np.sin(4 * time_s + 9 * c)) + 0.15
            canvas.ellipse(x, y, size, size * tilt, tuple(int(v) for v in colour), 360 * c)  # type: ignore[arg-type]

    return paint
