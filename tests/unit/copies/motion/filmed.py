"""Thumbnails drawn by a formula: scenes in which things move, otherwise in every take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, Motion, Segment
from ml.copies.motion.comparison import MotionComparison, compare

FPS = 8.0
SAME = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def scene(take: int, x: Any, y: Any, time_s: Any, room: int = 0) -> Any:
    """Levels of a room at places in 0..1, with things that move in it, other ones per take."""
    rng = np.random.default_rng(room)
    level = 110.0 + 0.0 * x
    for _ in range(12):
        a, b, c, d = rng.uniform(2, 14, 2).tolist() + rng.uniform(0, 6.3, 2).tolist()
        level = level + 9 * np.sin(a * x + c) * np.cos(b * y + d)
    rng = np.random.default_rng(1000 + take)
    for _ in range(4):
        rate, phase = rng.uniform(0.5, 2.2, 4), rng.uniform(0, 6.3, 4)
        at_x = (
            0.5
            + 0.2 * np.sin(rate[0] * time_s + phase[0])
            + 0.2 * np.sin(rate[1] * time_s + phase[1])
        )
        at_y = (
            0.5
            + 0.2 * np.sin(rate[2] * time_s + phase[2])
            + 0.2 * np.sin(rate[3] * time_s + phase[3])
        )
        level = level + 70 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 0.012)
    return level


def filmed(
    take: int,
    times_s: npt.NDArray[np.float64],
    to_scene: npt.NDArray[np.float64] | None = None,
    noise: float = 1.0,
    room: int = 0,
    around: int = 77,
) -> Motion:
    """Thumbnails whose share (u, v) shows the scene at ``to_scene``; another take around it."""
    line = (np.arange(32) + 0.5) / 32
    u, v = np.meshgrid(line, line)
    to_scene = np.array([[1.0, 0, 0], [0, 1, 0]]) if to_scene is None else to_scene
    x, y = (row[0] * u + row[1] * v + row[2] for row in to_scene)
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    rng = np.random.default_rng(take)
    luma = []
    for at_s in times_s:
        picture = np.where(inside, scene(take, x, y, at_s, room), scene(around, u, v, at_s, around))
        luma.append(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255))
    return Motion(fps=FPS, luma=np.array(luma).astype(np.uint8))


def ticks(length_s: float, start_s: float = 0.0, speed: float = 1.0) -> npt.NDArray[np.float64]:
    return np.asarray(start_s + speed * np.arange(0, length_s, 1 / FPS))


def part(query: tuple[float, float], start_s: float, speed: float = 1.0) -> Segment:
    return Segment(*query, start_s, start_s + speed * (query[1] - query[0]), speed, 0.9)


def compared(
    query: Motion,
    reference: Motion,
    segment: Segment,
    transform: F32 = SAME,
    aspects: tuple[float, float] = (1.0, 1.0),
    mirrored: bool = False,
) -> MotionComparison:
    return compare(
        query,
        reference,
        segment,
        transform,
        query_aspect=aspects[0],
        reference_aspect=aspects[1],
        mirrored=mirrored,
    )
