"""``kadr doctor``: look at everything that a library is made of, and mend what a program can."""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from enum import Enum, auto
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from assets.stores.clickhouse import ClickHouse, ClickHouseError, EngineDamaged
from assets.stores.problems import Problem
from assets.stores.resources import Library, Tables
from orchestration.records import RecordsError, record_problems
from orchestration.screen import say
from orchestration.settings import Settings, settled

_INGEST = "kadr ingest SOURCE"
# What a batch of 500 short videos needs while it is decoded, many times over.
_LEAST_FREE_BYTES = 2 << 30
_LOCK = Path(__file__).parents[2] / "requirements" / "kadr.lock"


@click.command()
@click.option("--mend", is_flag=True, help="Mend what a program can mend.")
@click.option("--deep", is_flag=True, help="Read every file to its end, and compare checksums.")
def doctor(*, mend: bool, deep: bool) -> None:
    """Look at everything a library is made of, and say what is wrong and what mends it.

    Dagster's database, batch lists, datasets, tables, indexes, free space, versions. Nothing is
    changed without --mend, and nothing is ever deleted: what is damaged is moved aside, and the
    next `kadr ingest` makes it again. Exit code 1 where something is still wrong.
    """
    from orchestration.commands.ingest import alone_here

    settings = settled()
    # What an ingestion is writing is not to be moved away under it.
    with alone_here(settings) if mend else nullcontext():
        left = _look(settings, mend=mend, deep=deep)
    click.echo(f"{left} things are wrong" if left else "nothing is wrong")
    sys.exit(1 if left else 0)


def _look(settings: Settings, *, mend: bool, deep: bool) -> int:
    """Look at everything, mend if asked, and return how many problems are left."""
    from orchestration.definitions import resources
    from orchestration.index_problems import index_problems

    ours = resources(settings)
    library: Library = ours["library"]
    found = [_told(p, mend=mend) for p in _problems(settings, library, ours["tables"], deep=deep)]
    left = sum(state is _State.LEFT for state in found)
    indexes = [_told(problem, mend=mend) for problem in index_problems(library)]
    if mend and indexes and not set(found) - {_State.MENDED}:
        _mend_indexes(settings)
    else:
        left += len(indexes)
    if _State.TO_INGEST in found:
        click.echo(f"then: {_INGEST}")
    return left


class _State(Enum):
    """What became of a problem; ``TO_INGEST``: an ingestion makes anew what was moved aside."""

    MENDED = auto()
    TO_INGEST = auto()
    LEFT = auto()


def _told(problem: Problem, *, mend: bool) -> _State:
    """Say what is wrong, and mend it if asked."""
    say(f"{problem.where}: {problem.what}")
    if mend and problem.mend:
        problem.mend()
        click.echo("  mended")
        return _State.TO_INGEST if _INGEST in problem.remedy else _State.MENDED
    say(f"  what mends it: {problem.remedy}")
    return _State.LEFT


def _mend_indexes(settings: Settings) -> None:
    """One run of the library's job mends all of them; an ingestion ends with it anyway."""
    from orchestration.commands.index import bring_up
    from orchestration.instance import open_here, prepare

    prepare(settings)
    with open_here(settings) as instance:
        bring_up(settings, instance, say)


def _problems(
    settings: Settings, library: Library, tables: Tables, *, deep: bool
) -> Iterator[Problem]:
    """In an order in which what is mended first helps what is looked at later."""
    from assets.source.lists import list_problems
    from assets.tables.standing import dataset_problems

    yield from _space(settings)
    yield from _versions()
    yield from record_problems(settings.dagster_home)
    yield from list_problems(library)
    yield from dataset_problems(library, deep=deep)
    yield from _tables(settings, library, tables)


def _tables(settings: Settings, library: Library, tables: Tables) -> Iterator[Problem]:
    """The tables against the files, for batches that count as finished."""
    from assets.source.health import finished
    from assets.tables.standing import table_problems
    from orchestration.instance import open_here, prepare

    place = ClickHouse(tables.url)
    try:
        prepare(settings)
        with open_here(settings) as instance:
            done = sorted(finished(instance, library.batches.names()))
        yield from table_problems(library, tables, done)
    except RecordsError as error:
        yield Problem(str(error), str(settings.dagster_home), "kadr doctor --mend")
    except EngineDamaged as error:
        aside = partial(_set_aside, place.directory) if place.directory else None
        yield Problem(str(error), place.label, f"kadr doctor --mend, then {_INGEST}", aside)
    except ClickHouseError as error:  # away, in other hands, of a newer version: not damaged
        yield Problem(str(error), place.label, "what it says, then kadr doctor")


def _set_aside(directory: Path) -> None:
    """The tables are made from the datasets: a directory that can't be opened is only in the
    way."""
    number = 1
    while (name := directory.with_name(f"{directory.name}.damaged-{number}")).exists():
        number += 1
    directory.rename(name)


def _space(settings: Settings) -> Iterator[Problem]:
    places = {settings.state_dir} | (set() if settings.is_remote else {Path(settings.data_root)})
    for place in sorted(places):
        if not place.exists():
            continue
        free = shutil.disk_usage(place).free
        if free < _LEAST_FREE_BYTES:
            what = f"{free / 1e9:.1f} GB are free; a batch may need {_LEAST_FREE_BYTES / 1e9:.0f}"
            yield Problem(what, str(place), "make room, or set KADR_STATE to another disk")


def _versions() -> Iterator[Problem]:
    """Packages of another version than the lock's, where the lock is at hand."""
    tested: dict[str, set[str]] = defaultdict(set)
    for line in _LOCK.read_text(encoding="utf-8").splitlines() if _LOCK.exists() else ():
        name, _, rest = line.partition("==")
        if rest:  # a package may have other versions for other Pythons
            tested[name.partition("[")[0]].add(rest.split()[0])
    for name, versions in tested.items():
        try:
            # A build for one kind of device says so behind a plus sign.
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
        if found not in versions:
            what = f"version {found} is installed, {', '.join(sorted(versions))} is tested"
            yield Problem(what, f"package {name}", "make .venv/.installed")
