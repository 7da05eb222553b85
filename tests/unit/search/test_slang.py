"""The slang table: what is found in a text, and which files are refused."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ml.search.slang import DEFAULT_FILE, SlangError, SlangTable, load_slang


@pytest.fixture(scope="module")
def shipped() -> SlangTable:
    return load_slang()


def table(folder: Path, *rows: str, headings: str = "said,meant,note") -> Path:
    file = folder / "slang.csv"
    file.write_text("\n".join([headings, *rows]) + "\n", encoding="utf-8")
    return file


def own(folder: Path, *rows: str) -> SlangTable:
    return load_slang(table(folder, *rows))


def meanings(slang: SlangTable, text: str) -> list[tuple[str, str]]:
    return [(text[start:end], entry.meant[0]) for start, end, entry in slang.find(text)]


# ---------------------------------------------------------------- the shipped table


def test_names_in_other_letters_are_found_both_ways(shipped: SlangTable) -> None:
    assert meanings(shipped, "бравл старс") == [("бравл старс", "brawl stars")]
    assert meanings(shipped, "Brawl Stars") == [("Brawl Stars", "бравл старс")]
    assert meanings(shipped, "роблокс") == [("роблокс", "roblox")]


def test_abbreviations_are_spelled_out(shipped: SlangTable) -> None:
    assert meanings(shipped, "поздравление на др и НГ") == [
        ("др", "день рождения"),
        ("НГ", "новый год"),
    ]
    assert meanings(shipped, "С Д.Р.!") == [("Д.Р", "день рождения")]


def test_case_and_number_do_not_matter(shipped: SlangTable) -> None:
    assert meanings(shipped, "играю в роблоксе") == [("роблоксе", "roblox")]
    assert meanings(shipped, "обзор доты") == [("доты", "dota")]
    assert meanings(shipped, "челленджами") == [("челленджами", "challenge")]
    assert meanings(shipped, "пасхалок") == [("пасхалок", "скрытая отсылка")]
    assert meanings(shipped, "бравлом старсом") == [("бравлом старсом", "brawl stars")]


def test_words_that_only_begin_alike_are_not_slang(shipped: SlangTable) -> None:
    for text in ("вова", "малый бизнес", "гайдар", "стимул", "рэпер", "хайповать", "дом"):
        assert meanings(shipped, text) == [], text


def test_the_longest_entry_is_taken(shipped: SlangTable) -> None:
    assert meanings(shipped, "дота 2 гайд") == [("дота 2", "dota 2"), ("гайд", "guide")]
    assert meanings(shipped, "кс го") == [("кс го", "cs:go")]
    assert meanings(shipped, "кс") == [("кс", "counter-strike")]


def test_signs_between_words_and_yo_do_not_matter(shipped: SlangTable) -> None:
    assert meanings(shipped, "КС:ГО")[0][1] == meanings(shipped, "КС-ГО")[0][1] == "cs:go"
    assert meanings(shipped, "звездные войны") == [("звездные войны", "star wars")]
    assert meanings(shipped, "звёздные войны") == [("звёздные войны", "star wars")]


def test_shipped_rows_are_complete_and_change_something() -> None:
    with DEFAULT_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 1000
    for row in rows:
        assert row["said"] and row["meant"] and row["note"], row
        assert row["said"].lower() not in row["meant"].lower().split(";"), row


def test_no_word_of_the_shipped_table_mixes_alphabets() -> None:
    text = DEFAULT_FILE.read_text(encoding="utf-8").lower()
    assert not re.findall(r"[а-яё]+[a-z]\w*|[a-z]+[а-яё]\w*", text)


def test_known_words_are_those_of_any_entry(shipped: SlangTable) -> None:
    assert shipped.knows("Старс")
    assert shipped.knows("роблоксом")
    assert not shipped.knows("табуретка")


# ---------------------------------------------------------------- a table of one's own


def test_own_rows_are_added_to_the_shipped_ones(tmp_path: Path) -> None:
    slang = own(tmp_path, "мп,маркетплейс;онлайн-магазин,work")
    assert meanings(slang, "продажи на мп") == [("мп", "маркетплейс")]
    assert meanings(slang, "роблокс") == [("роблокс", "roblox")]


def test_own_row_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    assert meanings(own(tmp_path, "КС,контактная сеть,railways"), "кс") == [
        ("кс", "контактная сеть")
    ]


def test_own_row_without_meaning_removes_a_shipped_one(tmp_path: Path) -> None:
    assert meanings(own(tmp_path, "кс,,not here"), "кс") == []


def test_rows_that_name_each_other_are_looked_up_once(tmp_path: Path) -> None:
    slang = own(tmp_path, "альфа,бета", "бета,альфа")
    assert meanings(slang, "альфа бета") == [("альфа", "бета"), ("бета", "альфа")]


def test_blank_lines_quotes_and_a_byte_order_mark_are_no_matter(tmp_path: Path) -> None:
    file = tmp_path / "slang.csv"
    file.write_bytes('\ufeffSaid,Meant\r\n\r\n"мп","маркетплейс"\r\n'.encode())
    assert meanings(load_slang(file), "мп") == [("мп", "маркетплейс")]


def refusal(file: Path) -> str:
    with pytest.raises(SlangError) as error:
        load_slang(file)
    assert str(file) in str(error.value)
    return str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "can't be read: No such file" in refusal(tmp_path / "none.csv")


def test_other_columns_are_refused(tmp_path: Path) -> None:
    message = refusal(table(tmp_path, "мп;маркетплейс", headings="said;meant;note"))
    assert "line 1" in message and "separated by commas" in message
    assert "line 1" in refusal(table(tmp_path, "мп,маркетплейс", headings="мп,маркетплейс"))


def test_a_row_without_all_columns_is_refused(tmp_path: Path) -> None:
    assert "line 3: 1 columns" in refusal(table(tmp_path, "мп,маркетплейс,", "лавэ"))
    assert "line 2: 4 columns" in refusal(table(tmp_path, "мп,маркетплейс,магазин,work"))


def test_a_row_that_repeats_another_is_refused(tmp_path: Path) -> None:
    message = refusal(table(tmp_path, "мёд,honey,", "", "МЕД,медицина,"))
    assert "line 4" in message and "in line 2" in message


def test_a_row_that_says_nothing_is_refused(tmp_path: Path) -> None:
    assert "line 2: 'said' is '?!'" in refusal(table(tmp_path, "?!,вопрос,"))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "slang.csv"
    file.write_bytes("said,meant,note\nok,fine,\nмп,маркетплейс,\n".encode("cp1251"))
    assert "line 3: not UTF-8" in refusal(file)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slang.csv").write_bytes(b"")
    assert "is empty; its first line is said,meant,note" in refusal(tmp_path / "slang.csv")


def test_an_open_quotation_mark_is_refused(tmp_path: Path) -> None:
    assert "line 2" in refusal(table(tmp_path, '"мп,маркетплейс,'))
