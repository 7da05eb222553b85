"""Listing folders, buckets and catalogues."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.source.cutting import refuse_empty
from assets.source.errors import EmptySource, SourceError
from assets.source.fetching import fetch
from assets.source.videos import list_source
from assets.stores.addresses import local_path, video_id_of
from assets.stores.batches import SourceVideo
from ml.failures import PermanentFailure
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server  # noqa: F401


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")


def _names(folder: Path) -> list[str]:
    return [os.path.relpath(local_path(v.uri), folder) for v in list_source(folder)]


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may read everything; these tests need a user who may not."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101
        yield Path(folder)


def test_folder_is_listed_to_any_depth_in_order_of_name(tmp_path: Path) -> None:
    _touch(*(tmp_path / n for n in ("b.mp4", "a/z.MKV", "a/y/x.webm", "c.mpg", "B.avi")))
    _touch(*(tmp_path / n for n in (".hidden.mp4", ".cache/v.mp4", "note.txt", "mp4")))
    assert _names(tmp_path) == ["B.avi", "a/y/x.webm", "a/z.MKV", "b.mp4", "c.mpg"]


def test_listed_file_has_id_version_size_and_title(tmp_path: Path) -> None:
    path = tmp_path / "My clip.v2.mp4"
    _touch(path)
    (video,) = list_source(tmp_path)
    stat = path.stat()
    assert video == SourceVideo(
        video_id_of(str(path)), str(path), f"5-{stat.st_mtime_ns}", 5, title="My clip.v2"
    )
    assert len(video.video_id) == 16
    path.write_bytes(b"longer")
    (changed,) = list_source(tmp_path)
    assert changed.video_id == video.video_id and changed.version != video.version


def test_single_file_is_a_source_whatever_its_suffix(tmp_path: Path) -> None:
    _touch(tmp_path / "clip.bin")
    (video,) = list_source(tmp_path / "clip.bin")
    assert video.title == "clip"


def test_directory_named_like_a_video_is_a_row_and_is_searched(tmp_path: Path) -> None:
    _touch(tmp_path / "x.mp4" / "inside.mp4")
    outer, inner = list_source(tmp_path)
    assert outer.problem == "it is a directory, not a file"
    assert Path(inner.uri).name == "inside.mp4" and not inner.problem


def test_broken_symlink_is_a_row_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "b.mp4").symlink_to("b.mp4")
    first, second = list_source(tmp_path)
    assert first.problem == "broken symlink to 'nowhere.mp4'"
    assert second.problem == "broken symlink to 'b.mp4'"


def test_symlinks_in_a_circle_end_and_every_folder_is_listed_once(tmp_path: Path) -> None:
    _touch(tmp_path / "z" / "v.mp4", tmp_path / "z" / "deep" / "w.mp4")
    (tmp_path / "z" / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert _names(tmp_path) == ["z/deep/w.mp4", "z/v.mp4"]


def test_linked_folder_outside_is_followed_and_linked_file_is_a_video(tmp_path: Path) -> None:
    _touch(tmp_path / "other" / "v.mp4", tmp_path / "lib" / "b.mp4")
    (tmp_path / "lib" / "a").symlink_to(tmp_path / "other")
    (tmp_path / "lib" / "c.mp4").symlink_to(tmp_path / "other" / "v.mp4")
    assert _names(tmp_path / "lib") == ["b.mp4", "c.mp4", "a/v.mp4"]
    assert not any(v.problem for v in list_source(tmp_path / "lib"))


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.mp4")
    (video,) = list_source(tmp_path)
    assert video.problem == "it is not a regular file"
    with pytest.raises(PermanentFailure, match="regular"), fetch(video.uri, tmp_path):
        pass


def test_files_and_folders_without_permission_are_rows_with_a_reason(open_folder: Path) -> None:
    _touch(open_folder / "a.mp4", open_folder / "d" / "b.mp4")
    os.chmod(open_folder / "a.mp4", 0)  # noqa: PTH101
    os.chmod(open_folder / "d", 0)  # noqa: PTH101
    with _as_nobody():
        file, folder = list_source(open_folder)
        assert file.problem == "no permission to read it"
        assert folder.problem.startswith("no permission to list this folder")
        with pytest.raises(PermanentFailure, match="no permission"), fetch(file.uri, open_folder):
            pass
        with pytest.raises(SourceError, match="Permission denied"):
            list_source(open_folder / "d")
    os.chmod(open_folder / "d", 0o755)  # noqa: PTH101
    assert file.version == "unreadable"


def test_names_with_spaces_quotes_newlines_and_cyrillic_are_kept(tmp_path: Path) -> None:
    names = ["a b.mp4", 'it\'s "so".mp4', "line\nbreak.mp4", "Привет, мир.mp4", "$(id);`id`.mp4"]
    _touch(*(tmp_path / name for name in names))
    videos = list(list_source(tmp_path))
    assert sorted(Path(v.uri).name for v in videos) == sorted(names)
    for video in videos:
        with fetch(video.uri, tmp_path) as (path, _):
            assert path.read_bytes() == b"video"


def test_name_that_is_not_utf8_can_be_stored_and_read(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9 100%.mp4"
    with open(raw, "wb") as file:  # noqa: PTH123 (a path of bytes)
        file.write(b"video")
    (video,) = list_source(tmp_path)
    assert video.uri.startswith("file:///") and video.uri.endswith("/caf%E9%20100%25.mp4")
    assert video.title == "caf\ufffd 100%"
    assert os.fsencode(local_path(video.uri)) == raw
    assert not video.problem
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with fetch(video.uri, scratch) as (path, _):
        assert str(path).isprintable() and path.read_bytes() == b"video"
    assert list(scratch.iterdir()) == []


def test_source_that_is_not_there_or_of_no_known_kind_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        list_source(tmp_path / "no")
    with pytest.raises(SourceError, match="ftp://h/x: expected"):
        list_source("ftp://h/x")


def test_catalogue_is_listed_row_by_row(tmp_path: Path) -> None:
    _touch(tmp_path / "v" / "a.mp4")
    (tmp_path / "c.csv").write_text("uri,title\nv/a.mp4,A\nno.mp4,B\n")
    first, second = list_source(tmp_path / "c.csv")
    assert (first.title, first.problem) == ("A", "")
    assert (second.title, second.problem) == ("B", "there is no such file")


def test_empty_listing_is_refused_only_where_videos_were_known() -> None:
    refuse_empty("/v", 0)
    with pytest.raises(EmptySource, match=r"/v lists no video .* 7 of it"):
        refuse_empty("/v", 7)


def test_videos_travel_to_worker_processes() -> None:
    video = SourceVideo("a", "/a.mp4")
    assert pickle.loads(pickle.dumps(video)) == video
    assert pickle.loads(pickle.dumps(fetch)) is fetch


def test_bucket_prefix_is_listed_in_order_of_key(s3_bucket: Bucket) -> None:  # noqa: F811
    keys = ["in/b.mp4", "in/a/имя 'x' 100%25 #1?.webm", "in/.hide/x.mp4", "in/t.txt", "in2/x.mp4"]
    for key in keys:
        s3_bucket.put(key, key.encode())
    first, second = list_source(f"{s3_bucket.url}/in", s3_bucket.options)
    assert first.uri == f"{s3_bucket.url}/in/a/имя 'x' 100%25 #1?.webm"
    assert first.title == "имя 'x' 100%25 #1?"
    assert second.source_bytes == 8 and second.version.endswith("-8")
    (single,) = list_source(f"{s3_bucket.url}/in/b.mp4", s3_bucket.options)
    assert single == second
    assert len(list(list_source(s3_bucket.url, s3_bucket.options))) == 3


def test_catalogue_in_a_bucket_names_its_neighbours(s3_bucket: Bucket) -> None:  # noqa: F811
    s3_bucket.put("lists/c.csv", b"uri,title\n../v/a.mp4,A\nb.mp4,B\n")
    videos = list(list_source(f"{s3_bucket.url}/lists/c.csv", s3_bucket.options))
    assert [v.uri for v in videos] == [f"{s3_bucket.url}/v/a.mp4", f"{s3_bucket.url}/lists/b.mp4"]
