"""Dataset files are replaced whole or not at all, and done work is not done again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.stores.datasets import ROW_GROUP_BYTES, DatasetStore, Ledger
from assets.stores.incremental import Rows, plan, update
from assets.stores.storage import Storage
from ml.schemas import ASR, COPY_DESCRIPTORS, FRAMES

BATCH = "2026-11-20-001"


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(Storage(tmp_path / "data"), tmp_path / "scratch")


def _segments(video: str, *texts: str) -> pa.RecordBatch:
    rows = [
        {
            "video_id": video,
            "segment_no": i,
            "start_s": float(i),
            "end_s": i + 1.0,
            "text": text,
            "language": "en",
            "confidence": 0.5,
            "model": "m",
        }
        for i, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, ASR.schema)


def _texts(store: DatasetStore) -> list[tuple[str, str]]:
    table = store.table(ASR, BATCH, ["video_id", "text"])
    return [(row["video_id"], row["text"]) for row in table.to_pylist()]


def _recompute(
    store: DatasetStore, keys: dict[str, str], said: str, *, force: bool = False
) -> list[str]:
    """Bring the batch to ``keys``; every computed video says ``said``. Returns who was computed."""
    computed: list[str] = []

    def read(todo: list[str]) -> Rows:
        computed.extend(todo)
        return iter([_segments(video, said) for video in todo])

    def compute(rows: Rows) -> Iterator[pa.RecordBatch]:
        yield from rows

    update(store, ASR, BATCH, plan(store, ASR, BATCH, "m", keys, force=force), read, compute)
    return computed


def test_rows_and_ledger_come_back_as_written(store: DatasetStore) -> None:
    with store.replace(ASR, BATCH) as new:
        new.write(_segments("a", "one", "two"))
        new.publish(Ledger("m", {"a": "1", "silent": "2"}))
    ledger = store.ledger("asr", BATCH)
    assert ledger is not None
    assert dict(ledger.keys) == {"a": "1", "silent": "2"}
    assert _texts(store) == [("a", "one"), ("a", "two")]
    assert store.row_count("asr", BATCH) == 2


def test_a_file_that_was_not_published_leaves_the_old_one(store: DatasetStore) -> None:
    _recompute(store, {"a": "1"}, "old")
    with pytest.raises(RuntimeError), store.replace(ASR, BATCH) as new:
        new.write(_segments("a", "half"))
        raise RuntimeError
    assert _texts(store) == [("a", "old")]
    assert list(store.scratch.iterdir()) == []


def test_only_what_changed_is_computed_and_the_batch_order_stays(store: DatasetStore) -> None:
    assert _recompute(store, {"c": "1", "a": "1", "b": "1"}, "old") == ["c", "a", "b"]
    assert _recompute(store, {"c": "1", "a": "2", "b": "1", "d": "1"}, "new") == ["a", "d"]
    assert _texts(store) == [("c", "old"), ("a", "new"), ("b", "old"), ("d", "new")]


def test_a_video_that_left_the_batch_loses_its_rows(store: DatasetStore) -> None:
    _recompute(store, {"a": "1", "b": "1"}, "old")
    assert _recompute(store, {"b": "1"}, "new") == []
    assert _texts(store) == [("b", "old")]


def test_a_current_file_is_not_touched(store: DatasetStore) -> None:
    _recompute(store, {"a": "1"}, "old")
    path = Path(store.storage.url(store.key("asr", BATCH)))
    before = (path.stat().st_ino, path.read_bytes())
    assert _recompute(store, {"a": "1"}, "new") == []
    assert (path.stat().st_ino, path.read_bytes()) == before


def test_force_computes_everything(store: DatasetStore) -> None:
    _recompute(store, {"a": "1", "b": "1"}, "old")
    assert _recompute(store, {"a": "1", "b": "1"}, "new", force=True) == ["a", "b"]
    assert {text for _, text in _texts(store)} == {"new"}


def test_other_rows_from_the_same_inputs_are_told_apart(store: DatasetStore) -> None:
    _recompute(store, {"a": "1"}, "old")
    before = store.ledger("asr", BATCH)
    _recompute(store, {"a": "1"}, "new", force=True)
    after = store.ledger("asr", BATCH)
    assert before is not None
    assert after is not None
    assert before.keys == after.keys
    assert before.fingerprint() != after.fingerprint()


def test_a_column_that_was_added_remakes_the_file(
    store: DatasetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _recompute(store, {"a": "1"}, "old")
    monkeypatch.setattr("assets.stores.incremental.layout_of", lambda _: "another layout")
    assert _recompute(store, {"a": "1"}, "new") == ["a"]


def test_pictures_are_written_in_several_row_groups(store: DatasetStore) -> None:
    import pyarrow.parquet as pq

    jpeg = b"\xff" * (ROW_GROUP_BYTES // 4)
    row = {"start_s": 0.0, "duration_s": 1.0, "is_shot_start": True, "width": 1, "height": 1}
    with store.replace(FRAMES, BATCH) as new:
        for i in range(10):
            frame = {"video_id": f"v{i}", "frame_no": 0, "jpeg": jpeg, **row}
            new.write(pa.RecordBatch.from_pylist([frame], FRAMES.schema))
        new.publish(Ledger("m", {}))
    path = store.storage.url(store.key("frames", BATCH))
    assert pq.ParquetFile(path).num_row_groups == 3
    wanted = list(store.rows(FRAMES, BATCH, video_ids=["v7"]))
    assert [rows.column("video_id").to_pylist() for rows in wanted] == [["v7"]]


def test_rows_that_do_not_fit_the_schema_are_refused(store: DatasetStore) -> None:
    wrong = pa.RecordBatch.from_pydict({"video_id": ["a"], "text": [1]})
    with pytest.raises((ValueError, pa.ArrowInvalid)), store.replace(ASR, BATCH) as new:
        new.write(wrong)


def test_some_videos_are_read_without_the_row_groups_of_others(store: DatasetStore) -> None:
    videos = [f"v{n:02}" for n in range(40)]
    row = {
        f.name: b"\0" * 100_000 if f.name == "descriptors" else 0 for f in COPY_DESCRIPTORS.schema
    }
    row |= {"geometry": b"", "hash": b"\0" * 32, "model": "m"}
    with store.replace(COPY_DESCRIPTORS, BATCH) as new:
        for video in videos:
            rows = [row | {"video_id": video, "frame_no": n} for n in range(3)]
            new.write(pa.RecordBatch.from_pylist(rows, COPY_DESCRIPTORS.schema))
        new.publish(Ledger("m", dict.fromkeys(videos, "k")))
    with pq.ParquetFile(store.storage.url(store.key("copy_descriptors", BATCH))) as file:
        assert 10 <= file.num_row_groups <= 20
    wanted = ["v39", "v07", "nobody"]
    found = [
        (video, frame)
        for rows in store.rows(COPY_DESCRIPTORS, BATCH, video_ids=wanted)
        for video, frame in zip(
            rows["video_id"].to_pylist(), rows["frame_no"].to_pylist(), strict=True
        )
    ]
    assert found == [(video, n) for video in ("v07", "v39") for n in range(3)]


def test_versions_change_with_the_file_of_their_batch(store: DatasetStore) -> None:
    for batch in (BATCH, "2026-11-20-002"):
        with store.replace(ASR, batch) as new:
            new.publish(Ledger("m", {}))
    before = store.versions("asr")
    assert set(before) == {BATCH, "2026-11-20-002"}
    _recompute(store, {"a": "1"}, "hello")
    after = store.versions("asr")
    assert {batch for batch in after if after[batch] != before[batch]} == {BATCH}
    assert store.versions("ocr") == {}
