"""Which frames of two videos show the same picture, and the plane transform between them.

All features of the query are compared with all of the reference by matrix products. Two features
that look alike fix a whole transform by their places, sizes and directions, so every such match of
a pair of frames is one hypothesis that the pair's other matches vote on (Lowe 2004, Philbin et al.
CVPR 2007); the best is refined to an affine transform, and what agrees with that is counted.
Nothing is drawn at random. Most steps run over all pairs of frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, I32, FrameMatches, Pictures
from ml.copies.features import UNIT
from ml.copies.features import mirrored as mirrored_pictures

I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Cosine of two RootSIFT descriptors that may show the same place.
MIN_COSINE = 0.82
# Between 41 frames of 13 unrelated real videos under 17 edits, five places agreed by chance in 6 of
# some 26,000 pairs of frames and six in 2; the weight of those is below 0.02.
MIN_INLIERS = 5
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
# The part that both pictures show is cut into 5 x 5 cells; where both have two features, some of
# them should agree.
EVIDENCE_CELLS = 5
CELL_FEATURES = 2
# Fitted to 880 true pairs of those edits, and 6,100 pairs of unrelated pictures that carry the same
# logo, captions in one font or one frame around them: of the true ones 98 % weigh more than 0.3, of
# the others 1.7 %.
WEIGHT_OF_CELLS = 18.0
WEIGHT_OF_SHARE = 1.45
WEIGHT_BIAS = -5.9
MIN_WEIGHT = 0.05
# vPDQ takes 31 of 256 for the same picture. Unrelated real videos come no nearer than 102, the
# same speaker on another day no nearer than 66; half the captioned and bright copies are within it.
MAX_HASH_DISTANCE = 31
# Noise decides most signs of a picture of less detail (a sky, a wall).
MIN_HASH_DETAIL = 0.25
# Up to this many pairs of frames, all features meet all.
EXHAUSTIVE_PAIRS = 4096
# Beyond that the first features of each frame choose the frames that meet in full.
PREFIX = 80
MIN_COARSE_COSINE = 0.87
MAX_PARTNERS = 32
MAX_COARSE_PAIRS = 400_000
FRAMES_AT_ONCE = 8
ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class _Tentative:
    """T matches of features that look alike, sorted by pair of frames."""

    pair: I64  # [T] query frame * reference frames + reference frame
    query: I64  # [T] row of the query's features
    reference: I64  # [T]
    cosine: F32  # [T]


def match_frames(
    query: Pictures, reference: Pictures, *, mirrored: bool = False, min_inliers: int = MIN_INLIERS
) -> FrameMatches:
    """Pairs of frames that show the same picture or a part of it, sorted by query frame.

    Args:
        mirrored: show the query left for right first. The transform then maps mirrored places.
        min_inliers: places that must agree, in both pictures.

    Videos of more than 4,096 pairs of frames are compared by the first 80 features of each frame
    first, and a query frame meets in full only the 32 reference frames that these speak for most.
    Of more than 400,000 pairs, only every n-th frame of the longer video is compared.
    """
    if mirrored:
        query = mirrored_pictures(query)
    if not query.frame_count or not reference.frame_count:
        return _nothing()
    partners = _partners(query, reference)
    tentative = _tentative(query, reference, partners)
    found = _verified(query, reference, tentative, min_inliers)
    return _with_hash_matches(query, reference, found, mirrored)


def _nothing() -> FrameMatches:
    return FrameMatches(
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros((0, 2, 3), np.float32),
        np.zeros(0, np.bool_),
    )


# ---------------------------------------------------------------- which frames to compare


def _partners(query: Pictures, reference: Pictures) -> list[I64] | None:
    """For each query frame the reference frames worth comparing; None for all with all."""
    pairs = query.frame_count * reference.frame_count
    if pairs <= EXHAUSTIVE_PAIRS:
        return None
    stride = -(-pairs // MAX_COARSE_PAIRS)
    longer_is_query = query.frame_count > reference.frame_count
    query_frames = np.arange(0, query.frame_count, stride if longer_is_query else 1)
    reference_frames = np.arange(0, reference.frame_count, 1 if longer_is_query else stride)
    rows, owners = _prefix_rows(reference, reference_frames)
    partners = [np.zeros(0, np.int64)] * query.frame_count
    for start in range(0, len(query_frames), FRAMES_AT_ONCE):
        some = query_frames[start : start + FRAMES_AT_ONCE]
        votes = _votes(query, some, reference, rows, owners, len(reference_frames))
        for frame, own_votes in zip(some, votes, strict=True):
            best = np.argsort(-own_votes, kind="stable")[:MAX_PARTNERS]
            partners[frame] = np.sort(reference_frames[best[own_votes[best] > 0]])
    return partners


def _votes(
    query: Pictures, frames: I64, reference: Pictures, rows: I64, owners: I64, columns: int
) -> F32:
    """float32[len(frames), columns]: how much the frames' first features say for each reference.

    A feature shares its vote among all that it resembles, so that what is everywhere says little.
    """
    mine, my_frame = _prefix_rows(query, frames)
    left = _floats(query.descriptors[mine])
    hits = []
    for first in range(0, len(rows), ROWS_AT_ONCE):
        cosine = left @ _floats(reference.descriptors[rows[first : first + ROWS_AT_ONCE]]).T
        near = np.flatnonzero(cosine > MIN_COARSE_COSINE)
        i, j = np.divmod(near, cosine.shape[1])
        hits.append((i, owners[first + j], cosine.ravel()[near] - np.float32(MIN_COARSE_COSINE)))
    i, column, value = (np.concatenate(part) for part in zip(*hits, strict=True))
    value /= np.maximum(np.bincount(i, weights=value, minlength=len(mine))[i], 0.01)
    key = my_frame[i] * columns + column
    votes = np.bincount(key, weights=value, minlength=len(frames) * columns)
    return votes.reshape(len(frames), columns).astype(np.float32)


def _prefix_rows(pictures: Pictures, frames: I64) -> tuple[I64, I64]:
    """Rows of the first features of ``frames``, and which of ``frames`` (its place) owns each."""
    first = pictures.offsets[frames].astype(np.int64)
    counts = np.minimum(pictures.offsets[frames + 1] - first, PREFIX)
    owner = np.repeat(np.arange(len(frames)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[owner] + within, owner


def _floats(descriptors: Any) -> F32:
    return np.multiply(descriptors, np.float32(1 / UNIT), dtype=np.float32)


# ---------------------------------------------------------------- features that look alike


def _tentative(query: Pictures, reference: Pictures, partners: list[I64] | None) -> _Tentative:
    """Matches above ``MIN_COSINE`` that are the best of both features in that pair of frames."""
    frame_of = np.repeat(np.arange(reference.frame_count), np.diff(reference.offsets))
    everything = _floats(reference.descriptors if partners is None else reference.descriptors[:0])
    parts = []
    for frame in range(query.frame_count):
        first, last = query.offsets[frame], query.offsets[frame + 1]
        rows = None if partners is None else _rows_of(reference, partners[frame])
        if first == last or (rows is not None and not len(rows)):
            continue
        right = everything if rows is None else _floats(reference.descriptors[rows])
        cosine = _floats(query.descriptors[first:last]) @ right.T
        near = np.flatnonzero(cosine > MIN_COSINE)
        i, j = np.divmod(near, cosine.shape[1])
        value = cosine.ravel()[near]
        j = j if rows is None else rows[j]
        pair = frame * reference.frame_count + frame_of[j]
        parts.append(_mutual(_Tentative(pair, first + i, j, value), reference.frame_count))
    if not parts:
        empty = np.zeros(0, np.int64)
        return _Tentative(empty, empty, empty, np.zeros(0, np.float32))
    return _joined(parts)


def _rows_of(pictures: Pictures, frames: I64) -> I64:
    spans = [np.arange(pictures.offsets[f], pictures.offsets[f + 1]) for f in frames]
    return np.concatenate(spans).astype(np.int64) if spans else np.zeros(0, np.int64)


def _joined(parts: list[_Tentative]) -> _Tentative:
    return _Tentative(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("pair", "query", "reference", "cosine")
        )
    )


def _mutual(all_of: _Tentative, reference_frames: int) -> _Tentative:
    """Of one query frame's matches: those best for both features in the pair, best first."""
    if not len(all_of.query):
        return all_of
    order = np.argsort(-all_of.cosine)
    q, r, frame = all_of.query[order], all_of.reference[order], all_of.pair[order]
    # Counted from the frame's own first feature: a long video's rows would make the tables below
    # as long as it is (two of 3 hours: 24 GB).
    q_low, r_low = q.min(), r.min()
    frame = frame % reference_frames
    # In order of cosine, a feature's first match is its best; a reference feature is in one pair.
    width = q.max() - q_low + 1
    kept = order[_is_first(frame * width + q - q_low) & _is_first(r - r_low)]
    kept = kept[np.argsort(all_of.pair[kept], kind="stable")]
    return _Tentative(*(values[kept] for values in vars(all_of).values()))


def _is_first(keys: I64) -> Mask:
    """Whether no earlier element is the same; for small non-negative numbers."""
    position = np.arange(len(keys))
    first = np.empty(keys.max(initial=0) + 1, np.int64)
    first[keys[::-1]] = position[::-1]
    return first[keys] == position


# ---------------------------------------------------------------- matches that agree


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
class _Found:
    pair: I64
    inliers: I32
    weight: F32
    transform: F32


def _verified(
    query: Pictures, reference: Pictures, tentative: _Tentative, min_inliers: int
) -> _Found:
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
        return _Found(
            none.astype(np.int64), none, none.astype(np.float32), np.zeros((0, 2, 3), np.float32)
        )
    return _Found(
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
        own = _floats(pictures.descriptors[rows])
        rarity[rows] = 1 / np.maximum((own @ own.T > REPEATED_COSINE).sum(axis=1), 1)
    return rarity


def _padded(
    query: Pictures,
    reference: Pictures,
    tentative: _Tentative,
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
) -> _Found:
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
    evidence = _evidence(query, reference, pairs, m, inlier, transform)
    evidence[:, 0] = np.minimum(places, (m.rarity * inlier).sum(axis=1))
    weight = _weight(evidence)
    sure = weight >= MIN_WEIGHT
    return _Found(pairs[sure], places[sure].astype(np.int32), weight[sure], transform[sure])


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
    size = _scale(transform)[:, None]
    near = np.hypot(error[..., 0], error[..., 1]) < tolerance * np.clip(size, 0.7, 2)
    near &= np.abs(m.stretch - np.log(size)) < SIZE_TOLERANCE
    near &= np.abs(_wrapped(m.turn - _rotation(transform)[:, None])) < TURN_TOLERANCE
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


# ---------------------------------------------------------------- how sure


def _weight(evidence: F32) -> F32:
    """float32[P]: a logistic fit, times what so few places can say at most."""
    places, share, cells = evidence.T
    places = np.maximum(places, 2)
    logit = WEIGHT_OF_CELLS * cells + WEIGHT_OF_SHARE * np.log(share + 1e-6) + WEIGHT_BIAS
    return (1 - np.exp(-(places - 2) / 4)) / (1 + np.exp(-logit))


def _evidence(
    query: Pictures, reference: Pictures, pairs: I64, m: _Padded, inlier: Mask, transform: F32
) -> F32:
    """float32[P, 3]: inliers; their share of what could match; the share of cells that have any.

    Only what both pictures show counts: of a picture in picture the small picture, of a crop the
    crop. A cell counts where both have features, so an empty sky is no evidence against.
    """
    frames = pairs // reference.frame_count, pairs % reference.frame_count
    boxes = _reference_boxes(transform, query.aspect[frames[0]], reference.aspect[frames[1]])
    q, q_there = _frame_points(query, frames[0])
    r, r_there = _frame_points(reference, frames[1])
    q = np.einsum("pij,pkj->pki", transform[:, :, :2], q) + transform[:, None, :, 2]
    of_query, query_count = _cell_counts(q, q_there, boxes)
    of_reference, reference_count = _cell_counts(r, r_there, boxes)
    agreeing, count = _cell_counts(m.r, inlier, boxes)
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


# ---------------------------------------------------------------- hashes


def _with_hash_matches(
    query: Pictures, reference: Pictures, found: _Found, mirrored: bool
) -> FrameMatches:
    """What features or hashes find; where both do, the features' transform, the surer weight."""
    pair, distance = _hash_pairs(query, reference)
    weight = (1 - distance / (2 * MAX_HASH_DISTANCE)).astype(np.float32)
    _, mine, theirs = np.intersect1d(found.pair, pair, assume_unique=True, return_indices=True)
    found_weight = found.weight.copy()
    found_weight[mine] = np.maximum(found_weight[mine], weight[theirs])
    new = np.delete(np.arange(len(pair)), theirs)
    identity = np.broadcast_to(np.eye(2, 3, dtype=np.float32), (len(new), 2, 3))
    pairs = np.concatenate([found.pair, pair[new]])
    order = np.argsort(pairs, kind="stable")
    return FrameMatches(
        (pairs[order] // reference.frame_count).astype(np.int32),
        (pairs[order] % reference.frame_count).astype(np.int32),
        np.concatenate([found.inliers, np.zeros(len(new), np.int32)])[order],
        np.concatenate([found_weight, weight[new]]).astype(np.float32)[order],
        np.concatenate([found.transform, identity])[order],
        np.full(len(pairs), mirrored),
    )


def _hash_pairs(query: Pictures, reference: Pictures) -> tuple[I64, I64]:
    """Pairs of frames with detail whose hashes are near, and how near, in bits."""
    rows = np.flatnonzero(query.detail >= MIN_HASH_DETAIL)
    columns = np.flatnonzero(reference.detail >= MIN_HASH_DETAIL)
    pairs, distances = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    right = _signs(reference.hashes[columns])
    for start in range(0, len(rows), 256):
        some = rows[start : start + 256]
        distance = np.rint((256 - _signs(query.hashes[some]) @ right.T) / 2)
        i, j = np.nonzero(distance <= MAX_HASH_DISTANCE)
        pairs.append(some[i] * reference.frame_count + columns[j])
        distances.append(distance[i, j].astype(np.int64))
    return np.concatenate(pairs), np.concatenate(distances)


def _signs(hashes: npt.NDArray[np.uint8]) -> F32:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


# ---------------------------------------------------------------- transforms


def _scale(transform: F32) -> F32:
    linear = transform[..., :2]
    determinant = linear[..., 0, 0] * linear[..., 1, 1] - linear[..., 0, 1] * linear[..., 1, 0]
    return np.sqrt(np.maximum(determinant, 1e-9))


def _rotation(transform: F32) -> F32:
    t = transform
    return np.arctan2(t[..., 1, 0] - t[..., 0, 1], t[..., 0, 0] + t[..., 1, 1])


def scale(transform: F32) -> float:
    """How much larger things are in the reference than in the query (shares of longer sides)."""
    return float(_scale(np.asarray(transform, np.float32)))


def rotation_deg(transform: F32) -> float:
    """Degrees in [0, 360) that the query must be turned clockwise to stand like the reference."""
    return float(np.rad2deg(_rotation(np.asarray(transform, np.float32))) % 360)


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


Box = tuple[float, float, float, float]


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
