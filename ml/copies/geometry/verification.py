"""Matches of a pair of frames that agree on one plane transform.

Two features that look alike fix a whole transform by their places, sizes and directions, so every
such match is one hypothesis that the pair's other matches vote on (Lowe 2004, Philbin et al. CVPR
2007); the best is refined to an affine transform, and what agrees with that is counted. Nothing is
drawn at random. Most steps run over many pairs of frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.copies.evidence import F32, I32, I64, Mask, Pictures
from ml.copies.features import unit_vectors
from ml.copies.geometry.confidence import MIN_WEIGHT, evidence_of, weight_of
from ml.copies.geometry.tentative import Tentative
from ml.copies.geometry.transforms import rotations, scales

SCALES = (0.15, 6.0)
MAX_ANISOTROPY = 1.8
# Matches of a pair of frames that vote, and that are counted; the most alike come first.
VOTERS = 64
FIRST_VOTERS = 8
SETTLED_SHARE = 0.4
COUNTED = 128
# Frame pairs that are verified together: 56 x 128 votes of 64 pairs are 1.8 MB an array.
PAIRS_AT_ONCE = 64
# Two keypoints differ in size and direction by about this even when they show the same place.
SIZE_TOLERANCE = 0.45  # natural logarithm of a ratio
TURN_TOLERANCE = 0.5  # radians
PLACE_TOLERANCE = 0.015  # of the longer side
# A hypothesis' own errors of size and direction move what is far from it.
LEVER_TOLERANCE = 0.15
AFFINE_TOLERANCE = 0.02
# Inliers nearer than this are one place.
DISTINCT = 0.012
# Features of one picture that are this near are the same thing again.
REPEATED_COSINE = 0.88


@dataclass(frozen=True)
class _Padded:
    """K matches of each of P pairs of frames; missing ones have ``there`` False."""

    there: Mask  # [P, K]
    q: F32  # [P, K, 2] place in the query's picture
    r: F32  # [P, K, 2]
    stretch: F32  # [P, K] log of reference size / query size
    turn: F32  # [P, K] reference angle - query angle
    rarity: F32  # [P, K] 1 / how many features of the query's frame look like this one


@dataclass(frozen=True)
class Found:
    """P pairs of frames that are the same picture or a part of it, in order."""

    pair: I64  # [P] query frame * reference frames + reference frame
    inliers: I32  # [P] distinct places that agree
    weight: F32  # [P] 0 to 1
    transform: F32  # [P, 2, 3]


def verified(query: Pictures, reference: Pictures, tentative: Tentative, min_inliers: int) -> Found:
    """The pairs of frames in which at least ``min_inliers`` places agree, surely enough."""
    pairs, first, counts = np.unique(tentative.pair, return_index=True, return_counts=True)
    enough = counts >= min_inliers
    pairs, first, counts = pairs[enough], first[enough], counts[enough]
    rarity = _rarity(query, np.unique(pairs // reference.frame_count))
    parts = []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        padded = _padded(query, reference, tentative, rarity, first[some], counts[some])
        parts.append(_agreeing(query, reference, pairs[some], padded, min_inliers))
    if not parts:
        none = np.zeros(0, np.int32)
        return Found(
            none.astype(np.int64), none, none.astype(np.float32), np.zeros((0, 2, 3), np.float32)
        )
    return Found(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("pair", "inliers", "weight", "transform")
        )
    )


def _rarity(pictures: Pictures, frames: I64) -> F32:
    """float32[N]: 1 / how many features of its own frame each resembles; 1 in other frames.

    The bricks of one wall agree on where they lie on any other wall.
    """
    rarity = np.ones(len(pictures.geometry), np.float32)
    for frame in frames:
        rows = slice(pictures.offsets[frame], pictures.offsets[frame + 1])
        own = unit_vectors(pictures.descriptors[rows])
        rarity[rows] = 1 / np.maximum((own @ own.T > REPEATED_COSINE).sum(axis=1), 1)
    return rarity


def _padded(
    query: Pictures,
    reference: Pictures,
    tentative: Tentative,
    rarity: F32,
    first: I64,
    counts: I64,
) -> _Padded:
    width = min(int(counts.max()), COUNTED)
    place = np.arange(width)
    there = place[None, :] < counts[:, None]
    rows = np.where(there, first[:, None] + place, first[:, None])
    q = query.geometry[tentative.query[rows]]
    r = reference.geometry[tentative.reference[rows]]
    return _Padded(
        there,
        q[..., :2],
        r[..., :2],
        np.log(np.maximum(r[..., 2], 1e-5) / np.maximum(q[..., 2], 1e-5)),
        r[..., 3] - q[..., 3],
        rarity[tentative.query[rows]],
    )


def _agreeing(
    query: Pictures, reference: Pictures, pairs: I64, m: _Padded, min_inliers: int
) -> Found:
    inlier = _best_hypothesis(m)
    transform = _fitted(m, inlier, affine=False)
    inlier = _within(m, transform, 1.5 * AFFINE_TOLERANCE)
    for _ in range(2):
        transform = _fitted(m, inlier, affine=True)
        inlier = _within(m, transform, AFFINE_TOLERANCE)
    places = np.minimum(_distinct(m.q, inlier), _distinct(m.r, inlier))
    keep = np.flatnonzero((places >= min_inliers) & _sane(transform))
    m = _Padded(*(values[keep] for values in vars(m).values()))
    pairs, inlier, transform, places = pairs[keep], inlier[keep], transform[keep], places[keep]
    evidence = evidence_of(query, reference, pairs, m.r, inlier, transform)
    evidence[:, 0] = np.minimum(places, (m.rarity * inlier).sum(axis=1))
    weight = weight_of(evidence)
    sure = weight >= MIN_WEIGHT
    return Found(pairs[sure], places[sure].astype(np.int32), weight[sure], transform[sure])


def _best_hypothesis(m: _Padded) -> Mask:
    """bool[P, K]: the matches that agree with the one that most agree with.

    The most alike are asked first; the rest only where those don't settle it.
    """
    agree = _most_agreed(m, slice(0, FIRST_VOTERS))
    usable = np.minimum(m.there.sum(axis=1), VOTERS)
    open_ = np.flatnonzero(agree[:, :VOTERS].sum(axis=1) < SETTLED_SHARE * usable)
    if len(open_):
        rest = _Padded(*(values[open_] for values in vars(m).values()))
        other = _most_agreed(rest, slice(FIRST_VOTERS, VOTERS))
        better = other.sum(axis=1) > agree[open_].sum(axis=1)
        agree[open_[better]] = other[better]
    return agree


def _most_agreed(m: _Padded, voters: slice) -> Mask:
    """bool[P, K]: the matches that agree with that one of ``voters`` that most agree with."""
    if not m.there[:, voters].shape[1]:
        return np.zeros(m.there.shape, np.bool_)
    scale, turn = np.exp(m.stretch[:, voters]), m.turn[:, voters]
    a, b = (scale * np.cos(turn))[..., None], (scale * np.sin(turn))[..., None]  # [P, H, 1]
    qx, qy, rx, ry = (
        (v[:, None, :] - v[:, voters, None])  # [P, H, K]
        for v in (m.q[..., 0], m.q[..., 1], m.r[..., 0], m.r[..., 1])
    )
    error = (a * qx - b * qy - rx) ** 2 + (b * qx + a * qy - ry) ** 2
    agree = error < PLACE_TOLERANCE**2 + LEVER_TOLERANCE**2 * (rx**2 + ry**2)
    agree &= np.abs(m.stretch[:, None, :] - m.stretch[:, voters, None]) < SIZE_TOLERANCE
    agree &= np.abs(_wrapped(m.turn[:, None, :] - m.turn[:, voters, None])) < TURN_TOLERANCE
    agree &= m.there[:, None, :] & m.there[:, voters, None]
    best = agree.sum(axis=2, dtype=np.int32).argmax(axis=1)
    return agree[np.arange(len(best)), best]


def _wrapped(angle: F32) -> F32:
    return angle - np.float32(2 * np.pi) * np.rint(angle / np.float32(2 * np.pi))


def _fitted(m: _Padded, inlier: Mask, *, affine: bool) -> F32:
    """float32[P, 2, 3]: the least-squares transform of each pair's inliers."""
    w = inlier.astype(np.float64)
    total = np.maximum(w.sum(axis=1), 1)[:, None]
    cq = (w[..., None] * m.q).sum(axis=1) / total
    cr = (w[..., None] * m.r).sum(axis=1) / total
    q, r = m.q - cq[:, None], m.r - cr[:, None]
    qq = np.einsum("pk,pki,pkj->pij", w, q, q, optimize=True)
    rq = np.einsum("pk,pki,pkj->pij", w, r, q, optimize=True)
    norm = np.maximum(qq[:, 0, 0] + qq[:, 1, 1], 1e-9)
    a = (rq[:, 0, 0] + rq[:, 1, 1]) / norm
    b = (rq[:, 1, 0] - rq[:, 0, 1]) / norm
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], 1)
    if affine:
        # Pulled towards the similarity, as if by a few matches around: a thin row of inliers
        # says nothing about the stretch across it.
        ridge = 2e-3 * total[:, :, None] * np.eye(2)
        linear = np.linalg.solve(qq + ridge, (rq + linear @ ridge).transpose(0, 2, 1))
        linear = linear.transpose(0, 2, 1)
    shift = cr - (linear @ cq[..., None])[..., 0]
    return np.concatenate([linear, shift[..., None]], axis=2).astype(np.float32)


def _within(m: _Padded, transform: F32, tolerance: float) -> Mask:
    linear, shift = transform[:, :, :2], transform[:, :, 2]
    error = np.einsum("pij,pkj->pki", linear, m.q) + shift[:, None] - m.r
    size = scales(transform)[:, None]
    near = np.hypot(error[..., 0], error[..., 1]) < tolerance * np.clip(size, 0.7, 2)
    near &= np.abs(m.stretch - np.log(size)) < SIZE_TOLERANCE
    near &= np.abs(_wrapped(m.turn - rotations(transform)[:, None])) < TURN_TOLERANCE
    return near & m.there


def _distinct(points: F32, inlier: Mask) -> I64:
    """int[P]: places among the inliers; those in one cell of a grid are one."""
    cell = np.floor(points / DISTINCT).astype(np.int64)
    pair = np.broadcast_to(np.arange(len(points))[:, None], inlier.shape)
    keys = (pair * 256 + cell[..., 0]) * 256 + cell[..., 1]
    distinct = np.unique(keys[inlier])
    return np.bincount(distinct >> 16, minlength=len(points))


def _sane(transform: F32) -> Mask:
    linear = transform[:, :, :2].astype(np.float64)
    values = np.linalg.svd(linear, compute_uv=False)
    upright = np.linalg.det(linear) > 0
    size = np.sqrt(np.maximum(values[:, 0] * values[:, 1], 1e-12))
    within = (size > SCALES[0]) & (size < SCALES[1])
    return upright & within & (values[:, 0] < MAX_ANISOTROPY * np.maximum(values[:, 1], 1e-9))
