"""Servers and catalogues that are not ours: what they send, how slowly, and where they lead.

``127.0.0.1`` is the host that a person named, ``localhost`` another one inside this network.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.request import Request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from assets.source.catalogue import read_catalogue
from assets.source.errors import CatalogueError, SourceError
from assets.source.fetching import fetch
from assets.source.web import Guard
from assets.stores.limits import Limits, hosts_of, is_inner
from ml.failures import PermanentFailure, RetryableFailure

WEB = {"proxy_url": "", "max_retries": "0", "read_timeout": "2s"}
LIMITS = Limits(max_bytes=100_000, min_bytes_per_s=1_000_000, window_s=0.1, min_free_bytes=0)
CALM = replace(LIMITS, min_bytes_per_s=0)
LONGEST_S = 1.0


class _Lies(BaseHTTPRequestHandler):
    """Lies by path."""

    stop: threading.Event
    port: int

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]  # a proxy is asked by whole addresses
        try:
            getattr(self, f"_{name.replace('-', '_').replace('.', '_')}")()
        except OSError:
            self.close_connection = True

    def _begin(self, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _endless(self) -> None:
        self._begin()
        while not self.stop.is_set():
            self.wfile.write(bytes(10_000))

    def _promises_more(self) -> None:
        self._begin(**{"Content-Length": "100001"})
        self.stop.wait(LONGEST_S)

    def _drip(self) -> None:
        self._begin(**{"Content-Length": "1000"})
        while not self.stop.wait(0.02):
            self.wfile.write(b"x")

    def _header_drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.stop.wait(0.02):
            self.wfile.write(b"x")

    def _codes(self) -> None:
        self.wfile.write(b"HTTP/1.1 404 \x1b[31m\x07gone\r\nContent-Length: 0\r\n\r\n")

    def _to_localhost(self) -> None:
        self._begin(302, Location=f"http://localhost:{self.port}/ok")

    def _to_metadata(self) -> None:
        self._begin(302, Location="http://169.254.169.254/latest/meta-data/")

    def _to_itself(self) -> None:
        self._begin(302, Location="/ok")

    def _ok(self) -> None:
        self._begin(ETag='"e1"')
        self.wfile.write(self.headers["Host"].encode())

    def _catalogue_csv(self) -> None:
        self._begin()
        self.wfile.write(CATALOGUE.encode())

    def log_message(self, format: str, *args: object) -> None:
        logging.getLogger(__name__).debug(format, *args)


CATALOGUE = "uri\na.mp4\n"


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lies)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    server.RequestHandlerClass = type("Handler", (_Lies,), {"stop": stop, "port": port})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.mark.parametrize(
    ("lie", "limits", "failure", "text"),
    [
        ("endless", CALM, PermanentFailure, r"larger than 100,000 bytes.*KADR_MAX_SOURCE_BYTES"),
        ("promises-more", CALM, PermanentFailure, "larger than 100,000 bytes"),
        ("drip", LIMITS, RetryableFailure, "less than 1000000 a second.*KADR_MIN_SOURCE_RATE"),
        ("header-drip", LIMITS, RetryableFailure, "less than 1000000 a second"),
        ("codes", CALM, PermanentFailure, r"^the server answers 404 \[31m gone$"),
        (
            "ok",
            replace(CALM, min_free_bytes=1 << 60),
            RetryableFailure,
            "the disk for scratch files has .* left.*KADR_MIN_FREE_BYTES",
        ),
    ],
)
def test_lie_ends_soon_with_a_sentence_and_leaves_nothing(
    web: str, tmp_path: Path, lie: str, limits: Limits, failure: type[Exception], text: str
) -> None:
    began = time.monotonic()
    # Attempts within seconds are for a connection that fails, not for a server that lies.
    patient = {**WEB, "max_retries": "5"}
    with pytest.raises(failure, match=text), fetch(f"{web}/{lie}", tmp_path, patient, limits):
        pass
    assert time.monotonic() - began < LONGEST_S
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def tls_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_pace_is_kept_under_tls_too(
    tls_certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_certificate))
    with served(context) as address:
        with fetch(f"{address}/ok", tmp_path, WEB, LIMITS) as (path, _):
            assert path.read_text().startswith("127.0.0.1")
        for lie in ("drip", "header-drip"):
            with (
                pytest.raises(RetryableFailure, match="less than 1000000 a second"),
                fetch(f"{address}/{lie}", tmp_path, WEB, LIMITS),
            ):
                pass


def test_fast_server_is_not_too_slow(web: str, tmp_path: Path) -> None:
    slow_is_below = replace(LIMITS, max_bytes=20_000_000, min_bytes_per_s=1000)
    with (
        pytest.raises(PermanentFailure, match="larger"),
        fetch(f"{web}/endless", tmp_path, WEB, slow_is_below),
    ):
        pass


@pytest.mark.parametrize("lie", ["to-localhost", "to-metadata"])
def test_redirect_into_this_network_is_refused(web: str, tmp_path: Path, lie: str) -> None:
    with (
        pytest.raises(PermanentFailure, match=r"leads to \S+, inside this network.*KADR_ALLOW"),
        fetch(f"{web}/{lie}", tmp_path, WEB, CALM),
    ):
        pass


def test_redirect_to_the_host_itself_or_an_allowed_one_is_followed(
    web: str, tmp_path: Path
) -> None:
    for name, limits in (
        ("to-itself", CALM),
        ("to-localhost", replace(CALM, allow_hosts=hosts_of("LOCALHOST"))),
    ):
        with fetch(f"{web}/{name}", tmp_path, WEB, limits) as (path, version):
            assert path.read_text().startswith(("127.0.0.1", "localhost"))
            assert version.startswith("e1-")


def test_host_that_a_catalogue_from_outside_names_is_not_found_inside(
    web: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(PermanentFailure, match=r"127\.0\.0\.1, inside this network"),
        fetch(f"{web}/ok", tmp_path, WEB, CALM, public_only=True),
    ):
        pass


def test_what_was_looked_at_is_what_is_connected_to(web: str) -> None:
    """A name that answers otherwise when it is asked again gains nothing: it is asked once."""
    port = int(web.rpartition(":")[2])
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def connected(limits: Limits) -> socket.socket:
        guard = Guard("films.example", limits, public_only=True, resolve=resolve)
        connect: Callable[..., socket.socket] = guard.connector(Request("http://films.example/a"))
        return connect(("films.example", 1), 1.0)

    with connected(replace(CALM, allow_hosts=("films.example",))) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    with pytest.raises(PermanentFailure, match="inside this network"):
        connected(CALM)
    assert asked == ["films.example"] * 2


def test_proxy_that_a_person_set_up_may_lie_inside(web: str, tmp_path: Path) -> None:
    proxied = {**WEB, "proxy_url": web}
    with fetch("http://films.example/ok", tmp_path, proxied, CALM, public_only=True) as (path, _):
        assert path.read_text() == "films.example"


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        *((a, True) for a in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254")),
        *((a, True) for a in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0")),
        *(
            (a, True)
            for a in ("::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fd00::1")
        ),
        *((a, False) for a in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")),
    ],
)
def test_addresses_inside_this_network(address: str, inner: bool) -> None:
    assert is_inner(address) is inner


def _catalogue(monkeypatch: pytest.MonkeyPatch, *uris: str) -> None:
    monkeypatch.setattr(f"{__name__}.CATALOGUE", "\n".join(["uri", *uris, ""]))


def test_catalogue_from_the_network_names_its_own_host_and_what_is_allowed(
    web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ("a.mp4", f"{web}/b.mp4", "https://cdn.example.org/c.mp4", "s3://films/d.mp4")
    _catalogue(monkeypatch, *named)
    allowed = replace(CALM, allow_hosts=hosts_of("*.example.org, s3://films/"))
    videos = read_catalogue(f"{web}/catalogue.csv", WEB, allowed).videos()
    assert [v.uri for v in videos] == [f"{web}/a.mp4", *named[1:]]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/a.mp4",
        "http://127.0.0.1@localhost/a.mp4",
        "http://example.org/a.mp4",
        "https://badexample.org/a.mp4",
        "s3://other/a.mp4",
    ],
)
def test_catalogue_from_the_network_that_names_more_is_refused_with_the_row(
    web: str, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    _catalogue(monkeypatch, "a.mp4", uri)
    allowed = replace(CALM, allow_hosts=hosts_of("*.example.org,s3://films"))
    with pytest.raises(CatalogueError, match=r"1 error, nothing was read\n  row 3: uri "):
        read_catalogue(f"{web}/catalogue.csv", WEB, allowed)


def test_local_catalogue_may_name_anything(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("uri\nhttp://169.254.169.254/a.mp4\n/etc/passwd\ns3://other/a.mp4\n")
    assert [v.public_only for v in read_catalogue(path).videos()] == [None] * 3


def test_catalogue_without_end_is_refused(web: str) -> None:
    with pytest.raises(SourceError, match="larger than 100,000 bytes"):
        read_catalogue(f"{web}/endless?.csv", WEB, CALM)


@pytest.mark.parametrize("text", ["https://a.org", "a.org/films", "*", "s3://", "a b"])
def test_allowed_host_that_is_none_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="KADR_ALLOW_HOSTS: expected hosts such as"):
        hosts_of(f"ok.org,{text}")
