"""Nodes of a taxonomy: found by path, closed under parents, and without them."""

from __future__ import annotations

from ml.tags.tree import TagTree
from ml.taxonomy import Taxonomy, default_taxonomy, load_taxonomy

TAXONOMY = load_taxonomy(
    "level_1,level_2,level_3,russian\n"
    "Animals,,,Животные\nAnimals,Pets,,Питомцы\nAnimals,Pets,Cats,Кошки\nAnimals,Pets,Dogs,Собаки\n"
    "Games,,,Игры\n"
)
TREE = TagTree.of(TAXONOMY)
ANIMALS, PETS, CATS, DOGS, GAMES = range(5)


def test_nodes_stand_in_the_order_of_the_entries_with_parent_and_level() -> None:
    assert TREE.paths[CATS] == ("Animals", "Pets", "Cats")
    assert TREE.parent.tolist() == [-1, ANIMALS, PETS, PETS, -1]
    assert TREE.level.tolist() == [1, 2, 3, 3, 1]
    assert TREE.text(DOGS) == "Animals: Pets: Dogs"


def test_node_is_found_in_any_case_and_language() -> None:
    assert TREE.find(("animals", " PETS ", "кошки")) == CATS
    assert TREE.find(("Игры",)) == GAMES
    assert TREE.find(("Animals", "Cats")) is None
    assert TREE.find(()) is None


def test_parents_are_added_and_taken_away() -> None:
    assert TREE.with_parents([CATS, GAMES]) == {ANIMALS, PETS, CATS, GAMES}
    assert TREE.without_parents({ANIMALS, PETS, CATS, GAMES}) == {CATS, GAMES}
    assert TREE.without_parents({PETS}) == {PETS}
    assert TREE.with_parents([]) == TREE.without_parents([]) == set()


def test_grandparent_alone_is_dropped_too() -> None:
    assert TREE.without_parents({ANIMALS, DOGS}) == {DOGS}


def test_empty_taxonomy_gives_a_tree_without_nodes() -> None:
    assert len(TagTree.of(Taxonomy(()))) == 0


def test_every_node_of_the_default_taxonomy_is_found_by_its_path() -> None:
    tree = TagTree.of(default_taxonomy())
    assert [tree.find(path) for path in tree.paths] == list(range(len(tree)))
