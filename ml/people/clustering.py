"""Who is who over the library: persons of many videos become people.

PCA, HDBSCAN on a graph of nearest neighbours, and a guard: HDBSCAN knows no absolute scale, so
what it finds is split wherever faces are farther apart than one person's can be. On faces of
known people and on synthetic ones (``python -m benchmarks.people``) HDBSCAN alone had a precision
of .97, as it makes pairs of strangers whom nobody else resembles; average linkage at the guard's
distance without HDBSCAN before it had the same recall at a lower precision (.924 against .986 at
.34 on 8,400 vectors of 2,500 people).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.people.linkage import average_linkage, group_means, pairs_within
from ml.vectors import ModelMismatch, require_finite

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
ALONE = -1
# Smallest people that are looked for: someone seen in two videos.
_SMALLEST = 2
# In units of the guard's distance. HDBSCAN takes faces nearer than that for equally near: without
# it a clip and its copies are denser than the person, and recall was .06 instead of .99. Of people
# seen in eight recordings of 60 near-equal views each, .5 found .47 of the pairs, .65 found .64 and
# average linkage alone .66; .75 cost .005 of precision in a library of 10,000.
_EQUALLY_NEAR = 0.65
# Farther apart, nobody is anybody's neighbour. HDBSCAN needs some room beyond the guard to see
# that two people are two.
_NEIGHBOURS_WITHIN = 1.35
# The nearest stranger comes nearer as the library grows, as n^(-1/k) in k dimensions. Among
# synthetic people as spread as the measured ones precision was .99 up to a distance of .34 for
# 950 persons, .333 for 3,400, .327 for 10,000, .317 for 33,000 and .303 for 99,000. The rule stays
# .02 below, because where most people are seen once there are few true pairs to weigh against.
_FULL_REACH_ROWS = 300
_REACH_DIMENSIONS = 30
# In units of the guard's distance. Two faces with nobody else near are most of the errors: of those
# seen once 2-6 % were joined with a stranger, with this limit .1-3 %, for .005-.06 of recall.
_PAIR = 0.9
# So few of a person's rows can be a second one of a video by mistake of `ml.people.joining`; where
# there are more, two people who resemble each other appear together.
_FEW_SHARE = 0.2


@dataclass(frozen=True)
class PeopleOptions:
    """How people are found.

    Attributes:
        dimensions: principal components kept, at most. 50 of 128 had .03 more recall than all on
            synthetic people who differ as much from one video to the next as on other days.
        device: ``cuda`` searches neighbours on the GPU where FAISS can.
    """

    dimensions: int = 50
    device: str = "cpu"


@dataclass(frozen=True)
class Clustering:
    """For each row its person from 0 on, by falling size, or `ALONE`; and how surely, 0 to 1."""

    labels: Ints
    probabilities: npt.NDArray[np.float32]


def cluster_people(
    vectors: Floats,
    video_ids: Sequence[str],
    *,
    same_person_distance: float,
    options: PeopleOptions | None = None,
) -> Clustering:
    """People who appear in at least two videos; the same whatever the order of the rows.

    Two persons of one video are never one: the nearer to the others stays.

    Args:
        vectors: float32[n, d], unit length, one for each person of each video, of one model.
        video_ids: the n videos.
        same_person_distance: the recogniser's, Euclidean between unit vectors.
        options: see there.

    Raises:
        ValueError: NaN or infinite values, vectors that are not of unit length, or arguments that
            differ in length.
    """
    options = options or PeopleOptions()
    _check(vectors, video_ids)
    if len(vectors) < _SMALLEST:
        return _everyone_alone(len(vectors))
    videos = np.unique(np.asarray(video_ids, str), return_inverse=True)[1]
    order = np.lexsort((*np.asarray(vectors).T[:4], videos))
    x = np.asarray(vectors, np.float32)[order]
    found, sure = _find(x, videos[order], guard_distance(len(x), same_person_distance), options)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Clustering(found[back], sure[back])


def guard_distance(n: int, same_person_distance: float) -> float:
    """How far apart the faces of one person are on average, at most, in a library of n persons."""
    crowding = max(1.0, n / _FULL_REACH_ROWS)
    return same_person_distance * float(crowding ** (-1 / _REACH_DIMENSIONS))


def one_model(models: Iterable[str]) -> str:
    """The model behind all vectors; empty if there are none.

    Raises:
        ModelMismatch: there are several.
    """
    names = sorted(set(models))
    if len(names) > 1:
        raise ModelMismatch(
            f"persons were made by {' and by '.join(map(repr, names))}: recompute `faces` and "
            "`persons` for the batches of the older one"
        )
    return names[0] if names else ""


def _check(vectors: Floats, video_ids: Sequence[str]) -> None:
    if len(vectors) != len(video_ids):
        raise ValueError(
            f"{len(vectors)} vectors for {len(video_ids)} video ids: each person needs both"
        )
    require_finite(vectors, "persons")
    lengths = np.linalg.norm(vectors, axis=1) if len(vectors) else np.ones(0)
    if (np.abs(lengths - 1) > 1e-3).any():
        raise ValueError(
            f"vectors of persons have lengths from {lengths.min():.3f} to {lengths.max():.3f}: "
            "distances between people need unit length"
        )


def _everyone_alone(n: int) -> Clustering:
    return Clustering(np.full(n, ALONE, np.int64), np.zeros(n, np.float32))


def _find(x: Floats, videos: Ints, guard: float, options: PeopleOptions) -> tuple[Ints, Floats]:
    from ml.clustering.graph import graph_clusters

    dense, sure = graph_clusters(
        reduced(x, options.dimensions),
        _SMALLEST,
        min_distance=_EQUALLY_NEAR * guard,
        max_distance=_NEIGHBOURS_WITHIN * guard,
        device=options.device,
    )
    labels = by_falling_size(_split(x, videos, dense, guard))
    return labels, np.where(labels == ALONE, 0, sure).astype(np.float32)


def reduced(x: Floats, dimensions: int) -> Floats:
    """The leading principal components at their own scale, so distances stay comparable.

    Of a library with fewer rows than three times the dimensions, the vectors as they are: the
    components of few persons are noise, and there is nothing to save.
    """
    from sklearn.decomposition import PCA

    if len(x) < 3 * dimensions or x.shape[1] <= dimensions:
        return x
    # The eigenvectors of the covariance need no random numbers.
    return np.asarray(PCA(dimensions, svd_solver="covariance_eigh").fit_transform(x), np.float32)


def by_falling_size(labels: Ints) -> Ints:
    """Renumbered from 0, the largest first (of equal ones the first seen); ones are `ALONE`."""
    numbers, first, inverse, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    several = np.flatnonzero((numbers != ALONE) & (size >= _SMALLEST))
    rank = np.full(len(numbers), ALONE, np.int64)
    rank[several[np.lexsort((first[several], -size[several]))]] = np.arange(len(several))
    return rank[inverse]


def _split(x: Floats, videos: Ints, dense: Ints, guard: float) -> Ints:
    """Each cluster cut by average linkage at the guard's distance, videos' persons kept apart."""
    labels = np.full(len(x), ALONE, np.int64)
    order = np.argsort(dense, kind="stable")
    edges = np.flatnonzero(np.diff(dense[order])) + 1
    count = 0
    for members in np.split(order, edges):
        if dense[members[0]] == ALONE:
            continue
        groups = _groups(x[members], videos[members], guard)
        labels[members] = count + groups
        count += int(groups.max()) + 1
    return _without_far_pairs(x, labels, _PAIR * guard)


def _groups(x: Floats, videos: Ints, guard: float) -> Ints:
    """The people of one cluster, from 0 on, each with one row of a video at most.

    Linkage that keeps a video's rows apart from the start divides a person's videos between them,
    so it is only asked where many videos have two.
    """
    groups = average_linkage(x, guard)
    second = _second_rows(x, videos, groups)
    if not len(second):
        return groups
    if len(second) > _FEW_SHARE * len(x):
        return average_linkage(x, guard, pairs_within(videos))
    others = average_linkage(x[second], guard, pairs_within(videos[second]))
    groups[second] = int(groups.max()) + 1 + others
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _second_rows(x: Floats, videos: Ints, groups: Ints) -> Ints:
    """Rows whose group holds another of their video that is nearer the group's mean."""
    cosines = np.einsum("nd,nd->n", x, group_means(x, groups)[groups])
    order = np.lexsort((-cosines, videos, groups))
    same = (np.diff(groups[order]) == 0) & (np.diff(videos[order]) == 0)
    return np.sort(order[1:][same])


def _without_far_pairs(x: Floats, labels: Ints, distance: float) -> Ints:
    """Two rows with nobody else are one person only if they are nearer than others need to be."""
    order = np.argsort(labels, kind="stable")
    numbers, start, size = np.unique(labels[order], return_index=True, return_counts=True)
    two = start[(size == 2) & (numbers != ALONE)]
    pairs = np.stack([order[two], order[two + 1]], axis=1)
    far = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) > distance
    labels = labels.copy()
    labels[pairs[far]] = ALONE
    return labels
