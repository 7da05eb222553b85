"""One video of a source as a local file to decode. No name is ever given to a shell."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.source import web
from assets.source.web import Gone
from assets.stores.addresses import (
    READABLE_SCHEMES,
    VIDEO_SUFFIXES,
    LocalState,
    local_path,
    look_at,
    readable,
    suffix_of,
)
from assets.stores.limits import DEFAULT_LIMITS, Limits, write_chunks
from assets.stores.storage import (
    OBJECT_SCHEMES,
    StoredFile,
    object_info,
    open_store,
    scheme_of,
    split_url,
)
from assets.stores.storage_errors import StorageError, explained
from ml.failures import PermanentFailure, RetryableFailure
from ml.redaction import presentable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Gone", "fetch", "object_version"]


def object_version(file: StoredFile) -> str:
    """The version of an object: ``etag-size``, the same whether it was listed or read."""
    return f"{file.etag.strip(chr(34))}-{file.size}"


@contextmanager
def fetch(
    uri: str,
    scratch_dir: str | Path,
    options: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    *,
    public_only: bool = False,
) -> Iterator[tuple[Path, str]]:
    """One video as a local file, and the version of the bytes in it.

    Local files are given as they lie; others are downloaded to ``scratch_dir`` and removed after.
    A local file is looked at again when the block ends. ``public_only`` is for addresses that a
    catalogue from outside names: they may not lie inside this network.

    Raises:
        PermanentFailure: no such file or address (``Gone`` where that is sure), too large, or
            nothing that can be read.
        RetryableFailure: connection, server, credentials or disk failed, or the file changed
            meanwhile.
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
        yield target, _download(uri, target, options or {}, limits, public_only)
    finally:
        target.unlink(missing_ok=True)


@contextmanager
def _local_file(uri: str, scratch: Path) -> Iterator[tuple[Path, str]]:
    try:
        path = local_path(uri)
        state = look_at(path)
    except ValueError as error:
        raise PermanentFailure(str(error)) from presentable(error)
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


def _download(
    uri: str, target: Path, options: Mapping[str, Any], limits: Limits, public_only: bool
) -> str:
    """Stream the address into ``target``; the version of what was read."""
    if scheme_of(uri) not in OBJECT_SCHEMES:
        return web.download(uri, target, options, limits, public_only=public_only).version
    try:
        scheme, bucket, key = split_url(uri)
        store = open_store(scheme, bucket, options)
        return _download_object(store, uri, key, target, limits)
    except FileNotFoundError as error:
        raise Gone(str(error)) from presentable(error)
    except ValueError as error:
        raise PermanentFailure(str(error)) from presentable(error)
    # Without permission too: what is to be mended are the credentials, not the file.
    except (StorageError, PermissionError) as error:
        raise RetryableFailure(str(error)) from presentable(error)


def _download_object(store: ObjectStore, uri: str, key: str, target: Path, limits: Limits) -> str:
    import obstore

    with explained("read", uri):
        answer = obstore.get(store, key)
        size = int(answer.meta["size"])
        # A chunk is what has come: waiting for a whole one would be waiting for ever.
        chunks = limits.pace().over(bytes(chunk) for chunk in answer.stream(min_chunk_size=1))
        written = write_chunks(chunks, target, limits, size)
    if written != size:
        raise RetryableFailure(f"the connection ended after {written} of {size} bytes")
    return object_version(object_info(key, answer.meta))
