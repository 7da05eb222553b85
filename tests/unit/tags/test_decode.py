"""From scores or probabilities of sets to tags: children under parents, at least one, not many."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tags.decode import DecodeOptions, LabelSets, decode
from ml.tags.tree import TagError, TagTree
from ml.taxonomy import Taxonomy
from tests.unit.tags.test_tree import ANIMALS, CATS, DOGS, GAMES, PETS, TREE


def row(**scores: float) -> np.ndarray:
    names = {"animals": ANIMALS, "pets": PETS, "cats": CATS, "dogs": DOGS, "games": GAMES}
    values = np.zeros((1, len(TREE)), np.float32)
    for name, score in scores.items():
        values[0, names[name]] = score
    return values


def test_child_is_at_most_as_sure_as_its_parent_which_is_dropped() -> None:
    found = decode(row(animals=0.9, pets=0.7, cats=0.8), TREE)
    assert found == [[(CATS, pytest.approx(0.7))]]


def test_child_of_an_unlikely_parent_is_not_found() -> None:
    found = decode(row(animals=0.1, pets=0.9, cats=0.9, games=0.6), TREE)
    assert found == [[(GAMES, pytest.approx(0.6))]]


def test_surest_tag_leads_and_no_more_are_given_than_asked() -> None:
    scores = row(animals=0.9, pets=0.9, cats=0.6, dogs=0.8, games=0.7)
    assert [node for node, _ in decode(scores, TREE)[0]] == [DOGS, GAMES, CATS]
    assert [n for n, _ in decode(scores, TREE, DecodeOptions(most_tags=1))[0]] == [DOGS]


def test_video_that_nothing_is_sure_of_has_its_best_tag() -> None:
    assert decode(row(animals=0.3, games=0.2), TREE) == [[(ANIMALS, pytest.approx(0.3))]]
    torn = row(animals=0.4, pets=0.3, cats=0.1, dogs=0.1)
    assert decode(torn, TREE) == [[(PETS, pytest.approx(0.3))]]
    assert len(decode(np.zeros((1, len(TREE)), np.float32), TREE)[0]) == 1


def test_scores_that_are_none_are_errors_in_words() -> None:
    with pytest.raises(TagError, match="not finite"):
        decode(row(animals=float("nan")), TREE)
    with pytest.raises(TagError, match="shape"):
        decode(np.zeros((1, 2), np.float32), TREE)
    with pytest.raises(TagError, match="no entries"):
        decode(np.zeros((1, 0), np.float32), TagTree.of(Taxonomy(())))
    with pytest.raises(TagError, match="most_tags"):
        DecodeOptions(most_tags=0)


def test_torn_between_children_the_answer_of_greatest_expected_gain_is_given() -> None:
    sets = LabelSets.of([{CATS}, {DOGS}, {GAMES}], TREE)
    probabilities = np.zeros((3, 3), np.float32)
    cats, dogs, games = sets.places([{CATS}, {DOGS}, {GAMES}])
    probabilities[0, [cats, dogs]] = 0.5
    probabilities[1, [games, cats, dogs]] = 0.4, 0.35, 0.25
    probabilities[2, games] = 1
    found = [[node for node, _ in tags] for tags in sets.decode(probabilities)]
    # Both children at once would earn 3/4 of either, as one of them earns 1 and 2/4.
    assert found[0] in ([CATS], [DOGS], [CATS, DOGS])
    # The single likeliest set is Games, yet two of three voices are for Animals: Pets.
    assert GAMES not in found[1]
    assert found[2] == [GAMES]


def test_prefix_is_answered_where_children_are_too_many() -> None:
    tree = TREE
    sets = LabelSets.of([{CATS}, {DOGS}, {PETS}], tree)
    probabilities = np.zeros((1, 3), np.float32)
    places = sets.places([{CATS}, {DOGS}, {PETS}])
    probabilities[0, places] = 0.3, 0.3, 0.4
    assert [[n for n, _ in tags] for tags in sets.decode(probabilities)] == [[PETS]]


def test_confidence_of_a_tag_is_the_probability_of_sets_that_hold_it() -> None:
    sets = LabelSets.of([{CATS}, {CATS, GAMES}], TREE)
    probabilities = np.zeros((1, 2), np.float32)
    probabilities[0, sets.places([{CATS}, {CATS, GAMES}])] = 0.75, 0.25
    scores = sets.scores(probabilities)[0]
    assert scores[CATS] == scores[ANIMALS] == pytest.approx(1)
    assert scores[GAMES] == pytest.approx(0.25)
    assert sets.decode(probabilities) == [[(CATS, pytest.approx(1))]]


def test_no_more_tags_are_answered_than_asked_though_videos_have_more() -> None:
    sets = LabelSets.of([{CATS, DOGS, GAMES}], TREE, most_tags=1)
    found = sets.decode(np.ones((1, 1), np.float32))
    assert len(found[0]) == 1
