"""Topics: videos that are about the same thing, found without being told what there is.

Four functions in a row, `standardise`, `reduce`, `density_clusters` and `name_topics`;
`cluster_topics` puts them together. What was chosen between was measured as the adjusted Rand
index (ARI) on 24 to 60 English titles of 5 to 10 themes embedded by MiniLM, and on 40 to 1,500
synthetic vectors of 6 to 30 themes, a tenth of them strays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ml.library_schemas import TOPICS, VIDEO_TOPICS
from ml.vectors import require_finite
from ml.words import class_tf_idf, distinct_terms

NO_TOPIC = -1
EXEMPLARS = 3
# In units of the root mean square length after standardising (a cosine of about .99): closer
# videos are copies. Unmerged, two pairs of copies among 30 titles took ARI from .80 to .55: a
# clip and its copies are denser than any theme.
COPY_DISTANCE = 0.15
# Spread below this share of the vectors' length is rounding, not difference.
_ROUNDING = 1e-5
# With one dimension for six videos, at most 50, ARI is .52-.67 on titles and .93-.97 on synthetic
# themes; with 50 from the start .39-.47 on titles: HDBSCAN finds no density in many dimensions.
_VIDEOS_PER_DIMENSION = 6
# The density around a video is taken from its nearest other one (scikit-learn counts the video
# itself): small themes have no more to offer.
_MIN_SAMPLES = 2
# A video outside the sample joins a topic as near as this share of the topic's own videos.
_JOIN_QUANTILE = 0.95
# Rows of a block of distances: 4,096 x 1,000 topics in float32 are 16 MB.
_ROWS = 4096


@dataclass(frozen=True)
class TopicOptions:
    """How topics are found.

    Attributes:
        dimensions: principal components kept, at most.
        min_cluster_size: fewest videos of a topic; None for `smallest_topic`.
        sample_limit: HDBSCAN sees at most so many videos, the others join the nearest topic. Its
            time is quadratic on 50 dimensions: 1.2 s for 5,000, 6.5 s for 10,000 and 28 s for
            20,000 on one core (the hdbscan package took 1.7, 5.2 and 18 s for the same clusters;
            scikit-learn's is used, being exact and faster where libraries are small).
        term_count: terms kept per topic.
        seed: of the sample.
    """

    dimensions: int = 50
    min_cluster_size: int | None = None
    sample_limit: int = 20_000
    term_count: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Topics:
    """The tables `topics` and `video_topics`, and one sentence on them for a person."""

    topics: pa.Table
    video_topics: pa.Table
    message: str


def cluster_topics(
    vectors: np.ndarray,
    ids: Sequence[str],
    documents: Sequence[str],
    *,
    model: str,
    options: TopicOptions | None = None,
) -> Topics:
    """Topics of a library; the same whatever the order of its videos.

    Args:
        vectors: float32[n, d], such as `ml.vectors.joint_vectors` gives.
        ids: video ids, all different.
        documents: what is said, written and titled, one text per video; they name the topics.
        model: names and revisions of the models behind the vectors.
        options: see there.

    Returns:
        Topics by falling size, and a row for every video. A library that is too small, or in
        which nothing groups, has no topics, and a message that says so.

    Raises:
        ValueError: NaN or infinite values, an id twice, or arguments that differ in length.
    """
    options = options or TopicOptions()
    order = _order(vectors, ids, documents)
    ids, documents = [ids[i] for i in order], [documents[i] for i in order]
    x = np.asarray(vectors, np.float32)[order].reshape(len(ids), np.shape(vectors)[1])
    least = options.min_cluster_size or smallest_topic(min(len(ids), options.sample_limit))
    labels, probabilities = _find(x, least, options)
    centroids = centroids_of(x, labels)
    distances = _distances(x, labels, centroids)
    terms = name_topics(documents, labels, distances, options.term_count)
    topics = _topic_rows(x, ids, labels, centroids, terms, model)
    video_topics = {
        "video_id": ids,
        "topic_id": labels,
        "probability": probabilities.astype(np.float32),
        "distance": distances,
    }
    return Topics(
        pa.Table.from_pylist(topics, schema=TOPICS.schema),
        pa.table(video_topics, schema=VIDEO_TOPICS.schema),
        _message(labels, least),
    )


def smallest_topic(n: int) -> int:
    """Fewest videos of a topic in a library of n: half the square root of n, and at least 3.

    3 up to 50 videos, 5 for 100, 16 for 1,000, 50 for 10,000: the number of topics a person has
    to look through then grows with the root of the library too.
    """
    return max(3, round(n**0.5 / 2))


def standardise(x: np.ndarray) -> np.ndarray:
    """float32[n, d] centred, and scaled to a root mean square length of 1.

    One scale for all columns keeps the weights of joined channels, whose columns are already
    standardised one by one; on one channel's plain vectors it costs .00-.05 ARI. Vectors that
    differ by rounding alone become zeros.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    centred = (x - mean).astype(np.float32)
    length = float(np.sqrt(np.mean(np.sum(centred.astype(np.float64) ** 2, axis=1))))
    if length <= _ROUNDING * float(np.linalg.norm(mean)):
        return np.zeros_like(centred)
    return centred / np.float32(length)


def reduce(x: np.ndarray, dimensions: int = 50) -> np.ndarray:
    """The leading principal components, each row at unit length; float64[n, k].

    k is at most `dimensions`, d, and a sixth of n, and at least 2 where n and d allow it. Unit
    length (cosine distance) leaves fewer videos without a topic than plain components: 2-5 %
    instead of 6-13 % of 24 to 60 titles, and ARI .60 instead of .52.
    """
    from sklearn.decomposition import PCA

    n, d = x.shape
    k = min(max(2, min(dimensions, n // _VIDEOS_PER_DIMENSION)), n, d)
    # Neither solver draws random numbers.
    solver = "covariance_eigh" if n > d else "full"
    z = PCA(k, svd_solver=solver).fit_transform(x.astype(np.float64))
    return np.asarray(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12))


def copies(x: np.ndarray) -> np.ndarray:
    """int[n]: videos that are copies of one another, directly or by steps, share a number.

    Args:
        x: standardised vectors, float32[n, d].
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import radius_neighbors_graph

    graph = radius_neighbors_graph(x, COPY_DISTANCE, mode="connectivity", include_self=True)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def density_clusters(z: np.ndarray, min_cluster_size: int) -> tuple[np.ndarray, np.ndarray]:
    """HDBSCAN (Campello et al. 2013): labels int[n], -1 for none, and probabilities float[n].

    Clusters are chosen by excess of mass: leaves gave the same ARI on titles and .80 instead of
    .97 on 40 synthetic vectors. Fewer rows than two clusters need are all -1.
    """
    from sklearn.cluster import HDBSCAN

    if len(z) < 2 * min_cluster_size:
        return _none(len(z))
    found = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=_MIN_SAMPLES, copy=True).fit(z)
    return np.asarray(found.labels_, np.int64), np.asarray(found.probabilities_)


def assign(x: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centroid of each row, int[n], and its Euclidean distance, float32[n]."""
    nearest = np.zeros(len(x), np.int64)
    squares = np.sum(centroids**2, axis=1)
    for start in range(0, len(x), _ROWS):
        block = x[start : start + _ROWS]
        nearest[start : start + _ROWS] = (squares - 2 * block @ centroids.T).argmin(axis=1)
    return nearest, _to_own_centroid(x, nearest, centroids)


def centroids_of(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean vector of each label from 0 up; float32[topics, d]."""
    count = int(labels.max(initial=NO_TOPIC)) + 1
    means = [x[labels == topic].mean(axis=0, dtype=np.float64) for topic in range(count)]
    return np.array(means, np.float32).reshape(count, x.shape[1])


def name_topics(
    documents: Sequence[str], labels: np.ndarray, distances: np.ndarray, term_count: int = 10
) -> list[list[str]]:
    """Each topic's terms, foremost first: class TF-IDF, with the unassigned videos as one class.

    Equal weights, the rule among a few short titles, go to the video nearest the centroid.
    """
    by_topic: dict[int, list[str]] = {int(topic): [] for topic in np.unique(labels)}
    for row in np.argsort(distances, kind="stable"):
        by_topic[int(labels[row])].append(documents[row])
    terms = class_tf_idf(by_topic, top=term_count)
    return [distinct_terms(terms[t], term_count) for t in sorted(by_topic) if t != NO_TOPIC]


def _order(vectors: np.ndarray, ids: Sequence[str], documents: Sequence[str]) -> list[int]:
    if not len(vectors) == len(ids) == len(documents):
        raise ValueError(
            f"{len(vectors)} vectors, {len(ids)} ids and {len(documents)} documents: "
            "each video needs one of each"
        )
    order = sorted(range(len(ids)), key=lambda i: ids[i])
    for a, b in pairwise(order):
        if ids[a] == ids[b]:
            raise ValueError(f"video {ids[a]!r} has two vectors")
    require_finite(vectors, "the library")
    return order


def _none(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(n, NO_TOPIC, np.int64), np.zeros(n)


def _find(x: np.ndarray, least: int, options: TopicOptions) -> tuple[np.ndarray, np.ndarray]:
    """Labels by falling size and probabilities of all videos."""
    if len(x) < least:
        return _none(len(x))
    if len(x) <= options.sample_limit:
        labels, probabilities = _find_among(x, least, options)
        return _by_falling_size(labels), probabilities
    draw = np.random.default_rng(options.seed)
    sample = np.sort(draw.choice(len(x), options.sample_limit, replace=False))
    labels, probabilities = _join(x, sample, *_find_among(x[sample], least, options))
    return _by_falling_size(labels), probabilities


def _find_among(x: np.ndarray, least: int, options: TopicOptions) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; copies count as one video, and share their topic."""
    z = standardise(x)
    group = copies(z)
    first = np.unique(group, return_index=True)[1]
    found, sure = _none(len(first))
    if len(first) >= 2 * least:
        found, sure = density_clusters(reduce(z[first], options.dimensions), least)
    # Copies that no theme takes in are a topic of their own when they are many enough.
    alone = np.flatnonzero((found == NO_TOPIC) & (np.bincount(group) >= least))
    found[alone] = found.max(initial=NO_TOPIC) + 1 + np.arange(len(alone))
    sure[alone] = 1.0
    return found[group], sure[group]


def _join(
    x: np.ndarray, sample: np.ndarray, found: np.ndarray, sure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Videos outside the sample join the nearest topic, within that topic's own reach.

    Such a video is as sure as the topic's median distance is to its own, at most 1.
    """
    labels, probabilities = _none(len(x))
    centroids = centroids_of(x[sample], found)
    if len(centroids):
        reach, usual = _reaches(x[sample], found, centroids)
        nearest, distance = assign(x, centroids)
        inside = distance <= reach[nearest]
        labels[inside] = nearest[inside]
        ratio = usual[nearest] / np.maximum(distance, 1e-12)
        probabilities[inside] = np.minimum(1.0, ratio[inside])
    labels[sample], probabilities[sample] = found, sure
    return labels, probabilities


def _reaches(
    x: np.ndarray, labels: np.ndarray, centroids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far from its centroid a topic's videos lie: the join quantile, and the median.

    A video of a topic of m has pulled the centroid towards itself; m / (m - 1) times its distance
    is that to the centroid of the others, which is what a newcomer's distance compares with.
    """
    distances = _to_own_centroid(x, np.maximum(labels, 0), centroids)
    quantiles = []
    for topic in range(len(centroids)):
        own = distances[labels == topic]
        quantiles.append(np.quantile(own * len(own) / (len(own) - 1), [_JOIN_QUANTILE, 0.5]))
    reach, usual = np.array(quantiles).T
    return reach, usual


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """Labels renumbered: the largest is 0; of equal ones, the one that appears first."""
    found, first, size = np.unique(labels, return_index=True, return_counts=True)
    ranked = sorted(
        (-n, at, label)
        for label, at, n in zip(found, first, size, strict=True)
        if label != NO_TOPIC
    )
    renumbered = np.full_like(labels, NO_TOPIC)
    for new, (_, _, label) in enumerate(ranked):
        renumbered[labels == label] = new
    return renumbered


def _to_own_centroid(x: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    distances = np.zeros(len(x), np.float32)
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        distances[rows] = np.linalg.norm(x[rows] - centroids[labels[rows]], axis=1)
    return distances


def _distances(x: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Distance to the own centroid, without a topic to the nearest; zeros if there is none."""
    if not len(centroids):
        return np.zeros(len(x), np.float32)
    _, distance = assign(x, centroids)
    own = _to_own_centroid(x, np.maximum(labels, 0), centroids)
    return np.where(labels == NO_TOPIC, distance, own).astype(np.float32)


def _topic_rows(
    x: np.ndarray,
    ids: Sequence[str],
    labels: np.ndarray,
    centroids: np.ndarray,
    terms: Sequence[Sequence[str]],
    model: str,
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for topic, centroid in enumerate(centroids):
        members = np.flatnonzero(labels == topic)
        rows.append(
            {
                "topic_id": topic,
                "name": ", ".join(terms[topic][:3]) or f"topic {topic}",
                "terms": list(terms[topic]),
                "size": len(members),
                "centroid": centroid,
                "exemplar_video_ids": [ids[i] for i in _exemplars(x, members, centroid)],
                "model": model,
            }
        )
    return rows


def _exemplars(x: np.ndarray, members: np.ndarray, centroid: np.ndarray) -> list[int]:
    """The rows nearest the centroid, and copies of one another only if there is nothing else."""
    distance = np.linalg.norm(x[members] - centroid, axis=1)
    ranked = members[np.argsort(distance, kind="stable")].tolist()
    near = COPY_DISTANCE * float(np.sqrt(np.mean(distance.astype(np.float64) ** 2)))
    chosen: list[int] = []
    for row in ranked:
        if len(chosen) < EXEMPLARS and all(np.linalg.norm(x[row] - x[c]) > near for c in chosen):
            chosen.append(row)
    return (chosen + [row for row in ranked if row not in chosen])[:EXEMPLARS]


def _message(labels: np.ndarray, least: int) -> str:
    n, count = len(labels), int(labels.max(initial=NO_TOPIC)) + 1
    if n < least:
        return f"no topics: {n} videos are fewer than the {least} that make one"
    if not count:
        return f"no topics: no {least} of {n} videos are nearer to each other than to the rest"
    left_out = int((labels == NO_TOPIC).sum())
    return f"{count} topics over {n} videos; {left_out} ({left_out / n:.0%}) belong to none"
