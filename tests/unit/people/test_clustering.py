"""Persons of many videos become people; drawn vectors stand for faces."""

from __future__ import annotations

import numpy as np
import pytest

from ml.people.clustering import ALONE, cluster_people, guard_distance, one_model
from ml.people.evaluate import pair_counts
from ml.vectors import ModelMismatch

DISTANCE = 0.34


def people(
    sizes: list[int], noise: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Vectors of people in so many videos each (strangers .4-.7 apart), and whose they are."""
    rng = np.random.default_rng(seed)
    centres = np.ones(64) / 8 + 0.4 * rng.standard_normal((len(sizes), 64)) / 8
    whose = np.repeat(np.arange(len(sizes)), sizes)
    x = centres[whose] + noise * rng.standard_normal((len(whose), 64)) / 8
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(np.float32), [f"v{i:04d}" for i in range(len(x))], whose


def labels_of(x: np.ndarray, videos: list[str], distance: float = DISTANCE) -> np.ndarray:
    return cluster_people(x, videos, same_person_distance=distance).labels


def test_people_of_many_and_of_two_videos_are_found() -> None:
    x, videos, whose = people([12, 2, 5, 2, 1, 1, 3])
    found = cluster_people(x, videos, same_person_distance=DISTANCE)
    assert pair_counts(found.labels, whose.tolist()).f1 == 1
    # By falling size; who is in one video is nobody of the library.
    assert np.bincount(found.labels[found.labels >= 0]).tolist() == [12, 5, 3, 2, 2]
    alone = found.labels == ALONE
    assert alone.sum() == 2
    assert (found.probabilities[alone] == 0).all()
    assert (found.probabilities[~alone] > 0).all()
    assert found.probabilities.max() <= 1


def test_nobody_who_appears_once_joins_a_stranger() -> None:
    x, videos, _ = people([1] * 60)
    assert (labels_of(x, videos) == ALONE).all()


def test_order_of_rows_changes_nothing() -> None:
    x, videos, _ = people([6, 2, 9, 1, 3, 2, 2, 4], noise=0.25)
    straight = cluster_people(x, videos, same_person_distance=DISTANCE)
    order = np.random.default_rng(1).permutation(len(x))
    shuffled = cluster_people(x[order], [videos[i] for i in order], same_person_distance=DISTANCE)
    assert (shuffled.labels == straight.labels[order]).all()
    assert (shuffled.probabilities == straight.probabilities[order]).all()


def test_two_persons_of_one_video_are_never_one_and_the_nearer_stays() -> None:
    x, videos, _ = people([8])
    farther = people([1], noise=0.3)[0]
    labels = labels_of(np.vstack([x, farther]), [*videos, videos[0]])
    assert labels.tolist() == [0] * 8 + [ALONE]


def test_lookalikes_who_appear_together_are_two_people() -> None:
    a, videos, _ = people([6], noise=0.05)
    b = a + 0.03 * np.random.default_rng(4).standard_normal(64).astype(np.float32)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    labels = labels_of(np.vstack([a, b]), videos * 2)
    assert labels.tolist() in ([0] * 6 + [1] * 6, [1] * 6 + [0] * 6)


def test_two_faces_with_nobody_near_have_to_be_nearer_than_three() -> None:
    x = np.zeros((3, 4), np.float32)
    x[:, 0], x[[0, 1, 2], [1, 2, 3]] = 1, 0.235  # each .32 from each
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    assert labels_of(x, ["a", "b", "c"]).tolist() == [0, 0, 0]
    assert labels_of(x[:2], ["a", "b"]).tolist() == [ALONE, ALONE]


def test_all_persons_of_one_video_stay_alone() -> None:
    x = people([4, 3])[0]
    assert (labels_of(x, ["v"] * 7) == ALONE).all()


@pytest.mark.parametrize("n", [2, 3, 40])
def test_videos_that_are_all_the_same_show_one_person(n: int) -> None:
    x = people([1])[0]
    assert (labels_of(np.repeat(x, n, axis=0), [f"v{i}" for i in range(n)]) == 0).all()


def test_copies_of_a_clip_do_not_hide_the_person_in_other_videos() -> None:
    x, videos, whose = people([8, 8, 8], noise=0.15)
    copied = np.repeat(x[[0, 8]], 4, axis=0)
    x = np.vstack([x, copied])
    videos += [f"copy{i}" for i in range(8)]
    whose = np.r_[whose, np.repeat([0, 1], 4)]
    assert pair_counts(labels_of(x, videos), whose.tolist()).f1 == 1


def test_strangers_who_resemble_each_other_most_are_still_split() -> None:
    # Two pairs, each a pair of strangers: HDBSCAN, which knows no scale, makes two clusters.
    base = np.eye(8)[[0, 1]]
    x = np.vstack([base + 0.3 * np.eye(8)[2], base - 0.3 * np.eye(8)[2]])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    videos = ["a", "b", "c", "d"]
    assert (labels_of(x, videos, distance=0.3) == ALONE).all()
    assert (labels_of(x, videos, distance=0.7) != ALONE).all()


@pytest.mark.parametrize("n", [0, 1])
def test_library_with_nobody_or_one_person_has_no_people(n: int) -> None:
    found = cluster_people(
        np.eye(4, dtype=np.float32)[:n], ["v"] * n, same_person_distance=DISTANCE
    )
    assert found.labels.tolist() == [ALONE] * n
    assert found.probabilities.dtype == np.float32


def test_bad_vectors_are_refused_with_what_is_wrong() -> None:
    x, videos, _ = people([3, 3])
    bad = x.copy()
    bad[1, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 6 vectors of persons hold NaN"):
        labels_of(bad, videos)
    with pytest.raises(ValueError, match=r"lengths from 2\.000 to 2\.000"):
        labels_of(2 * x, videos)
    with pytest.raises(ValueError, match="6 vectors for 5 video ids"):
        labels_of(x, videos[1:])


def test_vectors_of_two_models_never_meet() -> None:
    assert one_model(["m", "m"]) == "m"
    assert one_model([]) == ""
    with pytest.raises(ModelMismatch, match="'m' and by 'n'"):
        one_model(["n", "m", "n"])


def test_guard_shrinks_with_the_library() -> None:
    assert guard_distance(10, 0.34) == guard_distance(300, 0.34) == 0.34
    assert guard_distance(100_000, 0.34) == pytest.approx(0.2801, abs=1e-3)
    assert guard_distance(2_000_000, 0.34) > 0.25


def test_fifteen_hundred_people_are_told_apart() -> None:
    rng = np.random.default_rng(5)
    x, videos, whose = people(np.minimum(rng.geometric(0.4, 1500), 12).tolist(), noise=0.12)
    counts = pair_counts(labels_of(x, videos), whose.tolist())
    assert counts.precision >= 0.99
    assert counts.recall >= 0.95
