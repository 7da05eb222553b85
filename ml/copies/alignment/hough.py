"""The lines, speed and offset, on which most pairs of frames lie: a Hough transform.

A pair of frames is a rectangle of time against time and so allows a range of offsets at each speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ml.copies.alignment.matches import TimedMatches
from ml.copies.evidence import F64

# Speeds to look for: steps of 3.7 %, and exactly 1. A line that is 1.8 % off drifts by half a
# sampling interval in 27 s; longer ones are found in part, then refitted.
SPEEDS: F64 = np.unique(np.r_[np.geomspace(0.65, 1.55, 25), 1.0])

_BIN_S = 0.25  # of the offset; a match votes over about 2 s of offsets
_PEAKS = 8  # lines tried per round
_ROW_VOTE_S = 2.0  # a still gives a line no more votes than two moving seconds


@dataclass(frozen=True)
class Line:
    """Reference time = speed x query time + offset."""

    speed: float
    offset_s: float


def lines_of(rows: TimedMatches, ends: tuple[float, float]) -> Iterator[Line]:
    """The lines with the most votes, the best one of speed 1 first."""
    speeds = SPEEDS
    votes, first_s = _votes(rows, speeds)
    at_one = int(np.flatnonzero(speeds == 1.0)[0])
    yield Line(1.0, first_s + _BIN_S * _middle_of_peak(votes[at_one]))
    peaks = votes.argmax(axis=1)
    heights = votes.max(axis=1) * np.minimum(1.0, speeds)
    heights[at_one] = 0.0
    for number in np.argsort(-heights)[: _PEAKS - 1]:
        yield Line(float(speeds[number]), first_s + _BIN_S * float(peaks[number]))


def _middle_of_peak(votes: F64) -> float:
    """The middle of the plateau of the maximum."""
    top = np.flatnonzero(votes >= votes.max() - 1e-6)
    run = top[: 1 + int(np.argmax(np.r_[np.diff(top) > 1, True]))]
    return float(run.mean())


def _votes(rows: TimedMatches, speeds: F64) -> tuple[F64, float]:
    """``[speeds, bins]`` seconds along each line that matches cover, and the first bin's offset.

    The part of a line that lies in a match's rectangle (query interval x reference interval) is a
    trapezoid over the offset: four corners where its slope changes, summed twice.
    """
    query, reference = (
        np.maximum(0.75, length) for length in (rows.query_length, rows.reference_length)
    )
    speed = speeds[:, None]
    corner = rows.reference_start - speed * (rows.query_start + query)
    rise = np.minimum(speed * query, reference)
    top = np.maximum(speed * query, reference)
    height = np.minimum(query, reference / speed)
    slope = rows.weight * np.minimum(1.0, _ROW_VOTE_S / height) / speed
    corners = np.stack([corner, corner + rise, corner + top, corner + rise + top])
    first_s = float(corners.min()) - _BIN_S
    position = (corners - first_s) / _BIN_S
    count = int(position.max()) + 3
    curve = np.zeros((len(speeds), count))
    for number, places in enumerate(position.swapaxes(0, 1)):
        below = places.astype(np.int64)
        part = places - below
        change = slope[number] * np.array([[1.0], [-1.0], [-1.0], [1.0]])
        curve[number] = np.bincount(below.ravel(), (change * (1 - part)).ravel(), count)
        curve[number] += np.bincount(below.ravel() + 1, (change * part).ravel(), count)
    return curve.cumsum(axis=1).cumsum(axis=1) * _BIN_S, first_s
