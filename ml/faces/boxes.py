"""Boxes in pixels: float32[n, 4] of x0, y0, x1, y1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]


def best_of_overlapping(
    boxes: F32, scores: F32, most_overlap: float, *, of_smaller: bool = False
) -> I64:
    """Non-maximum suppression: indices of the boxes that stay, the surest first.

    Args:
        boxes: float32[n, 4].
        scores: float32[n].
        most_overlap: a box that overlaps a surer one by more than this is dropped.
        of_smaller: overlap is the share of the smaller box instead of intersection over union,
            so a box inside another goes.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        shared = _shared_areas(boxes[best], boxes[rest])
        if of_smaller:
            whole = np.minimum(areas[best], areas[rest])
        else:
            whole = areas[best] + areas[rest] - shared
        order = rest[shared <= most_overlap * whole]
    return np.array(kept, np.int64)


def _shared_areas(box: F32, others: F32) -> F32:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=1))


def squared(boxes: F32) -> F32:
    """The squares about the same centres, as wide as the box's longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centre - half, centre + half])


def moved(boxes: F32, offsets: F32) -> F32:
    """Boxes whose corners have been moved by offsets float32[n, 4] in shares of their sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.tile(sides, 2)
