"""New rows join the nearest cluster within reach, and no other."""

from __future__ import annotations

import numpy as np
import pytest

from ml.clustering.assigning import assign, centroids_of, reaches
from ml.clustering.labels import NONE

CENTROIDS = np.array([[0, 0], [10, 0]], np.float32)
REACH = np.array([1, 2], np.float32)


def test_row_within_reach_joins_and_one_outside_does_not() -> None:
    z = np.array([[0.5, 0], [1.5, 0], [8.5, 0], [0, 0], [12, 0]], np.float32)
    labels, distances, probabilities = assign(z, CENTROIDS, REACH)
    assert labels.tolist() == [0, NONE, 1, 0, 1]
    np.testing.assert_allclose(distances, [0.5, 1.5, 1.5, 0, 2], atol=1e-6)
    np.testing.assert_allclose(probabilities, [0.875, 0, 0.71875, 1, 0.5], atol=1e-6)
    assert (labels.dtype, distances.dtype, probabilities.dtype) == (np.int64, *[np.float32] * 2)


def test_infinite_reach_takes_everything_in() -> None:
    far = np.full(2, np.inf, np.float32)
    labels, _, probabilities = assign(np.array([[4, 99]], np.float32), CENTROIDS, far)
    assert labels.tolist() == [0] and probabilities.tolist() == [1]


def test_without_centroids_nobody_joins() -> None:
    nothing = np.zeros((0, 2), np.float32)
    labels, distances, probabilities = assign(CENTROIDS, nothing, np.zeros(0, np.float32))
    assert labels.tolist() == [NONE, NONE]
    assert not distances.any() and not probabilities.any()
    assert assign(nothing, CENTROIDS, REACH)[0].shape == (0,)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 1 vectors of what is to join"):
        assign(np.array([[np.nan, 0]], np.float32), CENTROIDS, REACH)


def test_many_rows_join_in_blocks_as_one_by_one() -> None:
    draw = np.random.default_rng(0)
    z = draw.standard_normal((9000, 8)).astype(np.float32)
    centroids = draw.standard_normal((30, 8)).astype(np.float32)
    labels, distances, _ = assign(z, centroids, np.full(30, np.inf, np.float32))
    every = np.linalg.norm(z[:, None] - centroids, axis=2)
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-5)
    assert (labels == every.argmin(axis=1)).mean() > 0.999


def test_centroids_are_the_means_of_the_rows_that_have_a_cluster() -> None:
    z = np.array([[0, 0], [2, 4], [5, 5], [100, 100]], np.float32)
    means = centroids_of(z, np.array([0, 0, 1, NONE]))
    np.testing.assert_allclose(means, [[1, 2], [5, 5]])
    assert means.dtype == np.float32
    assert centroids_of(z, np.full(4, NONE)).shape == (0, 2)


def test_reach_is_what_new_rows_of_the_same_cluster_need() -> None:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 20)
    centres = 50 * draw.standard_normal((40, 10))
    old, new = (centres[labels] + draw.standard_normal((800, 10)) for _ in range(2))
    centroids = centroids_of(old, labels)
    joined, _, _ = assign(new, centroids, reaches(old, labels, centroids))
    assert 0.9 < (joined == labels).mean() < 0.99


def test_small_cluster_reaches_about_as_far_as_the_others() -> None:
    draw = np.random.default_rng(1)
    sizes = np.array([50, 50, 50, 2, 1])
    labels = np.repeat(np.arange(5), sizes)
    z = 30 * np.eye(5, 10)[labels] + draw.standard_normal((len(labels), 10))
    # A pair that happens to be very close would on its own reach nowhere.
    z[labels == 3] = z[labels == 3][0] + np.array([[0.0], [0.01]])
    reach = reaches(z, labels, centroids_of(z, labels))
    pooled = np.median(reach[:3])
    assert 0.6 * pooled < reach[3] < pooled
    assert reach[4] == pytest.approx(pooled, rel=0.1)


def test_clusters_of_one_alone_reach_nowhere() -> None:
    labels = np.array([0, 1])
    assert reaches(CENTROIDS, labels, CENTROIDS).tolist() == [0, 0]
    assert reaches(CENTROIDS, np.full(2, NONE), CENTROIDS[:0]).shape == (0,)
