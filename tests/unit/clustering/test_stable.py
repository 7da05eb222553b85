"""A cluster keeps its id from night to night; new items join it; what changed is told."""

from __future__ import annotations

import numpy as np
import pytest

from ml.clustering.stable import Clustering, reason_to_recluster, recluster, take_in

PLACES = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)


def night(sizes: tuple[int, ...], seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Keys, places and labels of clusters of these sizes around `PLACES`."""
    draw = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    z = PLACES[truth] + draw.normal(scale=0.5, size=(len(truth), 2))
    return [f"v{t}-{i:03d}" for i, t in enumerate(truth)], z.astype(np.float32), truth


def clustered(
    keys: list[str], z: np.ndarray, labels: np.ndarray, before: Clustering | None = None
) -> Clustering:
    return recluster(keys, z, labels, np.ones(len(keys)), before)


def test_first_clustering_numbers_clusters_from_zero_and_says_that_they_appeared() -> None:
    first = clustered(*night((5, 4, 3)))
    assert first.ids.tolist() == [0, 1, 2]
    assert first.number == 1
    assert first.next_id == 3
    assert [c.kind for c in first.changes] == ["appeared"] * 3


def test_ids_stay_when_the_clusters_come_in_another_order() -> None:
    keys, z, truth = night((5, 4, 3))
    first = clustered(keys, z, truth)
    second = clustered(keys, z, np.array([2, 0, 1])[truth], first)
    assert second.members.ids.tolist() == first.members.ids.tolist()
    assert second.changes == ()
    assert second.number == 2


def test_ids_stay_in_another_space() -> None:
    keys, z, truth = night((5, 4, 3))
    first = clustered(keys, z, truth)
    turned = np.concatenate([-z[:, ::-1] * 3, z[:, :1]], axis=1)
    second = clustered(keys, turned, np.array([1, 2, 0])[truth], first)
    assert second.members.ids.tolist() == first.members.ids.tolist()


def test_id_of_a_cluster_that_vanished_is_never_given_again() -> None:
    keys, z, truth = night((5, 4, 3))
    first = clustered(keys, z, truth)
    stay = truth < 2
    second = clustered(
        [k for k, s in zip(keys, stay, strict=True) if s], z[stay], truth[stay], first
    )
    assert [(c.kind, c.id) for c in second.changes] == [("vanished", 2)]
    third = clustered(keys, z, truth, second)
    assert third.ids.tolist() == [0, 1, 3]


def test_split_keeps_the_id_at_the_larger_part_and_is_told() -> None:
    keys, z, truth = night((6, 4, 5))
    one = np.where(truth < 2, 0, 1)
    first = clustered(keys, z, one)
    second = clustered(keys, z, truth, first)
    assert second.ids.tolist() == [0, 2, 1]
    assert [(c.kind, c.id, c.other_ids) for c in second.changes] == [("split", 0, (0, 2))]


def test_new_item_joins_within_reach_and_stays_outside_beyond() -> None:
    keys, z, truth = night((30, 30))
    first = clustered(keys, z, truth)
    new = np.array([[0.1, 0.1], [5, 5]], np.float32)
    now = take_in(first, [*keys, "w0", "w1"], np.concatenate([z, new]))
    assert now.members.ids[-2:].tolist() == [0, -1]
    assert now.members.joined[-2:].tolist() == [True, True]
    assert now.members.ids[:-2].tolist() == first.members.ids.tolist()


def test_item_keeps_its_cluster_until_it_moves() -> None:
    keys, z, truth = night((30, 30))
    odd = truth.copy()
    odd[0] = 1
    first = clustered(keys, z, odd)
    assert take_in(first, keys, z).members.ids[0] == 1
    moved = z.copy()
    moved[0] += 0.01
    assert take_in(first, keys, moved).members.ids[0] == 0


def test_item_that_is_gone_is_left_out_and_its_empty_cluster_keeps_its_id() -> None:
    keys, z, truth = night((5, 3))
    first = clustered(keys, z, truth)
    now = take_in(first, keys[:5], z[:5])
    assert list(now.members.keys) == keys[:5]
    assert now.ids.tolist() == [0, 1]


def test_row_of_zeros_joins_nothing() -> None:
    keys, z, truth = night((30, 30))
    first = clustered(keys, z, truth)
    now = take_in(first, [*keys, "w"], np.concatenate([z, np.zeros((1, 2), np.float32)]))
    assert now.members.ids[-1] == -1


def test_reach_is_bounded_where_the_caller_knows_better() -> None:
    keys, z, truth = night((30, 30))
    bounded = recluster(keys, z, truth, np.ones(60), most_reach=0.2)
    assert (bounded.reach <= 0.2).all()


@pytest.mark.parametrize("count", [0, 1])
def test_library_without_clusters_is_carried_on(count: int) -> None:
    keys, z = ["v"][:count], np.ones((count, 2), np.float32)
    first = clustered(keys, z, np.full(count, -1))
    now = take_in(first, ["v", "w"], np.ones((2, 2), np.float32))
    assert now.members.ids.tolist() == [-1, -1]
    assert clustered(*night((4, 4)), first).ids.tolist() == [0, 1]


def test_full_clustering_is_due_when_many_belong_to_none_or_the_library_has_doubled() -> None:
    keys, z, truth = night((30, 30))
    first = clustered(keys, z, truth)
    assert reason_to_recluster(first) == ""
    far = np.full((10, 2), 5, np.float32) + np.arange(10)[:, None] / 10
    strangers = take_in(first, [*keys, *(f"w{i}" for i in range(10))], np.concatenate([z, far]))
    assert "belong to none" in reason_to_recluster(strangers)
    doubled = take_in(first, [*keys, *(f"w{i}" for i in range(60))], np.concatenate([z, z]))
    assert "120 items where there were 60" in reason_to_recluster(doubled)


def test_clusters_are_found_after_a_night_without_any() -> None:
    keys, z, truth = night((5, 4))
    none = clustered(keys, z, np.full(len(keys), -1))
    found = clustered(keys, z, truth, none)
    assert found.ids.tolist() == [0, 1]
    assert [c.kind for c in found.changes] == ["appeared", "appeared"]


def test_items_that_come_after_a_night_without_any_join_nothing_yet() -> None:
    nothing = clustered([], np.zeros((0, 0), np.float32), np.zeros(0, np.int64))
    keys, z, _ = night((5, 4))
    assert (take_in(nothing, keys, z).members.ids == -1).all()


def test_key_that_now_stands_for_somebody_else_is_no_shared_member() -> None:
    keys, z, truth = night((4, 4))
    first = clustered(keys, z, truth)
    moved = np.concatenate([z[4:], z[:4]])
    swapped = recluster(
        keys, moved, truth, np.ones(8), first, still=np.zeros(8, bool), same_space=True
    )
    assert swapped.members.ids.tolist() == (1 - truth).tolist()
    assert swapped.changes == ()


def test_cluster_whose_members_are_all_gone_is_known_by_its_place_in_the_same_space() -> None:
    keys, z, truth = night((4, 4))
    first = clustered(keys, z, truth)
    new = [f"new-{key}" for key in keys]
    same = recluster(new, z, 1 - truth, np.ones(8), first, same_space=True)
    assert same.members.ids.tolist() == truth.tolist()
    other = recluster(new, z, 1 - truth, np.ones(8), first)
    assert sorted(other.ids.tolist()) == [2, 3]


def test_first_id_leaves_out_ids_that_were_given_before() -> None:
    keys, z, truth = night((4, 4))
    assert recluster(keys, z, truth, np.ones(8), first_id=7).ids.tolist() == [7, 8]
