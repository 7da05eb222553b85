"""Where videos come from: a file, a folder, an object-store prefix, a catalogue, a web address.

``list_source`` says which videos there are, as a stream in an order that is the same every time
(a folder's by name, a bucket's by key, a catalogue's own). What the listing already knows to be
unreadable is listed all the same, with ``problem`` saying why, so that the ledger shows it.

``fetch`` gives one of them as a local file to decode. No name is ever given to a shell.

A uri is an absolute local path, ``s3://bucket/key`` (``gs://``, ``az://``) with the key as it
stands, or an ``http(s)`` address. A local path that is not UTF-8, which no table can hold, becomes
``file:///...`` with percent-encoding; ``local_path`` turns both back.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import secrets
import shutil
import stat
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.request import Request

from assets.stores.storage import (
    MAX_RETRIES,
    OBJECT_SCHEMES,
    READ_TIMEOUT,
    Storage,
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

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".m4v", ".ts", ".flv", ".wmv")
) | {".3gp", ".ogv", ".m2ts"}
CATALOGUE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet"))
READABLE_SCHEMES = ("", "file", *OBJECT_SCHEMES, "http", "https")
# The version of what cannot be read: it differs from every readable file's, so that a file that
# was mended is taken as changed.
UNREADABLE = "unreadable"
_CHUNK_BYTES = 1 << 20
_FIRST_WAIT_S = 1.0  # then 2, 4, ...
_PASSING_CODES = frozenset((408, 425, 429))  # time-out, too early, too many requests


class SourceError(Exception):
    """A source cannot be listed: says which, what is wrong, and what to do."""


class EmptySource(SourceError):
    """A source that had videos has none: an unmounted disk looks like this, so nothing is done."""


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """A video as its source lists it. ``version`` changes when the bytes do; empty is unknown.

    ``licensed`` is None where the source does not say.
    """

    video_id: str
    uri: str
    version: str = ""
    source_bytes: int = 0
    published_at: datetime | None = None
    title: str = ""
    description: str = ""
    tags: str = ""
    problem: str = ""
    licensed: bool | None = None


@dataclass(frozen=True)
class LocalState:
    """What a look at a local path says; ``may_pass`` where the problem is not the file's own."""

    version: str
    source_bytes: int
    problem: str = ""
    may_pass: bool = False


def list_source(
    source: str | Path, options: Mapping[str, Any] | None = None
) -> Iterator[SourceVideo]:
    """The videos of a source, streamed.

    Folders are searched to any depth for ``VIDEO_SUFFIXES``; names that begin with a dot are
    passed over. Options are those of ``assets.stores.storage``.

    Raises:
        SourceError: the source is not there, cannot be listed, or is of no known kind.
        CatalogueError: the catalogue has errors; all of them are in the message.
    """
    text = str(source)
    scheme = scheme_of(text)
    if scheme not in READABLE_SCHEMES:
        raise SourceError(
            f"cannot list {text}: expected a path or one of s3://, gs://, az://, http(s)://"
        )
    if suffix_of(text) in CATALOGUE_SUFFIXES:
        from assets.source.catalogue import read_catalogue

        return read_catalogue(text, options).videos()
    if scheme in ("http", "https"):
        return iter([SourceVideo(video_id_of(text), text, title=title_of(text))])
    if scheme in OBJECT_SCHEMES:
        return _list_objects(text, options)
    return _list_local(local_path(text) if scheme else text)


def refuse_empty(source: str, known_count: int) -> None:
    """Stop at a listing without a single video where ``known_count`` of the source are known.

    Raises:
        EmptySource: videos are known.
    """
    if known_count:
        raise EmptySource(
            f"{source} lists no video at all, though {known_count} of it are in the library. "
            "Nothing was done; check that the disk is mounted and the address is right."
        )


def video_id_of(uri: str) -> str:
    """The default id: 16 hex digits of the uri's BLAKE2b."""
    return hashlib.blake2b(uri.encode()).hexdigest()[:16]


def title_of(uri: str) -> str:
    """The default title: the file's name without its suffix."""
    encoded = scheme_of(uri) in ("http", "https", "file")
    path = _path_part(uri)
    return PurePosixPath(urllib.parse.unquote(path) if encoded else path).stem


def suffix_of(uri: str) -> str:
    """The lower-case suffix of the file's name, such as ``.mp4``; empty when there is none."""
    return PurePosixPath(_path_part(uri)).suffix.lower()


def _path_part(uri: str) -> str:
    """A web address without its query; everything else as it is."""
    is_web = scheme_of(uri) in ("http", "https")
    return re.split("[?#]", uri, maxsplit=1)[0] if is_web else uri


def local_uri(path: str | Path) -> str:
    """The uri of a local path: the absolute path itself, or ``file://`` where it is not UTF-8."""
    absolute = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return "file://" + urllib.parse.quote(os.fsencode(absolute))
    return absolute


def local_path(uri: str) -> str:
    """The local path of a uri made by ``local_uri``, or of any ``file://`` uri.

    Raises:
        ValueError: the uri is not a local file's.
    """
    if uri.startswith("/"):
        return uri
    host, slash, rest = uri[len("file://") :].partition("/")
    if scheme_of(uri) != "file" or host not in ("", "localhost") or not slash:
        raise ValueError(f"expected an absolute path or file:///..., found {uri!r}")
    return os.fsdecode(urllib.parse.unquote_to_bytes(slash + rest))


def look_at(path: str) -> LocalState:
    """Size, version and readability of a local path, without opening it."""
    try:
        info = os.stat(path)  # noqa: PTH116 (ten times the speed of Path.stat over a library)
    except OSError as error:
        permanent = (FileNotFoundError, PermissionError, NotADirectoryError)
        may_pass = not isinstance(error, permanent) and not _is_link(path)
        return LocalState(UNREADABLE, 0, _why_unreachable(path, error), may_pass)
    if stat.S_ISDIR(info.st_mode):
        return LocalState(UNREADABLE, 0, "it is a directory, not a file")
    if not stat.S_ISREG(info.st_mode):
        return LocalState(UNREADABLE, 0, "it is not a regular file")
    if not os.access(path, os.R_OK, effective_ids=True):
        return LocalState(UNREADABLE, info.st_size, "no permission to read it")
    return LocalState(f"{info.st_size}-{info.st_mtime_ns}", info.st_size)


def _why_unreachable(path: str, error: OSError) -> str:
    if _is_link(path):
        return f"broken symlink to {_readable(str(Path(path).readlink()))!r}"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"it cannot be reached: {error.strerror}"


def _is_link(path: str) -> bool:
    return Path(path).is_symlink()


def _readable(path: str) -> str:
    """A path as text that any table can hold; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _is_video(name: str) -> bool:
    return suffix_of(name) in VIDEO_SUFFIXES


# Listing ------------------------------------------------------------------------------------------


def _local_video(path: str, problem: str = "") -> SourceVideo:
    uri, state = local_uri(path), look_at(path)
    return SourceVideo(
        video_id_of(uri),
        uri,
        UNREADABLE if problem else state.version,
        state.source_bytes,
        title=PurePosixPath(_readable(path)).stem,
        problem=problem or state.problem,
    )


def _list_local(source: str) -> Iterator[SourceVideo]:
    state = look_at(source)
    if Path(source).is_dir():
        try:
            os.scandir(source).close()
        except OSError as error:
            raise SourceError(f"cannot list {_readable(source)}: {error.strerror}") from error
        return _walk(os.path.abspath(source))  # noqa: PTH100 (resolve() would follow links)
    if state.problem:
        raise SourceError(f"cannot list {_readable(source)}: {state.problem}")
    return iter([_local_video(source)])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A name in a folder that is to be visited."""

    path: str
    is_folder: bool
    is_link: bool = False


def _walk(root: str) -> Iterator[SourceVideo]:
    """Videos below a folder, in order of name. Links to folders are followed last, and a folder
    that was seen is not entered again: links in a circle end, and a new link renames no video."""
    seen: set[tuple[int, int]] = set()
    linked = deque([_Entry(root, is_folder=True)])
    while linked:
        stack = [linked.popleft()]
        while stack:
            entry = stack.pop()
            if not entry.is_folder:
                yield _local_video(entry.path)
                continue
            found, problem = _enter(entry.path, seen)
            if problem or (_is_video(entry.path) and entry.path != root):
                yield _local_video(entry.path, problem)
            linked.extend(e for e in found if e.is_link)
            stack.extend(e for e in reversed(found) if not e.is_link)


def _enter(folder: str, seen: set[tuple[int, int]]) -> tuple[list[_Entry], str]:
    """A folder's entries in order of name, none where it was seen; and why it cannot be listed."""
    try:
        info = os.stat(folder)  # noqa: PTH116 (the path may be no UTF-8)
        if (info.st_dev, info.st_ino) in seen:
            return [], ""
        seen.add((info.st_dev, info.st_ino))
        with os.scandir(folder) as entries:
            return sorted(_visitable(entries), key=lambda e: os.fsencode(e.path)), ""
    except FileNotFoundError:  # removed since its parent was listed
        return [], ""
    except PermissionError:
        return [], "no permission to list this folder; the videos in it are not in the library"
    except OSError as error:
        raise SourceError(f"cannot list {_readable(folder)}: {error.strerror}") from error


def _visitable(entries: Iterator[os.DirEntry[str]]) -> Iterator[_Entry]:
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield _Entry(entry.path, is_folder=True, is_link=entry.is_symlink())
        elif _is_video(entry.name):
            yield _Entry(entry.path, is_folder=False)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _list_objects(url: str, options: Mapping[str, Any] | None) -> Iterator[SourceVideo]:
    """One object where the key names it, else the videos below it, in order of key."""
    try:
        scheme, bucket, key = split_url(url)
        storage = Storage(f"{scheme}://{bucket}", options)
        if _is_video(key) and storage.exists(key):
            yield _object_video(storage, storage.info(key))
            return
        for file in storage.scan(key):
            hidden = any(part.startswith(".") for part in file.key.split("/"))
            if _is_video(file.key) and not hidden:
                yield _object_video(storage, file)
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from error


def _object_video(storage: Storage, file: StoredFile) -> SourceVideo:
    uri = f"{storage.root}/{file.key}"
    version = object_version(file)
    return SourceVideo(video_id_of(uri), uri, version, file.size, title=title_of(uri))


def object_version(file: StoredFile) -> str:
    """The version of an object: ``etag-size``, the same whether it was listed or read."""
    return f"{file.etag.strip(chr(34))}-{file.size}"


# Fetching -----------------------------------------------------------------------------------------


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


@contextmanager
def _local_file(uri: str, scratch: Path) -> Iterator[tuple[Path, str]]:
    try:
        path = local_path(uri)
        state = look_at(path)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
    if state.problem:
        raise (RetryableFailure if state.may_pass else PermanentFailure)(state.problem)
    with _readable_name(path, scratch) as name:
        yield name, state.version
    if look_at(path).version != state.version:
        raise RetryableFailure("the file changed while it was read")


@contextmanager
def _readable_name(path: str, scratch: Path) -> Iterator[Path]:
    """The path; for one that is not UTF-8, which libraries refuse, a link to it in ``scratch``."""
    if _readable(path) == path:
        yield Path(path)
        return
    link = scratch / f"source-{secrets.token_hex(8)}{Path(_readable(path)).suffix}"
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
