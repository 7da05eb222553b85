"""Passages: how a video's texts are cut and joined, and which moment a word names."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ml.schemas import PASSAGES
from ml.text.passages import (
    MOST_WORDS,
    Passage,
    TimedText,
    moment_of,
    passages_of,
    words_and_lemmas,
)

LEMMAS = {"котов": "кот", "ёлки": "ёлка", "cats": "cat"}


def lemma(word: str) -> str:
    return LEMMAS.get(word, word)


def passages(channel: str, *texts: TimedText) -> list[Passage]:
    return passages_of({channel: texts}, lemma)


def said(start_s: float, end_s: float, text: str, language: str = "ru") -> TimedText:
    return TimedText(start_s, end_s, text, language)


def test_segments_of_one_speech_are_joined_and_keep_their_time() -> None:
    (one,) = passages("asr", said(4, 9, "в роблокс"), said(1, 4, "Привет,  играем"))
    assert (one.start_s, one.end_s, one.text) == (1, 9, "Привет, играем в роблокс")
    assert one.words == ["привет", "играем", "в", "роблокс"]


def test_passage_of_speech_has_at_most_sixty_words_and_thirty_seconds() -> None:
    quick = passages("asr", *(said(i, i + 1, "слово " * 7) for i in range(40)))
    slow = passages("asr", *(said(4 * i, 4 * i + 4, "слово") for i in range(40)))
    assert max(len(p.words) for p in quick) == 56
    assert max(p.end_s - p.start_s for p in slow) == 28
    assert sum(len(p.words) for p in quick) == 280
    assert [p.passage_no for p in slow] == list(range(len(slow)))


def test_pause_and_another_language_begin_a_passage() -> None:
    found = passages(
        "asr", said(0, 2, "раз"), said(5.5, 6, "два"), said(6, 7, "three", "en"), said(7, 8, "four")
    )
    assert [(p.text, p.language) for p in found] == [
        ("раз", "ru"),
        ("два", "ru"),
        ("three", "en"),
        ("four", "ru"),
    ]


def test_long_segment_is_cut_by_words_and_its_parts_share_its_time() -> None:
    text = " ".join(f"с{i}" for i in range(150))
    found = passages("asr", said(10, 40, text))
    assert [len(p.words) for p in found] == [50, 50, 50]
    assert [(p.start_s, p.end_s) for p in found] == [(10, 20), (20, 30), (30, 40)]
    assert " ".join(p.text for p in found) == text


def test_lines_shown_together_are_one_passage_and_stay_apart_in_it() -> None:
    (one,) = passages("ocr", said(1, 5, "ЦЕНА 100"), said(2, 4, "СКИДКА"), said(4.5, 6, "звоните"))
    assert (one.start_s, one.end_s, one.text) == (1, 6, "ЦЕНА 100 / СКИДКА / звоните")


def test_line_that_comes_back_is_not_repeated() -> None:
    logo = [said(10.0 * i, 10.0 * i + 2, "ЛОГО") for i in range(5)]
    found = passages("ocr", *logo, said(21, 24, "новости"), said(90, 92, "лого"))
    assert [(p.start_s, p.text) for p in found] == [(0, "ЛОГО"), (21, "новости"), (90, "лого")]


def test_description_is_cut_at_sentences_and_has_no_time() -> None:
    text = "Первое предложение. " + "слово " * 59 + "конец. Третье!\nСсылка"
    found = passages("description", said(3, 9, text))
    assert [(p.start_s, p.end_s) for p in found] == [(0, 0)] * 3
    assert found[0].text == "Первое предложение."
    assert found[1].text.endswith("конец.")
    assert found[2].text == "Третье! Ссылка"


def test_sentence_without_end_is_cut_between_words() -> None:
    found = passages("description", said(0, 0, "слово " * 130))
    assert [len(p.words) for p in found] == [MOST_WORDS, MOST_WORDS, 10]


def test_text_without_spaces_is_cut_by_characters() -> None:
    found = passages("title", said(0, 0, "字" * 1500))
    assert [len(p.text) for p in found] == [600, 600, 300]


def test_tags_are_one_text() -> None:
    (one,) = passages("tags", said(0, 0, "brawl stars"), said(0, 0, "игры"))
    assert one.text == "brawl stars, игры"


def test_words_meet_whatever_the_case_the_yo_and_the_width() -> None:
    words, lemmas = words_and_lemmas("Ёлки-КОТОВ don't １２", lemma)
    assert words == ["елки", "котов", "don't", "12"]
    assert lemmas == ["елка", "кот", "don", "12"]


def test_channels_come_in_their_order_and_unknown_ones_are_refused() -> None:
    found = passages_of({"ocr": [said(0, 1, "б")], "title": [(0.0, 0.0, "а", "ru")]}, lemma)
    assert [p.channel for p in found] == ["title", "ocr"]
    with pytest.raises(ValueError, match="speech"):
        passages_of({"speech": [said(0, 1, "а")]}, lemma)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_empty_texts_give_no_passage(text: str) -> None:
    assert passages_of({"asr": [said(0, 5, text)], "title": [], "tags": [said(0, 0, text)]}) == []


def test_text_without_words_is_a_passage_without_words() -> None:
    (one,) = passages("title", said(0, 0, "🤡 !!!"))
    assert (one.text, one.words, one.lemmas) == ("🤡 !!!", [], [])


def test_rows_fit_the_dataset() -> None:
    rows = [p.row("v1") for p in passages("asr", said(0, 2, "раз два"))]
    names = set(PASSAGES.schema.names) & set(rows[0])
    assert set(rows[0]) == names
    fields = [PASSAGES.schema.field(name) for name in rows[0]]
    assert pa.Table.from_pylist(rows, schema=pa.schema(fields)).num_rows == 1


def test_moment_of_a_word_lies_where_its_share_of_the_letters_does() -> None:
    words = ["раз", "два", "три", "четырнадцать"]
    moments = [moment_of(10, 20, words, place) for place in range(4)]
    assert moments[0] == 10
    assert moments == sorted(moments)
    assert moments[3] == pytest.approx(10 + 10 * 12 / 25)


def test_moment_on_screen_is_near_the_start_of_a_line_that_stays() -> None:
    assert moment_of(10, 600, ["лого", "слово"], 1, "ocr") < 20


def test_moment_in_a_passage_without_time_or_words_is_its_start() -> None:
    assert moment_of(0, 0, ["а", "б"], 1) == 0
    assert moment_of(5, 9, [], 0) == 5
