"""The validity of a clustering: what it tells apart, what it can't, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hdbscan.validity import validity_index

from ml.clustering import validity as module
from ml.clustering.graph import graph_clusters
from ml.clustering.labels import NONE
from ml.clustering.validity import Validity, validity
from tests.unit.clustering.test_density import themes

UNKNOWN = Validity(None, {})


def mean(z: np.ndarray, labels: np.ndarray) -> float:
    found = validity(z, labels).mean
    assert found is not None
    return found


def blobs(sizes: tuple[int, ...], apart: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """float32 rows in 10 dimensions, and the blob of each."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    z = np.random.default_rng(0).standard_normal((len(labels), 10))
    z[:, 0] += apart * labels
    return z.astype(np.float32), labels


def test_themes_that_were_found_are_apart_and_shuffled_ones_are_not() -> None:
    z, _ = themes()
    labels = graph_clusters(z, 5)[0]
    assert mean(z, labels) > 0.2
    assert mean(z, np.random.default_rng(0).permutation(labels)) < -0.2


@pytest.mark.parametrize("count", [40, 500])
@pytest.mark.parametrize("dimensions", [7, 50])
def test_one_blob_cut_in_two_is_not_two_clusters(count: int, dimensions: int) -> None:
    z = np.random.default_rng(1).standard_normal((count, dimensions))
    assert mean(z, (z[:, 0] > 0).astype(np.int64)) < 0


def test_figure_is_that_of_the_package_where_all_rows_are_looked_at() -> None:
    z, truth = themes()
    labels = np.where(truth == NONE, NONE, 10 + 3 * truth)
    index, of = validity_index(z.astype(np.float64), truth, per_cluster_scores=True)
    found = validity(z, labels)
    assert found.of_cluster == pytest.approx({10 + 3 * c: score for c, score in enumerate(of)})
    # The package counts rows without a cluster as 0.
    assert found.mean == pytest.approx(index / (truth != NONE).mean())


def test_small_sample_is_near_the_whole_and_the_same_every_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z, labels = blobs((400, 300, 200, 100, 50, 50, 50, 50), apart=8.0)
    whole = mean(z, labels)
    monkeypatch.setattr(module, "_MEMBERS", 40)
    monkeypatch.setattr(module, "_CLUSTERS", 4)
    found = validity(z, labels)
    assert len(found.of_cluster) == 4
    assert found.mean == pytest.approx(whole, abs=0.1)
    assert validity(z, labels) == found


@pytest.mark.parametrize(
    "labels",
    [[], [NONE] * 6, [0] * 6, [0, 0, 0, NONE, NONE, NONE], [0, 0, 0, 0, 0, 1], [0, 1, 2, 3, 4, 5]],
)
def test_nothing_is_said_without_two_clusters_of_two(labels: list[int]) -> None:
    z = np.random.default_rng(0).standard_normal((len(labels), 3)).astype(np.float32)
    assert validity(z, np.array(labels, np.int32)) == UNKNOWN


def test_cluster_of_one_is_left_out() -> None:
    z, labels = blobs((30, 20, 1))
    assert set(validity(z, labels).of_cluster) == {0, 1}


def test_copies_of_one_row_are_as_dense_as_can_be() -> None:
    z, labels = blobs((30, 20, 20))
    z[labels == 1] = z[labels == 1][0]
    found = validity(z, labels)
    assert found.of_cluster[1] == pytest.approx(1.0, abs=1e-6)
    assert found.mean is not None and found.mean > 0.5


def test_clusters_of_the_same_copies_say_nothing_and_the_others_do() -> None:
    z, labels = blobs((30, 30, 5, 5))
    z[labels >= 2] = z[labels == 2][0]
    found = validity(z, labels)
    assert set(found.of_cluster) == {0, 1}
    assert validity(np.ones((8, 3), np.float32), np.repeat([0, 1], 4)) == UNKNOWN


@pytest.mark.filterwarnings("error")
def test_near_copies_in_many_dimensions_overflow_nothing() -> None:
    z = np.zeros((40, 128), np.float32)
    z[:20, 0], z[20:, 1] = 1, 1
    z += np.random.default_rng(0).normal(scale=1e-5, size=z.shape).astype(np.float32)
    assert mean(z, np.repeat([0, 1], 20)) > 0.99
