"""How sure a pair of frames is: how much of what could agree, in what both show, does agree."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import F32, I64, Mask, Pictures

# The part that both pictures show is cut into 5 x 5 cells; where both have two features, some of
# them should agree.
EVIDENCE_CELLS = 5
CELL_FEATURES = 2
# Fitted to 880 true pairs of 17 edits of real videos, and 6,100 pairs of unrelated pictures that
# carry the same logo, captions in one font or one frame around them: of the true ones 98 % weigh
# more than 0.3, of the others 1.7 %.
WEIGHT_OF_CELLS = 18.0
WEIGHT_OF_SHARE = 1.45
WEIGHT_BIAS = -5.9
MIN_WEIGHT = 0.05


def weight_of(evidence: F32) -> F32:
    """float32[P]: a logistic fit to the evidence, times what so few places can say at most."""
    places, share, cells = evidence.T
    places = np.maximum(places, 2)
    logit = WEIGHT_OF_CELLS * cells + WEIGHT_OF_SHARE * np.log(share + 1e-6) + WEIGHT_BIAS
    return (1 - np.exp(-(places - 2) / 4)) / (1 + np.exp(-logit))


def evidence_of(
    query: Pictures, reference: Pictures, pairs: I64, places: F32, inlier: Mask, transform: F32
) -> F32:
    """float32[P, 3]: inliers; their share of what could match; the share of cells that have any.

    Only what both pictures show counts: of a picture in picture the small picture, of a crop the
    crop. A cell counts where both have features, so an empty sky is no evidence against.

    Args:
        query: the one video.
        reference: the other.
        pairs: int[P], query frame * reference frames + reference frame.
        places: float32[P, K, 2], of matches in the reference's picture.
        inlier: bool[P, K], which of them agree with the transform.
        transform: float32[P, 2, 3].
    """
    frames = pairs // reference.frame_count, pairs % reference.frame_count
    boxes = _reference_boxes(transform, query.aspect[frames[0]], reference.aspect[frames[1]])
    q, q_there = _frame_points(query, frames[0])
    r, r_there = _frame_points(reference, frames[1])
    q = np.einsum("pij,pkj->pki", transform[:, :, :2], q) + transform[:, None, :, 2]
    of_query, query_count = _cell_counts(q, q_there, boxes)
    of_reference, reference_count = _cell_counts(r, r_there, boxes)
    agreeing, count = _cell_counts(places, inlier, boxes)
    expected = (of_query >= CELL_FEATURES) & (of_reference >= CELL_FEATURES) | (agreeing > 0)
    share = count / np.maximum(np.minimum(query_count, reference_count), 1)
    cells = (agreeing > 0).sum(axis=1) / np.maximum(expected.sum(axis=1), 1)
    return np.stack([count, share, cells], axis=1).astype(np.float32)


def _reference_boxes(transform: F32, query_aspect: F32, reference_aspect: F32) -> F32:
    """float32[P, 4]: where the query's picture lies in the reference's, clipped to it."""
    corners = (
        np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32) * _extent(query_aspect)[:, None]
    )
    placed = np.einsum("pij,pkj->pki", transform[:, :, :2], corners) + transform[:, None, :, 2]
    low = np.maximum(placed.min(axis=1), 0)
    high = np.minimum(placed.max(axis=1), _extent(reference_aspect))
    return np.concatenate([low, np.maximum(high, low + 1e-3)], axis=1).astype(np.float32)


def _extent(aspect: F32) -> F32:
    """float32[P, 2]: width and height in shares of the longer side."""
    return np.stack([np.minimum(aspect, 1), np.minimum(1 / aspect, 1)], axis=1).astype(np.float32)


def _frame_points(pictures: Pictures, frames: I64) -> tuple[F32, Mask]:
    """float32[P, K, 2] places of the frames' features, and bool[P, K] where there is one."""
    first = pictures.offsets[frames].astype(np.int64)
    counts = pictures.offsets[frames + 1] - first
    place = np.arange(max(int(counts.max(initial=0)), 1))
    there = place < counts[:, None]
    return pictures.geometry[np.where(there, first[:, None] + place, 0), :2], there


def _cell_counts(points: F32, there: Mask, boxes: F32) -> tuple[I64, I64]:
    """int[P, cells] points in each cell of each box, and int[P] points in each box."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    cell = np.floor((points - low) / (high - low) * EVIDENCE_CELLS).astype(np.int64)
    inside = there & (cell >= 0).all(axis=2) & (cell < EVIDENCE_CELLS).all(axis=2)
    number = (np.arange(len(points))[:, None] * EVIDENCE_CELLS + cell[..., 1]) * EVIDENCE_CELLS
    size = EVIDENCE_CELLS**2
    counts = np.bincount((number + cell[..., 0])[inside], minlength=len(points) * size)
    counts = counts.reshape(-1, size)
    return counts, counts.sum(axis=1)
