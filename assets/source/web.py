"""Downloads over http and https, from servers that may lie, stall or lead elsewhere.

Whether an address may be connected to is looked at after its name is resolved, and what was looked
at is what is connected to: a name that resolves to something else a moment later gains nothing.
Behind a proxy, which a person has set up, names are the proxy's to resolve and to refuse.
"""

from __future__ import annotations

import base64
import functools
import http.client
import re
import socket
import ssl
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.request import Request

from assets.source.errors import SourceError
from assets.stores.limits import Limits, is_inner, write_chunks
from assets.stores.pace import NotNow, Pace
from assets.stores.storage import MAX_RETRIES, READ_TIMEOUT, scheme_of
from ml.failures import PermanentFailure, RetryableFailure
from ml.redaction import percent_encoded, presentable

_CHUNK_BYTES = 1 << 20
_FIRST_WAIT_S = 1.0  # then 2, 4, ...
_PASSING_CODES = frozenset((408, 425, 429))  # time-out, too early, too many requests
_GONE_CODES = frozenset((404, 410))
_MOST_MARK_CHARS = 256  # of an ETag, which becomes part of the version


class Gone(PermanentFailure):
    """The place answers, and the file is not in it."""


@dataclass(frozen=True)
class Answer:
    """What was downloaded: its version, and whether it came from inside this network."""

    version: str
    is_inner: bool


@dataclass
class Guard:
    """Which addresses one download may connect to.

    Attributes:
        origin: the host of the address that is asked for.
        public_only: nobody here named that host, so it may not be inside this network either.
        resolve: as ``socket.getaddrinfo``.
        is_inner: whether the last connection led inside this network.
        is_proxied: whether the next request goes to a proxy.
    """

    origin: str
    limits: Limits
    public_only: bool = False
    resolve: Callable[..., Any] = socket.getaddrinfo
    is_inner: bool = False
    is_proxied: bool = False

    def connector(self, request: Request) -> Callable[..., socket.socket]:
        """Connects for a request, as ``socket.create_connection`` does."""
        host = urllib.parse.urlsplit(request.full_url).hostname or ""
        named = host == self.origin and not self.public_only
        is_free = self.is_proxied or named or self.limits.allows(host)
        self.is_proxied = False
        return functools.partial(self._connect, is_free)

    def _connect(
        self, is_free: bool, address: tuple[str, int], timeout: float, *_: object
    ) -> socket.socket:
        failed: Exception = OSError("the name leads nowhere")
        for family, kind, protocol, _, place in self.resolve(*address, type=socket.SOCK_STREAM):
            inner = is_inner(place[0])
            if inner and not is_free:
                failed = PermanentFailure(
                    f"{address[0]} leads to {place[0]}, inside this network, where no server and "
                    "no catalogue from outside may send us (KADR_ALLOW_HOSTS)"
                )
                continue
            connection = _PacedSocket(family, kind, protocol)
            connection.pace = self.limits.pace()
            connection.settimeout(timeout)
            try:
                connection.connect(place)
            except OSError as error:
                connection.close()
                failed = error
                continue
            self.is_inner = inner
            return connection
        raise failed


def download(
    uri: str,
    target: Path,
    options: Mapping[str, Any],
    limits: Limits,
    *,
    public_only: bool = False,
) -> Answer:
    """Stream the address into ``target``, with some attempts seconds apart.

    Raises:
        PermanentFailure: the server refuses, the file is too large, or it lies where none may.
        RetryableFailure: connection or server failed, or are too slow, or the disk is full.
    """
    tries_left = int(options.get("max_retries", MAX_RETRIES))
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return _download_once(uri, target, options, limits, public_only)
        except NotNow:
            raise
        except RetryableFailure:
            if not tries_left:
                raise
        time.sleep(wait_s)
        tries_left, wait_s = tries_left - 1, 2 * wait_s


def _download_once(
    uri: str, target: Path, options: Mapping[str, Any], limits: Limits, public_only: bool
) -> Answer:
    timeout_s = _seconds(str(options.get("read_timeout", READ_TIMEOUT)))
    try:
        guard = Guard(host_of(uri), limits, public_only)
        with _opener(options, guard).open(_request(uri), timeout=timeout_s) as answer:
            promised = _promised(answer.headers)
            size = write_chunks(_chunks(answer), target, limits, promised or 0)
            return Answer(_version(answer.headers, promised, size), guard.is_inner)
    except urllib.error.HTTPError as error:
        raise _refusal(error) from presentable(error)
    except http.client.IncompleteRead as error:
        raise RetryableFailure("the connection ended in the middle of the file") from error
    except (http.client.InvalidURL, UnicodeError, ValueError):
        # What these say quotes what they could not read, a password say.
        said = "not an address that can be read (what a user, a password or a path may not hold "
        raise PermanentFailure(f"{said}stands percent-encoded)") from None
    except (OSError, http.client.HTTPException) as error:
        said = f"the server cannot be read: {_why(error)}"
        raise RetryableFailure(said) from presentable(error)


def host_of(uri: str) -> str:
    """The host of a web address as it is connected to: lower case, without user and port.

    Raises:
        ValueError: there is none in it.
    """
    return urllib.parse.urlsplit(_ascii_url(uri)).hostname or ""


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    """What has come, each time some has: waiting for a whole chunk would be waiting for ever."""
    while chunk := answer.read1(_CHUNK_BYTES):
        yield chunk


def _why(error: BaseException) -> str:
    cause = getattr(error, "reason", error)
    said = _in_line(str(getattr(cause, "strerror", None) or cause))
    return said or type(cause).__name__


def _in_line(text: str) -> str:
    """What a server says, as one short line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _refusal(error: urllib.error.HTTPError) -> PermanentFailure | RetryableFailure:
    text = f"the server answers {error.code} {_in_line(str(error.reason))}".rstrip()
    if error.code >= 500 or error.code in _PASSING_CODES:
        return RetryableFailure(text)
    return (Gone if error.code in _GONE_CODES else PermanentFailure)(text)


def _promised(headers: HTTPMessage) -> int | None:
    """The length that the server states; None where that is none."""
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None


def _version(headers: HTTPMessage, promised: int | None, size: int) -> str:
    """Raises RetryableFailure when the connection broke off: ``http.client`` keeps silent then."""
    if promised is not None and promised != size:
        raise RetryableFailure(f"the connection ended after {size} of {promised} bytes")
    mark = _in_line(headers.get("ETag") or headers.get("Last-Modified") or "")
    return f"{mark.removeprefix('W/').strip(chr(34))[:_MOST_MARK_CHARS]}-{size}"


# Connections --------------------------------------------------------------------------------------


class _PacedSocket(socket.socket):
    """Notes what comes, the lines of headers included."""

    pace: Pace

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count = super().recv_into(*arguments, **named)
        self.pace.add(count)
        return count


class _PacedTls(ssl.SSLSocket):
    """The same under TLS, from the end of the handshake on, which has a time limit as a whole."""

    pace: Pace | None = None

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count = super().recv_into(*arguments, **named)
        if self.pace is not None:
            self.pace.add(count)
        return count


class _Tls(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        assert isinstance(self.sock, _PacedTls)
        self.sock.pace = self.limits.pace()

    limits: Limits


def _connection(
    kind: type[http.client.HTTPConnection], guard: Guard, request: Request
) -> Callable[..., http.client.HTTPConnection]:
    """Makes the connection of a request; ``http.client`` connects by this attribute, and gives
    the TLS handshake the host's name."""
    connect = guard.connector(request)

    def made(host: str, **how: Any) -> http.client.HTTPConnection:
        connection: Any = kind(host, **how)
        connection._create_connection = connect
        connection.limits = guard.limits
        return connection

    return made


class _Http(urllib.request.HTTPHandler):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: Request) -> HTTPResponse:
        made: Any = _connection(http.client.HTTPConnection, self._guard, req)
        return self.do_open(made, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, guard: Guard, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._guard, self._tls = guard, context

    def https_open(self, req: Request) -> HTTPResponse:
        made: Any = _connection(_Tls, self._guard, req)
        return self.do_open(made, req, context=self._tls)


class _Proxies(urllib.request.ProxyHandler):
    """Tells the guard which requests go to a proxy."""

    def __init__(self, proxies: dict[str, str] | None, guard: Guard) -> None:
        super().__init__(proxies)
        self._guard = guard

    def proxy_open(self, req: Request, proxy: str, type: str) -> Any:
        host = req.host
        answer = super().proxy_open(req, proxy, type)
        self._guard.is_proxied |= req.host != host
        return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only; ``urllib`` would also follow one to ftp."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if scheme_of(newurl) not in ("http", "https"):
            raise PermanentFailure(f"the server redirects to {scheme_of(newurl)}://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(options: Mapping[str, Any], guard: Guard) -> urllib.request.OpenerDirector:
    """An opener that knows http and https and nothing else (``build_opener`` knows ``file:``)."""
    proxy = options.get("proxy_url")
    proxies = None if proxy is None else {"http": proxy, "https": proxy} if proxy else {}
    context = ssl.create_default_context()
    context.sslsocket_class = _PacedTls
    opener = urllib.request.OpenerDirector()
    for handler in (
        _Proxies(proxies, guard),
        _Http(guard),
        _Https(guard, context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> Request:
    """A request for the address, its user and password in a header as every browser puts them;
    a server that is redirected to does not get them."""
    parts = urllib.parse.urlsplit(_ascii_url(url))
    user, at, place = parts.netloc.rpartition("@")
    request = Request(urllib.parse.urlunsplit(parts._replace(netloc=place)))
    if at:
        token = base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _ascii_url(url: str) -> str:
    """Percent-encode what an address may not hold (spaces, Cyrillic); the rest stays as it is."""
    parts = urllib.parse.urlsplit(percent_encoded(url))
    if not parts.hostname:
        raise ValueError("no host in it")
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    whole = urllib.parse.urlunsplit(parts._replace(netloc=host, fragment=""))
    return urllib.parse.quote(whole, safe=string.punctuation)


def _seconds(text: str) -> float:
    """``500ms``, ``60s``, ``5m``, ``1h`` as seconds.

    Raises:
        SourceError: anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)", text)
    if match is None:
        raise SourceError(f"expected read_timeout such as '60s', found {text!r}")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]
