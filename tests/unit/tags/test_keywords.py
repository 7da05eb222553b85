"""Keywords of videos, and the document frequencies behind them."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tags.keywords import (
    DocumentFrequencies,
    Keyword,
    document_frequencies,
    keyword_terms,
    video_keywords,
)

LIBRARY = [
    "a guitar lesson in the kitchen",
    "cooking soup in the kitchen",
    "the kitchen of my friend",
    "ремонт кухни своими руками",
    "кухня мечты",
]


@pytest.fixture(scope="module")
def df() -> DocumentFrequencies:
    return document_frequencies([text] for text in LIBRARY)


def keywords(
    df: DocumentFrequencies, title: str, language: str = "", count: int = 10, **channels: str
) -> list[Keyword]:
    texts = {"title": title, **channels}
    return video_keywords({"v": texts}, {"v": {"title": language}}, df, count)["v"]


def texts_of(found: list[Keyword]) -> list[str]:
    return [keyword.text for keyword in found]


def test_word_of_few_videos_comes_before_a_word_of_many(df: DocumentFrequencies) -> None:
    assert texts_of(keywords(df, "Kitchen guitar")) == ["guitar", "kitchen"]


def test_title_counts_more_than_speech(df: DocumentFrequencies) -> None:
    assert texts_of(keywords(df, "Violin", asr="trumpet"))[0] == "violin"


def test_keyword_is_shown_in_the_language_of_its_text(df: DocumentFrequencies) -> None:
    (piano,) = keywords(df, "Pianos", "en")
    assert (piano.text, piano.lemma, piano.language) == ("pianos", "piano", "en")
    (russian,) = keywords(df, "О гитарах", "ru")
    assert (russian.text, russian.lemma, russian.language) == ("гитара", "гитара", "ru")
    (ukrainian,) = keywords(df, "скрипка", "uk")
    assert ukrainian.language == "uk"


def test_language_that_is_not_known_or_holds_two_is_told_by_the_alphabet(
    df: DocumentFrequencies,
) -> None:
    languages = {k.text: k.language for k in keywords(df, "Скрипка violin", "ru")}
    assert languages == {"скрипка": "ru", "violin": "en"}
    assert [k.language for k in keywords(df, "скрипка")] == ["ru"]


def test_pair_met_again_stands_for_its_words(df: DocumentFrequencies) -> None:
    found = texts_of(keywords(df, "Black hole", description="what a black hole is"))
    assert found == ["black hole"]


def test_words_that_met_by_chance_are_no_pair(df: DocumentFrequencies) -> None:
    assert "purple submarine" not in texts_of(keywords(df, "A purple submarine"))


def test_keywords_differ_from_each_other(df: DocumentFrequencies) -> None:
    found = texts_of(keywords(df, "Гитара, гитарный, барабан"))
    assert "барабан" in found
    assert len([word for word in found if word.startswith("гитар")]) == 1


def test_numbers_addresses_and_what_every_channel_says_are_left_out(
    df: DocumentFrequencies,
) -> None:
    said = "ставьте лайки, подписывайтесь на канал https://example.com/abc @author 2024 1080p"
    assert keywords(df, said) == []
    assert texts_of(keywords(df, "Like, share and subscribe: drums")) == ["drums"]


def test_words_of_any_theme_stand_beside_another_only(df: DocumentFrequencies) -> None:
    assert texts_of(keywords(df, "The best new")) == []
    assert texts_of(keywords(df, "New York", asr="new york, new york")) == ["new york"]


def test_video_without_words_has_no_keywords(df: DocumentFrequencies) -> None:
    assert video_keywords({"a": {}, "b": {"title": "  "}, "c": {"title": "42 !"}}, {}, df) == {
        "a": [],
        "b": [],
        "c": [],
    }


def test_list_is_as_long_as_asked_and_sorted_the_same_every_time(df: DocumentFrequencies) -> None:
    title = "violin trumpet drums flute cello oboe"
    found = keywords(df, title, count=4)
    assert len(found) == 4
    assert found == keywords(df, title, count=4)
    assert all(keyword.weight > 0 for keyword in found)


def test_library_without_frequencies_still_gives_keywords() -> None:
    assert texts_of(keywords(DocumentFrequencies(), "Violin")) == ["violin"]


def test_frequencies_are_the_same_at_once_one_by_one_and_merged(df: DocumentFrequencies) -> None:
    first, second = (document_frequencies([t] for t in LIBRARY[a:b]) for a, b in ((0, 2), (2, 5)))
    merged = second.merge(first)
    assert merged.documents == df.documents == 5
    assert np.array_equal(merged.counts, df.counts)
    assert df.idf("kitchen") < df.idf("guitar") < df.idf("violin")


def test_removed_video_is_forgotten(df: DocumentFrequencies) -> None:
    changed = document_frequencies([text] for text in LIBRARY)
    terms = keyword_terms(["a violin concert"])
    changed.add(terms)
    assert changed.idf("violin") < df.idf("violin")
    changed.remove(terms)
    assert changed.documents == df.documents
    assert np.array_equal(changed.counts, df.counts)


def test_video_that_was_not_counted_cannot_be_removed(df: DocumentFrequencies) -> None:
    before = df.counts.copy()
    with pytest.raises(ValueError, match="were not counted"):
        df.remove({"submarine", "kitchen"})
    assert np.array_equal(df.counts, before)


def test_frequencies_come_back_from_their_file(df: DocumentFrequencies) -> None:
    data = df.to_bytes()
    again = DocumentFrequencies.from_bytes(data)
    assert again.documents == df.documents
    assert np.array_equal(again.counts, df.counts)
    assert len(data) < 10_000


@pytest.mark.parametrize("data", [b"", b"not a file", b"PK\x03\x04broken"])
def test_file_that_holds_no_frequencies_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no document frequencies"):
        DocumentFrequencies.from_bytes(data)
