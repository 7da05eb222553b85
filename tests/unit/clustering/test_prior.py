"""Clusters of before count for those of now: what was close stays, what is clear changes."""

from __future__ import annotations

import numpy as np
import pytest

from ml.clustering.graph import graph_clusters
from ml.clustering.labels import NONE
from ml.clustering.prior import OUTSIDE, Prior, stretched

LEAST = 13
FIRST, SECOND = 8, 9


def library(distance: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten themes of 60 rows in 10 dimensions, spread 1, and 60 strays; and the truth.

    The last two themes lie so far apart, the others 14 from the middle.
    """
    draw = np.random.default_rng(seed)
    means = draw.standard_normal((9, 10))
    means *= 14 / np.linalg.norm(means, axis=1, keepdims=True)
    aside = draw.standard_normal(10)
    aside *= distance / np.linalg.norm(aside)
    truth = np.r_[np.repeat(np.arange(10), 60), np.full(60, NONE)]
    rows = np.vstack([means, means[FIRST] + aside])[truth] + draw.standard_normal((660, 10))
    rows[truth == NONE] = draw.standard_normal((60, 10)) * 14 / 10**0.5
    return rows.astype(np.float32), truth


def found(distance: float, seed: int, *, as_one: bool) -> int:
    """As how many clusters the last two themes are found that were one or two before."""
    z, truth = library(distance, seed)
    before = np.where(as_one & (truth == SECOND), FIRST, truth)
    labels, _ = graph_clusters(z, LEAST, before=before)
    commonest = [
        int(np.bincount(labels[(truth == theme) & (labels != NONE)]).argmax())
        for theme in (FIRST, SECOND)
    ]
    return len(set(commonest))


@pytest.mark.parametrize("seed", range(3))
def test_theme_that_falls_apart_is_split(seed: int) -> None:
    assert found(9, seed, as_one=True) == 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("distance", [0, 3])
def test_themes_that_grow_together_are_merged(distance: float, seed: int) -> None:
    assert found(distance, seed, as_one=False) == 1


def test_where_the_choice_is_close_it_stays_as_it_was() -> None:
    as_two = [found(7, seed, as_one=False) for seed in range(6)]
    as_one = [found(7, seed, as_one=True) for seed in range(6)]
    assert as_two == [2] * 6
    assert as_one.count(1) >= 4


def test_with_nothing_known_nothing_changes() -> None:
    z, _ = library(7, 0)
    labels, probabilities = graph_clusters(z, LEAST)
    same, sure = graph_clusters(z, LEAST, before=np.full(len(z), NONE))
    np.testing.assert_array_equal(labels, same)
    np.testing.assert_allclose(probabilities, sure, atol=1e-5)


def test_order_of_rows_changes_nothing() -> None:
    z, truth = library(6, 0)
    order = np.random.default_rng(0).permutation(len(z))
    labels, _ = graph_clusters(z, LEAST, before=truth)
    turned, _ = graph_clusters(z[order], LEAST, before=truth[order])
    pairs = np.unique(np.stack([labels[order], turned]), axis=1)
    assert pairs.shape[1] == len(np.unique(labels))


def test_cluster_that_was_there_may_be_a_little_too_small_and_a_new_one_may_not() -> None:
    z, truth = library(20, 0)
    small = np.flatnonzero(truth == SECOND)[:46]
    z, truth = np.delete(z, small, axis=0), np.delete(truth, small)
    there = truth == SECOND
    assert there.sum() == 14
    others = np.where(there, NONE, truth)
    for least, before, is_found in ((17, truth, True), (17, others, False), (25, truth, False)):
        labels, _ = graph_clusters(z, least, before=before)
        alone = [
            c for c in np.unique(labels[there]) if c != NONE and not (labels[~there] == c).any()
        ]
        assert bool(alone) == is_found


def test_edges_within_an_old_cluster_are_shorter_than_all_others() -> None:
    before = np.array([0, 0, 4, NONE, NONE])
    edges = np.array([[0, 1], [0, 2], [2, 1], [0, 3], [3, 4]])
    lengths = np.ones(5, np.float32)
    np.testing.assert_allclose(stretched(lengths, edges, before), [1, *[OUTSIDE] * 4])
    assert stretched(lengths, edges, None) is lengths


@pytest.mark.parametrize("distance", [5, 6, 7])
def test_library_that_did_not_change_keeps_every_row_where_it_is(distance: float) -> None:
    z, _ = library(distance, 0)
    labels, _ = graph_clusters(z, LEAST)
    again, _ = graph_clusters(z, LEAST, before=labels)
    np.testing.assert_array_equal(again, labels)


def test_agreement_is_the_mean_jaccard_index_of_rows_with_an_old_cluster() -> None:
    prior = Prior(np.array([7, 7, 7, 2, NONE, NONE]))
    assert prior.agreement(4) == 0
    prior.merge(0, 1)
    assert prior.agreement(0) == pytest.approx(2 / 3)
    prior.merge(4, 0)  # a set with nothing known takes in one that is known
    assert prior.agreement(4) == pytest.approx(2 / 3)
    prior.merge(4, 3)
    assert prior.agreement(4) == pytest.approx((2 * 2 / 4 + 1 / 3) / 3)
    prior.merge(4, 2)
    assert prior.agreement(4) == pytest.approx((3 * 3 / 4 + 1 / 4) / 4)


def test_set_that_is_an_old_cluster_weighs_twice() -> None:
    prior = Prior(np.array([0, 0, NONE]))
    prior.merge(0, 1)
    prior.merge(0, 2)
    assert prior.weight(0) == 2
    assert prior.weight(2) == 1
    assert prior.suffices(0, 3, 4)
    assert not prior.suffices(0, 3, 5)
