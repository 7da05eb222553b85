"""Density clusters, exact, on a graph and by a sample: themes are found, odd input is answered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ml.clustering import linking, nearest
from ml.clustering.density import density_clusters, library_for
from ml.clustering.graph import graph_clusters
from ml.clustering.hierarchy import forest_clusters
from ml.clustering.labels import NONE, by_falling_size
from ml.clustering.nearest import nearest_rows
from ml.clustering.sampled import sampled_clusters

Find = Callable[..., tuple[np.ndarray, np.ndarray]]
BOTH = pytest.mark.parametrize("find", [density_clusters, graph_clusters])


def themes(
    sizes: tuple[int, ...] = (60, 40, 30, 20, 10), strays: int = 16, spread: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of themes and strays in 20 dimensions, in random order, and the truth."""
    draw = np.random.default_rng(len(sizes) + strays)
    centres = draw.standard_normal((len(sizes), 20))
    truth = draw.permutation(np.r_[np.repeat(np.arange(len(sizes)), sizes), np.full(strays, NONE)])
    rows = draw.standard_normal((len(truth), 20))
    member = truth != NONE
    rows[member] = centres[truth[member]] + spread * rows[member]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), truth


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Adjusted Rand index, every row without a cluster as one of its own."""
    from sklearn.metrics import adjusted_rand_score

    lone = 10_000 + np.arange(len(one))
    return float(adjusted_rand_score(*(np.where(v == NONE, lone, v) for v in (one, other))))


@BOTH
def test_themes_are_found_by_falling_size_and_strays_left_out(find: Find) -> None:
    z, truth = themes()
    labels, probabilities = find(z, 5)
    assert agreement(labels, truth) > 0.9
    assert labels.dtype == np.int64 and probabilities.dtype == np.float32
    sizes = np.bincount(labels[labels >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert (probabilities[labels == NONE] == 0).all()
    assert (probabilities[labels >= 0] > 0).all() and probabilities.max() == 1


@pytest.mark.parametrize("min_samples", [1, 2])
@pytest.mark.parametrize("least", [2, 7])
def test_graph_of_all_pairs_gives_what_scikit_learn_gives(least: int, min_samples: int) -> None:
    z, _ = themes(spread=0.8)
    exact, sure = density_clusters(z, least, min_samples=min_samples)
    labels, probabilities = graph_clusters(z, least, min_samples=min_samples, neighbours=len(z) - 1)
    np.testing.assert_array_equal(labels, exact)
    np.testing.assert_allclose(probabilities, sure, atol=1e-4)


@pytest.mark.parametrize("least", [2, 5, 12])
@pytest.mark.parametrize("spread", [0.5, 0.8])
def test_hierarchy_finds_what_the_condensed_tree_of_the_hdbscan_package_holds(
    least: int, spread: float
) -> None:
    from hdbscan._hdbscan_linkage import label
    from hdbscan._hdbscan_tree import compute_stability, condense_tree, get_clusters
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import pdist, squareform

    z, _ = themes(sizes=(150, 90, 60, 40, 25, 15), spread=spread)
    tree = minimum_spanning_tree(squareform(pdist(z.astype(np.float64)))).tocoo()
    order = np.argsort(tree.data)
    edges, lengths = np.stack(tree.coords, axis=1)[order], tree.data[order]
    condensed = condense_tree(label(np.c_[edges, lengths]), least)
    theirs, sure, _ = get_clusters(condensed, compute_stability(condensed))
    labels, probabilities = forest_clusters(len(z), edges, lengths, least)
    assert theirs.max() > 0
    np.testing.assert_array_equal(by_falling_size(labels), by_falling_size(theirs))
    np.testing.assert_allclose(probabilities, sure, atol=1e-6)


def test_smoothed_density_of_all_pairs_differs_in_ties_alone() -> None:
    z, _ = themes(spread=0.8)
    exact, _ = density_clusters(z, 7, min_samples=5)
    assert agreement(graph_clusters(z, 7, min_samples=5, neighbours=len(z) - 1)[0], exact) > 0.99


@pytest.mark.parametrize("cells", [False, True])
def test_graph_of_neighbours_agrees_with_all_pairs(
    cells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cells:
        monkeypatch.setattr(nearest, "EXACT_ROWS", 1000)
    z, _ = themes(sizes=tuple(1500 // (i + 2) for i in range(12)), strays=250)
    exact, _ = density_clusters(z, 10)
    labels, _ = graph_clusters(z, 10)
    assert agreement(labels, exact) > 0.98


def test_order_of_rows_does_not_matter() -> None:
    z, _ = themes()
    order = np.random.default_rng(0).permutation(len(z))
    labels, probabilities = graph_clusters(z, 5)
    shuffled, sure = graph_clusters(z[order], 5)
    assert agreement(shuffled, labels[order]) == 1
    np.testing.assert_allclose(sure, probabilities[order], atol=1e-5)


@BOTH
def test_rows_that_are_all_the_same_are_one_cluster(find: Find) -> None:
    for jitter in (0.0, 1e-8):
        z = np.ones((4, 8)) + jitter * np.random.default_rng(0).standard_normal((4, 8))
        labels, probabilities = find(z, 3)
        assert labels.tolist() == [0] * 4 and probabilities.tolist() == [1] * 4
    assert find(np.ones((2, 8)), 3)[0].tolist() == [NONE] * 2


@BOTH
@pytest.mark.parametrize("n", [0, 1, 5])
def test_fewer_rows_than_two_clusters_need_have_none(find: Find, n: int) -> None:
    z, _ = themes()
    labels, probabilities = find(z[:n], 3)
    assert labels.tolist() == [NONE] * n and not probabilities.any()


@BOTH
def test_not_a_number_is_refused_with_how_many(find: Find) -> None:
    z, _ = themes()
    z[3, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 176 vectors of what is to be clustered"):
        find(z, 5)


@BOTH
def test_cluster_of_one_is_refused(find: Find) -> None:
    with pytest.raises(ValueError, match="min_cluster_size=1"):
        find(themes()[0], 1)


def test_distances_that_leave_nothing_between_are_refused() -> None:
    with pytest.raises(ValueError, match=r"min_distance=0\.5"):
        graph_clusters(themes()[0], 2, min_distance=0.5, max_distance=0.5)


@BOTH
def test_rows_that_are_there_twice_share_a_cluster(find: Find) -> None:
    z, _ = themes()
    labels, _ = find(np.vstack([z, z, z]), 5)
    assert (labels.reshape(3, -1) == labels[: len(z)]).all()


def test_more_equal_rows_than_neighbours_are_one_cluster() -> None:
    z, _ = themes()
    labels, _ = graph_clusters(np.vstack([np.repeat(z[:1], 40, axis=0), z]), 5)
    assert len(set(labels[:41].tolist())) == 1 and labels[0] != NONE


def faces() -> tuple[np.ndarray, np.ndarray]:
    """Three people seen five times each, one of these twice over as a copy; and two strangers."""
    draw = np.random.default_rng(0)
    truth = np.r_[np.repeat(np.arange(3), 5), 3, 4]
    z = np.eye(5, 16)[truth] + 0.08 * draw.standard_normal((17, 16))
    copied = np.array([0, 5, 10])
    copies = z[copied] + 0.001 * draw.standard_normal((3, 16))
    return np.vstack([z, copies]).astype(np.float32), np.r_[truth, truth[copied]]


def test_copies_do_not_split_a_person_when_they_count_as_near_as_others() -> None:
    z, truth = faces()
    alone = np.where(truth > 2, NONE, truth)
    labels, _ = graph_clusters(z, 2, min_distance=0.3, max_distance=0.9)
    assert agreement(labels, alone) == 1
    assert agreement(graph_clusters(z, 2, max_distance=0.9)[0], alone) < 0.8


def test_within_a_greatest_distance_all_rows_can_be_one_cluster() -> None:
    z, truth = faces()
    one = z[truth == 0]
    assert graph_clusters(one, 2, min_distance=0.3, max_distance=0.9)[0].tolist() == [0] * 6
    assert graph_clusters(one[:2], 2, max_distance=0.9)[0].tolist() == [0, 0]
    assert graph_clusters(z[[0, 5]], 2, max_distance=0.9)[0].tolist() == [NONE, NONE]


def test_trees_meet_at_the_given_distance() -> None:
    edges, lengths = np.array([[0, 1], [2, 3]]), np.array([0.1, 0.2])
    assert forest_clusters(5, edges, lengths, 2)[0].tolist() == [0, 0, 1, 1, NONE]
    assert forest_clusters(3, edges[:1], lengths[:1], 2)[0].tolist() == [NONE] * 3
    alone = forest_clusters(3, edges[:1], lengths[:1], 2, join_distance=1.0)
    assert alone[0].tolist() == [0, 0, NONE] and alone[1].tolist() == [1, 1, 0]


def test_neighbours_are_others_even_among_equal_rows() -> None:
    z = np.repeat(np.eye(3, 4, dtype=np.float32), [5, 1, 1], axis=0)
    rows, distances = nearest_rows(z, 2)
    assert not (rows == np.arange(7)[:, None]).any()
    np.testing.assert_allclose(distances[:5], 0)
    np.testing.assert_allclose(distances[5:], 2**0.5, rtol=1e-6)


def test_links_join_parts_where_they_are_nearest() -> None:
    z = np.array([[0, 0], [1, 0], [3, 0], [9, 0]], np.float32)
    found = {tuple(sorted(edge)) for edge in linking.links(z, np.array([0, 0, 1, 1])).tolist()}
    assert (1, 2) in found


def test_large_library_is_clustered_by_a_sample() -> None:
    z, truth = themes(sizes=(400, 300, 200, 100), strays=100, spread=0.4)
    found = sampled_clusters(z, 10, sample_limit=300)
    assert agreement(found.labels, truth) > 0.9
    assert found.centroids.shape == (4, 20) and found.reach.shape == (4,)
    inside = found.labels >= 0
    assert inside[truth >= 0].mean() > 0.9 and inside[truth == NONE].mean() < 0.3
    assert ((found.probabilities > 0) == inside).all()
    np.testing.assert_array_equal(found.labels, sampled_clusters(z, 10, sample_limit=300).labels)


def test_small_library_is_clustered_whole() -> None:
    z, _ = themes()
    found = sampled_clusters(z, 5)
    labels, probabilities = graph_clusters(z, 5)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.probabilities, probabilities)


def test_nothing_has_no_clusters_by_a_sample_either() -> None:
    found = sampled_clusters(np.zeros((0, 4), np.float32), 3)
    assert found.labels.shape == (0,) and found.centroids.shape == (0, 4)


def test_gpu_is_used_where_there_is_one_and_cuml_for_it() -> None:
    assert library_for("cuda:1", cuml_installed=True) == "cuml"
    assert library_for("cuda", cuml_installed=False) == "scikit-learn"
    assert library_for("cpu", cuml_installed=True) == "scikit-learn"


def test_equally_large_clusters_are_numbered_as_they_appear() -> None:
    labels = by_falling_size(np.array([7, NONE, 3, 3, 5, 7]))
    assert labels.tolist() == [0, NONE, 1, 1, 2, 0]
