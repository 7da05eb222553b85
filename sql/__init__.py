"""Every SQL statement of the project, by name. This package reads files and runs nothing.

``schema/NNN_*.sql``  the tables, applied once each, in the order of their numbers
``views/*.sql``       the views, re-created when their text changes
``load/*.sql``        what loading a batch runs; ``$name`` stands for a quoted identifier
``queries/*.sql``     the cookbook: the first comment line of each says what it answers
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from string import Template

# What may hold a semicolon that ends nothing: strings, quoted names, comments, heredocs.
_TOKEN = re.compile(
    r"""
    (?P<end>;)
  | (?P<comment>--[^\n]*|\#[ !][^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<quoted>'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*"|`(?:\\.|``|[^`\\])*`)
  | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<other>\w+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class SqlFile:
    """One file: ``name`` is its path below ``sql/``, without the suffix."""

    name: str
    text: str

    @property
    def number(self) -> int:
        """The number a migration's name starts with; 0 for other files."""
        number, _, _ = self.name.rpartition("/")[2].partition("_")
        return int(number) if number.isdigit() else 0

    @property
    def sha256(self) -> str:
        """Digest of the text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """What the first comment line says."""
        return self.text.partition("\n")[0].removeprefix("--").strip()

    def statements(self) -> list[str]:
        """The file's statements, in order."""
        return split(self.text)


def statement(name: str, **identifiers: str) -> str:
    """The one statement of a file such as ``load/count_table``, its ``$names`` filled in.

    Raises:
        ValueError: an identifier that is not a plain name.
    """
    (only,) = _read(name.removesuffix(".sql")).statements()
    quoted = {key: quote(value) for key, value in identifiers.items()}
    return Template(only).substitute(quoted) if identifiers else only


def quote(identifier: str) -> str:
    """A plain name in backticks; names never carry a user's text."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"not a plain SQL name: {identifier!r}")
    return f"`{identifier}`"


def migrations() -> list[SqlFile]:
    """The schema files, by number.

    Raises:
        ValueError: two files carry one number.
    """
    found = sorted(_folder("schema"), key=lambda file: file.number)
    numbers = [file.number for file in found]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"two migrations carry one number: {', '.join(f.name for f in found)}")
    return found


def views() -> list[SqlFile]:
    """The view files, by name. A view never reads another view, so any order would do."""
    return _folder("views")


def query(name: str) -> str:
    """The text of one query of the cookbook.

    Raises:
        KeyError: there is none of that name.
    """
    return {file.name: file.text for file in queries()}[f"queries/{name}"]


def queries() -> list[SqlFile]:
    """The cookbook, by name."""
    return _folder("queries")


def split(text: str) -> list[str]:
    """Cut SQL at the semicolons that end statements; statements of comments only are dropped."""
    return [part for part in _parts(text) if part]


def _parts(text: str) -> Iterator[str]:
    start, has_code = 0, False
    for token in _TOKEN.finditer(text):
        if token["end"]:
            yield text[start : token.start()].strip() if has_code else ""
            start, has_code = token.end(), False
        elif not token["comment"] and not token.group().isspace():
            has_code = True
    yield text[start:].strip() if has_code else ""


def _folder(name: str) -> list[SqlFile]:
    names = (entry.name for entry in files(__name__).joinpath(name).iterdir())
    return [_read(f"{name}/{n.removesuffix('.sql')}") for n in sorted(names) if n.endswith(".sql")]


def _read(name: str) -> SqlFile:
    path = files(__name__).joinpath(f"{name}.sql")
    return SqlFile(name, path.read_text(encoding="utf-8"))
