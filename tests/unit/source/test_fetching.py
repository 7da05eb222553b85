"""Fetching local files, objects and addresses, and what is told of those that can't be."""

from __future__ import annotations

import base64
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from assets.source.errors import SourceError
from assets.source.fetching import fetch
from assets.source.videos import list_source
from ml.failures import PermanentFailure, RetryableFailure
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server  # noqa: F401

WEB = {"proxy_url": "", "max_retries": "0", "read_timeout": "500ms"}


def test_local_file_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"video")
    (video,) = list_source(tmp_path)
    with fetch(video.uri, tmp_path / "no-scratch") as (path, version):
        assert (path, version) == (tmp_path / "a.mp4", video.version)
    assert path.exists()


def test_missing_file_directory_and_unknown_scheme_are_permanent(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "no.mp4"), str(tmp_path), "ftp://h/x", "relative.mp4"):
        with pytest.raises(PermanentFailure), fetch(uri, tmp_path):
            pass


def test_file_that_changes_while_it_is_read_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"video")
    with (
        pytest.raises(RetryableFailure, match="changed while it was read"),
        fetch(str(tmp_path / "a.mp4"), tmp_path) as (path, _),
    ):
        path.write_bytes(b"something else")


def test_failure_of_the_reader_itself_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"video")
    with pytest.raises(ZeroDivisionError), fetch(str(tmp_path / "a.mp4"), tmp_path):
        _ = 1 / 0


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


PASSWORD = "a@#/?:ё"
PRIVATE = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"


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
                "to-private": "/private.mp4",
            }
            self._send(302, b"", Location=targets[name])
        elif name == "private.mp4" and self.headers.get("Authorization") != PRIVATE:
            self._send(401, b"no")
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


@pytest.mark.parametrize("password", [PASSWORD, quote(PASSWORD, safe="")])
def test_a_user_is_sent_to_the_server_that_is_named_and_to_no_other(
    web: Web, tmp_path: Path, password: str
) -> None:
    place = f"http://me:{password}@{web[0].removeprefix('http://')}"
    with fetch(f"{place}/private.mp4?sig=1", tmp_path, WEB) as (path, _):
        assert path.read_bytes() == b"video"
    assert web[1][-1] == "/private.mp4?sig=1"
    with pytest.raises(PermanentFailure, match="401"), fetch(f"{place}/to-private", tmp_path, WEB):
        pass


def test_videos_lie_beside_a_catalogue_whatever_its_password_and_signature_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "catalogue.csv"
    catalogue.write_text("uri\nclip.mp4\n")
    handler = type("Handler", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    monkeypatch.chdir(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"127.0.0.1:{server.server_address[1]}"
        (video,) = list_source(f"http://me:a#/@{here}/catalogue.csv?X-Amz-Signature=a/b", WEB)
        server.shutdown()
    assert (video.uri, video.title) == (f"http://me:a%23%2F@{here}/clip.mp4", "clip")


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
