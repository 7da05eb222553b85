"""Slang, abbreviations and foreign names in other letters: what they are looked up as.

The table is a CSV for people to edit, with the columns ``said``, ``meant`` and ``note``. ``meant``
may hold several meanings with ``;`` between; ``note`` is for the reader. Words are compared in
lower case with е for ё, whatever stands between them, and Russian ones in any case and number:
"в роблоксе" holds "роблокс". What is looked up is not looked up again, so two rows may name each
other.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

DEFAULT_FILE = Path(__file__).parent / "slang.csv"
COLUMNS = ("said", "meant", "note")

_SEPARATOR = ";"
# As in `ml.text.words.tokenise`, which gives no places.
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_CYRILLIC = re.compile(r"[а-я]+")
# The ending of a dictionary form, the fewest letters before it, and endings of its other forms.
# Shorter words have too many doubles: "вов" is no "Вова", "малый" no "малой".
_DECLENSIONS = (
    ("", 4, "а у ом е ы и ов ам ами ах"),
    ("а", 3, "ы и е у ой ою ам ами ах"),
    ("я", 3, "и е ю ей ям ями ях"),
    ("ь", 4, "я ю ем е и ью ей ям ями ях"),
    ("ы", 4, "ов ам ами ах"),
    ("и", 4, "ов ей ам ами ах ям ями ях"),
    ("ый", 4, "ая ое ые ого ому ым ом ых ыми ую ой"),
    ("ой", 4, "ая ое ие ые ого ому им ым ом их ых ими ыми ую"),
    ("ка", 3, "ок ек"),
)
# A stem without an ending ends in a consonant that takes hard endings.
_HARD = "бвгджзклмнпрстфхцчш"


class SlangError(ValueError):
    """A file that is no slang table: names the file and the line, and says what to do."""


@dataclass(frozen=True)
class Entry:
    """A row of the table: how it is said, and what it is looked up as, foremost first."""

    said: str
    meant: tuple[str, ...]


class Found(NamedTuple):
    """An entry in a text, and the characters of the text that it stands for."""

    start: int
    end: int
    entry: Entry


class SlangTable:
    """Finds slang in texts.

    Attributes:
        entries: the words of each ``said`` to its entry.
    """

    def __init__(self, entries: Mapping[tuple[str, ...], Entry]) -> None:
        self.entries = dict(entries)
        self._starting: dict[str, list[tuple[str, ...]]] = {}
        for key in sorted(self.entries, key=len, reverse=True):
            self._starting.setdefault(key[0], []).append(key)
        self._said_words = {word for key in self.entries for word in key}

    def find(self, text: str) -> list[Found]:
        """Entries that a text holds, from left to right, the longest first where they overlap.

        Args:
            text: in Unicode's NFKC form, which composes й.
        """
        places = [match.span() for match in _WORD.finditer(text)]
        forms = [_dictionary_forms(folded(text[start:end])) for start, end in places]
        found, at = [], 0
        while at < len(forms):
            key = self._key_at(forms[at:])
            if key:
                end = places[at + len(key) - 1][1]
                found.append(Found(places[at][0], end, self.entries[key]))
            at += max(1, len(key))
        return found

    def knows(self, word: str) -> bool:
        """Whether a word, in any form, stands in what any entry says."""
        return not self._said_words.isdisjoint(_dictionary_forms(folded(word)))

    def _key_at(self, forms: Sequence[list[str]]) -> tuple[str, ...]:
        """The key of the longest entry that the words begin with; empty for none."""
        best: tuple[str, ...] = ()
        for first in forms[0]:
            for key in self._starting.get(first, ()):
                if len(key) <= len(best):
                    break
                following = zip(key[1:], forms[1:], strict=False)
                if len(key) <= len(forms) and all(word in of for word, of in following):
                    best = key
                    break
        return best


def load_slang(own: Path | None = None) -> SlangTable:
    """The table that comes with the project, 1,400 entries, in 7 ms.

    Args:
        own: a table whose rows are added. A row for what the project's table has, too, takes
            that one's place; with an empty ``meant`` it removes it.

    Raises:
        SlangError: a file that can't be read, is not UTF-8, has other columns, or a row that is
            incomplete or repeats another.
    """
    entries = _entries(DEFAULT_FILE)
    if own is not None:
        entries |= _entries(own)
    return SlangTable({key: entry for key, entry in entries.items() if entry.meant})


def folded(word: str) -> str:
    """A word as words are compared here and in passages: lower case, е for ё, ' for ’."""
    return word.lower().replace("’", "'").replace("ё", "е")


def _dictionary_forms(word: str) -> list[str]:
    """The word itself, then the forms it may be declined from, of which most do not exist."""
    forms = [word]
    if not _CYRILLIC.fullmatch(word):
        return forms
    for base, fewest, endings in _DECLENSIONS:
        for ending in endings.split():
            stem = word.removesuffix(ending)
            if stem != word and len(stem) >= fewest and (base or stem[-1] in _HARD):
                forms.append(stem + base)
    return forms


def _entries(path: Path) -> dict[tuple[str, ...], Entry]:
    """Words to entry; those to be removed have no meaning."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SlangError(f"slang table {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SlangError(
            f"slang table {path}, line {line}: not UTF-8 text; save it as CSV UTF-8"
        ) from error
    entries: dict[tuple[str, ...], Entry] = {}
    lines: dict[tuple[str, ...], int] = {}
    for line, said, meant in _rows(path, text):
        key = tuple(_WORD.findall(folded(said)))
        where = f"slang table {path}, line {line}"
        if not key:
            raise SlangError(f"{where}: 'said' is {said!r}, without a letter or digit")
        if key in entries:
            raise SlangError(
                f"{where}: {said!r} is said in line {lines[key]} already; put all meanings into "
                f"one row, with {_SEPARATOR!r} between"
            )
        meanings = [part.strip() for part in meant.split(_SEPARATOR)]
        entries[key], lines[key] = Entry(said, tuple(filter(None, meanings))), line
    return entries


def _rows(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, ``said`` and ``meant`` of each row that is not blank."""
    reader = csv.reader(io.StringIO(unicodedata.normalize("NFKC", text), newline=""), strict=True)
    headings: list[str] | None = None
    try:
        for cells in reader:
            row = [" ".join(cell.split()) for cell in cells]
            if not any(row):
                continue
            if headings is None:
                headings = _headings(path, row)
                continue
            if len(row) < 2 or len(row) > len(headings):
                raise SlangError(
                    f"slang table {path}, line {reader.line_num}: {len(row)} columns instead of "
                    f"{len(headings)}; meanings are separated by {_SEPARATOR!r}, not by ','"
                )
            yield reader.line_num, row[0], row[1]
    except csv.Error as error:
        raise SlangError(f"slang table {path}, line {reader.line_num}: {error}") from error
    if headings is None:
        raise SlangError(f"slang table {path} is empty; its first line is {','.join(COLUMNS)}")


def _headings(path: Path, row: list[str]) -> list[str]:
    """The headings, if they are those of a table.

    Raises:
        SlangError: they are others.
    """
    names = [name.lower() for name in row]
    if names not in (list(COLUMNS), list(COLUMNS[:2])):
        raise SlangError(
            f"slang table {path}, line 1: the columns are {', '.join(row)!r} instead of "
            f"{', '.join(COLUMNS)!r}, separated by commas"
        )
    return names
