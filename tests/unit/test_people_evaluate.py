"""Pairs against the truth."""

from __future__ import annotations

import pytest

from ml.people.evaluate import PairCounts, pair_counts, pair_counts_within


def test_perfect_labels_score_one_whatever_their_numbers() -> None:
    counts = pair_counts([7, 7, 3, 3, -1], list("aabbc"))
    assert (counts.precision, counts.recall, counts.f1) == (1, 1, 1)


def test_rows_alone_are_put_together_with_nobody() -> None:
    assert pair_counts([-1, -1, -1], list("aaa")) == PairCounts(right=0, found=0, true=3)


def test_precision_and_recall_count_pairs() -> None:
    counts = pair_counts([0, 0, 0, 1, -1], list("aabba"))
    assert counts == PairCounts(right=1, found=3, true=4)
    assert counts.precision == pytest.approx(1 / 3)
    assert counts.recall == pytest.approx(1 / 4)
    assert counts.f1 == pytest.approx(2 / 7)


def test_nothing_found_and_nothing_true_is_no_mistake() -> None:
    counts = pair_counts([], [])
    assert (counts.precision, counts.recall) == (1, 1)


def test_pairs_within_videos_and_across_add_up() -> None:
    labels, names = [0, 0, 0, 1, 1], list("aabbb")
    within = pair_counts_within(labels, names, list("vvvww"))
    assert within == PairCounts(right=2, found=4, true=2)
    across = pair_counts(labels, names) - within
    assert across == PairCounts(right=0, found=0, true=2)


def test_arguments_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels for 1 names"):
        pair_counts([0, 0], ["a"])
