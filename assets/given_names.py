"""Names and hidden flags that people gave to topics and persons: the table ``given_names``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sql
from assets.datasets import key_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TOPIC, PERSON = "topic", "person"


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


def digest(given: Mapping[int, Given]) -> str:
    """Changes when anything that was said does."""
    return key_of(*(f"{i} {g.name} {g.hidden}" for i, g in sorted(given.items())))
