"""Files of an index are whole or not there, and what is damaged is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ml.indexes.files import (
    MANIFEST,
    FileEntry,
    IndexDamaged,
    read_manifest,
    replace_file,
    write_manifest,
)


@dataclass(frozen=True)
class Held:
    batches: dict[str, str]


def _held(folder: Path) -> Held | None:
    return read_manifest(folder, lambda raw: Held(**raw))


def test_a_manifest_comes_back_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    assert _held(tmp_path) is None
    write_manifest(tmp_path, Held({"2026-12-01-001": "имя"}))
    assert _held(tmp_path) == Held({"2026-12-01-001": "имя"})
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"other": 1}', "null"])
def test_a_manifest_that_is_none_is_told_with_its_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(IndexDamaged, match=rf"{tmp_path}.*not a manifest"):
        _held(tmp_path)


def test_an_update_killed_while_it_writes_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "words.npy"
    path.write_bytes(b"before")

    def killed(partial: Path) -> None:
        partial.write_bytes(b"af")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, killed)
    assert path.read_bytes() == b"before"
    replace_file(path, lambda partial: partial.write_bytes(b"after"))
    assert path.read_bytes() == b"after"


def test_a_file_that_is_missing_cut_off_or_altered_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v1" / "postings"
    path.parent.mkdir()
    path.write_bytes(b"12345678")
    entry = FileEntry.of(path)
    entry.check(tmp_path, "v1", verify=True)
    path.write_bytes(b"12345679")
    entry.check(tmp_path, "v1")
    with pytest.raises(IndexDamaged, match="v1/postings was altered"):
        entry.check(tmp_path, "v1", verify=True)
    path.write_bytes(b"1234")
    with pytest.raises(IndexDamaged, match="v1/postings has 4 bytes, not 8"):
        entry.check(tmp_path, "v1")
    path.unlink()
    with pytest.raises(IndexDamaged, match="v1/postings is missing"):
        entry.check(tmp_path, "v1")
