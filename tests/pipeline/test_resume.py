"""Done work is not done again, and a process killed at any point costs nothing but its own step."""

from __future__ import annotations

import signal
from datetime import date
from pathlib import Path

import pytest

from tests.pipeline.conftest import OFF, Kadr

# What steps say when they begin to work: all of a batch, and three of the library, whose steps run
# side by side.
STEPS = (
    "decode: ",
    "asr: ",
    "ocr: ",
    "visual: ",
    "text: ",
    "faces: ",
    "persons: ",
    "copy_descriptors: ",
    "audio_fingerprints: ",
    "duplicate_pairs: ",
    "tables: ",
    "video_index: ",
    "topics: ",
    "tags: ",
)
# On a few clips these take milliseconds: the kill that was meant for one may find it done, and
# the next run then has nothing to say of it.
MAY_BE_DONE = {"persons: ", "video_index: ", "topics: ", "tags: "}


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


@pytest.mark.timeout(1800)  # a dozen runs, each up to the step where it is killed
def test_killed_in_step_after_step_gives_the_same_tables(
    finished: Kadr, sample: Path, tmp_path: Path
) -> None:
    kadr, source = Kadr(tmp_path / "killed"), str(sample / "catalogue.csv")
    ended = {s: kadr.interrupt(("ingest", source), s, signal.SIGKILL) for s in STEPS}
    survived = {step for step, code in ended.items() if code != -signal.SIGKILL}
    assert survived <= MAY_BE_DONE, ended
    kadr.run("ingest", source)
    ours, theirs = kadr.tables(), finished.tables()
    assert ours.keys() == theirs.keys()
    for table, rows in theirs.items():
        assert _without_batch(ours[table]) == _without_batch(rows), table


def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(sample: Path, tmp_path: Path) -> None:
    kadr, source = Kadr(tmp_path / "interrupted", OFF), str(sample / "clips" / "space-01.mp4")
    assert kadr.interrupt(("ingest", source), "decode: ", signal.SIGINT) == 130
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
