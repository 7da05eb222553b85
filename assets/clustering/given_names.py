"""Names and hidden flags that people gave to topics and persons: the table ``given_names``.

A copy lies beside the indexes, ``indexes/given_names/{kind}.json``, so that what was said outlives
a ClickHouse that was emptied or moved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sql
from assets.stores.datasets import key_of
from assets.stores.storage import Storage

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.clustering.matching import Change

TOPIC, PERSON = "topic", "person"
FOLDER = "given_names"
COPY_REMEDY = "delete it, it is written anew"
_NO_COPY = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Given:
    """What was said of one topic or person; an empty name is none."""

    name: str = ""
    hidden: bool = False


def read(client: Client, kind: str) -> dict[int, Given]:
    """The last word on each topic or person, by id."""
    rows = client.query(sql.statement("load/given_names"), parameters={"kind": kind}).result_rows
    return {int(row[0]): Given(str(row[1]), bool(row[2])) for row in rows}


def write(client: Client, kind: str, cluster_id: int, given: Given) -> None:
    """Say it; what was said before of the same id no longer counts."""
    line = {"kind": kind, "id": cluster_id, "name": given.name, "hidden": int(given.hidden)}
    client.command(sql.statement("load/give_name"), parameters=line)


def keep(client: Client, kind: str, storage: Storage) -> dict[int, Given]:
    """What was said, as `read`; ids that the table has lost are written back from the copy.

    Raises:
        ValueError: the copy is damaged, naming it.
    """
    said, copy = read(client, kind), _copy(storage, kind)
    for cluster_id in sorted(copy.keys() - said.keys()):
        write(client, kind, cluster_id, copy[cluster_id])
        said[cluster_id] = copy[cluster_id]
    if said != copy:
        rows = {str(i): asdict(given) for i, given in sorted(said.items())}
        data = json.dumps(rows, ensure_ascii=False, indent=1).encode()
        storage.put_bytes(data, _path(kind))
    return said


def first_free_id(client: Client, kind: str) -> int:
    """The first id above all that names were given to and that the tables know."""
    rows = client.query(sql.statement("load/first_free_id"), parameters={"kind": kind}).result_rows
    return max(0, int(rows[0][0]))


def after_mergers(changes: Iterable[Change], given: Mapping[int, Given]) -> dict[int, Given]:
    """What is now said of people who turned out to be one.

    The name goes to the one who is left, unless that one has a name by hand, or the others have
    two.
    """
    now = {}
    for change in changes:
        if change.kind != "merged":
            continue
        own = given.get(change.id, Given())
        names = {given[i].name for i in change.other_ids if i in given} - {""}
        if not own.name and len(names) == 1:
            now[change.id] = Given(names.pop(), own.hidden)
    return now


def digest(given: Mapping[int, Given]) -> str:
    """Changes when anything that was said does."""
    return key_of(*(f"{i} {g.name} {g.hidden}" for i, g in sorted(given.items())))


def _path(kind: str) -> str:
    return f"indexes/{FOLDER}/{kind}.json"


def copy_damage(folder: Path) -> str:
    """What is wrong with the copies in a folder; empty where nothing is."""
    for path in sorted(folder.glob("*.json")):
        try:
            _parsed(path.read_bytes())
        except _NO_COPY as error:
            return f"{path.name} can't be read ({error})"
    return ""


def _copy(storage: Storage, kind: str) -> dict[int, Given]:
    if not storage.exists(_path(kind)):
        return {}
    try:
        return _parsed(storage.read_bytes(_path(kind)))
    except _NO_COPY as error:
        raise ValueError(
            f"{storage.url(_path(kind))} is damaged ({error}): {COPY_REMEDY}"
        ) from error


def _parsed(text: bytes) -> dict[int, Given]:
    rows = json.loads(text)
    return {int(i): Given(str(of["name"]), bool(of["hidden"])) for i, of in rows.items()}
