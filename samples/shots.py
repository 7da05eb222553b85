"""What a stretch of a clip without a cut shows, and how the camera moves over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# A shot's pictures: from two times to an RGB picture, uint8 [height, width, 3]. Seconds since the
# shot's start move the camera, seconds since the drawing began move what is drawn.
Scene = Callable[[float, float], np.ndarray]


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
