"""Lists of batches are written once, come back as they were, and sort by day and number."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.stores.batches import BATCH_SCHEMA, Batch, BatchExists, BatchRegistry, SourceVideo
from assets.stores.storage import Storage


@pytest.fixture
def registry(tmp_path: Path) -> BatchRegistry:
    return BatchRegistry(Storage(tmp_path / "data"))


def _video(name: str) -> SourceVideo:
    return SourceVideo(f"id-{name}", f"/v/{name}.mp4", "v1")


def test_batch_numbers_sort_as_numbers(registry: BatchRegistry) -> None:
    for name in ("2026-11-20-1000", "2026-11-20-999", "2026-11-19-002"):
        registry.write(Batch(name, (_video(name),)))
    assert registry.names() == ["2026-11-19-002", "2026-11-20-999", "2026-11-20-1000"]


def test_list_is_a_table_and_comes_back_as_it_was(registry: BatchRegistry) -> None:
    odd = SourceVideo(
        "id 'q' <b>",
        "/v/имя\nс переносом.mp4",
        "10-5",
        10,
        datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
        "title; DROP TABLE x",
        "d",
        "a, b",
        "no permission to read it",
    )
    batch = Batch("2026-11-20-001", (odd, _video("b")))
    registry.write(batch)
    assert registry.read(batch.name) == batch
    table = registry.table(batch.name)
    assert table.schema == BATCH_SCHEMA
    assert table.column("position").to_pylist() == [0, 1]
    assert isinstance(table, pa.Table)


def test_list_is_written_once(registry: BatchRegistry) -> None:
    batch = Batch("2026-11-20-001", (_video("a"),))
    registry.write(batch)
    before = registry.storage.etag("batches/2026-11-20-001.parquet")
    registry.write(batch)
    assert registry.storage.etag("batches/2026-11-20-001.parquet") == before
    with pytest.raises(BatchExists, match="2026-11-20-001"):
        registry.write(Batch(batch.name, (_video("b"),)))
    assert registry.read(batch.name) == batch


def test_batch_that_is_not_there_is_a_clear_error(registry: BatchRegistry) -> None:
    with pytest.raises(FileNotFoundError, match="no batch 2026-11-20-001"):
        registry.read("2026-11-20-001")
    with pytest.raises(ValueError, match="expected a batch"):
        registry.read("../../etc/passwd")


def test_lists_of_before_a_column_was_added_are_read(registry: BatchRegistry) -> None:
    batch = Batch("2026-11-20-001", (_video("a"),))
    added = {"licensed", "public_only"}
    old = batch.table().drop_columns(sorted(added))
    buffer = io.BytesIO()
    pq.write_table(old, buffer)
    registry.storage.put_bytes(buffer.getvalue(), "batches/2026-11-20-001.parquet")
    assert registry.read(batch.name) == batch
    ((_, lists),) = registry.scan([batch.name])
    assert added <= set(lists.collect().columns)
