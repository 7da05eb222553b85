"""Topics: themes are found, named and stable, and odd libraries get a message."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.clusters import (
    NO_TOPIC,
    TopicOptions,
    Topics,
    assign,
    cluster_topics,
    copies,
    smallest_topic,
    standardise,
)
from ml.library_schemas import TOPICS, VIDEO_TOPICS
from ml.vectors import list_matrix

WORDS = ("cats", "cooking", "football", "guitars", "rockets", "trains")


def library(
    sizes: tuple[int, ...] = (8, 7, 6, 5, 5, 5), strays: int = 4, noise: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Unit vectors of themes and strays with ids, texts and the true themes."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((len(sizes), 128))
    truth = np.r_[np.repeat(np.arange(len(sizes)), sizes), np.full(strays, NO_TOPIC)]
    rows = noise * draw.standard_normal((len(truth), 128))
    rows[truth >= 0] += centres[truth[truth >= 0]]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = [f"v{i:05d}" for i in range(len(truth))]
    texts = [f"{WORDS[t % 6]}, video {i}" if t >= 0 else "nothing" for i, t in enumerate(truth)]
    return rows.astype(np.float32), ids, texts, truth


def agreement(topics: Topics, truth: np.ndarray) -> float:
    """Adjusted Rand index with every video without a topic, or stray, as a group of its own."""
    from sklearn.metrics import adjusted_rand_score

    found = topics.video_topics["topic_id"].to_numpy().copy()
    truth = truth.copy()
    for labels in (found, truth):
        lone = labels == NO_TOPIC
        labels[lone] = 10_000 + np.arange(lone.sum())
    return float(adjusted_rand_score(truth, found))


def find(rows: np.ndarray, ids: list[str], texts: list[str], sample_limit: int = 20_000) -> Topics:
    options = TopicOptions(sample_limit=sample_limit)
    return cluster_topics(rows, ids, texts, model="m@1", options=options)


@pytest.mark.parametrize("seed", range(5))
def test_themes_of_a_small_library_are_found(seed: int) -> None:
    rows, ids, texts, truth = library(seed=seed)
    found = find(rows, ids, texts)
    assert agreement(found, truth) >= 0.85
    assert 5 <= found.topics.num_rows <= 7


def test_tables_have_the_declared_columns_and_add_up() -> None:
    rows, ids, texts, _ = library()
    found = find(rows, ids, texts)
    assert found.topics.schema.equals(TOPICS.schema)
    assert found.video_topics.schema.equals(VIDEO_TOPICS.schema)
    assert found.video_topics["video_id"].to_pylist() == ids
    labels = found.video_topics["topic_id"].to_numpy()
    sizes = found.topics["size"].to_pylist()
    assert sizes == [int((labels == t).sum()) for t in range(len(sizes))]
    assert sizes == sorted(sizes, reverse=True)
    for row in found.topics.to_pylist():
        members = labels == row["topic_id"]
        np.testing.assert_allclose(row["centroid"], rows[members].mean(axis=0), atol=1e-5)
        assert len(row["exemplar_video_ids"]) == 3
        assert set(row["exemplar_video_ids"]) <= set(np.array(ids)[members])
        assert row["model"] == "m@1"


def test_topics_are_named_by_their_words() -> None:
    rows, ids, texts, _ = library(strays=0, noise=0.5)
    assert set(find(rows, ids, texts).topics["name"].to_pylist()) == set(WORDS)


def test_probability_and_distance_say_who_belongs() -> None:
    rows, ids, texts, _ = library(noise=1.3)
    found = find(rows, ids, texts)
    table = found.video_topics.to_pydict()
    labels, sure = np.array(table["topic_id"]), np.array(table["probability"])
    assert ((sure >= 0) & (sure <= 1)).all()
    assert (sure[labels == NO_TOPIC] == 0).all()
    assert (sure[labels >= 0] > 0).mean() > 0.9
    centroids = np.array(found.topics["centroid"].to_pylist(), np.float32)
    for row, topic, distance in zip(rows, labels, table["distance"], strict=True):
        every = np.linalg.norm(centroids - row, axis=1)
        assert distance == pytest.approx(every.min() if topic < 0 else every[topic], abs=1e-4)


def test_order_of_videos_changes_nothing() -> None:
    rows, ids, texts, _ = library()
    order = np.random.default_rng(1).permutation(len(ids))
    shuffled = find(rows[order], [ids[i] for i in order], [texts[i] for i in order])
    straight = find(rows, ids, texts)
    assert shuffled.topics.equals(straight.topics)
    assert shuffled.video_topics.equals(straight.video_topics)


def test_copies_do_not_make_a_theme_of_their_own() -> None:
    rows, ids, texts, truth = library(noise=0.8)
    copied = np.repeat([0, 10, 20], 4)
    jitter = 0.002 * np.random.default_rng(0).standard_normal((12, 128)).astype(np.float32)
    rows = np.vstack([rows, rows[copied] + jitter])
    ids = ids + [f"copy{i:02d}" for i in range(12)]
    found = find(rows, ids, texts + [texts[i] for i in copied])
    truth = np.r_[truth, truth[copied]]
    by_id = np.argsort(ids)
    assert agreement(found, truth[by_id]) >= 0.85


def test_exemplars_are_not_copies_of_one_another() -> None:
    rows, ids, texts, truth = library(sizes=(8, 8, 8), strays=0, noise=0.6)
    middle = rows[truth == 0].mean(axis=0)
    rows = np.vstack([rows, np.repeat(middle[None], 4, axis=0)])
    ids, texts = ids + [f"w{i}" for i in range(4)], texts + ["cats"] * 4
    largest = find(rows, ids, texts).topics.to_pylist()[0]
    assert sum(video.startswith("w") for video in largest["exemplar_video_ids"]) == 1


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_too_small_library_has_no_topics_and_says_so(n: int) -> None:
    rows, ids, texts, _ = library()
    found = find(rows[:n], ids[:n], texts[:n])
    assert found.topics.num_rows == 0
    assert found.topics.schema.equals(TOPICS.schema)
    assert found.video_topics["topic_id"].to_pylist() == [NO_TOPIC] * n
    assert found.message.startswith("no topics: ")


def test_empty_matrix_without_columns_is_an_empty_library() -> None:
    assert find(np.zeros((0, 0), np.float32), [], []).video_topics.num_rows == 0


@pytest.mark.parametrize("jitter", [0.0, 1e-8])
@pytest.mark.parametrize("n", [3, 5, 30])
def test_videos_that_are_all_the_same_are_one_topic(n: int, jitter: float) -> None:
    rows, ids, _, _ = library()
    same = np.repeat(rows[:1], n, axis=0)
    same += jitter * np.random.default_rng(0).standard_normal(same.shape).astype(np.float32)
    found = find(same, ids[:n], ["The cat"] * n)
    assert found.topics["size"].to_pylist() == [n]
    assert found.topics["name"].to_pylist() == ["cat"]


def test_videos_without_text_still_get_a_name() -> None:
    rows, ids, _, _ = library()
    names = find(rows, ids, [""] * len(ids)).topics["name"].to_pylist()
    assert names == [f"topic {i}" for i in range(len(names))]


def test_nan_is_refused_with_how_many() -> None:
    rows, ids, texts, _ = library()
    rows[3, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 40 vectors"):
        find(rows, ids, texts)


def test_video_twice_and_uneven_arguments_are_refused() -> None:
    rows, ids, texts, _ = library()
    with pytest.raises(ValueError, match="'v00000' has two vectors"):
        find(rows, [ids[0], *ids[:-1]], texts)
    with pytest.raises(ValueError, match="40 vectors, 39 ids"):
        find(rows, ids[1:], texts)


def test_large_library_is_clustered_by_a_sample() -> None:
    rows, ids, texts, truth = library(sizes=(300,) * 6, strays=50, noise=0.7)
    found = find(rows, ids, texts, sample_limit=600)
    assert agreement(found, truth) >= 0.85
    again = find(rows, ids, texts, sample_limit=600)
    assert found.video_topics.equals(again.video_topics)
    labels = found.video_topics["topic_id"].to_numpy()
    # Most strays stay out, and most videos outside the sample come in.
    assert (labels[truth == NO_TOPIC] == NO_TOPIC).mean() > 0.5
    assert (labels[truth >= 0] >= 0).mean() > 0.9


def test_smallest_topic_grows_with_the_root_of_the_library() -> None:
    assert [smallest_topic(n) for n in (0, 30, 100, 1000, 10_000)] == [3, 3, 5, 16, 50]


def test_standardising_is_of_one_scale() -> None:
    x = np.array([[0, 0], [2, 4]], np.float32)
    np.testing.assert_allclose(standardise(x), [[-0.4472, -0.8944], [0.4472, 0.8944]], atol=1e-3)
    assert not standardise(np.full((4, 3), 0.1, np.float32)).any()


def test_copies_share_a_number() -> None:
    x = np.eye(4, dtype=np.float32)[[0, 1, 0, 2]]
    numbers = copies(x)
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3


def test_newcomer_is_assigned_to_the_nearest_centroid() -> None:
    topic, distance = assign(
        np.array([[0.9, 0.1], [0, 3]], np.float32), np.eye(2, dtype=np.float32)
    )
    assert topic.tolist() == [0, 1]
    np.testing.assert_allclose(distance, [0.1414, 2.0], atol=1e-3)


def test_vectors_of_arrow_columns_cluster_alike() -> None:
    rows, ids, texts, _ = library()
    column = pa.array(rows.tolist(), pa.list_(pa.float32()))

    assert find(list_matrix(column), ids, texts).topics.equals(find(rows, ids, texts).topics)
