"""Answers of SQL queries on screen: a table for people, CSV and JSON for programs.

Text from the tables is other people's: control characters are shown as escapes, so that a title
can't drive the terminal.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from assets.stores.clickhouse import explained, make_read_only
from orchestration.screen import spreadsheet_cell, visible
from sql import split

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# More rows than a person reads; --csv and --json give all.
MAX_TABLE_ROWS = 500
MAX_TEXT = 100
# A table is turned on its side when its columns would get fewer characters than this each.
MIN_COLUMN_WIDTH = 8
_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*"
_STREAMED = re.compile(_BLANK + r"(select|with)\b", re.IGNORECASE | re.DOTALL)
_ANSWERING = re.compile(
    _BLANK + r"(show|desc|describe|explain|exists)\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Answer:
    """A query's column names and its rows, which can be walked through once."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]


def show(
    client: Client,
    text: str,
    form: str = "table",
    *,
    write: bool = False,
    out: IO[str] | None = None,
) -> None:
    """Run the statements of ``text`` and print their answers, one after another.

    Args:
        client: of a ClickHouse session.
        text: statements, separated by semicolons.
        form: ``table``; ``csv``, with a header line, or ``raw``, for programs; or ``json``, an
            array of objects each.
        write: let statements change tables; otherwise they are refused.
        out: where to; standard output unless given.

    Raises:
        QueryFailed: a statement was refused.
        ValueError: there is no statement, or no such form.
    """
    renderers = {"table": write_table, "csv": write_csv, "raw": write_raw_csv, "json": write_json}
    if form not in renderers:
        raise ValueError(f"no form {form!r}; there are: {', '.join(renderers)}")
    statements = split(text)
    if not statements:
        raise ValueError("there is no SQL statement in it")
    if not write:
        make_read_only(client)
    out = out or sys.stdout
    for number, statement in enumerate(statements):
        with explained(), ask(client, statement) as answer:
            if answer.columns:
                out.write("\n" if number and form != "json" else "")
                renderers[form](answer, out)


@contextmanager
def ask(client: Client, statement: str) -> Iterator[Answer]:
    """Run one statement; a SELECT's rows are streamed, so an export needs no memory."""
    if _STREAMED.match(statement):
        with client.query_rows_stream(statement) as rows:
            names = rows.source.column_names
            if names:
                yield Answer(names, iter(rows))
                return
        # The embedded engine sends no names with no rows.
        described = client.query(f"DESCRIBE TABLE ({statement}\n)").result_rows
        yield Answer([row[0] for row in described], iter(()))
    elif _ANSWERING.match(statement):
        result = client.query(statement)
        yield Answer(result.column_names, iter(result.result_rows))
    else:
        client.command(statement)
        yield Answer((), iter(()))


def write_csv(answer: Answer, out: IO[str]) -> None:
    """A header line and a line a row; arrays as JSON, missing values empty.

    It opens safely in a spreadsheet, so a text may have an apostrophe more than the table.
    """
    _write_lines(answer, out, spreadsheet_cell)


def write_raw_csv(answer: Answer, out: IO[str]) -> None:
    """The same with every text as it stands, for programs."""
    _write_lines(answer, out, lambda value: value)


def _write_lines(answer: Answer, out: IO[str], cell: Callable[[Any], Any]) -> None:
    plain = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow([cell(name) for name in answer.columns])
    for row in answer.rows:
        cells = [_csv_cell(value, cell) for value in row]
        # Python before 3.13 does not quote a carriage return, which ends a line for most readers.
        ends_line = any(isinstance(value, str) and "\r" in value for value in cells)
        (quoted if ends_line else plain).writerow(cells)


def write_json(answer: Answer, out: IO[str]) -> None:
    """An array with one object a row, a row a line; times in ISO 8601."""
    before = "[\n"
    for row in answer.rows:
        record = {name: _plain(value) for name, value in zip(answer.columns, row, strict=True)}
        out.write(before + json.dumps(record, ensure_ascii=False, allow_nan=False))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def write_table(answer: Answer, out: IO[str]) -> None:
    """A table as wide as the terminal; one line a column where there are too many columns."""
    from rich.console import Console

    # Not a terminal: wide enough for most rows, so that pipes and files get whole lines.
    console = Console(file=out, width=None if out.isatty() else 160, highlight=False)
    rows = list(islice(answer.rows, MAX_TABLE_ROWS + 1))
    shown = [[shorten(value) for value in row] for row in rows[:MAX_TABLE_ROWS]]
    if len(answer.columns) * MIN_COLUMN_WIDTH > console.width:
        _print_records(console, answer.columns, shown)
    else:
        _print_table(console, answer.columns, shown, rows)
    if len(rows) > MAX_TABLE_ROWS:
        out.write(f"the first {MAX_TABLE_ROWS} rows; --csv gives all\n")
    else:
        out.write(f"{len(rows)} row{'' if len(rows) == 1 else 's'}\n")


def _print_table(
    console: Any, columns: Sequence[str], shown: list[list[str]], rows: list[Sequence[Any]]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, name in enumerate(columns):
        is_number = bool(rows) and _is_number(rows[0][number])
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in shown:
        table.add_row(*map(Text, row))  # Text: square brackets in a title are no markup
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _print_records(console: Any, columns: Sequence[str], shown: list[list[str]]) -> None:
    from rich.text import Text

    width = max(map(len, columns))
    for number, row in enumerate(shown, 1):
        console.print(Text(f"-- row {number} --", style="bold"))
        for name, value in zip(columns, row, strict=True):
            console.print(Text(f"{name:<{width}}  {value}"))


def shorten(value: Any) -> str:
    """A value for a person: rounded numbers, short vectors, text on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return _shorten_list(value)
    text = "" if value is None else visible(str(value))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _shorten_list(values: Sequence[Any]) -> str:
    if len(values) > 3 and isinstance(values[0], float):
        return f"[{values[0]:.2f}, …] ({len(values)})"
    text = ", ".join(shorten(value) for value in values)
    return f"[{text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + '…'}]"


def _plain(value: Any) -> Any:
    """As JSON has it; what it has no form for becomes text, and not-a-number null."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _csv_cell(value: Any, cell: Callable[[Any], Any]) -> Any:
    """Only a text, or a list of them, may hold what somebody wrote."""
    if value is None:
        return ""
    is_text = isinstance(value, str | list | tuple | dict)
    return cell(_csv_value(value)) if is_text else _csv_value(value)


def _csv_value(value: Any) -> Any:
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict) else plain
