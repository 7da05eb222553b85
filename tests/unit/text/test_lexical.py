"""Lexical vectors: words join videos across cases, and across alphabets where they sound alike."""

from __future__ import annotations

import numpy as np
import pytest

from ml.taxonomy import Entry
from ml.text.lexical import (
    EntryPhrases,
    LexicalOptions,
    LexicalSpace,
    folded,
    foreign_share,
    stemmer,
)
from ml.vectors import ModelMismatch

CHESS = ("ладья и пешка в эндшпиле", "две ладьи против ферзя", "пешки и ладьи", "ферзь и пешка")
GARDEN = ("рассада помидоров", "полив рассады", "помидоры и полив", "помидоры на грядке, рассада")


def lexical_vectors(
    documents: dict[str, str], options: LexicalOptions | None = None
) -> tuple[list[str], np.ndarray]:
    return LexicalSpace.fit(documents, options).project(documents)


def library() -> dict[str, str]:
    texts = (*CHESS, *GARDEN)
    return {f"v{number}": text for number, text in enumerate(texts)}


def test_themes_are_nearer_to_themselves_than_to_each_other() -> None:
    ids, rows = lexical_vectors(library())
    assert (ids, rows.dtype) == (sorted(library()), np.float32)
    near = rows @ rows.T
    same = [near[a, b] for part in (range(4), range(4, 8)) for a in part for b in part if a != b]
    across = [near[a, b] for a in range(4) for b in range(4, 8)]
    assert np.mean(same) > 0.3
    assert np.abs(across).max() < 0.1


def test_rows_have_unit_length_and_no_more_columns_than_asked() -> None:
    _, rows = lexical_vectors(library(), LexicalOptions(dimensions=3))
    assert rows.shape == (8, 3)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_order_of_videos_changes_nothing() -> None:
    straight, turned = library(), dict(reversed(library().items()))
    assert lexical_vectors(straight)[0] == lexical_vectors(turned)[0]
    np.testing.assert_array_equal(lexical_vectors(straight)[1], lexical_vectors(turned)[1])


def test_new_videos_are_placed_by_the_words_that_are_known() -> None:
    space = LexicalSpace.fit(library())
    ids, rows = space.project({"b": "ладья, пешка и неведомое", "a": "помидоры", "c": "неведомое"})
    assert ids == ["a", "b"]
    old, known = space.project(library())
    near = rows @ known.T
    assert near[1, old.index("v0")] > 0.5
    assert abs(near[0, old.index("v0")]) < 0.1


def test_words_in_two_languages_meet_in_the_taxonomy() -> None:
    documents = {
        "a": "my cat",
        "b": "another kitten",
        "c": "рыжая кошка",
        "d": "smartphone",
        "e": "новый смартфон",
        "f": "a phone",
    }
    ids, rows = lexical_vectors(documents)
    near = rows @ rows.T
    assert near[ids.index("a"), ids.index("c")] > 0.5
    assert near[ids.index("d"), ids.index("e")] > 0.5
    assert abs(near[ids.index("a"), ids.index("e")]) < 0.3


def test_phrase_names_an_entry_only_as_a_whole() -> None:
    car = Entry(("Cars", "Electric cars"), ("Electric cars",), ("электромобиль",))
    phrases = EntryPhrases([car])
    assert [number for number, _ in phrases.named("an electric car and more")] == [0]
    assert [number for number, _ in phrases.named("электромобили зимой")] == [0]
    assert phrases.named("a car with electric windows") == []


def test_words_of_another_version_are_refused() -> None:
    space = LexicalSpace.fit(library())
    other = LexicalSpace("lexical@0", space.words, space.weights, space.axes)
    with pytest.raises(ModelMismatch, match=r"'lexical@0'.*cluster the topics anew"):
        other.project(library())


def test_video_that_shares_no_word_has_no_row() -> None:
    ids, _ = lexical_vectors({**library(), "alone": "xylophone", "silent": ""})
    assert ids == sorted(library())


@pytest.mark.parametrize(
    "documents", [{}, {"a": "кошка"}, {"a": "кошка", "b": "луна"}, {"a": "", "b": "", "c": ""}]
)
def test_library_without_shared_words_has_no_rows(documents: dict[str, str]) -> None:
    ids, rows = lexical_vectors(documents)
    assert ids == []
    assert len(rows) == 0


def test_one_shared_word_is_enough() -> None:
    documents = {"a": "тумба", "b": "тумба", "c": "оглобля", "d": "шлагбаум", "e": "пятка"}
    ids, rows = lexical_vectors(documents)
    assert ids == ["a", "b"]
    assert rows.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("russian", "english"),
    [("программа", "program"), ("физика", "physics"), ("президент", "president"), ("ёж", "ezh")],
)
def test_words_that_sound_alike_begin_alike(russian: str, english: str) -> None:
    assert folded(russian)[:5] == folded(english)[:5]


def test_words_of_other_alphabets_stay() -> None:
    assert folded("東京") == "東京"


def test_cases_and_plurals_are_one_word() -> None:
    stems = stemmer()
    assert stems("кошки и кошку") == [folded("кошка")[:6]] * 2
    assert stems("the cats, a cat") == ["kat", "kat"]


@pytest.mark.parametrize(
    ("text", "share"),
    [("cat", 0.0), ("Café Müller", 0.0), ("кот", 1.0), ("кот cat", 0.5), ("猫", 1.0), ("12!", 0.0)],
)
def test_share_of_other_alphabets(text: str, share: float) -> None:
    assert foreign_share(text) == pytest.approx(share)
