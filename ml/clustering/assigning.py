"""New rows join clusters found earlier: the nearest centroid, if it is within reach."""

from __future__ import annotations

import numpy as np

from ml.clustering.labels import NONE
from ml.vectors import require_finite

# A new row joins a cluster from as far as this share of the cluster's own rows lie.
JOIN_QUANTILE = 0.95
# A small cluster's own quantile is little more than its largest distance: it is averaged with
# that of the clusters in the middle, which counts like so many rows.
POOLED_ROWS = 5
# How sure a row is that lies as far away as the cluster reaches; 1 at the centroid.
_SURE_AT_REACH = 0.5
# Rows of a block of distances: 4,096 x 1,000 centroids in float32 are 16 MB.
_ROWS = 4096


def centroids_of(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of each label's rows, from 0 up; float32[clusters, k], NaN for a label without rows."""
    there = labels >= 0
    own, count = labels[there], int(labels.max(initial=NONE)) + 1
    size = np.bincount(own, minlength=count)
    means = np.empty((count, z.shape[1]), np.float32)
    with np.errstate(invalid="ignore"):
        for column in range(z.shape[1]):
            # In float64: a float32 sum over 100,000 rows is off in the third digit.
            means[:, column] = np.bincount(own, z[there, column], count) / size
    return means


def reaches(z: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """How far from its centroid a cluster takes in new rows; float32[clusters].

    The quantile `JOIN_QUANTILE` of the distances of its own rows. A row of a cluster of m has
    pulled the centroid towards itself: m / (m - 1) times its distance is that to the centroid of
    the others, which is what a new row's distance compares with. A cluster of one has no distance
    and reaches as far as the others do; with no other cluster nowhere (0).
    """
    size = np.bincount(labels[labels >= 0], minlength=len(centroids))
    there = np.flatnonzero(labels >= 0)
    wide = there[size[labels[there]] > 1]
    own = labels[wide]
    distances = to_own_centroid(z[wide], own, centroids) * (size / np.maximum(size - 1, 1))[own]
    found = _quantiles(distances, own, len(centroids))
    several = size > 1
    pooled = float(np.median(found[several])) if several.any() else 0.0
    weight = np.where(several, size, 0)
    return ((weight * found + POOLED_ROWS * pooled) / (weight + POOLED_ROWS)).astype(np.float32)


def assign(
    z: np.ndarray, centroids: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest cluster of each row, if it is within that cluster's reach.

    Args:
        z: float[n, k].
        centroids: float[clusters, k].
        reach: float[clusters]; infinite takes everything.

    Returns:
        labels int64[n], -1 for none; distances float32[n], Euclidean, to the nearest centroid
        whether joined or not, 0 if there is no centroid; probabilities float32[n], 1 at the
        centroid and falling with the square of the distance to .5 at its reach, 0 for none.

    Raises:
        ValueError: NaN or infinite values in z.
    """
    require_finite(z, "what is to join")
    if not len(centroids):
        n = len(z)
        return np.full(n, NONE, np.int64), np.zeros(n, np.float32), np.zeros(n, np.float32)
    nearest = nearest_centroids(z, centroids)
    distance = to_own_centroid(z, nearest, centroids)
    inside = distance <= reach[nearest]
    share = distance / np.maximum(reach[nearest], np.finfo(np.float32).tiny)
    sure = np.where(inside, 1 - (1 - _SURE_AT_REACH) * np.minimum(share, 1) ** 2, 0)
    return np.where(inside, nearest, NONE), distance, sure.astype(np.float32)


def nearest_centroids(z: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The nearest of the centroids, at least one, for each row; int64[n]."""
    nearest = np.zeros(len(z), np.int64)
    half_squares = np.sum(centroids.astype(np.float32) ** 2, axis=1) / 2
    turned = np.ascontiguousarray(centroids.T, np.float32)
    for start in range(0, len(z), _ROWS):
        block = np.ascontiguousarray(z[start : start + _ROWS], np.float32) @ turned
        nearest[start : start + _ROWS] = np.subtract(block, half_squares, out=block).argmax(axis=1)
    return nearest


def to_own_centroid(z: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Euclidean distance of each row to its label's centroid; float32[n]."""
    distances = np.zeros(len(z), np.float32)
    for start in range(0, len(z), _ROWS):
        rows = slice(start, start + _ROWS)
        distances[rows] = np.linalg.norm(z[rows] - centroids[labels[rows]], axis=1)
    return distances


def _quantiles(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """`JOIN_QUANTILE` of each label's values, interpolated as numpy does; 0 without values."""
    ranked = values[np.lexsort((values, labels))]
    size = np.bincount(labels, minlength=count)
    there = size > 0
    place = (np.cumsum(size) - size)[there] + JOIN_QUANTILE * (size[there] - 1)
    below = np.floor(place).astype(np.int64)
    above = np.ceil(place).astype(np.int64)
    out = np.zeros(count)
    out[there] = ranked[below] + (place - below) * (ranked[above] - ranked[below])
    return out
