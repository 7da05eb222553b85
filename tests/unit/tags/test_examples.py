"""Labels as catalogues write them, and tables of videos that fit together."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tags.examples import ChannelVectors, TagExamples, read_labels
from ml.tags.tree import TagError
from ml.taxonomy import Taxonomy, load_taxonomy
from tests.unit.tags.test_tree import ANIMALS, CATS, DOGS, GAMES, PETS, TAXONOMY


def test_paths_are_read_in_any_case_spacing_and_language() -> None:
    labels, problems = read_labels(
        ["Animals: Pets: Cats, games", "животные:питомцы :Dogs"], TAXONOMY
    )
    assert labels == [{CATS, GAMES}, {DOGS}]
    assert problems == []


def test_label_that_is_only_a_prefix_is_a_label() -> None:
    assert read_labels(["Animals: Pets"], TAXONOMY) == ([{PETS}], [])


def test_parent_beside_its_child_adds_nothing() -> None:
    assert read_labels(["Animals, Animals: Pets: Cats"], TAXONOMY)[0] == [{CATS}]


def test_unknown_tag_is_reported_once_and_its_known_beginning_kept() -> None:
    labels, problems = read_labels(["Animals: Fish", "Animals: Fish, Games"], TAXONOMY)
    assert labels == [{ANIMALS}, {ANIMALS, GAMES}]
    assert problems == ["tag 'Animals: Fish' is not in the taxonomy, taken as Animals (rows 1, 2)"]


def test_row_without_a_known_tag_is_left_out_with_a_sentence() -> None:
    labels, problems = read_labels(["Cooking", " ", "Games"], TAXONOMY)
    assert labels == [set(), set(), {GAMES}]
    assert problems == [
        "tag 'Cooking' is not in the taxonomy (row 1)",
        "row 1 is left out: it has no tag of the taxonomy ('Cooking')",
        "row 2 is left out: it has no tag of the taxonomy (none)",
    ]


def test_name_that_holds_a_comma_is_found() -> None:
    taxonomy = load_taxonomy('a,b,c\nHome,,\nHome,"Garden, yard",\nYard,,\n')
    labels, problems = read_labels(["Home: Garden, yard, Yard"], taxonomy)
    assert labels == [{1, 2}]
    assert problems == []


def test_empty_taxonomy_is_an_error_in_words() -> None:
    with pytest.raises(TagError, match="no entries"):
        read_labels(["Animals"], Taxonomy(()))


def test_videos_are_selected_with_all_that_belongs_to_them() -> None:
    vectors = {"clip": ChannelVectors(np.eye(3, dtype=np.float32), np.array([True, True, False]))}
    labels = [frozenset({CATS}), frozenset[int](), frozenset({GAMES})]
    examples = TagExamples(
        ["a", "b", "c"], {"title": ["x", "y", "z"]}, vectors, labels, ["p", "q", "r"]
    )
    some = examples.labelled()
    assert (some.ids, some.texts["title"], some.publishers) == (["a", "c"], ["x", "z"], ["p", "r"])
    assert some.vectors["clip"].present.tolist() == [True, False]
    assert some.text("ocr") == ["", ""]


def test_tables_that_do_not_fit_are_errors_in_words() -> None:
    with pytest.raises(TagError, match="2 videos, but 1 texts of 'title'"):
        TagExamples(["a", "b"], {"title": ["x"]})
    with pytest.raises(TagError, match="no table of finite numbers"):
        broken = np.full((1, 2), np.nan, np.float32)
        TagExamples(["a"], {}, {"clip": ChannelVectors(broken, np.array([True]))})
