"""``kadr evaluate copies|people|topics``: what the tables say against what is known."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ml.copies.evaluate import Evaluation
    from ml.copies.pair_rows import FoundPair, Pair
    from ml.people.evaluate import Appearance

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SEGMENTS = ("copy_starts_s", "copy_ends_s", "original_starts_s", "original_ends_s")
_FOUND_COLUMNS = ("copy_id", "original_id", "verdict", "score", *_SEGMENTS)
_SHARED_PICTURES = "shared_pictures.csv"
# A theme that is none.
_NO_THEME = ("", "other")


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
    from ml.copies.evaluation_report import as_dict, as_text

    result = _evaluated(truth, queries)
    click.echo(json.dumps(as_dict(result), indent=1) if as_json else as_text(result))


@evaluate.command()
@click.option("--truth", type=_FILE, required=True, help="Who appears where, a row per appearance.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def people(truth: Path, as_json: bool) -> None:
    """Compare the table video_people with who is known to appear.

    The truth is a CSV with columns video_id, person and, where they are known, start_s, end_s; a
    video that shows nobody has a row without a person. Videos that are not in it do not count. The
    sample library's is truth/people.csv.
    """
    from ml.people.evaluate import as_dict, as_text, evaluate

    known = [_appearance(row, truth) for row in _rows(truth, ("video_id", "person"))]
    _check_there({one.video_id for one in known}, _videos(), truth)
    rows = _query("SELECT video_id, person_id, starts_s, ends_s FROM video_people")
    names = {
        str(person_id): name for person_id, name in _query("SELECT person_id, name FROM people")
    }
    result = evaluate([_found_appearance(*row) for row in rows], known, names)
    click.echo(json.dumps(as_dict(result), indent=1) if as_json else as_text(result))


@evaluate.command()
@click.option("--truth", type=_FILE, required=True, help="The theme of every video.")
def topics(truth: Path) -> None:
    """Compare the table video_topics with known themes: the adjusted Rand index.

    The truth is a CSV with columns video_id and theme, empty or "other" for a video without one.
    Videos that are not in it do not count. The sample library's is truth/labels.csv.
    """
    from ml.topics.evaluate import agreement

    theme_of = {row["video_id"]: row["theme"] for row in _rows(truth, ("video_id", "theme"))}
    _check_there(theme_of, _videos(), truth)
    rows = [
        row for row in _query("SELECT video_id, topic_id FROM video_topics") if row[0] in theme_of
    ]
    themes = ["" if theme_of[video] in _NO_THEME else theme_of[video] for video, _ in rows]
    found = [topic for _, topic in rows]
    click.echo(
        f"adjusted Rand index {agreement(found, themes):.3f}: {len(rows)} videos, "
        f"{len(set(themes) - {''})} themes, {len(set(found) - {-1})} topics, "
        f"{found.count(-1)} videos without a topic"
    )


def _appearance(row: dict[str, str], truth: Path) -> Appearance:
    from ml.people.evaluate import Appearance

    start, end = row.get("start_s") or "", row.get("end_s") or ""
    try:
        spans = ((float(start),), (float(end),)) if start or end else ((), ())
    except ValueError:
        raise ValueError(
            f"{truth}: {row['video_id']}: start_s and end_s are seconds, both or neither, "
            f"not {start!r} and {end!r}"
        ) from None
    return Appearance(row["video_id"], row["person"], *spans)


def _found_appearance(
    video_id: str, person_id: int, starts_s: Sequence[float], ends_s: Sequence[float]
) -> Appearance:
    from ml.people.evaluate import Appearance

    return Appearance(video_id, "" if person_id < 0 else str(person_id), starts_s, ends_s)


def _evaluated(truth: Path, queries: Path | None) -> Evaluation:
    from ml.copies.evaluate import evaluate
    from ml.copies.pair_rows import TRUTH_COLUMNS, known_pairs

    rows = _rows(truth, TRUTH_COLUMNS)
    try:
        known = known_pairs(rows)
    except ValueError as error:
        raise ValueError(f"{truth}: {error}") from None
    kinds = None
    if queries is not None:
        kinds = {row["video_id"]: row["kind"] for row in _rows(queries, ("video_id", "kind"))}
    found, videos = _found_pairs(), _videos()
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


def _found_pairs() -> list[FoundPair]:
    from ml.copies.pair_rows import found_pairs

    rows = _query(f"SELECT {', '.join(_FOUND_COLUMNS)} FROM duplicate_pairs")
    return found_pairs([dict(zip(_FOUND_COLUMNS, row, strict=True)) for row in rows])


def _videos() -> set[str]:
    return {str(row[0]) for row in _query("SELECT video_id FROM videos")}


def _query(text: str) -> list[Sequence[Any]]:
    from assets.stores.clickhouse import ClickHouse, explained
    from orchestration.settings import from_environment

    tables = ClickHouse(
        from_environment().clickhouse, on_wait=lambda text: click.echo(text, err=True)
    )
    with tables.session("kadr evaluate", read_only=True) as client, explained():
        return list(client.query(text).result_rows)


def _check_there(asked: Collection[str], videos: Collection[str], path: Path) -> None:
    absent = sorted(set(asked) - set(videos))
    if absent:
        raise ValueError(
            f"{path} names {len(absent)} of {len(set(asked))} videos that are not in the tables, "
            f"such as {absent[0]}: ingest them first, or choose their library with --data"
        )
