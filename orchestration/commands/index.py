"""``kadr index``: every index of the library, mended where it is missing, damaged or behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from orchestration.screen import say
from orchestration.settings import Settings, settled

if TYPE_CHECKING:
    import dagster as dg

    from assets.stores.resources import Library

Say = Callable[[str], None]


@click.command()
@click.option("--force", is_flag=True, help="Make all of it anew, also what is whole.")
def index(force: bool) -> None:
    """Mend indexes, and bring the tables of the whole library up to its batches.

    `kadr ingest` ends with it; by itself it mends an index that is missing, damaged or behind:
    those of search, of copies, and what tags keep. Where nothing is to do it says so.
    """
    from orchestration.instance import open_here, prepare

    settings = settled()
    prepare(settings)
    with open_here(settings) as instance:
        bring_up(settings, instance, say, force=force)


def bring_up(
    settings: Settings, instance: dg.DagsterInstance, say: Say, *, force: bool = False
) -> None:
    """Look at every index, and run the library's job where it has something to do.

    Raises:
        NotSearchable: there is no library.
        RunFailed: a step failed, or an index could not be mended.
        CannotConnect: ClickHouse is away.
    """
    from assets.search.engine import NotSearchable
    from orchestration.definitions import resources
    from orchestration.index_problems import index_problems
    from orchestration.runs import RunFailed, run_library

    library: Library = resources(settings)["library"]
    if not library.batches.names():
        root = library.storage.root
        raise NotSearchable(f"there is no library at {root}: kadr ingest PATH makes it")
    found = list(index_problems(library))
    for problem in found:
        say(f"{problem.what} ({problem.where})")
    if not (found or force or _is_behind(library, instance)):
        say("nothing to do: every index is whole and holds every batch")
        return
    run_library(instance, force=force)
    left = list(index_problems(library)) if found else []
    if left:
        raise RunFailed("\n".join(f"{p.what} ({p.where}): {p.remedy}" for p in left))
    say(f"{len(found)} indexes mended" if found else "every index is whole and holds every batch")


def _is_behind(library: Library, instance: dg.DagsterInstance) -> bool:
    """Whether the library's tables are: batches ran since, or what videos and people are named by
    is another."""
    from assets.clustering.store import load
    from assets.people.clustering import FOLDER as PEOPLE
    from assets.people.known import pictures_changed
    from assets.search.indexes import index_folder
    from assets.tags.zero_shot import filed_by
    from orchestration.pending import library_is_behind

    if library_is_behind(instance) or filed_by(library) != library.read_taxonomy().version:
        return True
    with index_folder(library, PEOPLE) as folder:
        return pictures_changed(library, load(folder))
