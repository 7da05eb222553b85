"""Done work is not done again, and a process killed at any point costs nothing but its own step."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from datetime import date
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.pipeline.conftest import OFF, Kadr, container

# Steps that are killed together, each when it says that it begins to work, and how many may run at
# a time meanwhile: all of a batch, and most of the library.
KILLS = (
    (("decode",), 2),
    (("asr", "ocr", "visual", "faces", "copy_descriptors", "audio_fingerprints"), 8),
    (("duplicate_pairs",), 2),
    (("text", "persons"), 2),
    (("tables",), 2),
    (("keywords", "people", "tag_model", "video_index", "topics"), 8),
    (("tags",), 2),
)
# On a few clips these take milliseconds: the kill that was meant for one may find it done, and
# the next run then has nothing to say of it.
MAY_BE_DONE = {"persons", "keywords", "people", "tag_model", "video_index", "topics", "tags"}
# Made of the taxonomy alone, a quarter of a minute: they are there after a library's first night.
VECTORS_OF_TAGS = Path("indexes", "tags", "vectors.npz")


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.read_bytes()) for p in paths}


def test_a_finished_batch_runs_no_model_and_changes_no_byte(finished: Kadr, sample: Path) -> None:
    kept = ("batches", "datasets", "indexes")
    tables, before = finished.tables(), {k: _files(finished.data / k) for k in kept}
    again = finished.run("ingest", str(sample / "catalogue.csv"), "--all")
    assert "videos to do" not in again.stderr
    assert {k: _files(finished.data / k) for k in kept} == before
    assert finished.tables() == tables


def test_nothing_new_runs_nothing(finished: Kadr, sample: Path) -> None:
    done = finished.run("ingest", str(sample / "catalogue.csv"))
    assert "nothing to do" in done.stdout


@pytest.mark.timeout(1800)  # eight runs, each up to the steps that are killed
def test_killed_in_step_after_step_gives_the_same_tables(
    finished: Kadr, sample: Path, new_kadr: Callable[[str], Kadr]
) -> None:
    kadr, source = new_kadr("killed"), str(sample / "catalogue.csv")
    (kadr.data / VECTORS_OF_TAGS).parent.mkdir(parents=True)
    shutil.copy(finished.data / VECTORS_OF_TAGS, kadr.data / VECTORS_OF_TAGS)
    # The first is killed in a container, and found dead from outside of it.
    for (steps, at_once), inside in zip_longest(KILLS, [container()], fillvalue=()):
        survived = _killed(kadr, source, steps, at_once, inside)
        assert survived <= MAY_BE_DONE, (steps, survived)
    kadr.run("ingest", source)
    ours, theirs = kadr.tables(), finished.tables()
    assert ours.keys() == theirs.keys()
    for table, rows in theirs.items():
        assert _without_batch(ours[table]) == _without_batch(rows), table


def _killed(
    kadr: Kadr, source: str, steps: tuple[str, ...], at_once: int, inside: tuple[str, ...]
) -> set[str]:
    """Kill an ingestion when each step has begun; the steps that were done by then."""
    markers = [f"{step}: " for step in steps]
    how = {"KADR_STEPS_AT_ONCE": str(at_once)}
    code = kadr.interrupt(("ingest", source), markers, signal.SIGKILL, inside, **how)
    if code != -signal.SIGKILL:
        return set(steps)
    published = {path.parent.name for path in kadr.data.glob("datasets/*/*.parquet")}
    return published & {"videos" if step == "decode" else step for step in steps}


def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(sample: Path, tmp_path: Path) -> None:
    kadr, source = Kadr(tmp_path / "interrupted", OFF), str(sample / "clips" / "space-01.mp4")
    assert kadr.interrupt(("ingest", source), ["decode: "], signal.SIGINT) == 130
    kadr.run("ingest", source)
    assert kadr.query("SELECT count() FROM videos WHERE status = 'ok'") == [(1,)]


def _without_batch(rows: list[tuple[object, ...]]) -> list[str]:
    """Rows as text, without days: the two may fall on both sides of midnight."""
    return sorted(repr([v for v in row if not _is_day(v)]) for row in rows)


def _is_day(value: object) -> bool:
    """Of a batch's name, or of an evaluation."""
    if type(value) is date:
        return True
    return isinstance(value, str) and len(value) == 14 and value.endswith("-001")
