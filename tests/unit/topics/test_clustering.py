"""Topics: themes are found whatever the order, and odd libraries have an outcome."""

from __future__ import annotations

import numpy as np
import pytest

from ml.topics.clustering import (
    COPY_DISTANCE,
    NO_TOPIC,
    ClusterOptions,
    cluster,
    copies,
    exemplars,
    smallest_topic,
)


def themes(
    sizes: tuple[int, ...] = (8, 7, 6, 5, 5, 5), strays: int = 4, noise: float = 0.4, seed: int = 0
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Unit vectors of themes and strays in 12 dimensions with ids and the true themes."""
    draw = np.random.default_rng(seed)
    truth = np.r_[np.repeat(np.arange(len(sizes)), sizes), np.full(strays, NO_TOPIC)]
    z = noise * draw.standard_normal((len(truth), 12)) / 12**0.5
    z[truth >= 0] += np.eye(12)[truth[truth >= 0]]
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return z.astype(np.float32), [f"v{i:05d}" for i in range(len(truth))], truth


def agreement(found: np.ndarray, truth: np.ndarray) -> float:
    """Adjusted Rand index with every video without a topic, or stray, as a group of its own."""
    from sklearn.metrics import adjusted_rand_score

    alone = 10_000 + np.arange(len(truth))
    lone = [np.where(labels == NO_TOPIC, alone, labels) for labels in (truth, found)]
    return float(adjusted_rand_score(*lone))


@pytest.mark.parametrize("seed", range(3))
def test_themes_of_a_small_library_are_found_by_falling_size(seed: int) -> None:
    z, ids, truth = themes(seed=seed)
    labels, probabilities = cluster(z, ids)
    assert agreement(labels, truth) >= 0.85
    sizes = np.bincount(labels[labels >= 0])
    assert sizes.tolist() == sorted(sizes, reverse=True)
    assert (labels.dtype, probabilities.dtype) == (np.int64, np.float32)


def test_probability_says_who_belongs() -> None:
    z, ids, _ = themes(noise=0.8)
    labels, probabilities = cluster(z, ids)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (probabilities[labels == NO_TOPIC] == 0).all()
    assert (probabilities[labels >= 0] > 0).mean() > 0.9


def test_order_of_videos_changes_nothing() -> None:
    z, ids, _ = themes()
    order = np.random.default_rng(1).permutation(len(ids))
    straight, turned = cluster(z, ids), cluster(z[order], [ids[i] for i in order])
    np.testing.assert_array_equal(straight[0][order], turned[0])
    np.testing.assert_array_equal(straight[1][order], turned[1])


def test_copies_do_not_make_a_theme_of_their_own() -> None:
    z, ids, truth = themes(noise=0.6)
    copied = np.repeat([0, 10, 20], 4)
    jitter = 0.002 * np.random.default_rng(0).standard_normal((12, 12))
    z = np.vstack([z, z[copied] + jitter]).astype(np.float32)
    labels, _ = cluster(z, [*ids, *(f"copy{i:02d}" for i in range(12))])
    assert agreement(labels, np.r_[truth, truth[copied]]) >= 0.85


def test_copies_share_a_number() -> None:
    numbers = copies(np.eye(4, dtype=np.float32)[[0, 1, 0, 2]])
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_small_library_has_no_topics(n: int) -> None:
    z, ids, _ = themes()
    labels, probabilities = cluster(z[:n], ids[:n])
    assert labels.tolist() == [NO_TOPIC] * n
    assert probabilities.tolist() == [0] * n


@pytest.mark.parametrize("n", [3, 5, 30])
def test_videos_that_are_all_the_same_are_one_topic(n: int) -> None:
    z, ids, _ = themes()
    labels, probabilities = cluster(np.repeat(z[:1], n, axis=0), ids[:n])
    assert labels.tolist() == [0] * n
    assert probabilities.tolist() == [1] * n


def test_video_that_lies_nowhere_belongs_to_no_topic_and_changes_none() -> None:
    z, ids, _ = themes()
    nowhere = np.zeros((5, 12), np.float32)
    labels, probabilities = cluster(np.vstack([nowhere, z]), [*"abcde", *ids])
    assert labels[:5].tolist() == [NO_TOPIC] * 5
    assert probabilities[:5].tolist() == [0] * 5
    np.testing.assert_array_equal(labels[5:], cluster(z, ids)[0])


def test_nan_is_refused_with_how_many() -> None:
    z, ids, _ = themes()
    z[3, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 40 vectors"):
        cluster(z, ids)


def test_video_twice_and_uneven_arguments_are_refused() -> None:
    z, ids, _ = themes()
    with pytest.raises(ValueError, match="'v00000' has two vectors"):
        cluster(z, [ids[0], *ids[:-1]])
    with pytest.raises(ValueError, match="40 vectors and 39 ids"):
        cluster(z, ids[1:])


def test_large_library_is_clustered_by_a_sample_and_the_rest_joins() -> None:
    z, ids, truth = themes(sizes=(300,) * 6, strays=50)
    labels, _ = cluster(z, ids, ClusterOptions(sample_limit=600))
    assert agreement(labels, truth) >= 0.85
    assert (labels[truth == NO_TOPIC] == NO_TOPIC).mean() > 0.5
    assert (labels[truth >= 0] >= 0).mean() > 0.9
    turned, _ = cluster(z[::-1], ids[::-1], ClusterOptions(sample_limit=600))
    np.testing.assert_array_equal(labels, turned[::-1])


def parted(distance: float) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Videos of three themes, of which the third has two parts so far from each other."""
    draw = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 30)
    means = 12 * np.eye(4, 8)
    means[3] = means[2] + distance * np.eye(8)[7]
    z = 0.1 * (means[truth] + draw.standard_normal((len(truth), 8)))
    return z.astype(np.float32), [f"v{i:05d}" for i in range(len(truth))], truth


def test_topics_of_before_decide_where_the_choice_is_close_and_only_there() -> None:
    counts = {}
    for distance in (2, 5.5, 12):
        z, ids, truth = parted(distance)
        for old in (truth, np.minimum(truth, 2)):
            before = dict(zip(ids, old.tolist(), strict=True))
            labels, _ = cluster(z, ids, before=before | {"gone": 7})
            counts[distance, len(set(old.tolist()))] = int(labels.max()) + 1
    assert (counts[2, 4], counts[2, 3]) == (3, 3)
    assert (counts[5.5, 4], counts[5.5, 3]) == (4, 3)
    assert (counts[12, 4], counts[12, 3]) == (4, 4)


def test_copy_that_is_new_does_not_hide_the_topic_its_original_had() -> None:
    z, ids, truth = parted(5.5)
    before = dict(zip(ids, truth.tolist(), strict=True))
    copies_first = [f"a{video}" for video in ids]
    labels, _ = cluster(np.vstack([z, z]), ids + copies_first, before=before)
    assert labels.max() + 1 == 4
    np.testing.assert_array_equal(labels[: len(z)], labels[len(z) :])


def test_sampled_library_knows_its_topics_of_before_too() -> None:
    z, ids, truth = parted(5.5)
    before = dict(zip(ids, truth.tolist(), strict=True))
    labels, _ = cluster(z, ids, ClusterOptions(sample_limit=100), before)
    assert labels.max() + 1 == 4


def test_clip_that_is_there_a_hundred_times_is_one_group_of_copies() -> None:
    jitter = 0.001 * np.random.default_rng(0).standard_normal((101, 12))
    numbers = copies(np.vstack([np.eye(12)[:1] + jitter[:100], np.eye(12)[1:2]]))
    assert len(set(numbers[:100].tolist())) == 1
    assert numbers[100] != numbers[0]
    assert copies(np.ones((1, 4), np.float32)).tolist() == [0]


def test_smallest_topic_grows_with_the_root_of_the_library() -> None:
    assert [smallest_topic(n) for n in (0, 30, 100, 1000, 10_000)] == [3, 3, 5, 16, 50]


def test_exemplars_are_nearest_the_centroid_and_no_copies_of_one_another() -> None:
    step = 4 * COPY_DISTANCE
    z = np.array([[0, 0], [0.01, 0], [step, 0], [0, 2 * step], [9, 9]], np.float32)
    assert exemplars(z, np.array([0, 1, 2, 3]), np.zeros(2, np.float32)) == [0, 2, 3]
    assert exemplars(z, np.array([0, 1]), np.zeros(2, np.float32)) == [0, 1]
    assert exemplars(z, np.array([4]), np.zeros(2, np.float32)) == [4]
