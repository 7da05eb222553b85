"""Where a file lies: uris, local paths, and what a look at a path says.

A uri is an absolute local path, ``s3://bucket/key`` (``gs://``, ``az://``) with the key as it
stands, or an ``http(s)`` address. A local path that is not UTF-8, which no table can hold, becomes
``file:///...`` with percent-encoding; ``local_path`` turns both back.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import urllib.parse
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assets.stores.storage import OBJECT_SCHEMES, scheme_of
from ml.redaction import percent_encoded, shown

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".m4v", ".ts", ".flv", ".wmv")
) | {".3gp", ".ogv", ".m2ts"}
CATALOGUE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet"))
READABLE_SCHEMES = ("", "file", *OBJECT_SCHEMES, "http", "https")
# The version of what cannot be read: it differs from every readable file's, so that a file that
# was mended is taken as changed.
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class LocalState:
    """What a look at a local path says; ``may_pass`` where the problem is not the file's own."""

    version: str
    source_bytes: int
    problem: str = ""
    may_pass: bool = False


def video_id_of(uri: str) -> str:
    """The default id: 16 hex digits of the uri's BLAKE2b."""
    return hashlib.blake2b(uri.encode()).hexdigest()[:16]


def title_of(uri: str) -> str:
    """The default title: the file's name without its suffix."""
    encoded = scheme_of(uri) in ("http", "https", "file")
    path = path_part(shown(uri))  # an address may have no path, and a password before it
    return PurePosixPath(urllib.parse.unquote(path) if encoded else path).stem


def suffix_of(uri: str) -> str:
    """The lower-case suffix of the file's name, such as ``.mp4``; empty when there is none."""
    return PurePosixPath(path_part(uri)).suffix.lower()


def path_part(uri: str) -> str:
    """A web address without its query; everything else as it is."""
    is_web = scheme_of(uri) in ("http", "https")
    return re.split("[?#]", percent_encoded(uri), maxsplit=1)[0] if is_web else uri


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
        return f"broken symlink to {readable(str(Path(path).readlink()))!r}"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"it cannot be reached: {error.strerror}"


def _is_link(path: str) -> bool:
    return Path(path).is_symlink()


def readable(path: str) -> str:
    """A path as text that any table can hold; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def is_video(name: str) -> bool:
    """Whether a name has a suffix of ``VIDEO_SUFFIXES``."""
    return suffix_of(name) in VIDEO_SUFFIXES
