"""The cells of the region that two pictures share, laid over the thumbnails of both.

The query's thumbnails are warped into the reference's picture by the transform of the matched
frames, and both are averaged over the same cells, so that a crop, a turn or a picture in a picture
is compared place by place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64
from ml.copies.motion.thumbnails import SIZE

_CELLS = 12  # across and down the shared region, at most; 8 lost .03 of the copies' correlation
_LEAST_AREA = 1e-3  # a transform that makes a point of the picture is none
_SAMPLES = 4  # per cell, across and down


@dataclass(frozen=True)
class SharedCells:
    """Two matrices that average thumbnails over the same cells: ``float32[1024, cells]`` each."""

    query: F32
    reference: F32


def shared_cells(
    transform: F32, query_aspect: float, reference_aspect: float, mirrored: bool
) -> SharedCells | None:
    """Cells of the region that both pictures show; None where that is too small to tell."""
    to_reference = _between_thumbnails(transform, query_aspect, reference_aspect, mirrored)
    if abs(np.linalg.det(to_reference[:, :2])) < _LEAST_AREA:
        return None
    to_query = np.linalg.inv(np.vstack([to_reference, [0.0, 0.0, 1.0]]))[:2]
    line = (np.arange(64) + 0.5) / 64
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    inside = points[_is_inside(_apply(to_query, points))]
    if len(inside) < 16:
        return None
    low, high = inside.min(axis=0) - 0.5 / 64, inside.max(axis=0) + 0.5 / 64
    finest = np.minimum(1.0, np.abs(to_query[:, :2]).sum(axis=0))  # query pixels per reference's
    cells = np.clip(np.rint((high - low) * SIZE * finest), 3, _CELLS).astype(int)
    return _cells(low, high, cells, to_query)


def _between_thumbnails(
    transform: F32, query_aspect: float, reference_aspect: float, mirrored: bool
) -> F64:
    """``transform`` between shares of width and height, instead of shares of the longer side."""
    query = np.diag([*_sides(query_aspect), 1.0])
    if mirrored:
        query = query @ np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    whole = transform.astype(np.float64) @ query
    return np.asarray(whole / np.array(_sides(reference_aspect))[:, None])


def _sides(aspect: float) -> tuple[float, float]:
    """Width and height of a picture whose longer side is 1."""
    return min(1.0, aspect), min(1.0, 1.0 / aspect)


def _apply(transform: F64, points: F64) -> F64:
    return points @ transform[:, :2].T + transform[:, 2]


def _is_inside(points: F64) -> npt.NDArray[np.bool_]:
    return np.asarray(((points >= 0.0) & (points <= 1.0)).all(axis=-1))


def _cells(low: F64, high: F64, cells: npt.NDArray[np.int_], to_query: F64) -> SharedCells | None:
    x, y = (
        low[k] + (high - low)[k] * (np.arange(cells[k] * _SAMPLES) + 0.5) / (cells[k] * _SAMPLES)
        for k in (0, 1)
    )
    points = np.stack(np.meshgrid(x, y), axis=-1)
    points = points.reshape(cells[1], _SAMPLES, cells[0], _SAMPLES, 2).swapaxes(1, 2)
    points = points.reshape(cells[0] * cells[1], _SAMPLES**2, 2)
    in_query = _apply(to_query, points)
    whole = _is_inside(in_query).all(axis=1)
    if whole.sum() < 9:
        return None
    return SharedCells(_averages(in_query[whole]), _averages(points[whole]))


def _averages(points: F64) -> F32:
    """``[cells, samples, 2]`` in 0..1 to ``float32[1024, cells]``: means of bilinear samples."""
    position = np.clip(points * SIZE - 0.5, 0.0, SIZE - 1.001)
    below = position.astype(np.int64)
    part = position - below
    weights = np.zeros((SIZE * SIZE, len(points)), np.float64)
    column = np.broadcast_to(np.arange(len(points))[:, None], points.shape[:2])
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[..., 0]) * np.abs(1 - dy - part[..., 1])
            cell = (below[..., 1] + dy) * SIZE + below[..., 0] + dx
            np.add.at(weights, (cell, column), share / points.shape[1])
    return weights.astype(np.float32)
