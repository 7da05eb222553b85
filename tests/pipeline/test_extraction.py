"""One decode of a batch: what a bad file costs, what a re-run does, where the data may lie."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from assets.media.extraction import Extraction, Task, decoded, extract_one
from assets.source.cutting import ingest
from assets.source.listing import knows_later_news
from assets.stores.datasets import Ledger
from assets.stores.resources import Library
from ml.failures import PermanentFailure, RetryableFailure
from ml.media.extract import ExtractOptions
from ml.schemas import FRAMES, VIDEOS
from ml.workers import Outcome
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.pipeline.conftest import FEW_TAGS
from tests.unit.media.clips import moving_box, tone, write_clip
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]
DAY = date(2026, 11, 20)
# The second of the four pauses between attempts would already be 2 s.
TRIED_TWICE = {"max_retries": "1"}


class _Count:
    """Counts what was decoded."""

    def __init__(self) -> None:
        self.videos = 0

    def step(self, videos: int = 1) -> None:
        self.videos += videos


@pytest.fixture
def library(tmp_path: Path) -> Library:
    root, state = str(tmp_path / "data"), str(tmp_path / "state")
    return Library(root=root, state=state, storage_options=TRIED_TWICE)


@pytest.fixture(scope="module")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for i in range(3):
        _clip(folder / f"{i}.mp4", frames=20 + 5 * i)
    return folder


@pytest.fixture
def clips(made_clips: Path, tmp_path: Path) -> Path:
    """Copies, so that a test may change them."""
    return shutil.copytree(made_clips, tmp_path / "clips")


def _clip(path: Path, frames: int) -> None:
    write_clip(path, moving_box, frames=frames, sound=tone(frames / 10))


def _run(library: Library, batch: str, *, force: bool = False, workers: int = 1) -> int:
    """Bring the batch up to date; how many videos were decoded."""
    count, registry = _Count(), library.batches
    step = Extraction(
        library.datasets,
        registry.read(batch),
        registry.superseded(batch),
        ExtractOptions(),
        force=force,
        licences=registry.licences(batch),
    )
    if not step.is_current:
        with decoded(step, library, workers=workers) as outcomes:
            step.write(outcomes, count)  # type: ignore[arg-type]
    return count.videos


def _cut(library: Library, source: Path | str) -> tuple[str, ...]:
    return ingest(str(source), library.batches, DAY, 100).batches


def _videos(library: Library, batch: str) -> dict[str, dict[str, Any]]:
    rows = library.datasets.table(VIDEOS, batch).to_pylist()
    return {Path(row["uri"]).name: row for row in rows}


def test_each_bad_file_costs_one_row_with_a_reason(library: Library, clips: Path) -> None:
    (clips / "empty.mp4").touch()
    (clips / "text.mp4").write_text("not a video")
    (clips / "folder.mp4").mkdir()
    (clips / "dangling.mp4").symlink_to("nowhere")
    (clips / "cut.mp4").write_bytes((clips / "0.mp4").read_bytes()[:2000])
    shutil.copy(clips / "0.mp4", clips / 'it\'s a "copy"\nс переносом; rm -rf $HOME.mp4')
    (batch,) = _cut(library, clips)
    _run(library, batch, workers=2)
    rows = _videos(library, batch)
    failed = {name: row["error"] for name, row in rows.items() if row["status"] == "failed"}
    assert set(failed) == {"empty.mp4", "text.mp4", "folder.mp4", "dangling.mp4", "cut.mp4"}
    assert all(failed.values())
    assert sum(row["status"] == "ok" for row in rows.values()) == 4


def test_addresses_that_do_not_answer_cost_one_row(library: Library, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.csv"
    catalogue.write_text("video_id,uri\ngone,http://127.0.0.1:9/gone.mp4\n", encoding="utf-8")
    (batch,) = _cut(library, catalogue)
    _run(library, batch)
    (row,) = library.datasets.table(VIDEOS, batch).to_pylist()
    assert (row["status"], row["failure_kind"]) == ("failed", "retryable")


def test_only_what_may_pass_is_tried_again(library: Library, clips: Path, tmp_path: Path) -> None:
    (clips / "text.mp4").write_text("not a video")
    catalogue = tmp_path / "catalogue.csv"
    lines = [f"{path.name},{path}" for path in sorted(clips.iterdir())]
    lines.append("gone,http://127.0.0.1:9/gone.mp4")
    catalogue.write_text("\n".join(["video_id,uri", *lines]), encoding="utf-8")
    (batch,) = _cut(library, catalogue)
    assert _run(library, batch) == 5
    assert _run(library, batch) == 1


def test_a_source_that_was_away_is_decoded_when_it_is_back(library: Library, clips: Path) -> None:
    (batch,) = _cut(library, clips)
    away = clips.rename(clips.with_name("unmounted"))
    _run(library, batch)
    assert {r["failure_kind"] for r in _videos(library, batch).values()} == {"retryable"}
    away.rename(clips)
    _run(library, batch)
    assert {r["status"] for r in _videos(library, batch).values()} == {"ok"}


def test_a_file_deleted_after_listing_is_gone_for_good(library: Library, clips: Path) -> None:
    (batch,) = _cut(library, clips)
    (clips / "1.mp4").unlink()
    (video,) = (v for v in library.batches.read(batch).videos if v.uri.endswith("1.mp4"))
    with pytest.raises(PermanentFailure, match="deleted or moved after it was listed"):
        extract_one(Task(video, str(clips / "spool"), ExtractOptions(), {}, ""))


def test_what_fails_alike_in_three_nights_is_given_up_but_not_in_one(
    library: Library, tmp_path: Path
) -> None:
    catalogue = tmp_path / "catalogue.csv"
    catalogue.write_text("video_id,uri\nvideo,http://127.0.0.1:9/a.mp4\n", encoding="utf-8")
    (batch,) = _cut(library, catalogue)

    def failed_at(hour: float, *, force: bool = False) -> tuple[str, str]:
        """The row after an attempt in vain so many hours after the first."""
        step = Extraction(
            library.datasets,
            library.batches.read(batch),
            {},
            ExtractOptions(),
            force=force,
            clock=lambda: 3600 * (500_000 + hour),
        )
        tasks = [Task(v, str(tmp_path / "spool"), step.options, {}, "") for v in step.todo]
        away = RetryableFailure("the server is away")
        step.write(iter([Outcome(task, None, away, 0.0) for task in tasks]), _Count())  # type: ignore[arg-type]
        (row,) = library.datasets.table(VIDEOS, batch).to_pylist()
        return row["failure_kind"], row["error"]

    assert [failed_at(hour)[0] for hour in (0, 1, 2, 19, 24)] == ["retryable"] * 5
    given_up = (
        "permanent",
        "the server is away (the same in 3 nights, given up; kadr ingest SOURCE --all tries again)",
    )
    media = {d: library.datasets.versions(d) for d in ("frames", "motion", "audio")}
    # The last one as its batch runs for another reason: it is tried again, and counts on.
    assert [failed_at(hour) for hour in (47, 48)] == [given_up] * 2
    assert media == {d: library.datasets.versions(d) for d in media}
    assert failed_at(49, force=True)[0] == "retryable"


def test_force_decodes_everything_again(library: Library, clips: Path) -> None:
    (batch,) = _cut(library, clips)
    assert (_run(library, batch), _run(library, batch)) == (3, 0)
    assert _run(library, batch, force=True) == 3


def test_a_changed_file_moves_to_a_new_batch(library: Library, clips: Path) -> None:
    (first,) = _cut(library, clips)
    _run(library, first)
    _clip(clips / "1.mp4", frames=33)
    os.utime(clips / "1.mp4", (1, 1))
    (second,) = _cut(library, clips)
    assert not knows_later_news(library, first)
    assert _run(library, first) == 1
    assert _run(library, second) == 1
    old, new = _videos(library, first)["1.mp4"], _videos(library, second)["1.mp4"]
    assert (old["status"], new["status"]) == ("filtered", "ok")
    assert second in old["error"]
    assert old["video_id"] == new["video_id"]
    in_frames = {v for b in library.datasets.rows(FRAMES, first) for v in b["video_id"].to_pylist()}
    assert len(in_frames) == 2
    assert knows_later_news(library, first)


def test_a_licence_that_comes_later_decodes_nothing(library: Library, clips: Path) -> None:
    (batch,) = _cut(library, clips)
    _run(library, batch)
    media = {d: library.datasets.versions(d) for d in ("frames", "motion", "audio")}
    ingest(str(clips / "1.mp4"), library.batches, DAY, 100, licensed=True)
    assert not knows_later_news(library, batch)
    assert _run(library, batch) == 0
    licensed = {name: row["licensed"] for name, row in _videos(library, batch).items()}
    assert licensed == {"0.mp4": False, "1.mp4": True, "2.mp4": False}
    assert media == {d: library.datasets.versions(d) for d in media}
    assert knows_later_news(library, batch)


def test_videos_of_before_there_were_licences_are_not_decoded_again(
    library: Library, clips: Path
) -> None:
    (batch,) = _cut(library, clips)
    _run(library, batch)
    store = library.datasets
    ledger, rows = store.ledger("videos", batch), store.table(VIDEOS, batch)
    assert ledger is not None
    schema = pa.schema([field for field in VIDEOS.schema if field.name != "licensed"])
    with store.replace(replace(VIDEOS, schema=schema), batch) as old:
        for piece in rows.select(schema.names).to_batches():
            old.write(piece)
        old.publish(Ledger(ledger.maker, ledger.keys))
    assert not knows_later_news(library, batch)
    assert _run(library, batch) == 0
    assert store.table(VIDEOS, batch).equals(rows)


def test_damaged_kept_rows_are_not_trusted(library: Library, clips: Path) -> None:
    """A step that was killed between two of its four files does that video again."""
    (batch,) = _cut(library, clips)
    _run(library, batch)
    frames = library.datasets.storage
    frames.delete(library.datasets.key("frames", batch))
    assert _run(library, batch) == 3


def test_datasets_may_lie_in_an_object_store(
    s3_bucket: Bucket, clips: Path, tmp_path: Path
) -> None:
    for path in clips.iterdir():
        s3_bucket.put(f"videos/{path.name}", path.read_bytes())
    settings = Settings(
        data=f"{s3_bucket.url}/kadr",
        state=str(tmp_path / "state"),
        storage_options=s3_bucket.options,
        speech_model="off",
        ocr_model="off",
        faces_model="off",
        taxonomy=FEW_TAGS,
        workers=2,
    )
    defs = build_defs(settings)
    library: Library = (defs.resources or {})["library"]
    source = f"{s3_bucket.url}/videos"
    (batch,) = ingest(source, library.batches, DAY, 100, s3_bucket.options).batches
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("batches", [batch])
        job = defs.resolve_job_def("batch")
        assert job.execute_in_process(partition_key=batch, instance=instance).success
        assert defs.resolve_job_def("library").execute_in_process(instance=instance).success
    assert library.datasets.row_count("videos", batch) == 3
    assert library.datasets.row_count("visual", batch) >= 6
    keys = {file.key for file in library.storage.list()}
    assert {f"datasets/text/{batch}.parquet", "indexes/video_index/manifest.json"} <= keys
