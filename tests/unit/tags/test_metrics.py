"""Agreement of tags, where every path counts with all its prefixes."""

from __future__ import annotations

import pytest

from ml.tags.metrics import mean_iou, tag_scores
from ml.tags.tree import TagError
from tests.unit.tags.test_tree import ANIMALS, CATS, DOGS, GAMES, PETS, TREE


def test_same_tags_agree_wholly() -> None:
    assert mean_iou([{CATS}, {GAMES, DOGS}], [{CATS}, {DOGS, GAMES}], TREE) == 1


def test_sibling_earns_what_stands_above_both() -> None:
    # Animals and Pets of Animals, Pets, Cats, Dogs.
    assert mean_iou([{DOGS}], [{CATS}], TREE) == pytest.approx(2 / 4)


def test_prefix_counts_the_same_written_or_not() -> None:
    assert mean_iou([{ANIMALS, PETS, CATS}], [{CATS}], TREE) == 1
    assert mean_iou([{PETS}], [{CATS}], TREE) == pytest.approx(2 / 3)


def test_nothing_found_earns_nothing_and_the_mean_is_over_videos() -> None:
    assert mean_iou([set(), {CATS}], [{CATS}, {CATS}], TREE) == pytest.approx(0.5)


def test_precision_and_recall_are_of_all_pairs_and_of_each_level() -> None:
    scores = tag_scores([{DOGS}, {GAMES}], [{CATS}, {GAMES}], TREE)
    assert scores.overall.precision == pytest.approx(3 / 4)
    assert scores.overall.recall == pytest.approx(3 / 4)
    assert [level.precision for level in scores.levels] == [1, 1, 0]
    assert [level.tags for level in scores.levels] == [2, 1, 1]


def test_rare_tags_are_those_of_few_videos() -> None:
    true = [{CATS}] * 5 + [{GAMES}]
    scores = tag_scores([{CATS}] * 6, true, TREE)
    assert (scores.rare.tags, scores.rare.pairs, scores.rare.recall) == (1, 1, 0)
    assert tag_scores(true, true, TREE).rare.recall == 1


def test_what_can_not_be_compared_is_said() -> None:
    with pytest.raises(TagError, match="1 videos have found tags, 2 have true ones"):
        mean_iou([{CATS}], [{CATS}, {CATS}], TREE)
    with pytest.raises(TagError, match="no videos"):
        mean_iou([], [], TREE)
    with pytest.raises(TagError, match="1 of 2 videos have no true tag"):
        mean_iou([{CATS}, {CATS}], [{CATS}, set()], TREE)
