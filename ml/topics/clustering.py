"""Which videos are about the same thing: density clusters of their places in the space of topics.

What was chosen between was measured as the adjusted Rand index (ARI) on 24 to 60 English titles of
5 to 10 themes embedded by MiniLM, and on 40 to 1,500 synthetic vectors of 6 to 30 themes, a tenth
of them strays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ml.clustering.labels import by_falling_size, nobody
from ml.clustering.nearest import nearest_rows
from ml.clustering.sampled import SAMPLE_LIMIT, clusters_among, spread
from ml.topics.library import sample_of
from ml.vectors import require_finite

if TYPE_CHECKING:
    from ml.clustering.stable import Members

NO_TOPIC = -1
EXEMPLARS = 3
# Between unit vectors: closer videos are copies. Unmerged, two pairs of copies among 30 titles took
# ARI from .80 to .55: a clip and its copies are denser than any theme. Videos that are no copies
# come as near as .08 in the few dimensions of a small library: with .15, mean ARI over subsets of
# three small libraries falls from .61, .60 and .75 to .57, .60 and .71.
COPY_DISTANCE = 0.05
# Copies of a clip are tied to one another by steps, if not directly.
_COPY_NEIGHBOURS = 16


@dataclass(frozen=True)
class ClusterOptions:
    """How topics are found.

    Attributes:
        min_cluster_size: fewest videos of a topic; None for `smallest_topic`.
        sample_limit: HDBSCAN sees at most so many videos, the others join the nearest topic. Of
            100,000 in 200 themes 20,000 give ARI .92 in 2.5 s on one core, all of them .99 in 11 s.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    min_cluster_size: int | None = None
    sample_limit: int = SAMPLE_LIMIT
    device: str = "cpu"


def cluster(
    z: np.ndarray,
    ids: Sequence[str],
    options: ClusterOptions | None = None,
    before: Mapping[str, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Topics of a library; the same whatever the order of its videos.

    Args:
        z: float32[n, k], as `ml.topics.space.TopicSpace.project` gives; a row of zeros is a video
            of which nothing is known.
        ids: n video ids, all different.
        options: see there.
        before: video id to its topic in the last clustering (`topics_before`), from 0, -1 for none:
            topics that resemble these are preferred (`ml.clustering.prior`). None to find them
            afresh.

    Returns:
        Labels by falling size, int64[n], -1 for none, and how surely each belongs, float32[n] from
        0 to 1. A library that is too small, or in which nothing groups, has no topics.

    Raises:
        ValueError: NaN or infinite values, an id twice, or arguments that differ in length.
    """
    options = options or ClusterOptions()
    order = _order(z, ids)
    known = order[np.any(z[order] != 0, axis=1)]
    names = [ids[i] for i in known]
    was = None
    if before is not None:
        was = np.array([before.get(video, NO_TOPIC) for video in names], np.int64)
    labels, probabilities = nobody(len(ids))
    found, sure = _find(np.asarray(z, np.float32)[known], names, options, was)
    labels[known], probabilities[known] = by_falling_size(found), sure
    return labels, probabilities


def topics_before(members: Members) -> dict[str, int]:
    """Video id to its topic, -1 for none, of the videos of a full clustering that are still there.

    Those that joined since are left out: they were placed by distance alone. With them .976 to
    .982 of ids are kept instead of .988.
    """
    known = zip(members.keys, members.ids.tolist(), members.joined.tolist(), strict=True)
    return {video: topic for video, topic, joined in known if not joined}


def smallest_topic(n: int) -> int:
    """Fewest videos of a topic in a library of n: half the square root of n, and at least 3.

    3 up to 50 videos, 5 for 100, 16 for 1,000, 50 for 10,000: the number of topics a person has
    to look through then grows with the root of the library too.
    """
    return max(3, round(n**0.5 / 2))


def copies(z: np.ndarray) -> np.ndarray:
    """int64[n]: videos that are copies of one another, directly or by steps, share a number.

    Looked for among each video's nearest: all pairs of a clip that is there 10,000 times would not
    fit in memory.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(z)
    rows, distances = nearest_rows(
        np.ascontiguousarray(z, np.float32), min(_COPY_NEIGHBOURS, n - 1)
    )
    near = distances <= COPY_DISTANCE
    pairs = (np.nonzero(near)[0], rows[near])
    graph = coo_array((np.ones(len(pairs[0]), bool), pairs), (n, n))
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
    z: np.ndarray, ids: Sequence[str], options: ClusterOptions, before: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    limit = options.sample_limit
    least = options.min_cluster_size or smallest_topic(min(len(ids), limit))
    if len(ids) <= limit:
        return _find_among(z, least, options.device, before)
    chosen = set(sample_of(ids, limit))
    sample = np.array([row for row, video in enumerate(ids) if video in chosen])
    known = None if before is None else before[sample]
    return spread(z, sample, *_find_among(z[sample], least, options.device, known))


def _find_among(
    z: np.ndarray, least: int, device: str, before: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; copies count as one video, and share their topic."""
    if len(z) < least:
        return nobody(len(z))
    group = copies(z)
    first = np.unique(group, return_index=True)[1]
    known = None if before is None else _of_groups(before, group)
    found, sure = clusters_among(z[first], least, device=device, before=known)
    # Copies that no theme takes in are a topic of their own when they are many enough.
    alone = np.flatnonzero((found == NO_TOPIC) & (np.bincount(group) >= least))
    found[alone] = found.max(initial=NO_TOPIC) + 1 + np.arange(len(alone))
    sure[alone] = 1.0
    return found[group], sure[group]


def _of_groups(before: np.ndarray, group: np.ndarray) -> np.ndarray:
    """int64[groups]: the topic before of the first of each group's copies that had one, or -1."""
    order = np.lexsort((before < 0, group))
    return before[order[np.unique(group[order], return_index=True)[1]]]
