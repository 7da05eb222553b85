"""The indexes that a file is checked against, and what is said without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.copies.check_library import opened_indexes
from assets.copies.check_report import NotSearchable
from assets.stores.storage import Storage
from ml.copies.picture_growth import update_picture_index
from ml.copies.sound_growth import update_sound_index
from ml.indexes.files import IndexDamaged
from tests.unit.copies.checks import BATCH
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]


def make_indexes(root: Path) -> None:
    update_picture_index(root / "indexes/copies_pictures", {BATCH: "f"}, lambda _: iter(()))
    update_sound_index(root / "indexes/copies_sound", {BATCH: "f"}, lambda _: iter(()))


def test_a_library_without_indexes_cannot_be_searched(tmp_path: Path) -> None:
    with pytest.raises(NotSearchable, match="no index of copies"):
        opened_indexes(Storage(tmp_path), tmp_path, tmp_path / "cache")


def test_indexes_are_opened_where_they_lie(tmp_path: Path) -> None:
    make_indexes(tmp_path)
    indexes, inside = opened_indexes(Storage(tmp_path), tmp_path / "copy", tmp_path / "cache")
    assert (indexes.pictures.video_count, indexes.sound.video_count) == (0, 0)
    assert inside == {BATCH: "f"}
    assert not (tmp_path / "copy").exists()


def test_indexes_in_an_object_store_are_brought_here(s3_bucket: Bucket, tmp_path: Path) -> None:
    make_indexes(tmp_path)
    for path in (tmp_path / "indexes").rglob("*.*"):
        s3_bucket.put(f"lib/{path.relative_to(tmp_path)}", path.read_bytes())
    storage = Storage(f"{s3_bucket.url}/lib", s3_bucket.options)
    assert opened_indexes(storage, tmp_path, tmp_path / "cache")[1] == {BATCH: "f"}


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    make_indexes(tmp_path)
    (tmp_path / "indexes/copies_sound/manifest.json").write_text("{", "utf-8")
    with pytest.raises(IndexDamaged, match="copies_sound"):
        opened_indexes(Storage(tmp_path), tmp_path, tmp_path / "cache")
