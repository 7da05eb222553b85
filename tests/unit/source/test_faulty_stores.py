"""An object store that refuses, fails, stalls or lies: a sentence, the right kind, and soon."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assets.source.errors import SourceError
from assets.source.fetching import Gone, fetch
from assets.source.videos import list_source
from assets.stores import storage as module
from assets.stores.limits import Limits
from assets.stores.pace import Pace
from assets.stores.storage import Storage
from assets.stores.storage_errors import StorageError
from ml.failures import PermanentFailure, RetryableFailure

LIMITS = Limits(max_bytes=100_000, min_bytes_per_s=1_000_000, window_s=0.1, min_free_bytes=0)
LONGEST_S = 1.0
CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}


class _Faults(BaseHTTPRequestHandler):
    """Fails by the last part of the key."""

    stop: threading.Event

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".mp4")
        try:
            if name.isdigit():
                self._refuse(int(name))
            elif name == "stall":
                self.stop.wait(LONGEST_S)
                self.close_connection = True
            else:
                self._begin(200, {"short": 1000, "drip": 1000, "huge": 10**15}.get(name, 5))
                self._send(name)
        except OSError:
            self.close_connection = True

    def _send(self, name: str) -> None:
        self.wfile.write(b"video")
        while name == "drip" and not self.stop.wait(0.02):
            self.wfile.write(b"x")
        self.close_connection = True

    def _refuse(self, status: int) -> None:
        number = time.perf_counter_ns()  # as S3's, another one each time
        said = f"<Code>{CODES[status]}</Code><RequestId>{number:x}</RequestId>"
        body = f'<?xml version="1.0"?>\n<Error>{said}</Error>'.encode()
        self._begin(status, len(body))
        self.wfile.write(body)

    def _begin(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        logging.getLogger(__name__).debug(format, *args)


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Faults,), {"stop": stop}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "aws_endpoint": f"http://127.0.0.1:{server.server_address[1]}",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "aws_region": "us-east-1",
        "allow_http": "true",
        "max_retries": "0",
        "read_timeout": "200ms",
    }
    stop.set()
    server.shutdown()
    server.server_close()


FAULTS = {
    "403": r"the store answers 403 Forbidden \(AccessDenied\); check the credentials",
    "404": "not found",
    "500": r"the store answers 500 Internal Server Error \(InternalError\)$",
    "503": r"the store answers 503 Service Unavailable \(SlowDown\)$",
    "stall": "no connection, or no answer in time$",
    "short": "the connection broke off, or nothing more came in time$",
    "drip": "less than 1000000 a second is not waited for",
    "huge": "it is larger than 100,000 bytes",
}
KINDS = {"404": Gone, "huge": PermanentFailure}


@pytest.mark.parametrize("fault", FAULTS)
def test_source_that_fails_is_a_sentence_of_the_right_kind(
    options: dict[str, str], tmp_path: Path, fault: str
) -> None:
    began = time.monotonic()
    with (
        pytest.raises(KINDS.get(fault, RetryableFailure), match=FAULTS[fault]),
        fetch(f"s3://films/{fault}.mp4", tmp_path, options, LIMITS),
    ):
        pass
    assert time.monotonic() - began < LONGEST_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_dataset_that_cannot_be_read_is_one_too(
    options: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Pace", lambda: Pace(1_000_000, 0.1))
    kind = {"403": PermissionError, "404": FileNotFoundError}.get(fault, StorageError)
    # Its length is not believed: with memory taken for a petabyte the process ended.
    text = FAULTS["short"] if fault == "huge" else FAULTS[fault]
    began = time.monotonic()
    with pytest.raises(kind, match=f"^cannot read s3://library/{fault}: .*{text}"):
        Storage("s3://library", options).read_bytes(fault)
    assert time.monotonic() - began < LONGEST_S


@pytest.mark.parametrize("fault", ["403", "500", "stall"])
def test_source_that_cannot_be_listed_says_why(options: dict[str, str], fault: str) -> None:
    # A listing asks the bucket, so here that is what is named by the fault.
    with pytest.raises(SourceError, match=f"^cannot list s3://{fault}/films: {FAULTS[fault]}"):
        list(list_source(f"s3://{fault}/films/", options))


def test_reason_is_the_same_each_night(options: dict[str, str], tmp_path: Path) -> None:
    def reason() -> str:
        with (
            pytest.raises(RetryableFailure) as failure,
            fetch("s3://films/500.mp4", tmp_path, options, LIMITS),
        ):
            pass
        return str(failure.value)

    assert reason() == reason()


def test_key_with_a_terminals_codes_is_told_without_them(
    options: dict[str, str], tmp_path: Path
) -> None:
    with (
        pytest.raises(PermanentFailure, match=r"^cannot read s3://films/a") as failure,
        fetch("s3://films/a\x1b[31m\n/a.mp4", tmp_path, options, LIMITS),
    ):
        pass
    assert str(failure.value).isprintable()
