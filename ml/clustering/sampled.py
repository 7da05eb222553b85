"""Clusters of any number of rows: HDBSCAN on a sample of them, and the others join.

A sample loses small clusters and blurs the rest. On 300,000 x 50, themes of Zipf sizes and a tenth
strays, the adjusted Rand index (and the time on a busy core) is .92 (7 s) with a sample of 20,000,
.95 (12 s) with 50,000, .96 (27 s) with 100,000, and .997 (47 s) with no sample but `graph`. Where
themes overlap, joining makes up for it: .84 with a sample of 5,000 of 60,000 rows, .75 without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.clustering.assigning import assign, centroids_of, reaches
from ml.clustering.density import check_sizes, density_clusters, runs_on
from ml.clustering.graph import graph_clusters
from ml.clustering.labels import NONE, by_falling_size
from ml.vectors import require_finite

SAMPLE_LIMIT = 100_000


@dataclass(frozen=True)
class Found:
    """Clusters, and what it takes to join them.

    Attributes:
        labels: int64[n], by falling size, -1 for none.
        probabilities: float32[n], 0 to 1, 0 for none.
        centroids: float32[clusters, k], means of all rows of each cluster.
        reach: float32[clusters], how far from its centroid a cluster takes in new rows.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    centroids: np.ndarray
    reach: np.ndarray


def sampled_clusters(
    z: np.ndarray,
    min_cluster_size: int,
    *,
    sample_limit: int = SAMPLE_LIMIT,
    seed: int = 0,
    min_samples: int = 2,
    device: str = "cpu",
) -> Found:
    """Clusters of all rows, found among at most `sample_limit` of them.

    A row outside the sample joins the cluster with the nearest centroid if it is within that
    cluster's reach, and no cluster otherwise.

    Args:
        z: float[n, k], Euclidean.
        min_cluster_size: fewest rows of a cluster in the sample.
        sample_limit: rows of the sample; with no more rows all are clustered and none joins.
        seed: which rows the sample is drawn of; they depend on the order of the rows.
        min_samples: as in `density_clusters`.
        device: as in `clusters_among`.

    Raises:
        ValueError: NaN or infinite values, or sizes that make no sense.
    """
    check_sizes(min_cluster_size, min_samples)
    require_finite(z, "what is to be clustered")
    n = len(z)
    drawn = np.random.default_rng(seed).choice(n, min(n, sample_limit), replace=False)
    sample = np.sort(drawn)
    found, sure = clusters_among(
        z[sample], min_cluster_size, min_samples=min_samples, device=device
    )
    labels, probabilities = spread(z, sample, found, sure)
    labels = by_falling_size(labels)
    centroids = centroids_of(z, labels)
    return Found(labels, probabilities, centroids, reaches(z, labels, centroids))


def clusters_among(
    z: np.ndarray,
    min_cluster_size: int,
    *,
    min_samples: int = 2,
    device: str = "cpu",
    before: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """HDBSCAN of rows that all take part: on a graph, or where nothing is carried on by cuML.

    The graph serves small libraries too. Against scikit-learn's exact HDBSCAN the adjusted Rand
    index is the same on the libraries of `benchmarks.topics` and the same to .004 on Gaussian
    themes of 200 to 3,000 rows (.01 lower on 5,000 in 60 and 200 themes, where one run differs
    from the next by as much), 5,000 rows take a tenth of the time and 20,000 a 25th. And it
    can prefer the clusters of `before`, which neither scikit-learn nor cuML can.

    Args:
        z, min_cluster_size, min_samples: as in `graph_clusters`.
        device: ``cuda`` takes cuML where it is installed and ``before`` is None, or else searches
            on the GPU where FAISS is built for it.
        before: int[n], as in `ml.clustering.hierarchy.forest_clusters`.
    """
    if before is None and runs_on(device) == "cuml":
        return density_clusters(z, min_cluster_size, min_samples=min_samples, device=device)
    return graph_clusters(
        z, min_cluster_size, min_samples=min_samples, device=device, before=before
    )


def spread(
    z: np.ndarray, sample: np.ndarray, labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The clusters of a sample over all rows: each other row joins the nearest within reach.

    Args:
        z: float[n, k].
        sample: int64[m], rows of the sample.
        labels, probabilities: int64[m] and float32[m], of the sample.

    Returns:
        The same of all rows.
    """
    every = np.full(len(z), NONE, np.int64)
    sure = np.zeros(len(z), np.float32)
    every[sample], sure[sample] = labels, probabilities
    others = np.setdiff1d(np.arange(len(z)), sample, assume_unique=True)
    centroids = centroids_of(z[sample], labels)
    reach = reaches(z[sample], labels, centroids)
    every[others], _, sure[others] = assign(z[others], centroids, reach)
    return every, sure
