"""``kadr evaluate copies``: what the tables say about copies against what is known."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ml.copies.evaluate import Evaluation, FoundPair, Pair

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SEGMENTS = ("copy_starts_s", "copy_ends_s", "original_starts_s", "original_ends_s")
_FOUND_COLUMNS = ("copy_id", "original_id", "verdict", "score", *_SEGMENTS)
_SHARED_PICTURES = "shared_pictures.csv"


@click.group()
def evaluate() -> None:
    """How good the tables are, against what is known of the videos."""


@evaluate.command()
@click.option("--truth", type=_FILE, required=True, help="The known pairs, one stretch per row.")
@click.option("--queries", type=_FILE, help="The kind of every video, also of those without pairs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def copies(truth: Path, queries: Path | None, as_json: bool) -> None:
    """Compare the table duplicate_pairs with known pairs.

    The truth is a CSV with columns copy_id, original_id, kind, copy_start_s, copy_end_s,
    original_start_s, original_end_s, expected_verdict; the sample library's is truth/pairs.csv.
    A file shared_pictures.csv beside it (video_a, video_b) names pairs that are not counted. With
    --queries (video_id, kind) false alarms are counted by kind, and pairs with a video that is in
    neither file are left out; without it every pair of the tables counts.
    """
    from ml.copies.evaluate import as_dict, as_text

    result = _evaluated(truth, queries)
    click.echo(json.dumps(as_dict(result), indent=1) if as_json else as_text(result))


def _evaluated(truth: Path, queries: Path | None) -> Evaluation:
    from ml.copies.evaluate import TRUTH_COLUMNS, evaluate, known_pairs

    rows = _rows(truth, TRUTH_COLUMNS)
    try:
        known = known_pairs(rows)
    except ValueError as error:
        raise ValueError(f"{truth}: {error}") from None
    kinds = None
    if queries is not None:
        kinds = {row["video_id"]: row["kind"] for row in _rows(queries, ("video_id", "kind"))}
    found, videos = _tables()
    asked = {video for one in known for video in (one.copy_id, one.original_id)}
    _check_there(asked | set(kinds or {}), videos, queries or truth)
    return evaluate(known, found, kinds, _ignored(truth))


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in columns if name not in (reader.fieldnames or ())]
            if lacking:
                raise ValueError(f"{path}: no column {lacking[0]}; needed: {', '.join(columns)}")
            return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}") from None


def _ignored(truth: Path) -> set[Pair]:
    """Pairs of the file beside the truth; none without it."""
    path = truth.parent / _SHARED_PICTURES
    if not path.is_file():
        return set()
    columns = ("video_a", "video_b")
    return {(row[columns[0]], row[columns[1]]) for row in _rows(path, columns)}


def _tables() -> tuple[list[FoundPair], set[str]]:
    """The found pairs and the ids of all videos in the tables."""
    from assets.clickhouse import ClickHouse, explained
    from ml.copies.evaluate import found_pairs
    from orchestration.settings import from_environment

    tables = ClickHouse(
        from_environment().clickhouse, on_wait=lambda text: click.echo(text, err=True)
    )
    with tables.session("kadr evaluate", read_only=True) as client, explained():
        pairs = client.query(f"SELECT {', '.join(_FOUND_COLUMNS)} FROM duplicate_pairs")
        videos = client.query("SELECT video_id FROM videos")
        rows: list[dict[str, Any]] = list(pairs.named_results())
        return found_pairs(rows), {str(row[0]) for row in videos.result_rows}


def _check_there(asked: Collection[str], videos: Collection[str], path: Path) -> None:
    absent = sorted(set(asked) - set(videos))
    if absent:
        raise ValueError(
            f"{path} names {len(absent)} of {len(set(asked))} videos that are not in the tables, "
            f"such as {absent[0]}: ingest them first, or choose their library with --data"
        )
