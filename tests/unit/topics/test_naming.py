"""Names of topics, and where they belong in a taxonomy."""

from __future__ import annotations

import numpy as np

from ml.taxonomy import Entry
from ml.topics.naming import (
    NearestEntry,
    TopicWords,
    naming_rows,
    nearest_entries,
    topic_name,
    topic_terms,
)

ENTRIES = (
    Entry(("Animals",), ("Animals", "Животные"), ("pet",)),
    Entry(("Animals", "Cats"), ("Cats", "Кошки"), ("kitten", "purring", "мейн-кун")),
    Entry(("Animals", "Dogs"), ("Dogs", "Собаки"), ("puppy", "щенок")),
    Entry(("Food",), ("Food", "Еда"), ("recipe",)),
    Entry(("Food", "Baking"), ("Baking", "Выпечка"), ("bread", "rolls", "дрожжевое тесто")),
    Entry(("Society",), ("Society", "Общество"), ("помощь",)),
)


def nearest(*terms: str, titles: tuple[str, ...] = ()) -> NearestEntry:
    return nearest_entries([TopicWords(terms, titles)], ENTRIES)[0]


def test_terms_set_topics_apart_and_name_them() -> None:
    terms = topic_terms(
        {
            0: ["my cat sleeps", "the cat eats", "a cat and a ball"],
            1: ["bread oven", "baking bread", "rye bread"],
            -1: ["nothing"],
        }
    )
    assert list(terms) == [0, 1]
    assert "cat" in terms[0][0]
    assert "bread" in terms[1][0]


def test_name_is_the_foremost_terms_or_the_number() -> None:
    assert topic_name(["cat", "sofa", "ball", "milk"], 7) == "cat, sofa, ball"
    assert topic_name([], 7) == "topic 7"


def test_topic_without_words_has_no_terms() -> None:
    assert topic_terms({0: ["", "42"], 1: []}) == {0: [], 1: []}
    assert topic_terms({}) == {}


def test_rows_that_name_a_topic_are_nearest_first_and_bounded() -> None:
    labels = np.array([1, -1, 0, 1, 1])
    rows = naming_rows(labels, np.array([0.5, 0.1, 0.2, 0.1, 0.3]), limit=2)
    assert {topic: of.tolist() for topic, of in rows.items()} == {-1: [1], 0: [2], 1: [3, 4]}
    assert naming_rows(np.zeros(0, np.int64), np.zeros(0)) == {}


def test_entry_is_found_by_names_and_aliases_in_either_language() -> None:
    english, russian = nearest("kitten", "cat", "sofa"), nearest("мейн-кун", "кошки", "диван")
    assert english.path == russian.path == ("Animals", "Cats")
    assert 0.35 <= english.score <= 1


def test_words_of_two_siblings_name_their_parent() -> None:
    assert nearest("kitten", "puppy", "cats", "dogs", "pet").path == ("Animals",)


def test_one_ambiguous_word_is_not_enough() -> None:
    assert nearest("помощь", "диван", titles=("Помощь!",)) == NearestEntry()


def test_titles_of_exemplars_count_too() -> None:
    titles = ("Rolls and bread", "Bread for beginners")
    assert nearest("oven", "flour", titles=titles).path == ("Food", "Baking")


def test_topic_of_other_words_or_none_has_an_empty_path() -> None:
    assert nearest("sonata", "metronome") == NearestEntry()
    assert nearest() == NearestEntry()
    assert nearest_entries([], ENTRIES) == []
    assert nearest_entries([TopicWords(["cat"])], ()) == [NearestEntry()]


def test_words_that_disagree_name_nothing() -> None:
    assert nearest("kitten", "bread", "общество", "rolls", "puppy").path == ()


def test_vectors_of_entries_are_evidence_too() -> None:
    vectors = np.eye(len(ENTRIES), dtype=np.float32)
    words = TopicWords(["bread"], (), vectors[4])
    assert nearest_entries([words], ENTRIES, vectors)[0].path == ("Food", "Baking")
    assert nearest_entries([words], ENTRIES)[0].path == ()
