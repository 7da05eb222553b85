"""What `kadr check` says of a file, and what it says when it can't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from assets.stores.storage import Storage
from ml.schemas import PAIR_COLUMNS
from orchestration.commands.check import as_dict, as_text, check
from tests.unit.copies.checks import BATCH, checked, match


def test_json_has_every_column_of_a_pair() -> None:
    found = json.loads(json.dumps(as_dict(checked(match("v1", licensed=True)), Path("/x/s.jpg"))))
    (one,) = found["matches"]
    assert {column.name for column in PAIR_COLUMNS} <= set(one)
    assert (one["copy_id"], one["original_id"]) == ("clip", "v1")
    assert one["licensed"] is True
    assert one["published_at"] == "2026-01-02T00:00:00+00:00"
    assert (found["verdict"], found["exit_code"]) == ("copy", 10)
    assert found["file"]["duration_s"] == 4.0
    assert found["library"] == {"videos": 12, "batches": 3, "batches_not_searched": []}
    assert found["strip"] == "/x/s.jpg"
    assert found["seconds"]["total"] == 1.25


def test_json_of_a_new_file_has_no_strip() -> None:
    found = as_dict(checked(), None)
    assert (found["verdict"], found["exit_code"], found["matches"]) == ("new", 0, [])
    assert found["strip"] is None


def test_text_says_which_video_and_which_seconds() -> None:
    text = as_text(checked(match("v1", licensed=True)), Path("/x/s.jpg"))
    assert text.startswith("copy: clip against v1\n")
    assert "v1  A title  published 2026-01-02  LICENSED" in text
    assert "0:00-0:04 from 0:10-0:14" in text
    assert "/x/s.jpg" in text
    assert "searched 12 videos; 1.2 s in all" in text


def test_text_says_what_was_not_searched() -> None:
    text = as_text(checked(not_searched=["a", "b"]), None)
    assert "2 of 3 batches are not in the indexes as they are now" in text


def test_text_says_when_there_is_nothing_to_compare() -> None:
    assert "only the very file could be found" in as_text(checked(has_evidence=False), None)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KADR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check, arguments)


def assert_error(result: Result, *words: str) -> None:
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert all(word in line for word in ("kadr: ", *words)), line


def test_without_a_library_the_error_says_how_to_make_one(library: Path) -> None:
    assert_error(run("clip.mp4"), str(library), "kadr ingest")
    assert not library.exists()


def test_a_missing_file_is_an_error(library: Path) -> None:
    Storage(library).put_bytes(b"", f"batches/{BATCH}.parquet")
    assert_error(run("nowhere.mp4", "--json"), "nowhere.mp4", "no such file")


def test_an_address_of_another_kind_is_an_error(library: Path) -> None:
    Storage(library).put_bytes(b"", f"batches/{BATCH}.parquet")
    assert_error(run("ftp://example.org/clip.mp4"), "ftp://example.org/clip.mp4", "cannot be read")


def test_a_setting_that_is_wrong_is_an_error(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_WORKERS", "many")
    assert_error(run("clip.mp4"), "KADR_WORKERS")
