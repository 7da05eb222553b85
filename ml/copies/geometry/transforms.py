"""What a plane transform between two pictures says: size, turn, and the region that both show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.copies.evidence import F32

Box = tuple[float, float, float, float]


def scales(transform: F32) -> F32:
    """float32[...]: as ``scale``, of many transforms ``[..., 2, 3]``."""
    linear = transform[..., :2]
    determinant = linear[..., 0, 0] * linear[..., 1, 1] - linear[..., 0, 1] * linear[..., 1, 0]
    return np.sqrt(np.maximum(determinant, 1e-9))


def rotations(transform: F32) -> F32:
    """float32[...]: radians, clockwise, of many transforms ``[..., 2, 3]``."""
    t = transform
    return np.arctan2(t[..., 1, 0] - t[..., 0, 1], t[..., 0, 0] + t[..., 1, 1])


def scale(transform: F32) -> float:
    """How much larger things are in the reference than in the query (shares of longer sides)."""
    return float(scales(np.asarray(transform, np.float32)))


def rotation_deg(transform: F32) -> float:
    """Degrees in [0, 360) that the query must be turned clockwise to stand like the reference."""
    return float(np.rad2deg(rotations(np.asarray(transform, np.float32))) % 360)


@dataclass(frozen=True)
class Overlap:
    """What both pictures show, as boxes ``x0, y0, x1, y1`` in units of ``Pictures.geometry``.

    ``query_share`` and ``reference_share`` are the boxes' shares of the pictures' areas.
    """

    query: tuple[float, float, float, float]
    reference: tuple[float, float, float, float]
    query_share: float
    reference_share: float


def overlap_box(transform: F32, query_aspect: float, reference_aspect: float) -> Overlap | None:
    """The region that both pictures show, or None when the transform maps one off the other.

    The boxes stand upright in each picture; of a turned picture they enclose the shared region.
    """
    linear, shift = np.asarray(transform, np.float64)[:, :2], np.asarray(transform)[:, 2]
    query_box, reference_box = _picture_box(query_aspect), _picture_box(reference_aspect)
    inverse = np.linalg.inv(linear)
    reference = _clipped(_moved(query_box, linear, shift), reference_box)
    query = _clipped(_moved(reference_box, inverse, -inverse @ shift), query_box)
    if reference is None or query is None:
        return None
    return Overlap(
        query, reference, _area(query) / _area(query_box), _area(reference) / _area(reference_box)
    )


def _picture_box(aspect: float) -> Box:
    return (0.0, 0.0, min(aspect, 1.0), min(1 / aspect, 1.0))


def _moved(box: Box, linear: Any, shift: Any) -> Box:
    corners = np.array([[x, y] for x in box[::2] for y in box[1::2]]) @ linear.T + shift
    return (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


def _clipped(box: Box, outer: Box) -> Box | None:
    x0, y0 = max(box[0], outer[0]), max(box[1], outer[1])
    x1, y1 = min(box[2], outer[2]), min(box[3], outer[3])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
