"""Other people's text on a terminal and in a spreadsheet: titles, file names and errors that hold
them can't drive the one or be run by the other."""

from __future__ import annotations

import re
from typing import Any

import click

# Control characters, and those that turn the direction of writing around.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# A cell that begins like this is a formula (OWASP, CSV injection); spaces and quotes before it are
# passed over, and so are full-width signs turned into plain ones, by one program or another.
_FORMULA = re.compile(r"[\s\"']*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20|%]")


def visible(text: str) -> str:
    """A text on one line that can't drive the terminal: control characters as escapes."""
    return _escaped(text.replace("\r\n", "\n").replace("\n", "⏎").replace("\t", " "))


def harmless(text: str) -> str:
    """The same with its lines and tabs, for what is meant to have several lines."""
    return re.sub(r"[^\n\t]+", lambda line: _escaped(line.group()), text)


def say(text: str, **style: Any) -> None:
    """Print a text that may hold other people's."""
    click.secho(harmless(text), **style)


def spreadsheet_cell(value: Any) -> Any:
    """A value of a CSV that a person opens: a text that would be a formula gets an apostrophe in
    front, control characters are shown as escapes. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = harmless(value.replace("\r\n", "\n")).replace("\t", " ")
    return f"'{text}" if _FORMULA.match(value) else text


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
