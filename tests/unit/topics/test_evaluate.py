"""Topics against known themes."""

from __future__ import annotations

import pytest

from ml.topics.evaluate import agreement


def test_same_groups_under_other_numbers_agree_wholly() -> None:
    assert agreement([5, 5, 2, 2], ["cats", "cats", "cars", "cars"]) == 1


def test_videos_without_a_topic_are_no_group() -> None:
    assert agreement([-1, -1, -1, -1], ["cats", "cats", "cars", "cars"]) == 0
    assert agreement([-1, -1, 2, 2], ["", "", "cars", "cars"]) == 1


def test_one_topic_of_two_themes_is_worth_nothing() -> None:
    assert agreement([0, 0, 0, 0], ["cats", "cats", "cars", "cars"]) == 0


def test_uneven_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="1 topics for 2 themes"):
        agreement([0], ["cats", "cars"])
