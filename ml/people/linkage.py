"""Average linkage of unit vectors, of which some pairs may never meet.

Between two groups of unit vectors the mean of all cosines is the product of the groups' plain
means, so groups that were merged before (tracks, blocks) are carried on exactly as such means.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
NO_PAIRS = np.zeros((0, 2), np.int64)
# The matrix of distances of 4,000 rows takes 128 MB, and linking them 1-2 s.
_BLOCK_ROWS = 4000
# More rows are linked in blocks of neighbours: in the order they come in, which for tracks is by
# time, then along so many principal components.
_ORDERS = 5
# Averaged over any number of pairs this stays beyond every distance.
_NEVER = 1e12


def average_linkage(means: Floats, distance: float, apart: Ints = NO_PAIRS) -> Ints:
    """Groups whose members' cosines are, on average over all pairs, those of ``distance``.

    Args:
        means: float[n, d]: unit vectors, or plain means of unit vectors that belong together.
        distance: Euclidean, between unit vectors.
        apart: int64[p, 2]: rows that no group may hold both of.

    Returns:
        int64[n]: group numbers from 0 on, by first row. Beyond `_BLOCK_ROWS` rows, which are
        thousands of people in one video, groups that never come into one block stay apart.
    """
    means = np.asarray(means, np.float64)
    groups = np.arange(len(means))
    for order in range(_ORDERS):
        centres = group_means(means, groups)
        place = np.arange(len(centres)) if order == 0 else _along_axis(centres, order)
        linked = _linked_in_blocks(centres, place, distance, groups[apart])
        groups = linked[groups]
        if len(centres) <= _BLOCK_ROWS:
            break
    return _by_first_row(groups)


def group_means(vectors: Floats, groups: Ints, weights: Floats | None = None) -> Floats:
    """Plain (not unit) mean of each group, weighted; float64[groups, d]."""
    weights = np.ones(len(vectors)) if weights is None else weights
    count = int(groups.max(initial=-1)) + 1
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, groups, vectors * weights[:, None])
    return sums / np.bincount(groups, weights, count)[:, None]


def pairs_within(sets: Ints) -> Ints:
    """int64[p, 2]: every pair of rows with the same number, the smaller row first."""
    order = np.argsort(sets, kind="stable")
    size = np.unique(sets, return_counts=True)[1]
    ends = np.cumsum(size)
    pairs = [NO_PAIRS]
    for start, end in zip((ends - size)[size > 1], ends[size > 1], strict=True):
        a, b = np.triu_indices(end - start, 1)
        pairs.append(np.stack([order[start + a], order[start + b]], axis=1))
    return np.concatenate(pairs)


def _along_axis(x: Floats, number: int) -> Ints:
    """Row numbers by the principal component of that number, 1 the leading one."""
    centred = x - x.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1]
    return np.argsort(centred @ axes[:, -min(number, len(axes))], kind="stable")


def _linked_in_blocks(means: Floats, order: Ints, distance: float, apart: Ints) -> Ints:
    groups = np.zeros(len(means), np.int64)
    place = np.empty(len(means), np.int64)
    place[order] = np.arange(len(means))
    apart, count = place[apart], 0
    for start in range(0, len(means), _BLOCK_ROWS):
        rows = order[start : start + _BLOCK_ROWS]
        inside = ((apart >= start) & (apart < start + _BLOCK_ROWS)).all(axis=1)
        linked = _linked_at_once(means[rows], distance, apart[inside] - start)
        groups[rows] = count + linked
        count += int(linked.max()) + 1
    return groups


def _linked_at_once(means: Floats, distance: float, apart: Ints) -> Ints:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(means) < 2:
        return np.zeros(len(means), np.int64)
    apartness = 1.0 - means @ means.T
    np.fill_diagonal(apartness, 0.0)
    apartness[apart[:, 0], apart[:, 1]] = _NEVER
    apartness[apart[:, 1], apart[:, 0]] = _NEVER
    limit = distance**2 / 2
    # Most clusters of a library are one person, without doubt: scipy would take a millisecond each.
    if apartness.max() <= limit:
        return np.zeros(len(means), np.int64)
    tree = linkage(squareform(np.maximum(apartness, 0.0), checks=False), "average")
    return np.asarray(fcluster(tree, limit, "distance"), np.int64) - 1


def _by_first_row(groups: Ints) -> Ints:
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
