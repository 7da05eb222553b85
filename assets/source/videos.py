"""Which videos a source has: a file, a folder, an object-store prefix, a catalogue, an address.

``list_source`` streams them in an order that is the same every time (a folder's by name, a bucket's
by key, a catalogue's own). What the listing already knows to be unreadable is listed all the same,
with ``problem`` saying why, so that the ledger shows it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assets.source.catalogue import read_catalogue
from assets.source.errors import SourceError
from assets.source.fetching import object_version
from assets.stores.addresses import (
    CATALOGUE_SUFFIXES,
    READABLE_SCHEMES,
    UNREADABLE,
    is_video,
    local_path,
    local_uri,
    look_at,
    readable,
    suffix_of,
    title_of,
    video_id_of,
)
from assets.stores.batches import SourceVideo
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.storage import OBJECT_SCHEMES, Storage, StoredFile, scheme_of, split_url
from ml.redaction import presentable


def list_source(
    source: str | Path,
    options: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[SourceVideo]:
    """The videos of a source, streamed.

    Folders are searched to any depth for ``VIDEO_SUFFIXES``; names that begin with a dot are
    passed over. Options are those of ``assets.stores.storage``; the limits concern catalogues.

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
        return read_catalogue(text, options, limits).videos()
    if scheme in ("http", "https"):
        return iter([SourceVideo(video_id_of(text), text, title=title_of(text))])
    if scheme in OBJECT_SCHEMES:
        return _list_objects(text, options)
    return _list_local(local_path(text) if scheme else text)


def _local_video(path: str, problem: str = "") -> SourceVideo:
    uri, state = local_uri(path), look_at(path)
    return SourceVideo(
        video_id_of(uri),
        uri,
        UNREADABLE if problem else state.version,
        state.source_bytes,
        title=PurePosixPath(readable(path)).stem,
        problem=problem or state.problem,
    )


def _list_local(source: str) -> Iterator[SourceVideo]:
    state = look_at(source)
    if Path(source).is_dir():
        try:
            os.scandir(source).close()
        except OSError as error:
            raise SourceError(f"cannot list {readable(source)}: {error.strerror}") from error
        return _walk(os.path.abspath(source))  # noqa: PTH100 (resolve() would follow links)
    if state.problem:
        raise SourceError(f"cannot list {readable(source)}: {state.problem}")
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
            if problem or (is_video(entry.path) and entry.path != root):
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
        raise SourceError(f"cannot list {readable(folder)}: {error.strerror}") from error


def _visitable(entries: Iterator[os.DirEntry[str]]) -> Iterator[_Entry]:
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield _Entry(entry.path, is_folder=True, is_link=entry.is_symlink())
        elif is_video(entry.name):
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
        if is_video(key) and storage.exists(key):
            yield _object_video(storage, storage.info(key))
            return
        for file in storage.scan(key):
            hidden = any(part.startswith(".") for part in file.key.split("/"))
            if is_video(file.key) and not hidden:
                yield _object_video(storage, file)
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from presentable(error)


def _object_video(storage: Storage, file: StoredFile) -> SourceVideo:
    uri = f"{storage.root}/{file.key}"
    version = object_version(file)
    return SourceVideo(video_id_of(uri), uri, version, file.size, title=title_of(uri))
