"""The library's words: what is known, how a word goes on, what a mistyped word meant."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ml.indexes.files import IndexDamaged
from ml.search.vocabulary import (
    COUNTS,
    LAYOUT,
    TYPO,
    Suggestion,
    Vocabulary,
    count_words,
    most_used,
    other_layout,
    write_vocabulary,
)

VIDEOS = {
    "роблокс": 900,
    "роблоксе": 300,
    "roblox": 200,
    "робот": 50,
    "роботы": 60,
    "бравл": 400,
    "бравый": 3,
    "старс": 380,
    "бравл старс": 350,
    "бравл игра": 5,
    "кот": 500,
    "коты": 30,
    "майнкрафт": 700,
    "программирование": 40,
    "a": 1000,
}
LEMMAS = {"коты": "кот", "роботы": "робот"}


def counts(videos: dict[str, int]) -> pa.Table:
    rows = [
        {
            "word": word,
            "lemma": LEMMAS.get(word, word),
            "words": len(word.split()),
            "videos": n,
            "title_videos": 0,
        }
        for word, n in videos.items()
    ]
    return pa.Table.from_pylist(rows, schema=COUNTS)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.arrow"
    write_vocabulary(counts(VIDEOS), path)
    return Vocabulary.open(path)


def texts(suggestions: list[Suggestion]) -> list[str]:
    return [suggestion.text for suggestion in suggestions]


def test_words_of_the_library_are_known(vocabulary: Vocabulary) -> None:
    assert all(vocabulary.knows(word) for word in VIDEOS)
    assert not any(vocabulary.knows(word) for word in ("", "ро", "роблокса", "z", "собака"))
    assert vocabulary.lemma_of("коты") == "кот"
    assert vocabulary.lemma_of("собака") is None


def test_completions_come_by_videos_and_one_form_of_a_word_only(vocabulary: Vocabulary) -> None:
    assert texts(vocabulary.suggest("роб"))[:2] == ["роблокс", "роботы"]
    assert "роблоксе" not in texts(vocabulary.suggest("роб"))


def test_word_goes_on_with_the_word_that_follows_it(vocabulary: Vocabulary) -> None:
    assert texts(vocabulary.suggest("бравл "))[:2] == ["бравл старс", "бравл игра"]
    assert texts(vocabulary.suggest("Бравл СТ", 1)) == ["бравл старс"]


def test_beginning_of_a_query_is_kept(vocabulary: Vocabulary) -> None:
    assert texts(vocabulary.suggest("играем в бравл ст", 1)) == ["играем в бравл старс"]
    assert texts(vocabulary.suggest("кот майн", 1)) == ["кот майнкрафт"]


def test_other_keyboard_layout_is_completed_and_told(vocabulary: Vocabulary) -> None:
    assert vocabulary.suggest("hj,k", 1) == [Suggestion("роблокс", 900, LAYOUT)]
    assert texts(vocabulary.suggest("кщид", 1)) == ["roblox"]


def test_other_alphabet_is_completed(vocabulary: Vocabulary) -> None:
    assert texts(vocabulary.suggest("robl"))[:2] == ["roblox", "роблокс"]
    assert "roblox" in texts(vocabulary.suggest("робл"))
    assert texts(vocabulary.suggest("bravl st", 1)) == ["бравл старс"]


@pytest.mark.parametrize("typed", ["роюл", "роблк", "рбло", "робдок"])
def test_one_mistake_in_the_beginning_is_mended(vocabulary: Vocabulary, typed: str) -> None:
    assert vocabulary.suggest(typed, 1) == [Suggestion("роблокс", 900, TYPO)]


@pytest.mark.parametrize("typed", ["", "  ", "🤡", "'; DROP TABLE", "щщщщ", "\ud800", "м" * 9000])
def test_nothing_is_suggested_for_what_begins_no_word(vocabulary: Vocabulary, typed: str) -> None:
    assert vocabulary.suggest(typed) == []
    assert vocabulary.suggest("роб", 0) == []


@pytest.mark.parametrize(
    ("typed", "meant", "why"),
    [
        ("роблкос", "роблокс", TYPO),
        ("раблокс", "роблокс", TYPO),
        ("бровл", "бравл", TYPO),
        ("майнкарфт", "майнкрафт", TYPO),
        ("програмирвание", "программирование", TYPO),
        ("hj,kjrc", "роблокс", LAYOUT),
        ("rjns", "коты", LAYOUT),
        ("кщидщч", "roblox", LAYOUT),
    ],
)
def test_mistyped_word_is_corrected(
    vocabulary: Vocabulary, typed: str, meant: str, why: str
) -> None:
    correction = vocabulary.correct(typed)
    assert correction is not None
    assert (correction.replaced, correction.why) == (meant, why)


@pytest.mark.parametrize(
    "word",
    [
        "роблокс",
        "роблокса",
        "robloks",
        "шкаф",
        "коту",
        "кат",
        "кт",
        "2024",
        "роблокс2",
        "",
        "x" * 999,
    ],
)
def test_word_that_is_known_short_or_spelt_well_is_left_alone(
    vocabulary: Vocabulary, word: str
) -> None:
    assert vocabulary.correct(word) is None


def test_more_used_word_wins_among_equally_near_ones(tmp_path: Path) -> None:
    write_vocabulary(counts({"гонзка": 2, "гонфка": 900}), tmp_path / "v")
    found = Vocabulary.open(tmp_path / "v").correct("гонхка")
    assert found is not None
    assert found.replaced == "гонфка"


def test_layouts_are_each_others_inverse() -> None:
    assert other_layout("Hj,kjrc") == "роблокс"
    assert other_layout("роблокс") == "hj,kjrc"


def passage(video_id: str, channel: str, text: str) -> dict[str, object]:
    words = text.split()
    lemmas = [LEMMAS.get(word, word) for word in words]
    return {"video_id": video_id, "channel": channel, "words": words, "lemmas": lemmas}


def test_videos_are_counted_once_however_often_they_say_a_word() -> None:
    rows = [
        passage("v1", "title", "кот кот"),
        passage("v1", "asr", "кот и пёс"),
        passage("v2", "asr", "рыжий кот"),
    ]
    found = {row["word"]: row for row in count_words([pa.Table.from_pylist(rows)]).to_pylist()}
    assert (found["кот"]["videos"], found["кот"]["title_videos"]) == (2, 1)
    assert found["рыжий кот"] == {
        "word": "рыжий кот",
        "lemma": "рыжий кот",
        "words": 2,
        "videos": 1,
        "title_videos": 0,
    }
    assert "кот и" not in found


def test_order_of_batches_does_not_change_the_counts() -> None:
    tables = [pa.Table.from_pylist([passage(f"v{i}", "asr", "кот коты рыжий")]) for i in range(3)]
    assert count_words(tables).equals(count_words(reversed(tables)))


def test_rare_words_are_kept_in_titles_only() -> None:
    rows = [
        passage("v1", "title", "роблокс 2024"),
        passage("v1", "asr", "абырвалг"),
        passage("v2", "asr", "собака 2024 " + "я" * 41),
        passage("v3", "asr", "собака 2024 " + "я" * 41),
    ]
    kept = most_used(count_words([pa.Table.from_pylist(rows)]))
    assert kept["word"].to_pylist() == ["роблокс", "собака", "собака 2024"]


def test_most_used_words_are_kept() -> None:
    kept = most_used(counts(VIDEOS), most_words=2, most_pairs=1)
    assert kept["word"].to_pylist() == ["a", "бравл старс", "роблокс"]


def test_words_longer_than_their_sorting_key_are_told_apart(tmp_path: Path) -> None:
    long = {f"сверхпереосвидетельствование{c}": 5 for c in "абв"}
    write_vocabulary(counts(long), tmp_path / "v")
    vocabulary = Vocabulary.open(tmp_path / "v")
    assert all(vocabulary.knows(word) for word in long)
    assert not vocabulary.knows("сверхпереосвидетельствование")
    assert len(vocabulary.suggest("сверхпереосвидетельствование")) >= 1


def test_vocabulary_without_words_knows_nothing(tmp_path: Path) -> None:
    write_vocabulary(counts({}), tmp_path / "v")
    empty = Vocabulary.open(tmp_path / "v")
    assert (empty.count, empty.knows("кот"), empty.correct("котик")) == (0, False, None)
    assert empty.suggest("кот") == []


def test_writing_anew_does_not_disturb_who_has_it_open(tmp_path: Path) -> None:
    write_vocabulary(counts(VIDEOS), tmp_path / "v")
    before = Vocabulary.open(tmp_path / "v")
    write_vocabulary(counts({"собака": 5}), tmp_path / "v")
    assert before.knows("кот")
    assert not Vocabulary.open(tmp_path / "v").knows("кот")
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize("content", [None, b"", b"no arrow", b"ARROW1\0\0cut"])
def test_missing_or_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "vocabulary.arrow"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"vocabulary\.arrow"):
        Vocabulary.open(path)
