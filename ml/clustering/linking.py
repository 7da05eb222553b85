"""Edges between the parts into which a graph of nearest neighbours falls.

The neighbours of a row in a theme are all in that theme. Where the theme meets the next one decides
how long HDBSCAN counts it as a cluster: without these edges it meets the others too late, strays
stay in, and the adjusted Rand index with exact HDBSCAN on 5,000 rows is .94-.99 instead of .985-1.
"""

from __future__ import annotations

import numpy as np

from ml.clustering.assigning import centroids_of
from ml.clustering.nearest import nearest_rows

# Parts that a part is linked with, nearest centroid first.
_NEAR_PARTS = 8
# Values of a block of products: 64 MB in float32.
_BLOCK = 1 << 24


def links(z: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Edges int64[m, 2] from each part to its nearest ones, between rows that are near.

    From the row of one part that is nearest the other's centroid to the row of the other that is
    nearest to that row. Among 5,000 rows the links between a theme and a stray are the shortest
    there are, those between two themes 1.004 times as long (at most 1.06).

    Args:
        z: float32[n, k].
        part: int[n], 0 to at least 1, every number used.
    """
    centroids = centroids_of(z, part)
    pairs = _near_pairs(centroids)
    order = np.argsort(part, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(part))])
    ends = _nearest_in_part(z, order, starts, pairs[:, 0], centroids[pairs[:, 1]])
    others = _nearest_in_part(z, order, starts, pairs[:, 1], z[ends])
    return np.stack([ends, others], axis=1)


def _near_pairs(centroids: np.ndarray) -> np.ndarray:
    """int64[m, 2]: parts whose centroids are among each other's nearest, in both directions."""
    near = nearest_rows(centroids, min(_NEAR_PARTS, len(centroids) - 1))[0]
    one = np.repeat(np.arange(len(near)), near.shape[1])
    pairs = np.stack([one, near.ravel()], axis=1)[near.ravel() >= 0]
    return np.unique(np.vstack([pairs, pairs[:, ::-1]]), axis=0)


def _nearest_in_part(
    z: np.ndarray, order: np.ndarray, starts: np.ndarray, part: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """The row of a part that is nearest to a point, for each of the points; int64."""
    found = np.empty(len(part), np.int64)
    by_part = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[by_part], np.arange(len(starts)))
    for p in np.unique(part):
        rows, asked = order[starts[p] : starts[p + 1]], by_part[bounds[p] : bounds[p + 1]]
        here = z[rows]
        half_squares = np.sum(here**2, axis=1) / 2
        step = max(1, _BLOCK // len(rows))
        for at in range(0, len(asked), step):
            some = asked[at : at + step]
            found[some] = rows[(points[some] @ here.T - half_squares).argmax(axis=1)]
    return found
