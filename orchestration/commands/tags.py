"""``kadr tags``: what videos are filed under, and how well that can be learnt from labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.screen import say
from orchestration.settings import settled

if TYPE_CHECKING:
    from ml.tags.evaluate import TagEvaluation
    from ml.tags.examples import TagExamples
    from ml.taxonomy import Taxonomy

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TEXTS = ("title", "description")
# Columns that say who published a video: series are looked for within one publisher.
_PUBLISHERS = ("publisher", "channel", "author")
_SHOWN_PROBLEMS, _SHOWN_LETTERS = 10, 300
# Kind of folds, and whether series stay together in them.
_SPLITS = {"random": False, "grouped": True}


@click.group(invoke_without_command=True)
@click.pass_context
def tags(context: click.Context) -> None:
    """What videos are filed under; without a command lists the tags."""
    if context.invoked_subcommand is None:
        from assets.stores.clickhouse import ClickHouse
        from orchestration.commands.sql_output import show
        from sql import query

        with ClickHouse(settled().clickhouse).session("kadr tags", read_only=True) as client:
            show(client, query("tags"), "table", write=False)


@tags.command()
@click.option("--catalogue", type=_FILE, required=True, help="CSV or Parquet: title, tags, ...")
@click.option("--taxonomy", type=_FILE, help="CSV of the tags; by default Kadr's own.")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(catalogue: Path, taxonomy: Path | None, folds: int, seed: int, as_json: bool) -> None:
    """How well tags can be learnt from a catalogue's own, by cross-validation; no video is needed.

    The catalogue has the columns title, description and tags (`A: B: C, D: E`), and may say in a
    column publisher, channel or author who published a video. Folds are random, and grouped, so
    that episodes of a series stay together.
    """
    from ml.tags.examples import read_labels
    from ml.taxonomy import default_taxonomy, load_taxonomy

    tree = load_taxonomy(taxonomy) if taxonomy else default_taxonomy()
    rows = _rows(catalogue)
    labels, problems = read_labels([str(row.get("tags") or "") for row in rows], tree)
    _tell([*tree.problems, *problems])
    examples = _examples(rows, labels)
    found = _cross_validated(examples, tree, folds, seed)
    if as_json:
        click.echo(json.dumps({name: of.as_dict() for name, of in found.items()}, indent=1))
    else:
        click.echo("\n\n".join(of.as_text() for of in found.values()))


def _cross_validated(
    examples: TagExamples, tree: Taxonomy, folds: int, seed: int
) -> dict[str, TagEvaluation]:
    """By kind of folds, side by side: they share nothing, and each uses one core.

    Raises:
        TagError: neither kind can be made; where one can, the other's reason is said.
    """
    from ml.tags.evaluate import evaluate as cross_validate
    from ml.tags.tree import TagError

    with ProcessPoolExecutor(len(_SPLITS), get_context("spawn")) as pool:
        running = {
            name: pool.submit(cross_validate, examples, tree, folds, seed, grouped)
            for name, grouped in _SPLITS.items()
        }
    reasons = {name: of.exception() for name, of in running.items()}
    for name, reason in reasons.items():
        if reason is not None and (not isinstance(reason, TagError) or all(reasons.values())):
            raise reason
        if reason is not None:
            click.echo(f"{name} folds: {reason}", err=True)
    return {name: of.result() for name, of in running.items() if reasons[name] is None}


def _examples(rows: Sequence[dict[str, Any]], labels: Sequence[frozenset[int]]) -> TagExamples:
    from ml.tags.examples import TagExamples

    publisher = next((name for name in _PUBLISHERS if name in rows[0]), "")
    texts = {c: [str(row.get(c) or "") for row in rows] for c in _TEXTS if c in rows[0]}
    return TagExamples(
        [str(number) for number in range(len(rows))],
        texts,
        labels=labels,
        publishers=[str(row.get(publisher) or "") for row in rows] if publisher else (),
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The catalogue's rows.

    Raises:
        ValueError: it is no table, has no rows, or lacks a column.
    """
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    if not rows:
        raise ValueError(f"{path} has no rows")
    lacking = [name for name in ("title", "tags") if name not in rows[0]]
    if lacking:
        there = ", ".join(map(str, rows[0]))
        raise ValueError(f"{path}: no column {lacking[0]}; there are: {there}")
    return rows


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is no Parquet file: {error}") from None


def _csv(path: Path) -> list[dict[str, Any]]:
    """Rows with commas, semicolons or tabs between; headings in any case."""
    csv.field_size_limit(1 << 24)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            lines = csv.reader(file, delimiter=delimiter)
            names = [name.strip().casefold() for name in next(lines, [])]
            return [dict(zip_longest(names, line[: len(names)])) for line in lines if any(line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}") from None


def _tell(problems: Sequence[str]) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        say(problem[:_SHOWN_LETTERS], err=True)
    if len(problems) > _SHOWN_PROBLEMS:
        click.echo(f"and {len(problems) - _SHOWN_PROBLEMS} more of the kind", err=True)
