"""A taxonomy: the tree of up to three levels that videos are filed under, read from a CSV.

The first three columns are the levels, whatever their headings, and a row is a node: ``A,,``,
``A,B,`` or ``A,B,C``. Of the further columns those headed as a language or a name hold the node's
name in another language (``russian``, ``name_en``, ``Название``), those headed as aliases,
synonyms or keywords hold further words for it, with ``|``, ``;`` or ``,`` between; others are
passed over and reported.
What can be mended in a file is mended and reported; what can't be is a `TaxonomyError`.
Rows are numbered as a spreadsheet shows them. `DEFAULT_FILE` is a taxonomy of our own, in English
and Russian.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

LEVELS = 3
DEFAULT_FILE = Path(__file__).parent / "taxonomy_default.csv"

_LEVEL_SEPARATOR = ":"
_TAG_SEPARATOR = ","
_DELIMITERS = ",;\t"
_ALIAS_SEPARATOR = re.compile(r"[|;,]")
# Any of these words in a heading says what its column holds.
_ALIASES = """
alias aliases keyword keywords synonym synonyms ключевые псевдоним псевдонимы синоним синонимы
"""
_TRANSLATIONS = """
name title translation имя название перевод
be de en es fr it ja kk ko pl pt ru tr uk uz zh
english french german italian kazakh russian spanish turkish ukrainian
английский казахский немецкий рус русский украинский
"""
_ALIAS_HEADINGS = frozenset(_ALIASES.split())
_TRANSLATION_HEADINGS = frozenset(_TRANSLATIONS.split())
# Zero-width spaces and joiners, soft hyphens and byte order marks come along when text is copied.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
# Capitals, then small letters, of the Cyrillic of Windows-1251. The bytes of KOI8-R, DOS and
# Western files read so give words such as "лНЬЙЮ" and "cafй".
_CYRILLIC_WORD = re.compile(r"[\dА-ЯЁІЇЄҐЎ]*[\dа-яёіїєґў]*")
# Words such as "ТикТок" and "SMMщик" stand in real lists; of a Russian file in another encoding
# it is each word that begins with a capital.
_MOST_ODD_WORDS = 0.1
# Children that have no row for their parent are often all of a file: a few are enough to see it.
_MOST_NAMED = 5

TreePath = tuple[str, ...]


class TaxonomyError(ValueError):
    """A file that is no taxonomy: names the file, what was found and what to do."""


@dataclass(frozen=True)
class Entry:
    """A node of the tree.

    Attributes:
        path: the names of its levels, 1 to 3, from the top, as they are shown.
        names: its own name, then the names in other languages; no two are alike.
        aliases: further words for it, none of them alike or one of ``names``.
    """

    path: tuple[str, ...]
    names: tuple[str, ...]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """A tree of entries.

    Attributes:
        entries: depth first, in the order of the file; a parent stands before its children.
        problems: sentences on what was mended or passed over in the file.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()

    def find(self, path: Sequence[str]) -> Entry | None:
        """The entry of a path in any case, with ё or е, in any of the entries' languages."""
        found: Entry | None = None
        for name in path:
            parent = path_key(found.path) if found else ()
            found = self._children.get((parent, name_key(name)))
            if found is None:
                return None
        return found

    @cached_property
    def version(self) -> str:
        """16 hex digits of what it holds; the same for any order of the rows."""
        content = sorted((e.path, e.names, tuple(sorted(e.aliases))) for e in self.entries)
        text = json.dumps(content, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @cached_property
    def _children(self) -> dict[tuple[TreePath, str], Entry]:
        """Key of the parent's path and of any name to the entry; an own name goes first."""
        children = {(path_key(e.path[:-1]), name_key(e.path[-1])): e for e in self.entries}
        for entry in self.entries:
            for name in entry.names:
                children.setdefault((path_key(entry.path[:-1]), name_key(name)), entry)
        return children


# ---------------------------------------------------------------- names and paths


def path_text(path: Sequence[str]) -> str:
    """A path as it is written: ``A: B: C``."""
    return f"{_LEVEL_SEPARATOR} ".join(path)


def parse_path(text: str) -> tuple[str, ...]:
    """The names of a written path, ``a:B :c``; as many as there are, empty ones left out."""
    return tuple(name for part in text.split(_LEVEL_SEPARATOR) if (name := clean_name(part)))


def parse_tags(text: str) -> list[tuple[str, ...]]:
    """The paths of a list of tags, ``A: B: C, D: E``, each once, in the order given."""
    paths: dict[TreePath, TreePath] = {}
    for path in map(parse_path, text.split(_TAG_SEPARATOR)):
        paths.setdefault(path_key(path), path)
    return [path for path in paths.values() if path]


def clean_name(text: str) -> str:
    """A name as it is shown: composed letters, single plain spaces, nothing invisible."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_INVISIBLE).split())


def name_key(name: str) -> str:
    """What names are compared by: small letters, ё as е."""
    return clean_name(name).casefold().replace("ё", "е")


def path_key(path: Iterable[str]) -> tuple[str, ...]:
    """What paths are compared by: the key of each name."""
    return tuple(map(name_key, path))


# ---------------------------------------------------------------- reading


@cache
def default_taxonomy() -> Taxonomy:
    """The taxonomy that comes with the project."""
    return load_taxonomy(DEFAULT_FILE)


def load_taxonomy(source: Path | bytes | str) -> Taxonomy:
    """A taxonomy from a CSV with commas, semicolons or tabs.

    Args:
        source: the file; or its bytes, in UTF-8, UTF-16 with a byte order mark or Windows-1251;
            or, as a ``str``, its text.

    Returns:
        The tree. ``problems`` names the rows that repeat another, miss a level or a parent, and
        columns that are passed over.

    Raises:
        TaxonomyError: the file can't be read, is not text or no CSV, or has no entries.
    """
    name = f"taxonomy {source}" if isinstance(source, Path) else "taxonomy"
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        problems: list[str] = []
        text = data if isinstance(data, str) else _decoded(data, problems)
        entries = _entries(_rows(_records(text), problems), problems)
    except (OSError, csv.Error, UnicodeError, TaxonomyError) as error:
        raise TaxonomyError(f"{name}: {error}") from error
    return Taxonomy(tuple(entries), tuple(problems))


def _decoded(data: bytes, problems: list[str]) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
        if not _is_russian(text):
            raise TaxonomyError(
                "the file is neither UTF-8 nor Windows-1251 text; save it as CSV UTF-8"
            ) from None
        problems.append("the file is not UTF-8 and was read as Windows-1251; save it as CSV UTF-8")
    if "\0" in text:
        raise TaxonomyError("the file is not text; save it as CSV UTF-8")
    return text


def _is_russian(text: str) -> bool:
    words = [word for word in re.findall(r"[^\W_]+|\ufffd", text) if not word.isascii()]
    odd = sum(not _CYRILLIC_WORD.fullmatch(word) for word in words)
    return odd <= _MOST_ODD_WORDS * len(words)


def _records(text: str) -> list[list[str]]:
    """The cells of each row, cleaned; blank rows too, so that rows keep their numbers."""
    text = text.lstrip("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    # Of equal counts the first delimiter wins: a file of one column has commas.
    delimiter = max(_DELIMITERS, key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [[clean_name(cell) for cell in row] for row in reader]
    except csv.Error as error:
        raise TaxonomyError(f"line {reader.line_num} is no CSV: {error}") from error


class _Row(NamedTuple):
    number: int
    path: TreePath
    names: list[str]
    aliases: list[str]


def _rows(records: list[list[str]], problems: list[str]) -> Iterator[_Row]:
    """The rows that name a node; the others are reported."""
    numbered = [(n, cells) for n, cells in enumerate(records, 1) if any(cells)]
    if numbered and _is_entry(numbered[0][1], [cells for _, cells in numbered[1:]]):
        problems.append("there is no row of headings; the first row is taken for an entry")
        headings: list[str] = []
    else:
        headings = numbered.pop(0)[1] if numbered else []
    width = max((len(cells) for _, cells in numbered), default=0)
    translations, aliases = _further_columns(headings, width, problems)
    for number, short in numbered:
        cells = short + [""] * (max(width, len(headings), LEVELS) - len(short))
        path = _path_of(number, cells[:LEVELS], problems)
        if path:
            words = [word for c in aliases for word in _ALIAS_SEPARATOR.split(cells[c])]
            yield _Row(number, path, [cells[c] for c in translations], words)


def _is_entry(first: list[str], others: list[list[str]]) -> bool:
    """Whether a file has no headings: a level is empty, or the first one is met again below."""
    return "" in first[:LEVELS] or any(name_key(r[0]) == name_key(first[0]) for r in others if r)


def _further_columns(
    headings: list[str], width: int, problems: list[str]
) -> tuple[list[int], list[int]]:
    """Columns of names in other languages, and of aliases."""
    translations, aliases = [], []
    for column in range(LEVELS, max(width, len(headings))):
        heading = headings[column] if column < len(headings) else ""
        words = set(re.split(r"[\W_]+", heading.casefold()))
        if words & _ALIAS_HEADINGS:
            aliases.append(column)
        elif words & _TRANSLATION_HEADINGS:
            translations.append(column)
        else:
            problems.append(
                f"column {column + 1} ({heading or 'without a heading'}) is passed over: neither "
                "a language such as 'russian' nor 'aliases'"
            )
    return translations, aliases


def _path_of(number: int, cells: list[str], problems: list[str]) -> TreePath:
    """The names of a row's levels; none where a level is missing, which is reported."""
    filled = [level for level, name in enumerate(cells) if name]
    if not filled:
        problems.append(f"row {number} is passed over: it has no name in its first three columns")
        return ()
    if len(filled) <= filled[-1]:
        empty = cells.index("") + 1
        problems.append(
            f"row {number} is passed over: level {empty} is empty before {cells[filled[-1]]!r}"
        )
        return ()
    path = tuple(_without_separators(name) for name in cells[: len(filled)])
    if "" in path:
        problems.append(f"row {number} is passed over: a name of colons and commas alone")
        return ()
    changed = [name for name, kept in zip(cells, path, strict=False) if name != kept]
    problems += [
        f"row {number}: {name!r} is shown as {_without_separators(name)!r}, for ':' and ',' "
        "separate levels and tags"
        for name in changed
    ]
    return path


def _without_separators(name: str) -> str:
    parts = re.split(f"[{_LEVEL_SEPARATOR}{_TAG_SEPARATOR}]", name)
    return " / ".join(part.strip() for part in parts if part.strip())


# ---------------------------------------------------------------- the tree


def _entries(rows: Iterable[_Row], problems: list[str]) -> list[Entry]:
    """The entries of the rows and of parents without a row, depth first."""
    by_key: dict[TreePath, list[_Row]] = {}
    for row in rows:
        same = by_key.setdefault(path_key(row.path), [])
        if same:
            problems.append(
                f"row {row.number} repeats row {same[0].number} ({path_text(same[0].path)}); its "
                "names and aliases are added to that"
            )
        same.append(row)
    if not by_key:
        raise TaxonomyError(
            "no entries: expected a row of headings, then rows such as 'Animals,Pets,Cats'; "
            "a file is given as a pathlib.Path"
        )
    shown = _shown(by_key)
    _report_orphans([path for key, path in shown.items() if key not in by_key], problems)
    order = {key: position for position, key in enumerate(_prefixes(by_key))}
    keys = sorted(shown, key=lambda key: [order[prefix] for prefix in _prefixes([key])])
    entries = [_entry(shown[key], by_key.get(key, [])) for key in keys]
    _report_namesakes(entries, problems)
    return entries


def _prefixes(paths: Iterable[TreePath]) -> list[TreePath]:
    """Each path and its parents, once, in the order met."""
    return list(dict.fromkeys(path[:n] for path in paths for n in range(1, len(path) + 1)))


def _shown(by_key: dict[TreePath, list[_Row]]) -> dict[TreePath, TreePath]:
    """Key to the path as it is shown: a node's own row decides its spelling."""
    names = {key: rows[0].path[-1] for key, rows in by_key.items()}
    for rows in by_key.values():
        for prefix in _prefixes([rows[0].path]):
            names.setdefault(path_key(prefix), prefix[-1])
    return {key: tuple(names[prefix] for prefix in _prefixes([key])) for key in names}


def _entry(path: TreePath, rows: list[_Row]) -> Entry:
    names = _distinct([path[-1], *(name for row in rows for name in row.names)])
    aliases = _distinct(alias for row in rows for alias in row.aliases)
    taken = set(map(name_key, names))
    return Entry(path, tuple(names), tuple(a for a in aliases if name_key(a) not in taken))


def _distinct(words: Iterable[str]) -> list[str]:
    """The words, cleaned, without empty ones, each once in the spelling met first."""
    found: dict[str, str] = {}
    for word in map(clean_name, words):
        if word:
            found.setdefault(name_key(word), word)
    return list(found.values())


def _report_orphans(parents: Sequence[TreePath], problems: list[str]) -> None:
    if parents:
        named = "; ".join(map(path_text, parents[:_MOST_NAMED]))
        more = f"; and {len(parents) - _MOST_NAMED} more" if len(parents) > _MOST_NAMED else ""
        problems.append(f"parents without a row of their own are added: {named}{more}")


def _report_namesakes(entries: Sequence[Entry], problems: list[str]) -> None:
    """Siblings that share a name in another language: a path with it means the first one."""
    met: dict[tuple[TreePath, str], Entry] = {}
    for entry in entries:
        for name in entry.names:
            first = met.setdefault((path_key(entry.path[:-1]), name_key(name)), entry)
            if first is not entry:
                problems.append(
                    f"{path_text(first.path)} and {path_text(entry.path)} are both called {name!r}"
                )
