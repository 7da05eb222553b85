"""What is wrong with Dagster's database is one sentence, with the file and the remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.instance import open_here, prepare
from orchestration.records import RecordsError, explained, record_problems
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DAGSTER_HOME", "OMP_THREAD_LIMIT"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    settings = Settings(data=str(tmp_path / "data"))
    prepare(settings)
    return settings


def _opened(settings: Settings, *batches: str) -> None:
    with open_here(settings) as instance:
        instance.add_dynamic_partitions("batches", list(batches))


def test_a_damaged_database_is_named_and_mended(settings: Settings) -> None:
    _opened(settings)
    path = settings.dagster_home / "history" / "runs.db"
    path.write_bytes(b"garbage")
    with pytest.raises(RecordsError, match=r"kadr doctor --mend") as raised:
        _opened(settings)
    assert str(path) in str(raised.value)
    (problem,) = record_problems(settings.dagster_home)
    assert problem.where == str(path)
    assert problem.mend
    problem.mend()
    assert path.with_name("runs.db.damaged-1").read_bytes() == b"garbage"
    _opened(settings)
    assert list(record_problems(settings.dagster_home)) == []


def _database(home: Path, name: str = "history/runs/index.db") -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE events (event TEXT)")
        connection.executemany("INSERT INTO events VALUES (?)", [("x" * 500,)] * 100)
        connection.commit()
    return path


@pytest.mark.parametrize("left_bytes", [10, 5000, -5000])
def test_a_truncated_database_is_found(tmp_path: Path, left_bytes: int) -> None:
    path = _database(tmp_path)
    assert list(record_problems(tmp_path)) == []
    os.truncate(path, left_bytes % path.stat().st_size)
    assert [problem.where for problem in record_problems(tmp_path)] == [str(path)]


def test_runs_and_their_events_are_set_aside_together(tmp_path: Path) -> None:
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        _database(tmp_path, name)
    os.truncate(tmp_path / "history" / "runs.db", 5000)
    (problem,) = record_problems(tmp_path)
    assert problem.mend
    problem.mend()
    assert {path.name for path in tmp_path.rglob("*.db")} == {"schedules.db"}


def test_a_locked_database_is_said_to_be_locked(tmp_path: Path) -> None:
    path = _database(tmp_path)
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, 0)) as ours:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as raised:
            ours.execute("DELETE FROM events")
    assert "is locked by another program" in str(explained(raised.value, tmp_path))


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    path = _database(tmp_path)
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ours,
        pytest.raises(sqlite3.OperationalError) as raised,
    ):
        ours.execute("DELETE FROM events")
    said = str(explained(raised.value, tmp_path))
    assert said.startswith(f"{tmp_path} can't be written to")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("NOT TESTED on a full disk: no right to mount a small one here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_to_be_full(tiny_disk: Path) -> None:
    settings = Settings(data=str(tiny_disk))
    prepare(settings)
    _opened(settings)
    with (tiny_disk / "film").open("wb") as film, pytest.raises(OSError, match="No space"):
        film.write(bytes(4 << 20))
    with pytest.raises(RecordsError, match=r"no space is left for .* \(0 MB free\)"):
        _opened(settings, *(f"2026-11-20-{number:05}" for number in range(20_000)))
