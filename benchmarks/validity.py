"""Does the validity of a clustering (DBCV) tell good from bad, and who of its members is wrong?

    python -m benchmarks.validity [--videos 1500] [--people 600] [--largest 100000]

Generated libraries with known themes, and made-up people. Their clusters as they are found, after
two fifths came later and joined, and spoilt on purpose: members shuffled, every cluster of four or
more cut in halves at random or across its main axis, every pair of nearest clusters made one. The
thresholds of the checks ``topics_are_separated`` and ``people_are_separated`` were chosen on the
first half of the seeds and are reported on the other.

Then what else the hdbscan package can say of the same topics, from its own clustering of the same
places: how far each figure tells members of another theme from the others (area under the ROC
curve), and how far a topic's persistence and validity go with its purity (Spearman's rank
correlation). Last the sampled figure against the full one, and CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.cluster import labels_of, library
from benchmarks.people import ENDS, SPREADS, synthetic
from benchmarks.topics import Bench
from benchmarks.topics_library import NO_THEME, generated_library
from ml.clustering.assigning import centroids_of, reaches
from ml.clustering.stable import recluster, take_in
from ml.clustering.validity import validity
from ml.people.clustering import cluster_people
from ml.topics.clustering import cluster, smallest_topic
from ml.topics.space import TopicSpace

TOPIC_SEEDS, PEOPLE_SEEDS = 8, 4
LATER_SHARE = 0.4
SAME_PERSON = 0.34
# Of more rows the full figure takes 10 GB and more.
FULL_ROWS = 30_000
# The package's own clustering of more rows takes minutes.
SOFT_ROWS = 10_000

Find = Callable[[list[str], np.ndarray], tuple[np.ndarray, np.ndarray]]
HEADER = "| library | clusters | found | two fifths joined | shuffled | halves | cut | merged |"


def topics_of(ids: list[str], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As the asset ``topics`` finds them."""
    return cluster(z, ids)


def people_of(ids: list[str], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As the asset ``people`` finds them, everyone in a video of their own."""
    found = cluster_people(z, ids, same_person_distance=SAME_PERSON)
    return found.labels, found.probabilities


def mean_validity(z: np.ndarray, labels: np.ndarray) -> float:
    """Not a number where nothing can be said."""
    found = validity(z, labels).mean
    return np.nan if found is None else found


def print_row(name: str, ids: list[str], z: np.ndarray, find: Find, reach: float = np.inf) -> None:
    """One library's line of the table."""
    labels, draw = find(ids, z)[0], np.random.default_rng(0)
    spoilt = [
        joined_later(ids, z, find, reach, draw),
        draw.permutation(labels),
        halved(labels, lambda rows: draw.permutation(len(rows)) < len(rows) / 2),
        halved(labels, lambda rows: beyond_middle(z[rows])),
        merged(z, labels),
    ]
    figures = " | ".join(f"{mean_validity(z, some):.3f}" for some in (labels, *spoilt))
    print(f"| {name}, {len(ids)} | {labels.max() + 1} | {figures} |", flush=True)


def joined_later(
    ids: list[str], z: np.ndarray, find: Find, reach: float, draw: np.random.Generator
) -> np.ndarray:
    """int[n]: clusters of three fifths, which the others joined."""
    early = np.sort(draw.permutation(len(ids))[round(LATER_SHARE * len(ids)) :])
    keys = [ids[row] for row in early]
    first = recluster(keys, z[early], *find(keys, z[early]), most_reach=reach)
    return take_in(first, ids, z).members.ids


def halved(labels: np.ndarray, side: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """int[n]: each cluster of four or more is two."""
    out = labels.copy()
    for number in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == number)
        if len(rows) >= 4:
            out[rows[side(rows)]] = out.max() + 1
    return out


def beyond_middle(z: np.ndarray) -> np.ndarray:
    """bool[n]: the half that lies beyond the median of the main axis."""
    centred = z - z.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    return np.asarray(along > np.median(along))


def merged(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int[n]: two clusters that are each other's nearest are one."""
    centroids = centroids_of(z, labels)
    apart = np.linalg.norm(centroids[:, None] - centroids, axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    own = np.arange(len(nearest))
    to = np.where(nearest[nearest] == own, np.minimum(own, nearest), own)
    return np.r_[to, -1][labels]


def generated(videos: int) -> Iterator[tuple[str, list[str], np.ndarray, list[str]]]:
    """Name, ids, places and themes of each generated library."""
    for seed in range(TOPIC_SEEDS):
        made = generated_library(videos, seed)
        bench = Bench(made)
        part = bench.part(bench.videos)
        ids, z = TopicSpace.fit(part).project(part)
        yield f"{made.name} ({_half(seed, TOPIC_SEEDS)})", ids, z, bench.truth(ids)


def print_people(count: int) -> None:
    """The same table of made-up people."""
    print(f"\n{HEADER}\n|{' --- |' * 8}")
    for seed in range(PEOPLE_SEEDS):
        for spread, squares in SPREADS.items():
            for ends, end in ENDS.items():
                x = synthetic(count, squares, end, np.random.default_rng(seed))[0]
                ids = [f"{row:07d}" for row in range(len(x))]
                name = f"{spread}, {ends} ({_half(seed, PEOPLE_SEEDS)})"
                print_row(name, ids, x, people_of, SAME_PERSON)


def _half(seed: int, seeds: int) -> str:
    return "chosen on" if seed < seeds // 2 else "reported"


def soft_members(z: np.ndarray) -> tuple[Any, np.ndarray, float]:
    """The package's clustering, float[n, clusters] of soft membership, and the latter's CPU s."""
    import hdbscan

    # This package does not count a row among its own samples.
    found = hdbscan.HDBSCAN(smallest_topic(len(z)), min_samples=1).fit(z)
    began = time.process_time()
    found.generate_prediction_data()
    soft = hdbscan.all_points_membership_vectors(found)
    return found, soft, time.process_time() - began


def wrong_members(z: np.ndarray, truth: list[str]) -> dict[str, float]:
    """What each figure is worth: see the module."""
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    found, soft, _ = soft_members(z)
    labels = found.labels_
    theme = np.unique(np.array([*truth, NO_THEME]), return_inverse=True)[1]
    theme, none = theme[:-1], theme[-1]
    clusters = [np.flatnonzero(labels == c) for c in range(labels.max() + 1)]
    main = [np.bincount(theme[rows][theme[rows] != none]).argmax() for rows in clusters]
    purity = [float((theme[rows] == m).mean()) for rows, m in zip(clusters, main, strict=True)]
    member = np.flatnonzero(labels >= 0)
    own = labels[member]
    right = theme[member] == np.array(main)[own]
    centroids = centroids_of(z, labels)
    apart = np.linalg.norm(z[member][:, None] - centroids, axis=2)
    surely = {
        "probability": found.probabilities_[member],
        "soft membership": soft[member, own],
        "soft membership against the next": _against_next(soft[member], own, -np.inf, np.max),
        "distance": -apart[np.arange(len(own)), own] / reaches(z, labels, centroids)[own],
        "distance against the next": -_against_next(apart, own, np.inf, np.min),
    }
    of = validity(z, labels).of_cluster
    return {
        **{name: float(roc_auc_score(right, sure)) for name, sure in surely.items()},
        "purity and validity": float(spearmanr(purity, [of[c] for c in range(len(purity))])[0]),
        "purity and persistence": float(spearmanr(purity, found.cluster_persistence_)[0]),
    }


def _against_next(
    x: np.ndarray, own: np.ndarray, nothing: float, best: Callable[..., np.ndarray]
) -> np.ndarray:
    """float[n]: a row's figure of its own cluster over its best of the others."""
    others, rows = x.copy(), np.arange(len(own))
    others[rows, own] = nothing
    return np.asarray(x[rows, own] / np.maximum(best(others, axis=1), np.finfo(float).tiny))


def print_cost(largest: int) -> None:
    """The sampled figure against the full one."""
    from hdbscan.validity import validity_index

    print("\n| rows | clusters | sampled, CPU s | full, CPU s | soft membership, CPU s |")
    print(f"|{' --- |' * 5}")
    for n in (size for size in (1_000, 3_000, 10_000, 30_000, 100_000) if size <= largest):
        z = library(n)[0]
        labels = labels_of("graph", z)
        began = time.process_time()
        sampled = mean_validity(z, labels)
        seconds, cell = time.process_time() - began, "- | -"
        if n <= FULL_ROWS:
            began = time.process_time()
            of = validity_index(z.astype(np.float64), labels, per_cluster_scores=True)[1]
            full = np.average(of, weights=np.bincount(labels[labels >= 0]))
            cell = f"{full:.3f}, {time.process_time() - began:.2f} | "
            cell += f"{soft_members(z)[2]:.2f}" if n <= SOFT_ROWS else "-"
        print(f"| {n:,} | {labels.max() + 1} | {sampled:.3f}, {seconds:.2f} | {cell} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=1500)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--largest", type=int, default=100_000, help="rows, for the cost")
    options = parser.parse_args()
    import hdbscan  # noqa: F401  its import, .8 CPU s, is no part of the cost

    print_cost(options.largest)
    print_people(options.people)
    print(f"\n{HEADER}\n|{' --- |' * 8}")
    worth = []
    for name, ids, z, truth in generated(options.videos):
        print_row(name, ids, z, topics_of)
        worth.append(wrong_members(z, truth))
    print(f"\nmeans of {len(worth)} libraries\n\n| figure | |\n| --- | --- |")
    for figure in worth[0]:
        print(f"| {figure} | {np.mean([one[figure] for one in worth]):.2f} |")


if __name__ == "__main__":
    main()
