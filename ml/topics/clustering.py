"""Which videos are about the same thing: density clusters of their places in the space of topics.

What was chosen between was measured as the adjusted Rand index (ARI) on 24 to 60 English titles of
5 to 10 themes embedded by MiniLM, and on 40 to 1,500 synthetic vectors of 6 to 30 themes, a tenth
of them strays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ml.clustering.assigning import assign, centroids_of, reaches
from ml.clustering.density import density_clusters
from ml.clustering.labels import by_falling_size, nobody
from ml.topics.library import sample_of
from ml.vectors import require_finite

NO_TOPIC = -1
EXEMPLARS = 3
# Between unit vectors: closer videos are copies. Unmerged, two pairs of copies among 30 titles took
# ARI from .80 to .55: a clip and its copies are denser than any theme. Videos that are no copies
# come as near as .08 in the few dimensions of a small library: with .15, mean ARI over subsets of
# three small libraries falls from .61, .60 and .75 to .57, .60 and .71.
COPY_DISTANCE = 0.05


@dataclass(frozen=True)
class ClusterOptions:
    """How topics are found.

    Attributes:
        min_cluster_size: fewest videos of a topic; None for `smallest_topic`.
        sample_limit: HDBSCAN sees at most so many videos, the others join the nearest topic. Its
            time is quadratic on 50 dimensions: 1.2 s for 5,000, 6.5 s for 10,000 and 28 s for
            20,000 on one core.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    min_cluster_size: int | None = None
    sample_limit: int = 20_000
    device: str = "cpu"


def cluster(
    z: np.ndarray, ids: Sequence[str], options: ClusterOptions | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Topics of a library; the same whatever the order of its videos.

    Args:
        z: float32[n, k], as `ml.topics.space.TopicSpace.project` gives; a row of zeros is a video
            of which nothing is known.
        ids: n video ids, all different.
        options: see there.

    Returns:
        Labels by falling size, int64[n], -1 for none, and how surely each belongs, float32[n] from
        0 to 1. A library that is too small, or in which nothing groups, has no topics.

    Raises:
        ValueError: NaN or infinite values, an id twice, or arguments that differ in length.
    """
    options = options or ClusterOptions()
    order = _order(z, ids)
    known = order[np.any(z[order] != 0, axis=1)]
    labels, probabilities = nobody(len(ids))
    found, sure = _find(np.asarray(z, np.float32)[known], [ids[i] for i in known], options)
    labels[known], probabilities[known] = by_falling_size(found), sure
    return labels, probabilities


def smallest_topic(n: int) -> int:
    """Fewest videos of a topic in a library of n: half the square root of n, and at least 3.

    3 up to 50 videos, 5 for 100, 16 for 1,000, 50 for 10,000: the number of topics a person has
    to look through then grows with the root of the library too.
    """
    return max(3, round(n**0.5 / 2))


def copies(z: np.ndarray) -> np.ndarray:
    """int64[n]: videos that are copies of one another, directly or by steps, share a number."""
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import radius_neighbors_graph

    graph = radius_neighbors_graph(z, COPY_DISTANCE, mode="connectivity", include_self=True)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def exemplars(z: np.ndarray, members: np.ndarray, centroid: np.ndarray) -> list[int]:
    """The rows that show what a topic is about: those nearest the centroid, three at most.

    Copies of one another are among them only if there is nothing else.

    Args:
        z: float32[n, k].
        members: int64[m], rows of the topic's videos.
        centroid: float32[k].
    """
    distance = np.linalg.norm(z[members] - centroid, axis=1)
    ranked = members[np.argsort(distance, kind="stable")].tolist()
    chosen: list[int] = []
    for row in ranked:
        if len(chosen) == EXEMPLARS:
            break
        if all(np.linalg.norm(z[row] - z[other]) > COPY_DISTANCE for other in chosen):
            chosen.append(row)
    return (chosen + [row for row in ranked if row not in chosen])[:EXEMPLARS]


def _order(z: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    if len(z) != len(ids):
        raise ValueError(f"{len(z)} vectors and {len(ids)} ids: each video needs one of each")
    order = sorted(range(len(ids)), key=lambda i: ids[i])
    for a, b in pairwise(order):
        if ids[a] == ids[b]:
            raise ValueError(f"video {ids[a]!r} has two vectors")
    require_finite(z, "the library")
    return np.array(order, np.int64)


def _find(
    z: np.ndarray, ids: Sequence[str], options: ClusterOptions
) -> tuple[np.ndarray, np.ndarray]:
    least = options.min_cluster_size or smallest_topic(min(len(ids), options.sample_limit))
    if len(ids) <= options.sample_limit:
        return _find_among(z, least, options.device)
    chosen = set(sample_of(ids, options.sample_limit))
    sample = np.array([row for row, video in enumerate(ids) if video in chosen])
    found, sure = _find_among(z[sample], least, options.device)
    centroids = centroids_of(z[sample], found)
    labels, _, probabilities = assign(z, centroids, reaches(z[sample], found, centroids))
    labels[sample], probabilities[sample] = found, sure
    return labels, probabilities


def _find_among(z: np.ndarray, least: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; copies count as one video, and share their topic."""
    if len(z) < least:
        return nobody(len(z))
    group = copies(z)
    first = np.unique(group, return_index=True)[1]
    found, sure = density_clusters(z[first], least, device=device)
    # Copies that no theme takes in are a topic of their own when they are many enough.
    alone = np.flatnonzero((found == NO_TOPIC) & (np.bincount(group) >= least))
    found[alone] = found.max(initial=NO_TOPIC) + 1 + np.arange(len(alone))
    sure[alone] = 1.0
    return found[group], sure[group]
