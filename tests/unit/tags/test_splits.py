"""Folds: even, the same for the same seed, and never through a series."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tags.splits import grouped_folds, random_folds, series_groups
from ml.tags.tree import TagError


def together(groups: np.ndarray, *rows: int) -> bool:
    return len({int(groups[row]) for row in rows}) == 1


def test_episodes_of_a_show_are_one_series() -> None:
    groups = series_groups(
        [
            "Вечерний Ургант. Выпуск 12",
            "Вечерний Ургант. Выпуск 345",
            "ВЕЧЕРНИЙ УРГАНТ | Сезон 2, серия 5",
            "Кухня на колёсах: варим борщ",
        ]
    )
    assert together(groups, 0, 1, 2)
    assert not together(groups, 0, 3)


def test_show_with_a_long_name_of_the_episode_is_one_series() -> None:
    groups = series_groups(
        [
            "Званый ужин. Выпуск 3. Пять поваров готовят осетрину с трюфелями",
            "Званый ужин. Выпуск 9. Неделя итальянской кухни и ссора за столом",
        ]
    )
    assert together(groups, 0, 1)


def test_one_theme_in_two_titles_is_no_series() -> None:
    groups = series_groups(["Ремонт квартиры: плитка", "Ремонт двигателя ВАЗ", "123", "456", ""])
    assert len(set(groups.tolist())) == 5


def test_videos_of_one_publisher_belong_together_and_titles_do_not_join_publishers() -> None:
    titles = ["Мой день", "Совсем другое", "Мой день", "Мой день", "Мой день"]
    groups = series_groups(titles, ["a", "A ", "b", "", ""])
    assert together(groups, 0, 1)
    assert together(groups, 3, 4)
    assert not together(groups, 0, 2)
    assert not together(groups, 0, 3)


def test_group_is_never_divided_and_folds_are_even() -> None:
    groups = np.repeat(np.arange(40), 5)
    fold = grouped_folds(groups, 5, seed=1)
    assert all(len(set(fold[groups == group])) == 1 for group in range(40))
    assert np.bincount(fold).tolist() == [40] * 5


def test_folds_are_the_same_for_the_same_seed_only() -> None:
    assert (random_folds(100, 5, 3) == random_folds(100, 5, 3)).all()
    assert (random_folds(100, 5, 3) != random_folds(100, 5, 4)).any()
    assert np.bincount(random_folds(102, 5)).tolist() == [21, 21, 20, 20, 20]


def test_too_few_videos_or_series_is_said() -> None:
    with pytest.raises(TagError, match="3 videos can't be divided into 5"):
        random_folds(3, 5)
    with pytest.raises(TagError, match="1 series can't be divided into 2"):
        grouped_folds(np.zeros(9), 2)
    with pytest.raises(TagError, match="2 folds or more"):
        random_folds(9, 1)


def test_no_titles_give_no_series() -> None:
    assert len(series_groups([])) == 0
