"""What is wrong with Dagster's own database, in words, and how it is mended.

Its records can be lost without harm: whatever is done is known from the files, so batches are run
once more and skip what is done.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from assets.stores.problems import Problem

_DOCTOR = "kadr doctor --mend"
_MENDED = f"`{_DOCTOR}` moves it aside, and the next ingestion goes on from the files"
_NO_DATABASE = {"SQLITE_NOTADB", "SQLITE_CORRUPT"}
_READ_ONLY = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")


class RecordsError(OSError):
    """Dagster's database can't be used: which file or folder, why, and what to do."""


def explained(error: BaseException, home: Path) -> Exception | None:
    """The sentence that stands for an error of Dagster's database; None for any other error."""
    for link in _chain(error):
        if isinstance(link, sqlite3.Error):
            return RecordsError(_of_sqlite(link, home))
        if _is_of_postgres(link):
            return ConnectionError(
                "PostgreSQL (KADR_POSTGRES_URL) can't be reached, or went away in the middle: "
                f"{_reason(link)}. Start it again; the same command goes on from here"
            )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or getattr(error, "orig", None) or error.__context__


def _is_of_postgres(error: BaseException) -> bool:
    from dagster_postgres.utils import DagsterPostgresException
    from psycopg2 import Error

    return isinstance(error, (DagsterPostgresException, Error))


def _reason(error: BaseException) -> str:
    """What PostgreSQL's client said at last."""
    *_, last = _chain(error)
    return str(last).strip().splitlines()[0].removesuffix(".")


def _of_sqlite(error: sqlite3.Error, home: Path) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name in _NO_DATABASE:
        broken = next((path for path, _ in _broken(home)), home)
        return f"Dagster's database {broken} is damaged ({error}): {_MENDED}"
    if name == "SQLITE_FULL" or _free_bytes(home) < 1 << 20:
        free_mb = _free_bytes(home) / 1e6
        return (
            f"no space is left for {home} ({free_mb:.0f} MB free): make room, then run this again"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"Dagster's database in {home} is locked by another program: run this again after it"
    if name.startswith(_READ_ONLY) or not _is_writable(home):
        return f"{home} can't be written to: let this user write there, or set KADR_STATE elsewhere"
    return f"Dagster's database in {home} can't be used ({error}): `kadr doctor` looks into it"


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _is_writable(home: Path) -> bool:
    folders = (home, *(path.parent for path in home.rglob("*.db")))
    return all(os.access(path, os.W_OK) for path in (*folders, *home.rglob("*.db")))


def _broken(home: Path) -> Iterator[tuple[Path, str]]:
    """The databases below a folder that are none, or are damaged."""
    for path in sorted(home.rglob("*.db")):
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            name = str(getattr(error, "sqlite_errorname", ""))
            said = str(error) if name in _NO_DATABASE else "ok"
        if said != "ok":
            yield path, said


def record_problems(home: Path) -> Iterator[Problem]:
    """Databases of Dagster's that are damaged.

    The runs and the index of their events speak of each other: one without the other would name
    batches finished whose runs are not known, so both are set aside together.
    """
    for path, why in _broken(home):
        what = f"a database of Dagster's is damaged: {why}"
        yield Problem(what, str(path), _DOCTOR, partial(_set_aside, home, path))


def _set_aside(home: Path, path: Path) -> None:
    history = home / "history"
    together = {history / "runs.db", history / "runs" / "index.db"}
    for database in together if path in together else {path}:
        for file in database.parent.glob(f"{database.name}*"):
            if ".damaged" not in file.name:
                file.replace(_free_name(file))


def _free_name(file: Path) -> Path:
    number = 1
    while (name := file.with_name(f"{file.name}.damaged-{number}")).exists():
        number += 1
    return name
