"""Pairs against the truth."""

from __future__ import annotations

import pytest

from ml.people.evaluate import Appearance, PairCounts, as_text, evaluate, pair_counts


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


def found(video: str, who: str, start_s: float, end_s: float) -> Appearance:
    return Appearance(video, who, [start_s], [end_s])


KNOWN = [
    found("a", "Anna", 0, 5),
    found("b", "Anna", 2, 4),
    found("b", "Boris", 6, 9),
    found("c", "Boris", 0, 9),
    Appearance("nobody", ""),
]
RIGHT = [
    found("a", "7", 0, 4),
    found("b", "7", 3, 3),
    found("b", "1", 6, 8),
    found("c", "1", 1, 8),
]


def test_everybody_found_at_their_time_is_perfect() -> None:
    result = evaluate(RIGHT, KNOWN, {"7": "Anna", "1": ""})
    assert result.pairs == PairCounts(right=2, found=2, true=2)
    assert (result.appearances, result.not_found, result.strangers) == (4, 0, 0)
    assert (result.named_right, result.named_wrong) == (2, 0)


def test_whoever_is_not_found_costs_recall_alone() -> None:
    result = evaluate(RIGHT[1:], KNOWN, {})
    assert result.pairs == PairCounts(right=1, found=1, true=2)
    assert result.not_found == 1


def test_stranger_put_with_somebody_costs_precision() -> None:
    result = evaluate([*RIGHT, found("nobody", "7", 0, 1)], KNOWN, {"7": "Anna"})
    assert result.pairs == PairCounts(right=2, found=4, true=2)
    assert (result.strangers, result.named_right, result.named_wrong) == (1, 2, 0)


def test_name_of_somebody_else_is_wrong() -> None:
    result = evaluate(RIGHT, KNOWN, {"7": "Anna", "1": "Anna"})
    assert (result.named_right, result.named_wrong) == (2, 2)


def test_two_people_side_by_side_are_left_out() -> None:
    known = [found("a", "Anna", 0, 5), found("a", "Boris", 0, 5)]
    result = evaluate([found("a", "1", 0, 5), found("a", "2", 0, 5)], known, {})
    assert (result.left_out, result.not_found, result.pairs.found) == (2, 0, 0)


def test_truth_without_times_is_the_whole_video() -> None:
    result = evaluate(RIGHT[:2], [Appearance("a", "Anna"), Appearance("b", "Anna")], {})
    assert result.pairs == PairCounts(right=1, found=1, true=1)


def test_videos_of_which_nothing_is_known_do_not_count() -> None:
    result = evaluate([*RIGHT, found("unlabelled", "7", 0, 5)], KNOWN, {})
    assert result.pairs == PairCounts(right=2, found=2, true=2)


def test_text_gives_the_figures() -> None:
    said = as_text(evaluate(RIGHT[1:], KNOWN, {}))
    assert "precision 1.000, recall 0.500" in said
    assert "4, of which 1 not found" in said


def test_arguments_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels for 1 names"):
        pair_counts([0, 0], ["a"])
