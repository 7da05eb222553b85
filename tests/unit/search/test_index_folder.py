"""An index in an object store is taken back as it was brought, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from assets.search.cards import FOLDER as CARDS
from assets.search.engine import NotSearchable, Search
from assets.search.indexes import WrittenMeanwhile, index_folder
from assets.search.problems import kept_for_search
from assets.stores.batches import Batch, SourceVideo
from assets.stores.kept import problems_of
from assets.stores.resources import Library, Models, Tables
from ml.search.cards import FILE, Cards, write_cards
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]


def _on(bucket: Bucket, machine: Path) -> Library:
    """The library in the bucket as a machine with a disk of its own sees it."""
    return Library(
        root=f"{bucket.url}/kadr", state=str(machine), storage_options=dict(bucket.options)
    )


def _write(library: Library, text: str) -> None:
    with index_folder(library, "topics") as folder:
        (folder / "manifest.json").write_text(text)


def _text(library: Library) -> str:
    return library.storage.read_bytes("indexes/topics/manifest.json").decode()


def test_what_one_machine_wrote_is_what_the_next_brings(s3_bucket: Bucket, tmp_path: Path) -> None:
    _write(_on(s3_bucket, tmp_path / "a"), "first")
    with index_folder(_on(s3_bucket, tmp_path / "b"), "topics") as folder:
        assert (folder / "manifest.json").read_text() == "first"
        (folder / "manifest.json").unlink()
    assert list(_on(s3_bucket, tmp_path / "a").storage.list("indexes")) == []


def test_an_index_that_another_machine_wrote_meanwhile_is_not_written_over(
    s3_bucket: Bucket, tmp_path: Path
) -> None:
    ours, theirs = _on(s3_bucket, tmp_path / "a"), _on(s3_bucket, tmp_path / "b")
    _write(ours, "first")
    with (
        pytest.raises(WrittenMeanwhile, match=r"indexes/topics was written by another process"),
        index_folder(ours, "topics") as folder,
    ):
        (folder / "manifest.json").write_text("ours")
        _write(theirs, "theirs")
    assert _text(ours) == "theirs"


def test_one_that_was_only_read_may_change_meanwhile(s3_bucket: Bucket, tmp_path: Path) -> None:
    ours, theirs = _on(s3_bucket, tmp_path / "a"), _on(s3_bucket, tmp_path / "b")
    _write(ours, "first")
    with index_folder(ours, "topics"):
        _write(theirs, "theirs")
    assert _text(ours) == "theirs"


def _altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x41]) + content[middle + 1 :]


def _write_cards(library: Library) -> bool:
    row = {"video_id": "v1", "title": "A cat", "uri": "/v1.mp4", "duration_s": 1.0}
    row |= {"published_at": datetime(2026, 11, 1, tzinfo=UTC), "original_id": ""}
    with index_folder(library, CARDS) as folder:
        return write_cards(folder, pa.Table.from_pylist([row]))


def test_local_copy_that_was_altered_is_fetched_again(s3_bucket: Bucket, tmp_path: Path) -> None:
    library = _on(s3_bucket, tmp_path / "a")
    _write_cards(library)
    search = Search(library, Models(), Tables(url=""), tmp_path / "cache")

    def title() -> str:
        cards = search._opened(CARDS, lambda folder, known: Cards.open(folder, verify=known))
        return str(cards.of(["v1"])["v1"].title)

    assert title() == "A cat"
    (copy,) = (tmp_path / "cache").rglob(FILE)
    content = copy.read_bytes()
    copy.unlink()
    copy.write_bytes(_altered(content))
    assert title() == "A cat"
    s3_bucket.put(f"kadr/indexes/{CARDS}/{FILE}", _altered(content))
    with pytest.raises(NotSearchable, match=rf"{CARDS} can't be used: {FILE} was altered.*kadr in"):
        title()


def test_damage_in_an_object_store_is_told_and_written_over(
    s3_bucket: Bucket, tmp_path: Path
) -> None:
    library = _on(s3_bucket, tmp_path / "a")
    kept = [kept for kept in kept_for_search(library) if kept.name == CARDS]
    kept = [replace(kept[0], behind=lambda _: "")]
    library.batches.write(Batch("2026-11-20-001", (SourceVideo("v1", "/v1.mp4", "1"),)))
    assert [p.what for p in problems_of(library, kept)] == [f"{CARDS} is missing"]
    _write_cards(library)
    assert list(problems_of(library, kept)) == []
    key = f"indexes/{CARDS}/{FILE}"
    library.storage.put_bytes(_altered(library.storage.read_bytes(key)), key)
    (problem,) = problems_of(library, kept)
    assert problem.what == f"{CARDS} is damaged: {FILE} was altered: its checksum is another"
    assert problem.where == f"{s3_bucket.url}/kadr/indexes/{CARDS}"
    assert _write_cards(library)
    assert list(problems_of(library, kept)) == []
