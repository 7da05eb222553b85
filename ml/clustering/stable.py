"""Clusters that stay themselves: ids outlive a new clustering, and new members join in between.

A full clustering is matched with the one before, so that a cluster keeps its id; between two full
clusterings items that are new or changed join the nearest centroid within its reach, and nobody
else moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.clustering.assigning import (
    assign,
    centroids_of,
    nearest_centroids,
    reaches,
    to_own_centroid,
)
from ml.clustering.matching import Change, changes, fresh_ids, match, shared_members

NONE = -1
# A full clustering is due when the share of items without a cluster has grown by so much since the
# last one, and when there are twice as many items: what is new then outweighs what was clustered.
UNASSIGNED_GROWTH = 0.1
GROWTH = 2.0
# Rows that are compared at a time.
_ROWS = 1 << 14


@dataclass(frozen=True)
class Members:
    """The items of a clustering, sorted by key.

    Attributes:
        keys: one string per item, all different.
        z: float32[n, k], where they lie.
        ids: int32[n], the cluster of each, -1 for none.
        distance: float32[n], Euclidean, to its own centroid; without one to the nearest.
        probability: float32[n], 0 to 1, how surely it belongs; 0 for none.
        joined: bool[n], whether it came after the last full clustering.
    """

    keys: Sequence[str]
    z: np.ndarray
    ids: np.ndarray
    distance: np.ndarray
    probability: np.ndarray
    joined: np.ndarray


@dataclass(frozen=True)
class Clustering:
    """The last full clustering, with what has joined since.

    Attributes:
        number: 1 for the first full clustering.
        next_id: ids from here on were never given.
        ids: int32[clusters]; a cluster all of whose members are gone stays until the next one.
        centroids: float32[clusters, k].
        reach: float32[clusters], how far from the centroid a new item may be to join.
        members: every item.
        changes: what the full clustering did to the clusters of the one before.
        unassigned_share: of the items, right after the full clustering.
        count: items at the full clustering.
    """

    number: int
    next_id: int
    ids: np.ndarray
    centroids: np.ndarray
    reach: np.ndarray
    members: Members
    changes: tuple[Change, ...]
    unassigned_share: float
    count: int


def recluster(
    keys: Sequence[str],
    z: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    before: Clustering | None = None,
    *,
    still: np.ndarray | None = None,
    same_space: bool = False,
    first_id: int = 0,
    most_reach: float = np.inf,
) -> Clustering:
    """A full clustering that keeps the ids of the one before.

    The clusters of before are laid over the new ones by those of their members that are still
    there, at their present places: so the two need not share a space. One of which no member is
    left is known by its centroid, if they do.

    Args:
        keys: sorted, all different.
        z: float32[n, k].
        labels: int64[n], clusters 0, 1, ... by falling size, -1 for none.
        probabilities: float[n].
        before: the clustering to carry on.
        still: bool[n], whether the item is the one that had this key before; None for all.
        same_space: whether the vectors of before lie in the same space.
        first_id: the first id to be given where there is nothing to carry on.
        most_reach: no cluster takes in new items from farther away.
    """
    centroids = centroids_of(z, labels)
    reach = np.minimum(reaches(z, labels, centroids), np.float32(most_reach))
    sizes = np.bincount(labels[labels >= 0], minlength=len(centroids))
    if before is None:
        ids, next_id = fresh_ids(np.full(len(centroids), NONE), np.zeros(0, np.int32), first_id)
        told = [Change("appeared", int(i), (), 0, int(n)) for i, n in zip(ids, sizes, strict=True)]
    else:
        of_key = _places(before.members.keys, keys)
        at = of_key if still is None else np.where(still, of_key, NONE)
        old = _laid_over(before, at, z, labels, len(centroids), same_space)
        matched = match(old.centroids, centroids, old.reach, reach, old.shared)
        ids, next_id = fresh_ids(matched, old.ids, before.next_id)
        told = changes(old.ids, old.sizes, ids, sizes, old.shared)
    members = Members(
        list(keys),
        z,
        np.r_[ids, NONE][labels].astype(np.int32),
        _distances(z, labels, centroids),
        np.asarray(probabilities, np.float32),
        np.zeros(len(keys), bool),
    )
    share = float(np.mean(labels < 0)) if len(labels) else 0.0
    number = 1 if before is None else before.number + 1
    return Clustering(
        number, next_id, ids, centroids, reach, members, tuple(told), share, len(keys)
    )


def take_in(before: Clustering, keys: Sequence[str], z: np.ndarray) -> Clustering:
    """The same clusters over the items that there are now.

    An item that is as it was keeps its cluster, one that is new or lies elsewhere joins the
    nearest centroid within reach or none, one that is gone is left out. A row of zeros is an item
    of which nothing is known: it joins none.

    Args:
        before: the clustering so far.
        keys: of all items, sorted, all different.
        z: float32[n, k], in the same space.
    """
    was = before.members
    at = _places(was.keys, keys)
    same = (at >= 0) & (was.z.shape[1] == z.shape[1])
    same[same] = _equal_rows(was.z, at[same], z, np.flatnonzero(same))
    centroids = before.centroids if len(before.ids) else np.zeros((0, z.shape[1]), np.float32)
    labels, distance, probability = assign(z[~same], centroids, before.reach)
    nowhere = ~z[~same].any(axis=1)
    labels[nowhere], probability[nowhere] = NONE, 0
    ids = np.full(len(keys), NONE, np.int32)
    ids[~same] = np.r_[before.ids, NONE][labels]
    ids[same] = was.ids[at[same]]
    members = Members(
        list(keys),
        z,
        ids,
        _mixed(same, was.distance[at[same]], distance),
        _mixed(same, was.probability[at[same]], probability),
        _mixed(same, was.joined[at[same]], np.ones(len(distance), bool)),
    )
    return replace(before, members=members)


def reason_to_recluster(now: Clustering) -> str:
    """Why a full clustering is due, in words; empty while the last one still serves."""
    count = len(now.members.keys)
    if count >= GROWTH * max(1, now.count):
        return f"{count} items where there were {now.count}"
    share = float(np.mean(now.members.ids == NONE)) if count else 0.0
    if share > now.unassigned_share + UNASSIGNED_GROWTH:
        return f"{share:.0%} belong to none where {now.unassigned_share:.0%} did"
    return ""


@dataclass(frozen=True)
class _Old:
    """The clusters of before, seen from the new clustering."""

    ids: np.ndarray
    sizes: np.ndarray
    centroids: np.ndarray
    reach: np.ndarray
    shared: Any


def _laid_over(
    before: Clustering,
    at: np.ndarray,
    z: np.ndarray,
    labels: np.ndarray,
    count: int,
    same_space: bool,
) -> _Old:
    """`at`: int64[n], where each item stands among the members of before, -1 where it does not."""
    there = at >= 0
    of_all = _rows_of(before.ids, before.members.ids)
    old = of_all[at[there]]
    shared = shared_members(old, labels[there], len(before.ids), count)
    sizes = np.bincount(of_all[of_all >= 0], minlength=len(before.ids))
    left = np.unique(old[old >= 0])
    # Renumbered, because a cluster without a member left has no place in another space.
    own = _rows_of(left, old)
    if same_space:
        places, reach = before.centroids.copy(), before.reach.copy()
    else:
        places = np.full((len(before.ids), z.shape[1]), np.inf, np.float32)
        reach = np.zeros(len(before.ids), np.float32)
    places[left] = centroids_of(z[there], own)
    reach[left] = reaches(z[there], own, places[left])
    return _Old(before.ids, sizes, places, reach, shared)


def _places(keys: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """int64[len(wanted)]: where each key stands among ``keys``, -1 where it does not."""
    place = {key: i for i, key in enumerate(keys)}
    return np.array([place.get(key, NONE) for key in wanted], np.int64)


def _rows_of(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """int64[len(wanted)]: the row of each id among ``ids``, -1 where it is none of them."""
    if not len(ids):
        return np.full(len(wanted), NONE, np.int64)
    order = np.argsort(ids, kind="stable")
    at = order[np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)]
    return np.where(ids[at] == wanted, at, NONE).astype(np.int64)


def _equal_rows(a: np.ndarray, at: np.ndarray, b: np.ndarray, of: np.ndarray) -> np.ndarray:
    """bool[rows]: whether rows ``at`` of ``a`` are rows ``of`` of ``b``; no copy of either."""
    blocks = (slice(start, start + _ROWS) for start in range(0, len(at), _ROWS))
    equal = [(a[at[rows]] == b[of[rows]]).all(axis=1) for rows in blocks]
    return np.concatenate(equal) if equal else np.zeros(0, bool)


def _mixed(same: np.ndarray, kept: np.ndarray, new: np.ndarray) -> np.ndarray:
    out = np.empty(len(same), kept.dtype)
    out[same], out[~same] = kept, new
    return out


def _distances(z: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """To the own centroid, without a cluster to the nearest; zeros if there is none."""
    if not len(centroids):
        return np.zeros(len(z), np.float32)
    own = np.where(labels >= 0, labels, nearest_centroids(z, centroids))
    return to_own_centroid(z, own, centroids)
