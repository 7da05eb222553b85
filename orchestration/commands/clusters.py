"""``kadr topics``, ``kadr people``, ``kadr recluster``: look, name, hide, and cluster anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

from assets.clustering.given_names import PERSON, TOPIC, Given
from orchestration.screen import say
from orchestration.settings import Settings, settled


@dataclass(frozen=True)
class Kind:
    """What the two groups of commands differ in."""

    one: str
    table: str
    key: str
    query: str


_TOPICS = Kind(TOPIC, "topics", "topic_id", "topics")
_PEOPLE = Kind(PERSON, "people", "person_id", "people")


def _group(kind: Kind, description: str) -> click.Group:
    """The group of commands on topics or on people; without a command it lists them."""

    @click.group(kind.table, invoke_without_command=True, help=description)
    @click.pass_context
    def group(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            _list(kind)

    @group.command(help=f"Give a {kind.one} a name that stays; an empty one takes it back.")
    @click.argument("id", type=int)
    @click.argument("name")
    def name(id: int, name: str) -> None:
        _say(kind, id, lambda given: replace(given, name=" ".join(name.split())))

    @group.command(help=f"Hide a {kind.one} from lists; it keeps its id and takes in new videos.")
    @click.argument("id", type=int)
    def hide(id: int) -> None:
        _say(kind, id, lambda given: replace(given, hidden=True))

    @group.command(help=f"Show a {kind.one} that was hidden.")
    @click.argument("id", type=int)
    def show(id: int) -> None:
        _say(kind, id, lambda given: replace(given, hidden=False))

    return group


topics = _group(
    _TOPICS,
    'What the library is about. A name given here stays: kadr topics name 3 "Space"',
)
people = _group(
    _PEOPLE,
    'Who appears in the library. A name given here stays: kadr people name 7 "Anna"',
)


@click.command()
def recluster() -> None:
    """Find topics and people anew. Those that are still there keep their ids and names.

    New videos join topics and people every night; this also finds those that are new. It runs
    every Sunday on its own while `kadr ui` is open, and when too many videos belong to none.
    """
    from orchestration.instance import open_here, prepare
    from orchestration.runs import run_library

    settings = settled()
    prepare(settings)
    with open_here(settings) as instance:
        run_library(instance, recluster=True)
    _list(_TOPICS)
    _list(_PEOPLE)


def _list(kind: Kind) -> None:
    from assets.stores.clickhouse import ClickHouse
    from orchestration.commands.sql_output import show
    from sql import query

    with ClickHouse(settled().clickhouse).session(f"kadr {kind.table}", read_only=True) as client:
        show(client, query(kind.query), "table", write=False)


def _say(kind: Kind, cluster_id: int, change: Callable[[Given], Given]) -> None:
    """Write what was said and make the tables with it at once.

    Raises:
        click.ClickException: there is no such topic or person.
    """
    from assets.clustering import given_names

    settings = settled()
    made = _resources(settings)
    with made["tables"].session(f"naming a {kind.one}", click.echo) as client:
        found = client.query(
            f"SELECT count() FROM {kind.table} WHERE {kind.key} = {{id:Int32}}",
            parameters={"id": cluster_id},
        ).result_rows
        if not found[0][0]:
            raise click.ClickException(f"there is no {kind.one} {cluster_id}: kadr {kind.table}")
        given = given_names.read(client, kind.one).get(cluster_id, Given())
        given_names.write(client, kind.one, cluster_id, change(given))
    _publish(kind, made)
    now = change(given)
    name = f" goes by {now.name!r}" if now.name else " goes by its own name"
    say(f"{kind.one} {cluster_id}{name}" + (", hidden" if now.hidden else ""))


def _publish(kind: Kind, made: dict[str, Any]) -> None:
    from assets.people.clustering import republish as republish_people
    from assets.topics.clustering import republish as republish_topics

    republish = republish_topics if kind is _TOPICS else republish_people
    republish(made["library"], made["tables"], click.echo)


def _resources(settings: Settings) -> dict[str, Any]:
    from orchestration.definitions import resources

    return resources(settings)
