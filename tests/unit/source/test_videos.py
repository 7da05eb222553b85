"""Listing folders, buckets, catalogues and addresses, and fetching what they list."""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assets.source.cutting import refuse_empty
from assets.source.errors import EmptySource, SourceError
from assets.source.fetching import fetch
from assets.source.videos import list_source
from assets.stores.addresses import local_path, local_uri, title_of, video_id_of
from assets.stores.batches import SourceVideo
from ml.failures import PermanentFailure, RetryableFailure
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server  # noqa: F401

WEB = {"proxy_url": "", "max_retries": "0", "read_timeout": "500ms"}


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


# Folders ------------------------------------------------------------------------------------------


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


def test_local_uris_are_turned_back(tmp_path: Path) -> None:
    for path in ("/a b/%41.mp4", "/я.mp4", "/q?x#y.mp4"):
        assert local_uri(path) == path and local_path(path) == path
    assert local_path("file:///a%20b/q%3Fx.mp4") == "/a b/q?x.mp4"
    with pytest.raises(ValueError, match="file:///"):
        local_path("file://host/share/x.mp4")


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


def test_default_titles() -> None:
    assert title_of("https://h/a/My%20clip.mp4?x=1.2") == "My clip"
    assert title_of("s3://b/a/100%25?.mp4") == "100%25?"


def test_videos_travel_to_worker_processes() -> None:
    video = SourceVideo("a", "/a.mp4")
    assert pickle.loads(pickle.dumps(video)) == video
    assert pickle.loads(pickle.dumps(fetch)) is fetch


# Local files --------------------------------------------------------------------------------------


def test_local_file_is_read_where_it_lies(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    (video,) = list_source(tmp_path)
    with fetch(video.uri, tmp_path / "no-scratch") as (path, version):
        assert (path, version) == (tmp_path / "a.mp4", video.version)
    assert path.exists()


def test_missing_file_directory_and_unknown_scheme_are_permanent(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "no.mp4"), str(tmp_path), "ftp://h/x", "relative.mp4"):
        with pytest.raises(PermanentFailure), fetch(uri, tmp_path):
            pass


def test_file_that_changes_while_it_is_read_is_tried_again(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    with (
        pytest.raises(RetryableFailure, match="changed while it was read"),
        fetch(str(tmp_path / "a.mp4"), tmp_path) as (path, _),
    ):
        path.write_bytes(b"something else")


def test_failure_of_the_reader_itself_is_passed_on(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    with pytest.raises(ZeroDivisionError), fetch(str(tmp_path / "a.mp4"), tmp_path):
        _ = 1 / 0


# Object stores ------------------------------------------------------------------------------------


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


def test_object_is_downloaded_with_the_listed_version_and_removed_after(
    s3_bucket: Bucket,  # noqa: F811
    tmp_path: Path,
) -> None:
    data = os.urandom(3_000_000)
    s3_bucket.put("in/a #1.mp4", data)
    (video,) = list_source(f"{s3_bucket.url}/in/", s3_bucket.options)
    with fetch(video.uri, tmp_path, s3_bucket.options) as (path, version):
        assert path.read_bytes() == data and path.parent == tmp_path and path.suffix == ".mp4"
        assert version == video.version
    assert list(tmp_path.iterdir()) == []
    s3_bucket.put("in/a #1.mp4", b"replaced")
    with fetch(video.uri, tmp_path, s3_bucket.options) as (path, version):
        assert path.read_bytes() == b"replaced" and version != video.version


def test_missing_object_is_permanent_and_a_server_that_is_away_is_not(
    s3_bucket: Bucket,  # noqa: F811
    tmp_path: Path,
) -> None:
    with (
        pytest.raises(PermanentFailure, match=r"no\.mp4: not found"),
        fetch(f"{s3_bucket.url}/no.mp4", tmp_path, s3_bucket.options),
    ):
        pass
    away = {**s3_bucket.options, "aws_endpoint": "http://127.0.0.1:9"}
    with pytest.raises(RetryableFailure), fetch(f"{s3_bucket.url}/a.mp4", tmp_path, away):
        pass
    for url in (f"{s3_bucket.url}/in", f"{s3_bucket.url}/a.mp4"):
        with pytest.raises(SourceError, match=r"cannot (list|read) s3://"):
            list(list_source(url, away))
    with pytest.raises(SourceError, match="with a bucket"):
        list(list_source("s3:///a.mp4"))


def test_catalogue_in_a_bucket_names_its_neighbours(s3_bucket: Bucket) -> None:  # noqa: F811
    s3_bucket.put("lists/c.csv", b"uri,title\n../v/a.mp4,A\nb.mp4,B\n")
    videos = list(list_source(f"{s3_bucket.url}/lists/c.csv", s3_bucket.options))
    assert [v.uri for v in videos] == [f"{s3_bucket.url}/v/a.mp4", f"{s3_bucket.url}/lists/b.mp4"]


# Web addresses ------------------------------------------------------------------------------------


class _Answers(BaseHTTPRequestHandler):
    """Answers by path; what was asked is kept in ``asked``."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.split("?")[0].removeprefix("/")
        {"short": self._short, "slow": self._slow, "flaky": self._flaky}.get(name, self._usual)()

    def _usual(self) -> None:
        name = self.path.split("?")[0].removeprefix("/")
        if name.startswith("to-"):
            targets = {
                "to-file": "file:///etc/passwd",
                "to-ftp": "ftp://127.0.0.1/x",
                "to-ok": "/ok.mp4",
            }
            self._send(302, b"", Location=targets[name])
        elif name.isdigit():
            self._send(int(name), b"no")
        else:
            self._send(200, b"video", ETag='"e1"')

    def _short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def _slow(self) -> None:
        threading.Event().wait(1.5)

    def _flaky(self) -> None:
        first = self.asked.count(self.path) == 1
        self._send(503 if first else 200, b"video")

    def _send(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        logging.getLogger(__name__).debug(format, *args)


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (_Answers,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()


Web = tuple[str, list[str]]


def test_address_is_a_source_and_is_downloaded(web: Web, tmp_path: Path) -> None:
    (video,) = list_source(f"{web[0]}/My%20clip.mp4?sig=a/b+c")
    assert (video.title, video.version) == ("My clip", "")
    with fetch(video.uri, tmp_path, WEB) as (path, version):
        assert (path.read_bytes(), version, path.suffix) == (b"video", "e1-5", ".mp4")
    assert web[1][-1] == "/My%20clip.mp4?sig=a/b+c"
    assert list(tmp_path.iterdir()) == []


def test_spaces_and_cyrillic_in_an_address_are_encoded(web: Web, tmp_path: Path) -> None:
    with fetch(f"{web[0]}/а б.mp4", tmp_path, WEB):
        pass
    assert web[1][-1] == "/%D0%B0%20%D0%B1.mp4"


@pytest.mark.parametrize(
    ("answer", "failure", "text"),
    [
        ("404", PermanentFailure, "404"),
        ("403", PermanentFailure, "403"),
        ("410", PermanentFailure, "410"),
        ("429", RetryableFailure, "429"),
        ("500", RetryableFailure, "500"),
        ("503", RetryableFailure, "503"),
        ("short", RetryableFailure, "after 10 of 1000 bytes"),
        ("slow", RetryableFailure, "timed out"),
        ("to-file", PermanentFailure, "302.*file:///etc/passwd"),
        ("to-ftp", PermanentFailure, "redirects to ftp://"),
    ],
)
def test_answers_that_are_no_video_say_whether_to_try_again(
    web: Web, tmp_path: Path, answer: str, failure: type[Exception], text: str
) -> None:
    with pytest.raises(failure, match=text), fetch(f"{web[0]}/{answer}", tmp_path, WEB):
        pass
    assert list(tmp_path.iterdir()) == []


def test_redirect_to_another_address_is_followed(web: Web, tmp_path: Path) -> None:
    with fetch(f"{web[0]}/to-ok", tmp_path, WEB) as (path, _):
        assert path.read_bytes() == b"video"


def test_server_error_that_passes_is_tried_again(web: Web, tmp_path: Path) -> None:
    with fetch(f"{web[0]}/flaky", tmp_path, {**WEB, "max_retries": "1"}) as (path, _):
        assert path.read_bytes() == b"video"


@pytest.mark.parametrize(
    ("uri", "failure"),
    [
        ("http://127.0.0.1:9/x.mp4", RetryableFailure),
        ("http://no-such-host.invalid/x.mp4", RetryableFailure),
        ("http://", PermanentFailure),
        ("http://127.0.0.1:port/x", PermanentFailure),
        ("http://[/x", PermanentFailure),
    ],
)
def test_addresses_that_lead_nowhere(tmp_path: Path, uri: str, failure: type[Exception]) -> None:
    with pytest.raises(failure), fetch(uri, tmp_path, WEB):
        pass


def test_catalogue_on_the_web_is_read_or_a_clear_error(web: Web) -> None:
    with pytest.raises(SourceError, match="cannot read the catalogue"):
        list_source("http://127.0.0.1:9/c.csv", WEB)
    with pytest.raises(SourceError, match="column 'uri' is missing"):
        list_source(f"{web[0]}/page.csv?x=1", WEB)
