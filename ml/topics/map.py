"""A map of topics: a place for each in the unit square, like topics near each other.

The layout is the first two principal components of the centroids (classical scaling). From night
to night it holds still: the new layout is laid over the old one by the topics that are in both
(Procrustes: shift, scale, turn and mirror), these stay where they were, and new ones come to where
the overlay puts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# The largest topic's radius; areas are as sizes are, and all circles together fill at most
# `_FILLED` of the square, so that there is room to push them apart.
_LARGEST_RADIUS = 0.12
_FILLED = 0.35
_LEAST_RADIUS = 0.006
_MARGIN = 0.03
# Rounds of pushing apart; each moves a pair by half of what it overlaps. 200 topics of Zipf sizes
# overlap no more after some 100.
_ROUNDS = 200
_SMALLEST_OVERLAP = 1e-4
# A known topic gives way to a new one by this share of what the new one does.
_STIFFNESS = 0.1


def topic_map(
    centroids: np.ndarray,
    sizes: Sequence[int],
    previous: Mapping[int, tuple[float, float]] | None,
    ids: Sequence[int],
) -> np.ndarray:
    """Places of topics for a picture; the same for the same arguments, whatever the order.

    Args:
        centroids: float32[k, d], of the present clustering; the previous one may have had another
            space.
        sizes: videos of each topic.
        previous: topic id to its place last time; None or empty for the first map.
        ids: topic ids, all different.

    Returns:
        float32[k, 2] from 0 to 1.
    """
    if not len(ids):
        return np.zeros((0, 2), np.float32)
    order = np.argsort(ids)
    number = np.asarray(ids)[order]
    radii = _radii(np.asarray(sizes, np.float64)[order])
    known = {i: place for i, place in (previous or {}).items() if i in set(number.tolist())}
    places = _laid_out(np.asarray(centroids, np.float64)[order])
    held = np.array([i in known for i in number.tolist()])
    if known:
        there = np.array([known[i] for i in number[held].tolist()], np.float64)
        places = _laid_over(places, held, there)
        places[held] = there
    else:
        places = _into_square(places)
    out = np.empty((len(number), 2), np.float32)
    out[order] = _pushed_apart(places, radii, held)
    return out


def _radii(sizes: np.ndarray) -> np.ndarray:
    roots = np.sqrt(np.maximum(sizes, 1))
    unit = min(_LARGEST_RADIUS / roots.max(), np.sqrt(_FILLED / np.pi / np.sum(roots**2)))
    return np.maximum(roots * unit, _LEAST_RADIUS)


def _laid_out(centroids: np.ndarray) -> np.ndarray:
    """The first two principal components, signs fixed; zeros where there are fewer."""
    centred = centroids - centroids.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(centroids), 2))
    count = min(2, len(values))
    places[:, :count] = left[:, :count] * values[:count]
    largest = np.abs(places).argmax(axis=0)
    return places * np.where(places[largest, [0, 1]] < 0, -1.0, 1.0)


def _into_square(places: np.ndarray) -> np.ndarray:
    """Each axis by rank and by value, half and half: a few far topics don't press the others."""
    if len(places) < 2:
        return np.full((len(places), 2), 0.5)
    ranks = np.argsort(np.argsort(places, axis=0, kind="stable"), axis=0, kind="stable")
    spans = np.ptp(places, axis=0)
    by_value = (places - places.min(axis=0)) / np.where(spans > 0, spans, 1.0)
    by_rank = ranks / (len(places) - 1)
    mixed = np.where(spans > 0, (by_value + by_rank) / 2, 0.5)
    return np.asarray(_MARGIN * 2 + mixed * (1 - 4 * _MARGIN))


def _laid_over(places: np.ndarray, held: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The layout shifted, scaled, turned and mirrored so that known topics lie where they did."""
    places = _into_square(places)
    middle, target = places[held].mean(axis=0), there.mean(axis=0)
    from_, to = places[held] - middle, there - target
    left, values, right = np.linalg.svd(from_.T @ to)
    square = float(np.sum(from_**2))
    scale = float(values.sum()) / square if square > 0 else 1.0
    return np.asarray((places - middle) @ (left @ right) * scale + target)


def _pushed_apart(places: np.ndarray, radii: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Circles that overlap step aside, known ones hardly; all stay in the square."""
    from scipy.spatial import KDTree

    edge = np.minimum(radii + _MARGIN / 2, 0.5)[:, None]
    # New topics at one place go different ways, by a golden angle each.
    angle = np.arange(len(places)) * 2.399963
    jitter = 1e-4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places = np.clip(places + np.where(held[:, None], 0.0, jitter), edge, 1 - edge)
    gives = np.where(held, _STIFFNESS, 1.0)
    for _ in range(_ROUNDS):
        # Few circles are as large as the largest: most pairs found do not touch.
        a, b = KDTree(places).query_pairs(2 * radii.max(), output_type="ndarray").T
        step = places[a] - places[b]
        distance = np.linalg.norm(step, axis=1)
        overlap = radii[a] + radii[b] - distance
        touching = overlap > _SMALLEST_OVERLAP
        if not touching.any():
            break
        a, b = a[touching], b[touching]
        push = (overlap / np.maximum(distance, 1e-9))[touching, None] * step[touching]
        share = (gives[a] / (gives[a] + gives[b]))[:, None]
        moves, crowd = np.zeros_like(places), np.zeros(len(places))
        for rows, move in ((a, push * share), (b, push * (share - 1))):
            np.add.at(moves, rows, move)
            np.add.at(crowd, rows, 1)
        # A topic in a crowd is pushed from many sides at once: the mean of them, times two.
        places = np.clip(places + moves / np.maximum(crowd, 2)[:, None] * 2, edge, 1 - edge)
    return np.asarray(places, np.float32)
