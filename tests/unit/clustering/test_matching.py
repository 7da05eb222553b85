"""Clusters keep their ids from one clustering to the next, and what changed is told."""

from __future__ import annotations

import numpy as np
import pytest

from ml.clustering.labels import NONE
from ml.clustering.matching import Change, changes, fresh_ids, match, shared_members

# Four places far from each other.
PLACES = 10 * np.eye(4, dtype=np.float32)


def matched(
    old: np.ndarray, new: np.ndarray, shared: list[list[int]] | None = None, reach: float = 1.0
) -> list[int]:
    reaches = (np.full(len(side), reach, np.float32) for side in (old, new))
    known = None if shared is None else np.array(shared, np.int64).reshape(len(old), len(new))
    return match(old, new, *reaches, known).tolist()


def told(
    old: dict[int, int], new: dict[int, int], shared: list[list[int]] | None = None
) -> list[Change]:
    """`changes` between clusters given as {id: size}."""
    known = None if shared is None else np.array(shared)
    return changes(list(old), list(old.values()), list(new), list(new.values()), known)


@pytest.mark.parametrize("shared", [None, np.diag([5, 5, 5, 5]).tolist()])
def test_same_clusters_in_another_order_are_themselves(shared: list[list[int]] | None) -> None:
    order = [2, 0, 3, 1]
    known = None if shared is None else np.array(shared)[:, order].tolist()
    assert matched(PLACES, PLACES[order], known) == order
    assert told(dict.fromkeys(range(4), 5), dict.fromkeys(order, 5), known) == []


def test_drifting_cluster_keeps_its_id_within_reach() -> None:
    assert matched(PLACES[:1], PLACES[:1] + 0.3) == [0]
    assert matched(PLACES[:1], PLACES[:1] + 3) == [NONE]


def test_cluster_that_drifted_far_is_known_by_its_members() -> None:
    assert matched(PLACES[:1], PLACES[:1] + 3, [[9]]) == [0]
    # Five of the ten known ones, of the old one as of the new.
    assert matched(PLACES[:2], PLACES[2:], [[5, 4], [4, 5]]) == [0, 1]
    assert matched(PLACES[:2], PLACES[2:], [[2, 6], [3, 9]]) == [NONE, 1]


def test_place_does_not_count_where_members_say_otherwise() -> None:
    # The new ones have changed places, and the third lies where an old one was whose members moved.
    assert matched(PLACES[:2], PLACES[[1, 0]], [[9, 0], [0, 9]]) == [0, 1]
    assert matched(PLACES[:1], PLACES[[1, 0]], [[9, 0]]) == [0, NONE]
    assert matched(PLACES[:1], PLACES[[0, 1]], [[0, 9]]) == [NONE, 0]


def test_place_counts_where_no_member_is_left() -> None:
    assert matched(PLACES[:2], PLACES[[1, 0]], [[0, 0], [0, 0]]) == [1, 0]
    assert matched(PLACES[:2], PLACES[[1, 0]], [[0, 9], [0, 0]]) == [1, 0]


def test_larger_part_of_a_split_keeps_the_id() -> None:
    assert matched(PLACES[:1], PLACES[1:3], [[40, 60]]) == [NONE, 0]
    # Even though another old cluster fell into that part altogether.
    assert matched(PLACES[:2], PLACES[2:], [[50, 45], [10, 0]]) == [0, NONE]


def test_larger_cluster_of_a_merger_keeps_its_id() -> None:
    assert matched(PLACES[:2], PLACES[2:3], [[10], [30]]) == [1]


def test_old_cluster_without_a_place_is_matched_by_members_alone() -> None:
    nowhere = np.full((2, 4), np.inf, np.float32)
    assert matched(nowhere, PLACES[:2], [[0, 3], [0, 0]]) == [NONE, 0]


def test_nothing_before_or_nothing_now_has_no_match() -> None:
    assert matched(PLACES[:0], PLACES) == [NONE] * 4
    assert matched(PLACES, PLACES[:0]) == []


def test_shared_members_of_other_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="2 old and 2 new"):
        match(PLACES[:2], PLACES[:2], np.ones(2), np.ones(2), np.ones((3, 2)))


@pytest.mark.parametrize("seed", range(10))
def test_order_of_clusters_does_not_change_their_ids(seed: int) -> None:
    draw = np.random.default_rng(seed)
    old, new = draw.integers(-1, 12, 400), draw.integers(-1, 9, 400)
    shared = shared_members(old, new, 12, 9).toarray()
    places, others = draw.standard_normal((12, 3)), draw.standard_normal((9, 3))
    reach, other_reach = draw.random(12), draw.random(9)
    straight = match(places, others, reach, other_reach, shared)
    a, b = draw.permutation(12), draw.permutation(9)
    mixed = match(places[a], others[b], reach[a], other_reach[b], shared[a][:, b])
    expected = straight[b]
    np.testing.assert_array_equal(np.where(mixed == NONE, NONE, a[mixed]), expected)
    kept = mixed[mixed != NONE]
    assert len(set(kept.tolist())) == len(kept)


def test_shared_members_are_counted_without_those_that_have_no_cluster() -> None:
    shared = shared_members(np.array([0, 0, 1, NONE, 1]), np.array([1, 1, 0, 0, NONE]), 2, 3)
    assert shared.toarray().tolist() == [[0, 2, 0], [1, 0, 0]]
    sparse = match(PLACES[:2], PLACES[:3] + 5, np.ones(2), np.ones(3), shared)
    assert sparse.tolist() == [1, 0, NONE]


def test_new_clusters_get_ids_that_were_never_given() -> None:
    ids, following = fresh_ids(np.array([NONE, 1, NONE, 0]), np.array([7, 3]), 9)
    assert ids.tolist() == [9, 3, 10, 7] and following == 11
    assert ids.dtype == np.int32
    # Cluster 3 vanishes, and its id is not given again.
    assert fresh_ids(np.array([0, NONE]), np.array([7, 3]), following)[0].tolist() == [7, 11]


def test_first_clustering_counts_from_the_next_id() -> None:
    ids, following = fresh_ids(np.full(3, NONE), np.zeros(0, np.int32), 0)
    assert ids.tolist() == [0, 1, 2] and following == 3


def test_id_in_use_is_not_given_again() -> None:
    with pytest.raises(ValueError, match="id 7 is in use"):
        fresh_ids(np.array([NONE]), np.array([7]), 7)


def test_cluster_that_falls_apart_is_a_split() -> None:
    assert told({4: 100}, {4: 60, 5: 40}, [[60, 40]]) == [Change("split", 4, (4, 5), 100, 60)]
    assert told({4: 100}, {5: 50, 6: 50}, [[50, 50]]) == [Change("split", 4, (5, 6), 100, 0)]


def test_clusters_that_fall_together_are_merged() -> None:
    assert told({1: 60, 2: 40}, {1: 100}, [[60], [40]]) == [Change("merged", 1, (1, 2), 60, 100)]


def test_small_cluster_swallowed_by_a_large_one_is_merged_too() -> None:
    found = told({1: 900, 2: 10}, {1: 905}, [[890], [10]])
    assert found == [Change("merged", 1, (1, 2), 900, 905)]


def test_small_piece_that_leaves_a_large_one_is_a_split_too() -> None:
    found = told({1: 900, 3: 4}, {1: 880, 2: 12, 3: 4}, [[880, 10, 0], [0, 0, 4]])
    assert found == [Change("split", 1, (1, 2), 900, 880)]


def test_new_topic_with_a_few_old_members_has_appeared() -> None:
    found = told({1: 900}, {1: 897, 2: 100}, [[897, 3]])
    assert found == [Change("appeared", 2, (), 0, 100)]


def test_member_that_changes_sides_is_not_worth_telling() -> None:
    assert told({1: 50, 2: 50}, {1: 46, 2: 54}, [[46, 4], [0, 50]]) == []


def test_cluster_without_members_or_ancestors_vanished_or_appeared() -> None:
    found = told({1: 5}, {2: 6}, [[0]])
    assert found == [Change("vanished", 1, (), 5, 0), Change("appeared", 2, (), 0, 6)]
    assert told({}, {0: 3}) == [Change("appeared", 0, (), 0, 3)]
    assert told({0: 3}, {}) == [Change("vanished", 0, (), 3, 0)]
    assert told({}, {}) == []
