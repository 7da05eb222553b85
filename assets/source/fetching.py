"""One video of a source as a local file to decode. No name is ever given to a shell."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.request import Request

from assets.source.errors import SourceError
from assets.stores.addresses import (
    READABLE_SCHEMES,
    VIDEO_SUFFIXES,
    LocalState,
    local_path,
    look_at,
    readable,
    suffix_of,
)
from assets.stores.storage import (
    MAX_RETRIES,
    OBJECT_SCHEMES,
    READ_TIMEOUT,
    StoredFile,
    explained,
    object_info,
    open_store,
    scheme_of,
    split_url,
)
from ml.failures import PermanentFailure, RetryableFailure

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_CHUNK_BYTES = 1 << 20
_FIRST_WAIT_S = 1.0  # then 2, 4, ...
_PASSING_CODES = frozenset((408, 425, 429))  # time-out, too early, too many requests


def object_version(file: StoredFile) -> str:
    """The version of an object: ``etag-size``, the same whether it was listed or read."""
    return f"{file.etag.strip(chr(34))}-{file.size}"


@contextmanager
def fetch(
    uri: str, scratch_dir: str | Path, options: Mapping[str, Any] | None = None
) -> Iterator[tuple[Path, str]]:
    """One video as a local file, and the version of the bytes in it.

    Local files are given as they lie; others are downloaded to ``scratch_dir`` and removed after.
    A local file is looked at again when the block ends.

    Raises:
        PermanentFailure: no such file or address, no permission, or nothing that can be read.
        RetryableFailure: connection, server or disk failed, or the file changed meanwhile.
    """
    if scheme_of(uri) not in READABLE_SCHEMES:
        raise PermanentFailure(f"{scheme_of(uri)}:// cannot be read")
    if scheme_of(uri) in ("", "file"):
        with _local_file(uri, Path(scratch_dir)) as found:
            yield found
        return
    suffix = suffix_of(uri) if suffix_of(uri) in VIDEO_SUFFIXES else ""
    target = Path(scratch_dir) / f"source-{secrets.token_hex(8)}{suffix}"
    try:
        yield target, _download(uri, target, options or {})
    finally:
        target.unlink(missing_ok=True)


class Gone(PermanentFailure):
    """The place answers, and the file is not in it."""


@contextmanager
def _local_file(uri: str, scratch: Path) -> Iterator[tuple[Path, str]]:
    try:
        path = local_path(uri)
        state = look_at(path)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
    if state.problem:
        raise _local_failure(path, state)
    with _readable_name(path, scratch) as name:
        yield name, state.version
    if look_at(path).version != state.version:
        raise RetryableFailure("the file changed while it was read")


def _local_failure(path: str, state: LocalState) -> PermanentFailure | RetryableFailure:
    if state.may_pass:
        return RetryableFailure(state.problem)
    is_gone = not os.path.lexists(path) and _is_in_use(os.path.dirname(path))  # noqa: PTH120
    return (Gone if is_gone else PermanentFailure)(state.problem)


def _is_in_use(folder: str) -> bool:
    """Whether a folder holds anything: the place of a disk that is not mounted is empty."""
    try:
        with os.scandir(folder) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except OSError:
        return False


@contextmanager
def _readable_name(path: str, scratch: Path) -> Iterator[Path]:
    """The path; for one that is not UTF-8, which libraries refuse, a link to it in ``scratch``."""
    if readable(path) == path:
        yield Path(path)
        return
    link = scratch / f"source-{secrets.token_hex(8)}{Path(readable(path)).suffix}"
    link.symlink_to(path)
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)


def _download(uri: str, target: Path, options: Mapping[str, Any]) -> str:
    """Stream the address into ``target``; the version of what was read."""
    if scheme_of(uri) not in OBJECT_SCHEMES:
        return _download_web(uri, target, options)
    try:
        scheme, bucket, key = split_url(uri)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
    store = open_store(scheme, bucket, options)
    try:
        return _download_object(store, uri, key, target)
    except (FileNotFoundError, PermissionError, ValueError) as error:
        raise PermanentFailure(str(error)) from error
    except OSError as error:
        raise RetryableFailure(str(error)) from error


def _download_object(store: ObjectStore, uri: str, key: str, target: Path) -> str:
    import obstore

    with explained("read", uri):
        answer = obstore.get(store, key)
        with target.open("xb") as file:
            for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
                file.write(chunk)
    return object_version(object_info(key, answer.meta))


def _download_web(uri: str, target: Path, options: Mapping[str, Any]) -> str:
    tries_left = int(options.get("max_retries", MAX_RETRIES))
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return _download_web_once(uri, target, options)
        except RetryableFailure:
            if not tries_left:
                raise
        time.sleep(wait_s)
        tries_left, wait_s = tries_left - 1, 2 * wait_s


def _download_web_once(uri: str, target: Path, options: Mapping[str, Any]) -> str:
    timeout_s = _seconds(str(options.get("read_timeout", READ_TIMEOUT)))
    try:
        with _web_opener(options).open(_ascii_url(uri), timeout=timeout_s) as answer:
            with target.open("wb") as file:
                shutil.copyfileobj(answer, file, _CHUNK_BYTES)
            return _web_version(answer.headers, target.stat().st_size)
    except urllib.error.HTTPError as error:
        raise _web_failure(error) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise PermanentFailure(f"not an address that can be read: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise RetryableFailure(f"the server cannot be read: {error}") from error


def _web_failure(error: urllib.error.HTTPError) -> PermanentFailure | RetryableFailure:
    text = f"the server answers {error.code} {error.reason}"
    passing = error.code >= 500 or error.code in _PASSING_CODES
    return RetryableFailure(text) if passing else PermanentFailure(text)


def _web_version(headers: HTTPMessage, size: int) -> str:
    """Raises RetryableFailure when the connection broke off: ``http.client`` keeps silent then."""
    promised = headers.get("Content-Length")
    if promised is not None and int(promised) != size:
        raise RetryableFailure(f"the connection ended after {size} of {promised} bytes")
    mark = headers.get("ETag") or headers.get("Last-Modified") or ""
    return f"{mark.removeprefix('W/').strip(chr(34))}-{size}"


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only; ``urllib`` would also follow one to ftp."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if scheme_of(newurl) not in ("http", "https"):
            raise PermanentFailure(f"the server redirects to {scheme_of(newurl)}://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _web_opener(options: Mapping[str, Any]) -> urllib.request.OpenerDirector:
    """An opener that knows http and https and nothing else (``build_opener`` knows ``file:``)."""
    proxy = options.get("proxy_url")
    proxies = None if proxy is None else {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _WebRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _ascii_url(url: str) -> str:
    """Percent-encode what an address may not hold (spaces, Cyrillic); the rest stays as it is."""
    parts = urllib.parse.urlsplit(url)
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
