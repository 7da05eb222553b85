"""What `kadr check` says of a file, and what it says when it can't; strips for Dagster's pages."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from assets.copies.check import (
    EXIT_CODES,
    Checked,
    Match,
    NotSearchable,
    by_strength,
    name_of,
    opened_indexes,
    uri_of,
    verdict_on,
)
from assets.copies.strips import pair_strips
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.storage import Storage
from ml.copies.picture_index import update_picture_index
from ml.copies.sound_index import update_sound_index
from ml.copies.verdicts import Verdict
from ml.indexes.files import IndexDamaged
from ml.media.extract import Extracted
from ml.media.rows import encode_jpeg
from ml.schemas import FRAMES, PAIR_COLUMNS
from orchestration.commands.check import as_dict, as_text, check
from tests.unit.media.clips import scene
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]

BATCH = "2026-11-20-001"
VERDICT = Verdict(
    verdict="duplicate",
    score=0.9,
    visual_score=0.9,
    audio_score=0.0,
    sound="missing",
    copy_share=1.0,
    original_share=0.5,
    mirrored=False,
    rotated_deg=0,
    speed=1.0,
    copy_starts_s=[0.0],
    copy_ends_s=[4.0],
    original_starts_s=[10.0],
    original_ends_s=[14.0],
    reason="100% of it shows the original: 0:00-0:04 from 0:10-0:14",
)
MEDIA = Extracted(
    content_hash="0f",
    source_bytes=1000,
    container="mp4",
    video_codec="h264",
    audio_codec="",
    pixel_format="yuv420p",
    width=320,
    height=180,
    rotation_deg=0,
    fps=25.0,
    duration_s=4.0,
    has_audio=False,
    frame_count=100,
    kept_frame_count=4,
    plain_1fps_frame_count=4,
    decoder="pyav",
    decode_s=0.1,
    warning="",
)


def match(video_id: str, verdict: str = "duplicate", score: float = 0.9, **more: object) -> Match:
    given = Match(
        video_id,
        BATCH,
        "A title",
        f"/videos/{video_id}.mp4",
        datetime(2026, 1, 2, tzinfo=UTC),
        licensed=False,
        is_same_file=False,
        verdict=replace(VERDICT, verdict=verdict, score=score),
    )
    return replace(given, **more)  # type: ignore[arg-type]


def checked(*matches: Match, **more: object) -> Checked:
    given = Checked(
        "/tmp/clip.mp4",
        MEDIA,
        list(matches),
        video_count=12,
        batch_count=3,
        not_searched=[],
        has_evidence=True,
        strip=b"jpeg" if matches else None,
        seconds={"decode": 0.5, "total": 1.25},
    )
    return replace(given, **more)  # type: ignore[arg-type]


# The verdict --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "verdict", "code"),
    [
        ([], "new", 0),
        (["partial"], "copy", 10),
        (["hard_same_video_other_audio", "duplicate"], "copy", 10),
        (["hard_other_video_same_audio"], "hard case", 11),
        (["hard_same_video_other_audio", "hard_other_video_same_audio"], "hard case", 11),
    ],
)
def test_the_strongest_pair_decides(pairs: list[str], verdict: str, code: int) -> None:
    assert verdict_on(pairs) == verdict
    assert EXIT_CODES[verdict] == code


def test_copies_come_before_hard_cases_and_the_surest_first() -> None:
    given = [
        match("hard", "hard_same_video_other_audio", 0.99),
        match("weak", "partial", 0.6),
        match("sure", "partial", 0.95),
    ]
    assert [m.video_id for m in by_strength(given)] == ["sure", "weak", "hard"]


def test_of_equally_sure_copies_the_earliest_is_the_original() -> None:
    later = match("a", score=0.951, published_at=datetime(2026, 5, 1, tzinfo=UTC))
    undated = match("b", score=0.952, published_at=None)
    earlier = match("c", score=0.949)
    assert [m.video_id for m in by_strength([later, undated, earlier])] == ["c", "a", "b"]


def test_the_same_file_comes_first() -> None:
    same = match("z", score=1.0, is_same_file=True, published_at=None)
    assert by_strength([match("a", score=1.0), same])[0] is same


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("a folder/clip.one.mp4", "clip.one"),
        ("https://example.org/v/clip%20two.mp4?key=1", "clip two"),
        ("s3://bucket/clip.mkv", "clip"),
        ("https://example.org", "example"),
    ],
)
def test_a_file_is_called_by_its_name(typed: str, name: str) -> None:
    assert name_of(uri_of(typed)) == name


# What is printed ----------------------------------------------------------------------------------


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


# Errors -------------------------------------------------------------------------------------------


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


# Indexes ------------------------------------------------------------------------------------------


def make_indexes(root: Path) -> None:
    update_picture_index(root / "indexes/copies_pictures", {BATCH: "f"}, lambda _: iter(()))
    update_sound_index(root / "indexes/copies_sound", {BATCH: "f"}, lambda _: iter(()))


def test_a_library_without_indexes_cannot_be_searched(tmp_path: Path) -> None:
    with pytest.raises(NotSearchable, match="no index of copies"):
        opened_indexes(Storage(tmp_path), tmp_path)


def test_indexes_are_opened_where_they_lie(tmp_path: Path) -> None:
    make_indexes(tmp_path)
    indexes, inside = opened_indexes(Storage(tmp_path), tmp_path / "copy")
    assert (indexes.pictures.video_count, indexes.sound.video_count) == (0, 0)
    assert inside == {BATCH: "f"}
    assert not (tmp_path / "copy").exists()


def test_indexes_in_an_object_store_are_brought_here(s3_bucket: Bucket, tmp_path: Path) -> None:
    make_indexes(tmp_path)
    for path in (tmp_path / "indexes").rglob("*.*"):
        s3_bucket.put(f"lib/{path.relative_to(tmp_path)}", path.read_bytes())
    storage = Storage(f"{s3_bucket.url}/lib", s3_bucket.options)
    assert opened_indexes(storage, tmp_path)[1] == {BATCH: "f"}


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    make_indexes(tmp_path)
    (tmp_path / "indexes/copies_sound/manifest.json").write_text("{", "utf-8")
    with pytest.raises(IndexDamaged, match="copies_sound"):
        opened_indexes(Storage(tmp_path), tmp_path)


# Strips -------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    """Four frames of the videos v0, v1 and v2."""
    store = DatasetStore(Storage(tmp_path / "library"), tmp_path / "scratch")
    rows = [
        {
            "video_id": f"v{video}",
            "frame_no": n,
            "start_s": float(n),
            "duration_s": 1.0,
            "is_shot_start": n == 0,
            "width": 768,
            "height": 432,
            "jpeg": encode_jpeg(scene(10 * video + n, (768, 432)), 85),
        }
        for video in range(3)
        for n in range(4)
    ]
    with store.replace(FRAMES, BATCH) as new:
        new.write(pa.RecordBatch.from_pylist(rows, FRAMES.schema))
        new.publish(Ledger("m", {}))
    return store


def pairs(*rows: tuple[str, str, str, float]) -> pa.Table:
    times = {f"{side}_{end}s_s": [0.0 if end == "start" else 4.0] for side, end in _TIMES}
    given = [
        {**match(original, verdict, score).row(copy), **times}
        for copy, original, verdict, score in rows
    ]
    return pa.Table.from_pylist(given, pa.schema(PAIR_COLUMNS))


_TIMES = [(side, end) for side in ("copy", "original") for end in ("start", "end")]
_PICTURE = re.compile(r"!\[(.*?)\]\(data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)")
_WHERE = dict.fromkeys(("v0", "v1", "v2"), BATCH)


def test_the_verdicts_strongest_pairs_come_in_turn(store: DatasetStore) -> None:
    found = pairs(
        ("v1", "v0", "duplicate", 0.8),
        ("v2", "v0", "duplicate", 0.9),
        ("v2", "v1", "hard_same_video_other_audio", 0.5),
    )
    names = [name for name, _ in _PICTURE.findall(pair_strips(store, found, _WHERE, 2))]
    assert names == ["v2 of v0", "v2 of v1"]


def test_strips_in_pages_are_small_pictures(store: DatasetStore) -> None:
    text = pair_strips(store, pairs(("v1", "v0", "duplicate", 0.8)), _WHERE)
    ((_, code),) = _PICTURE.findall(text)
    file = base64.b64decode(code)
    picture = Image.open(io.BytesIO(file))
    assert picture.format == "JPEG"
    assert len(file) <= 40_000
    assert picture.width == 4 * 154 + 4
    assert np.asarray(picture).std() > 20


def test_what_people_wrote_does_not_become_markdown(store: DatasetStore) -> None:
    found = pairs(("v1", "v0", "duplicate", 0.8)).to_pylist()
    found[0]["reason"] = "![x](http://example.org/x.png)\n# <b>bold</b>"
    table = pa.Table.from_pylist(found, pa.schema(PAIR_COLUMNS))
    head, _, _ = pair_strips(store, table, _WHERE).partition("\n")
    assert head.endswith(r"\!\[x\]\(http://example.org/x.png\) \# \<b\>bold\</b\>")


def test_pairs_whose_frames_are_gone_are_passed_over(store: DatasetStore) -> None:
    found = pairs(("v1", "away", "duplicate", 0.9), ("v1", "v0", "duplicate", 0.8))
    where = {**_WHERE, "away": BATCH}
    assert [n for n, _ in _PICTURE.findall(pair_strips(store, found, where))] == ["v1 of v0"]
    assert pair_strips(store, found, {}) == "no pairs"
