"""Words in English and Russian, and the terms that set classes of texts apart."""

from __future__ import annotations

import math

import pytest

from ml.text.words import Term, class_tf_idf, distinct_terms, lemmatiser, tokenise, words


def lemmas(text: str) -> list[str]:
    return [word.lemma for word in words(text)]


def test_words_are_lower_case_without_punctuation() -> None:
    assert tokenise("Hello, WORLD! Кот—пёс; don’t (4K)") == [
        "hello",
        "world",
        "кот",
        "пёс",
        "don't",
        "4k",
    ]
    assert tokenise("") == tokenise(" …!? ") == []


def test_decomposed_letters_are_the_same_word() -> None:
    assert tokenise("чай") == tokenise("чай")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cats are running", ["cat", "run"]),
        ("кошками и столами", ["кошка", "стол"]),
        ("мы делали красивые машины", ["делать", "красивый", "машина"]),
        ("Minecraft и Roblox с кошками", ["minecraft", "roblox", "кошка"]),
        ("the cat's toys, don't", ["cat", "toy"]),
    ],
)
def test_words_have_the_lemma_of_their_alphabet(text: str, expected: list[str]) -> None:
    assert lemmas(text) == expected


def test_numbers_single_letters_and_stop_words_say_nothing() -> None:
    assert lemmas("In 2024 I said that x is 42, и это всё, что я сказал бы") == ["сказать"]


def test_words_that_name_topics_are_no_stop_words() -> None:
    assert lemmas("fire system bill computer") == ["fire", "system", "bill", "computer"]


def test_terms_of_a_class_set_it_apart() -> None:
    found = class_tf_idf(
        {
            "cats": ["my cat sleeps", "the cat and the dog", "a cat video in the city"],
            "dogs": ["my dog sleeps", "dog training", "a dog in the city"],
        }
    )
    assert found["cats"][0].text == "cat"
    assert found["dogs"][0].text == "dog"


def test_weights_follow_the_formula() -> None:
    found = class_tf_idf({"a": ["cat cat dog"], "b": ["dog"]})
    # Terms of a: cat, cat, dog and the pair cat dog (a word beside itself is no pair); of b: dog.
    mean = (4 + 1) / 2
    weights = {term.text: term.weight for term in found["a"]}
    assert weights["cat"] == pytest.approx(2 / 4 * math.log(1 + mean / 2))
    assert weights["dog"] == pytest.approx(1 / 4 * math.log(1 + mean / 2))
    assert weights["cat dog"] == pytest.approx(1 / 4 * math.log(1 + mean / 1))


def test_pair_of_words_is_one_term_only_side_by_side() -> None:
    documents = ["black hole explained", "inside a black hole", "a hole that is black"]
    terms = {term.text for term in class_tf_idf({"space": documents})["space"]}
    assert "black hole" in terms
    assert "hole black" not in terms


def test_russian_forms_count_as_one_word_and_show_the_lemma() -> None:
    documents = ["мои кошки", "кошку моют", "играю с кошками", "еда для кошек"]
    found = class_tf_idf({"cats": documents, "other": ["вода и огонь"]})
    assert found["cats"][0].text == "кошка"


def test_english_word_is_shown_as_it_mostly_stands() -> None:
    assert class_tf_idf({"space": ["Mars rover", "life on Mars"]})["space"][0].text == "mars"


def test_one_long_transcript_does_not_name_a_topic() -> None:
    documents = ["guitar " * 3, "guitar solo", "guitar and bass", "accordion " * 500]
    texts = [term.text for term in class_tf_idf({"music": documents})["music"]]
    assert texts == ["guitar"]


def test_classes_without_words_have_no_terms() -> None:
    assert class_tf_idf({}) == {}
    assert class_tf_idf({1: [], 2: ["!!!", "42"]}) == {1: [], 2: []}


def test_equal_weights_keep_the_order_of_the_texts() -> None:
    terms = class_tf_idf({1: ["zebra", "apple"]})[1]
    assert [term.text for term in terms] == ["zebra", "apple"]


def test_name_says_no_word_twice() -> None:
    def terms(*texts: str) -> list[Term]:
        return [Term(text, 1.0, tuple(text.split())) for text in texts]

    assert distinct_terms(terms("guitar", "lesson", "guitar lesson", "blues"), 3) == [
        "guitar lesson",
        "blues",
    ]
    assert distinct_terms(terms("black hole", "hole", "space"), 2) == ["black hole", "space"]
    assert distinct_terms(terms("a", "b", "c"), 2) == ["a", "b"]


def test_unknown_word_is_its_own_lemma() -> None:
    assert [lemmatiser()(word) for word in ("бравлстарс", "fnaf")] == ["бравлстарс", "fnaf"]


def test_numerals_and_verbs_of_any_theme_name_nothing() -> None:
    documents = ["The function takes two values", "Two values, one function, three takes"]
    names = [term.text for term in class_tf_idf({"code": documents, "cats": ["a cat"]})["code"]]
    assert set(names) == {"function", "values"}
