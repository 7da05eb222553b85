"""What a drawing is, and what several of them draw with.

A drawing takes a random generator and gives ``paint(canvas, time_s)``. What the generator decides
(stars, waves, prices) is decided once, so all shots of a clip that share a generator's seed agree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samples.canvas import Canvas, Colour

Paint = Callable[[Canvas, float], None]
Drawing = Callable[[np.random.Generator], Paint]

WHITE: Colour = (245, 245, 240)
DARK: Colour = (35, 35, 45)


def wave(x: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """A smooth random line: a sum of sines that ``phases`` decides, within about -1..1."""
    count = np.arange(1, len(phases) + 1)
    return (np.sin(np.outer(x, count * 0.55) + phases) / count).sum(axis=1) / 1.6


def ground(canvas: Canvas, heights: np.ndarray, colour: Colour) -> None:
    """Fill below a line of heights that spans x = -2..18."""
    x = np.linspace(-2, 18, len(heights))
    canvas.polygon(np.vstack([np.stack([x, heights], axis=1), [(18, 12), (-2, 12)]]), colour)
