"""The command line: ``kadr demo``, ``ingest``, ``search``, ``check``, ``sql``, ``ui``, ..."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import click

from ml.redaction import shown
from orchestration.commands.check import check
from orchestration.commands.clusters import people, recluster, topics
from orchestration.commands.doctor import doctor
from orchestration.commands.evaluate import evaluate
from orchestration.commands.index import index
from orchestration.commands.search import search, suggest
from orchestration.commands.tags import tags
from orchestration.screen import say
from orchestration.settings import Settings, settled

# What the demo prints, from sql/queries/: each can be checked by looking at the clips.
DEMO_QUERIES = (
    *("topics", "tags", "people", "said_and_shown", "repeated_captions", "duplicates"),
    *("failures", "sampling_savings"),
)
_INTERRUPTED = 130
# Nothing failed, but not everything is in the tables: others are at work on the rest.
_LEFT_TO_OTHERS = 3


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", metavar="FOLDER|s3://...", help="Where everything lives (KADR_DATA).")
@click.option("--profile", metavar="NAME", help="embedded, base or full (KADR_PROFILE).")
def cli(data: str | None, profile: str | None) -> None:
    """Kadr turns a video library into SQL tables.

    Point `kadr ingest` at a folder or a catalogue, then ask with `kadr sql`, and re-run any part
    in the Dagster pages of `kadr ui`. Everything is kept below KADR_DATA, by default ./data.
    """
    # Child processes read the same settings from the same environment.
    for name, value in (("KADR_DATA", data), ("KADR_PROFILE", profile)):
        if value:
            os.environ[name] = value


@cli.command()
@click.argument("source", metavar="PATH_OR_CATALOGUE")
@click.option("--batch-size", type=click.IntRange(1), help="Videos in a batch (KADR_BATCH_SIZE).")
@click.option("--all", "every_batch", is_flag=True, help="Run every batch; skips what is done.")
@click.option("--force", is_flag=True, help="Compute every batch again, also what is done.")
@click.option("--licensed", is_flag=True, help="These videos are the licensed base.")
def ingest(
    source: str, batch_size: int | None, every_batch: bool, force: bool, licensed: bool
) -> None:
    """Bring videos into the tables.

    PATH_OR_CATALOGUE is a video, a folder, an object-store prefix (s3://bucket/videos), or a
    catalogue: a CSV or Parquet file with a column `uri` and, if you have them, video_id,
    published_at, title, description, tags, licensed. Only new videos and unfinished batches are
    worked on, so the same command resumes after Ctrl-C or a crash and is right for every night.

    What copies a licensed video is in the table copyright_hits.

    Exit codes: 0 everything is in the tables; 1 something failed; 3 other runs hold the library or
    some of its batches (named, with who and since when): run it again when they are done.
    """
    if batch_size:
        os.environ["KADR_BATCH_SIZE"] = str(batch_size)
    _ingest(source, every_batch=every_batch, force=force, licensed=licensed)


def _ingest(source: str, **how: bool) -> None:
    from orchestration.commands.ingest import ingest as run
    from orchestration.instance import open_here, prepare

    settings = settled()
    prepare(settings)
    with open_here(settings) as instance:
        done = run(settings, instance, source, say, **how)
    if not (done.batches or done.library or done.left):
        click.echo("nothing to do: every batch is in the tables")
    _show("SELECT status, count() AS videos FROM videos GROUP BY status ORDER BY status", settings)
    click.echo('Ask: kadr sql "SELECT ..."   look: kadr ui   examples: sql/queries/*.sql')
    if done.left:
        click.echo(f"{len(done.left)} batches are left to other runs; run this again after them")
        sys.exit(_LEFT_TO_OTHERS)


@cli.command()
@click.option("--seed", default=0, show_default=True, help="Another seed, another library.")
def demo(seed: int) -> None:
    """Make a small sample library, run everything over it, and answer a few questions.

    The clips are generated, so nothing is downloaded. They lie in KADR_DATA/sample, with what is
    really in them beside (truth/), so every answer can be checked by eye.
    """
    from samples.make import make_library
    from sql import query

    settings = settled()
    folder = make_library(settings.state_dir / "sample", seed=seed, progress=_say_made)
    if not settings.is_remote:
        # Where everybody looks for known people, so that later runs know them too.
        known = Path(settings.data_root, "known_people")
        shutil.copytree(folder / "known_people", known, dirs_exist_ok=True)
    _ingest(str(folder / "catalogue.csv"))
    for name in DEMO_QUERIES:
        text = query(name)
        click.secho(f"\n{text.splitlines()[0].lstrip('- ')}", bold=True)
        click.echo(f"  kadr sql -f sql/queries/{name}.sql")
        _show(text, settings)
    click.echo(f"\nThe clips: {folder / 'clips'}\nThe whole graph: make ui")


@cli.command()
@click.argument("statement", required=False)
@click.option("-f", "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, safe to open.")
@click.option("--raw", "form", flag_value="raw", help="The same for programs: texts as they stand.")
@click.option("--json", "form", flag_value="json", help="An array of objects.")
@click.option("--write", is_flag=True, help="Allow statements that change tables.")
def sql(statement: str | None, path: Path | None, form: str | None, write: bool) -> None:
    """Ask the tables: kadr sql "SELECT ..." or kadr sql -f sql/queries/overview.sql

    The dialect is ClickHouse's. `SHOW TABLES` lists the tables, `DESCRIBE videos` the columns with
    their meaning. Reads only, unless --write is given.
    """
    if (statement is None) == (path is None):
        raise click.UsageError("give a statement or -f FILE, one of them")
    text = statement if path is None else path.read_text(encoding="utf-8")
    _show(str(text), settled(), form or "table", write=write)


@cli.group()
def models() -> None:
    """The models that profiles use."""


@models.command()
@click.option("--profile", "name", help="The profile whose models to fetch (KADR_PROFILE).")
def pull(name: str | None) -> None:
    """Fetch a profile's models ahead, for machines without a network."""
    from assets.stores.resources import Models
    from orchestration.definitions import resources

    if name:
        os.environ["KADR_PROFILE"] = name
    chosen: Models = resources(settled())["models"]
    for model, where in chosen.fetch():
        click.echo(f"{model}: {where}")


for command in (index, doctor, check, search, suggest, evaluate, topics, people, recluster, tags):
    cli.add_command(command)


@cli.command()
@click.option("--port", default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
def ui(port: int, host: str) -> None:
    """Open Dagster's pages (webserver and daemon) on this library. Ctrl-C ends them."""
    from orchestration.instance import prepare

    prepare(settled())
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions"]
    os.execv(sys.executable, [*command, "-h", host, "-p", str(port)])


def _say_made(video_id: str, done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        click.echo(f"sample library: {done} of {total} clips made")


def _show(text: str, settings: Settings, form: str = "table", *, write: bool = False) -> None:
    from assets.stores.clickhouse import ClickHouse
    from orchestration.commands.sql_output import show

    tables = ClickHouse(settings.clickhouse, on_wait=lambda text: click.echo(text, err=True))
    with tables.session("kadr sql", read_only=not write) as client:
        if not write and tables.directory:
            # A query inside the embedded engine does not see KeyboardInterrupt; end it at once.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        show(client, text, form, write=write)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_for_people(error: BaseException) -> bool:
    """Whether an error's message is all a person needs; others keep their trace."""
    from assets.clustering.store import ClusteringDamaged
    from assets.search.engine import NotSearchable
    from assets.search.indexes import WrittenMeanwhile
    from assets.source.errors import SourceError
    from assets.stores.batches import BatchExists
    from assets.stores.clickhouse import ClickHouseError
    from ml.failures import ModelUnavailable, VideoFailure
    from ml.indexes.files import IndexDamaged
    from orchestration.owners import Busy
    from orchestration.runs import RunFailed

    ours = (SourceError, BatchExists, ClickHouseError, ClusteringDamaged, Busy, RunFailed)
    others = (NotSearchable, IndexDamaged, WrittenMeanwhile, ModelUnavailable, VideoFailure)
    return isinstance(error, (*ours, *others, ValueError, OSError))


def _is_busy(error: BaseException) -> bool:
    from orchestration.owners import Busy

    return isinstance(error, Busy)


def main() -> None:
    """Entry point of ``kadr``."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        if not _is_for_people(error):
            raise
        say(f"kadr: {shown(str(error))}", fg="red", err=True)
        sys.exit(_LEFT_TO_OTHERS if _is_busy(error) else 1)
