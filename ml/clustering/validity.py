"""How well clusters are told apart: the density-based validity index (DBCV).

Moulavi, Jaskowiak, Campello, Zimek and Sander (2014, Density-Based Clustering Validation): of each
cluster its sparseness (the longest edge inside its minimum spanning tree) against its separation
(the shortest way to another one), from -1 to 1; below 0 another cluster is nearer than the cluster
holds together. The hdbscan package computes it, for a few thousand rows: it is quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml.clustering.assigning import centroids_of
from ml.clustering.labels import NONE

# Rows of a cluster that are looked at. On unit vectors of 50 dimensions with 10,000 rows in 41
# clusters all of them took 1.1 s and 30,000 in 60 clusters 7.9 s and 1.3 GB; with 500, 200, 100, 50
# and 20 of a cluster the mean of 10,000 is off by .005, .011, .004, .02 and .055, and that of a
# single cluster, on average, by .004, .006, .012, .037 and .05.
_MEMBERS = 200
# Clusters that are looked at: 100,000 rows in 100 topics take 1.8 s, in 13,800 people 1.0 s, and
# with 200 people 4 s. By which are drawn the mean of 1,576 people differs by .025.
_CLUSTERS = 100
# Of each, so many with the nearest centroids are there too, for its separation: with 1, 2 and 4 the
# figure of a single cluster among 1,000 people is off by .005, .002 and .0001.
_BESIDE = 2


@dataclass(frozen=True)
class Validity:
    """How well clusters are told apart.

    Attributes:
        mean: -1 to 1, over the rows that have a cluster; None where nothing can be said: there are
            not two clusters of two rows, or all their rows are the same.
        of_cluster: -1 to 1, by cluster, of those that were looked at.
    """

    mean: float | None
    of_cluster: Mapping[int, float]


def validity(z: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> Validity:
    """DBCV of a clustering.

    Args:
        z: float[n, k], Euclidean.
        labels: int[n], the cluster of each, -1 for none.
        seed: which clusters are looked at, and which of their rows, where there are too many.
    """
    numbers, sizes = np.unique(labels[labels != NONE], return_counts=True)
    numbers, sizes = numbers[sizes > 1], sizes[sizes > 1]
    if len(numbers) < 2:
        return Validity(None, {})
    draw = np.random.default_rng(seed)
    at = np.minimum(np.searchsorted(numbers, labels), len(numbers) - 1)
    cluster = np.where(numbers[at] == labels, at, NONE)
    asked = np.sort(draw.permutation(len(numbers))[:_CLUSTERS])
    rows = _sample(cluster, np.union1d(asked, _beside(z, cluster, asked)), draw)
    chosen, own = np.unique(cluster[rows], return_inverse=True)
    scores = _scores(z[rows], own)[np.searchsorted(chosen, asked)]
    known = np.isfinite(scores)
    asked, scores = asked[known], scores[known]
    of_cluster = dict(zip(numbers[asked].tolist(), scores.tolist(), strict=True))
    if not of_cluster:
        return Validity(None, {})
    return Validity(float(np.average(scores, weights=sizes[asked])), of_cluster)


def _beside(z: np.ndarray, cluster: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The clusters with the nearest centroids of each."""
    centroids = centroids_of(z, cluster)
    squares = (centroids**2).sum(axis=1) - 2 * centroids[asked] @ centroids.T
    squares[np.arange(len(asked)), asked] = np.inf
    count = min(_BESIDE, len(centroids) - 1)
    return np.argpartition(squares, count - 1, axis=1)[:, :count].ravel()


def _sample(cluster: np.ndarray, wanted: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """int64[m], rising: rows of the wanted clusters, at most `_MEMBERS` of each."""
    rows = draw.permutation(np.flatnonzero(np.isin(cluster, wanted)))
    order = rows[np.argsort(cluster[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(cluster[order], prepend=NONE - 1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return np.sort(order[place < _MEMBERS])


def _scores(z: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """float64[clusters]; not a number where two clusters are one place."""
    from hdbscan.validity import validity_index

    # Near copies in many dimensions: 1 / distance ** k is beyond float64, and the core distance 0.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found = validity_index(np.asarray(z, np.float64), cluster, per_cluster_scores=True)
    return np.asarray(found[1])
