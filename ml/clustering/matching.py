"""Which cluster of a new clustering is which of the one before, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.clustering.labels import NONE

# Share of the smaller cluster's known members that two clusters share to be the same one, however
# far their centroids have moved.
SAME_SHARE = 0.5
# A part of a cluster this large is worth telling. Smaller ones come and go with the density: a
# video on the edge of two themes changes sides.
SIZEABLE_SHARE = 0.25
# Pairs of centroids of a block: 32 MB in float32.
_BLOCK = 1 << 23
# Of squared lengths, in float32: what a product of two rows may be off.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Change:
    """What became of a cluster that did not simply stay.

    Attributes:
        kind: ``appeared``, ``vanished``, ``split`` or ``merged``.
        id: the cluster: the old one that vanished or split, the new one otherwise.
        other_ids: split: the new clusters that it fell into; merged: the old ones it is made of;
            either may hold the cluster's own id.
        size_before: members of the cluster with this id before; 0 if there was none.
        size_after: members of the cluster with this id now; 0 if there is none.
    """

    kind: str
    id: int
    other_ids: tuple[int, ...]
    size_before: int
    size_after: int


def shared_members(old: np.ndarray, new: np.ndarray, old_count: int, new_count: int) -> Any:
    """How many items each old cluster shares with each new one, as a sparse int64[a, b].

    Args:
        old: int[items], row of the old cluster of each item that is in both clusterings, -1 for
            none.
        new: int[items], of the same items, the row of the new one, -1 for none.
        old_count: old clusters.
        new_count: new clusters.
    """
    from scipy.sparse import coo_array

    both = (old >= 0) & (new >= 0)
    pairs = (np.asarray(old)[both], np.asarray(new)[both])
    return coo_array((np.ones(both.sum(), np.int64), pairs), (old_count, new_count)).tocsr()


def match(
    old_centroids: np.ndarray,
    new_centroids: np.ndarray,
    old_reach: np.ndarray,
    new_reach: np.ndarray,
    shared: Any = None,
) -> np.ndarray:
    """For each new cluster the old one that it continues.

    Two clusters may be the same if they share half of the smaller one's known members, or if each
    centroid is within the other's reach; but not if both have known members and share none. Of
    all ways to pair them the one with the largest sum of squared shared members is taken: squares,
    so that the larger part of a split keeps the id even where another old cluster fell into it.
    Nearness decides among pairs that share as many.

    Args:
        old_centroids: float[a, k]; infinite where the place is unknown.
        new_centroids: float[b, k], in the same space.
        old_reach: float[a].
        new_reach: float[b].
        shared: members that an old and a new cluster share, int64[a, b] dense or sparse (see
            `shared_members`); None if no member is known.

    Returns:
        int64[b], a row of the old clusters or -1; no old cluster twice.
    """
    a, b = len(old_centroids), len(new_centroids)
    if not a or not b:
        return np.full(b, NONE, np.int64)
    known = _sparse(shared, a, b)
    old, new, count = _candidates(old_centroids, new_centroids, old_reach, known)
    unit = np.minimum(old_reach[old], new_reach[new])
    distance = np.linalg.norm(old_centroids[old] - new_centroids[new], axis=1)
    near = distance <= unit
    smaller = np.minimum(known.sum(axis=1)[old], known.sum(axis=0)[new])
    same = near | (count >= np.maximum(SAME_SHARE * smaller, 1))
    closeness = np.where(near, 1 - 0.5 * distance / np.maximum(unit, np.finfo(float).tiny), 0)
    gain = count.astype(np.float64) ** 2 + closeness
    return _best_partners(old[same], new[same], gain[same], a, b)


def fresh_ids(matched: np.ndarray, old_ids: np.ndarray, next_id: int) -> tuple[np.ndarray, int]:
    """The ids of the new clusters: those that continue an old one keep its id.

    Args:
        matched: int[b], as `match` gives; new clusters stand by falling size, and those without a
            partner are numbered in this order.
        old_ids: int[a].
        next_id: ids from here on were never given.

    Returns:
        int32[b], and the next id.

    Raises:
        ValueError: an old id is not below next_id: it could be given again.
    """
    if len(old_ids) and int(np.max(old_ids)) >= next_id:
        raise ValueError(f"id {np.max(old_ids)} is in use, so the next one cannot be {next_id}")
    ids = np.full(len(matched), NONE, np.int32)
    stays = np.asarray(matched) != NONE
    ids[stays] = np.asarray(old_ids, np.int32)[np.asarray(matched)[stays]]
    new = int((~stays).sum())
    ids[~stays] = next_id + np.arange(new)
    return ids, next_id + new


def changes(
    old_ids: Sequence[int] | np.ndarray,
    old_sizes: Sequence[int] | np.ndarray,
    new_ids: Sequence[int] | np.ndarray,
    new_sizes: Sequence[int] | np.ndarray,
    shared: Any = None,
) -> list[Change]:
    """Every cluster that appeared, vanished, split or was merged.

    An old cluster is split if two or more new ones hold a sizeable part of it: a quarter of its
    known members, or, for one with a new id, so many that they are half of it. A new one is
    merged if it holds a sizeable part of two or more old ones, with the sides exchanged. No part
    is smaller than the smallest cluster. What a split or a merger tells is not told again.

    Args:
        old_ids, old_sizes: ids before, all different, and how many members they had.
        new_ids, new_sizes: the same now; equal ids are the same cluster.
        shared: as in `match`.

    Returns:
        Changes by kind (split, merged, vanished, appeared) and id.
    """
    old_ids, old_sizes = np.asarray(old_ids, np.int64), np.asarray(old_sizes, np.int64)
    new_ids, new_sizes = np.asarray(new_ids, np.int64), np.asarray(new_sizes, np.int64)
    gone, fresh = ~np.isin(old_ids, new_ids), ~np.isin(new_ids, old_ids)
    known = _sparse(shared, len(old_ids), len(new_ids))
    least = min([*old_sizes, *new_sizes], default=1)
    splits = _parts(known, old_ids, new_ids, new_sizes * fresh, least)
    mergers = _parts(known.T, new_ids, old_ids, old_sizes * gone, least)
    vanished = set(old_ids[gone].tolist()).difference(splits, *mergers.values())
    appeared = set(new_ids[fresh].tolist()).difference(mergers, *splits.values())
    found: dict[str, dict[int, tuple[int, ...]]] = {
        "split": splits,
        "merged": mergers,
        "vanished": dict.fromkeys(sorted(vanished), ()),
        "appeared": dict.fromkeys(sorted(appeared), ()),
    }
    before = dict(zip(old_ids.tolist(), old_sizes.tolist(), strict=True))
    after = dict(zip(new_ids.tolist(), new_sizes.tolist(), strict=True))
    return [
        Change(kind, id_, others, before.get(id_, 0), after.get(id_, 0))
        for kind, of_kind in found.items()
        for id_, others in of_kind.items()
    ]


def _best_partners(
    old: np.ndarray, new: np.ndarray, gain: np.ndarray, a: int, b: int
) -> np.ndarray:
    """For each new cluster the old one in the best pairing, or -1; every gain is above 0.

    Clusters that no chain of pairs connects are paired apart, and where that is one pair there is
    nothing to choose: 200,000 clusters of which a tenth of the members changed took 2 s.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(old), bool), (old, a + new)), shape=(a + b, a + b))
    part = connected_components(graph, directed=False)[1][old]
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    partner = np.full(b, NONE, np.int64)
    lone = order[starts[sizes == 1]]
    partner[new[lone]] = old[lone]
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        some = order[start : start + size]
        rows, columns = _assignment(new[some], old[some], gain[some])
        partner[rows] = columns
    return partner


def _assignment(
    new: np.ndarray, old: np.ndarray, gain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs with the largest sum of gains, none with a new or an old one twice."""
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(new, return_inverse=True)
    columns, column = np.unique(old, return_inverse=True)
    gains = np.zeros((len(rows), len(columns)))
    gains[row, column] = gain
    i, j = linear_sum_assignment(gains, maximize=True)
    paired = gains[i, j] > 0
    return rows[i[paired]], columns[j[paired]]


def _parts(
    shared: Any, ids: np.ndarray, others: np.ndarray, unmatched: np.ndarray, least: int
) -> dict[int, tuple[int, ...]]:
    """By id, rising, the others that hold a sizeable part of it, where there are two or more.

    `unmatched` are the others' sizes, 0 for one that was matched.
    """
    (one, other), count = shared.tocoo().coords, shared.tocoo().data
    mostly = (unmatched[other] > 0) & (2 * count >= unmatched[other])
    sizeable = mostly | (count >= SIZEABLE_SHARE * shared.sum(axis=1)[one])
    large = sizeable & (count >= least)
    parts: dict[int, list[int]] = {}
    pairs = zip(ids[one[large]].tolist(), others[other[large]].tolist(), strict=True)
    for id_, part in sorted(pairs):
        parts.setdefault(id_, []).append(part)
    return {id_: tuple(some) for id_, some in parts.items() if len(some) > 1}


def _sparse(shared: Any, a: int, b: int) -> Any:
    from scipy.sparse import csr_array

    known = csr_array((a, b), dtype=np.int64) if shared is None else csr_array(shared)
    if known.shape != (a, b):
        raise ValueError(f"shared members of {a} old and {b} new clusters, but got {known.shape}")
    known.eliminate_zeros()
    return known


def _candidates(
    old_centroids: np.ndarray,
    new_centroids: np.ndarray,
    old_reach: np.ndarray,
    known: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that may be the same, as rows of the old and the new, and what they share.

    Those that share members, and those where the new one is within the old one's reach and at least
    one of the two has no known member.
    """
    sharing = known.tocoo()
    pairs = [(*sharing.coords, sharing.data)]
    unknown_old, unknown_new = known.sum(axis=1) == 0, known.sum(axis=0) == 0
    # No place, no nearness.
    placed = np.isfinite(old_centroids).all(axis=1)
    for some_old, some_new in ((placed, unknown_new), (placed & unknown_old, ~unknown_new)):
        old, new = np.flatnonzero(some_old), np.flatnonzero(some_new)
        i, j = _within(old_centroids[old], new_centroids[new], old_reach[old])
        pairs.append((old[i], new[j], np.zeros(len(i), np.int64)))
    old, new, count = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return old, new, count


def _within(x: np.ndarray, y: np.ndarray, x_reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows within the reach of the first; rounding leaves in a few that are not."""
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    step = max(1, _BLOCK // max(1, len(y)))
    squares = np.sum(y**2, axis=1)
    for start in range(0, len(x), step):
        block, reach = x[start : start + step], x_reach[start : start + step]
        lengths = np.sum(block**2, axis=1)
        # |x - y|^2 <= reach^2, with the products on one side.
        products = block @ y.T
        products -= squares / 2
        least = (lengths - reach**2) / 2 - _ROUNDING * (lengths + squares.max(initial=0))
        i, j = np.nonzero(products >= least[:, None])
        found.append((i + start, j))
    i, j = (np.concatenate(part) for part in zip(*found, strict=True))
    return i, j
