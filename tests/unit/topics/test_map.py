"""The map of topics: like topics are near each other, and stay where they were."""

from __future__ import annotations

import numpy as np
import pytest

from ml.topics.map import topic_map


def centroids(count: int, groups: int = 4, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    of = draw.standard_normal((groups, 20))[np.arange(count) % groups]
    rows = 2 * of + draw.standard_normal((count, 20))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def sizes(count: int) -> list[int]:
    return [round(1000 / (i + 1)) + 3 for i in range(count)]


def as_places(ids: range, places: np.ndarray) -> dict[int, tuple[float, float]]:
    return {i: (float(x), float(y)) for i, (x, y) in zip(ids, places, strict=True)}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 60])
def test_every_topic_has_a_place_in_the_square(count: int) -> None:
    places = topic_map(centroids(count), sizes(count), None, range(count))
    assert (places.shape, places.dtype) == ((count, 2), np.float32)
    assert ((places > 0) & (places < 1)).all()


def test_like_topics_are_near_each_other() -> None:
    places = topic_map(centroids(40), sizes(40), None, range(40))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = np.equal.outer(np.arange(40) % 4, np.arange(40) % 4)
    assert apart[same].mean() < 0.6 * apart[~same].mean()


def test_order_of_topics_changes_nothing() -> None:
    order = np.random.default_rng(0).permutation(20)
    straight = topic_map(centroids(20), sizes(20), None, range(20))
    turned = topic_map(
        centroids(20)[order], [sizes(20)[i] for i in order], None, [int(i) for i in order]
    )
    np.testing.assert_allclose(turned, straight[order], atol=1e-4)


def test_topics_stay_where_they_were_though_the_space_turned() -> None:
    before = topic_map(centroids(30), sizes(30), None, range(30))
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((20, 20)))[0]
    known = as_places(range(27), before[:27])
    after = topic_map(centroids(30) @ turn, sizes(30), known, range(30))
    np.testing.assert_allclose(after[:27], before[:27], atol=0.03)
    assert np.linalg.norm(after[27:] - before[27:], axis=1).max() < 0.2


def test_map_that_is_made_again_does_not_drift() -> None:
    first = topic_map(centroids(30), sizes(30), None, range(30))
    places = first
    for _ in range(5):
        places = topic_map(centroids(30), sizes(30), as_places(range(30), places), range(30))
    np.testing.assert_allclose(places, first, atol=1e-3)


def test_topics_of_one_place_are_pushed_apart() -> None:
    same = np.repeat(centroids(1), 5, axis=0)
    places = topic_map(same, [10] * 5, None, range(5))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert apart[np.triu_indices(5, 1)].min() > 0.1


def test_topics_that_are_gone_leave_the_others_alone() -> None:
    before = topic_map(centroids(10), sizes(10), None, range(10))
    known = as_places(range(10), before)
    after = topic_map(centroids(10)[:7], sizes(10)[:7], known, range(7))
    np.testing.assert_allclose(after, before[:7], atol=0.02)
