"""An index in an object store is taken back as it was brought, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.search.indexes import WrittenMeanwhile, index_folder
from assets.stores.resources import Library
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
