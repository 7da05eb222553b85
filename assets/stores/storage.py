"""A place for files: a local folder, or a prefix of an object store (``s3://``, ``gs://``, ``az://``).

Every write is atomic: a reader sees the old file or the new one, and a writer that is killed leaves
at most a hidden temporary file that ``clean_temporary`` knows by its name. An object that is
replaced while it is read gives an error to its reader, never a mixture of both.

Options are the store's own settings by their environment names in lower case, such as
``aws_endpoint``, ``aws_access_key_id``, ``aws_secret_access_key``, ``aws_region``,
``google_service_account``, ``azure_storage_account_name`` (without a prefix: S3), and for every
store ``allow_http``, ``timeout``, ``connect_timeout``, ``read_timeout``, ``proxy_url``,
``max_retries``. What is not given there obstore takes from the environment's own ``AWS_*``,
``GOOGLE_*`` and ``AZURE_*`` variables. The object-store client runs threads, so processes that use
one are to be spawned, not forked.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from assets.stores.pace import NotNow, Pace
from assets.stores.storage_errors import StorageError, explained, in_words, printable
from ml.redaction import presentable, shown

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ObjectStore

OBJECT_SCHEMES = ("s3", "gs", "az")
# obstore gives a request 30 s, body included: too little for a film. A stalled transfer is what
# read_timeout ends.
READ_TIMEOUT = "60s"
_CLIENT_DEFAULTS = {"timeout": "6h", "connect_timeout": "10s", "read_timeout": READ_TIMEOUT}
_CLIENT_KEYS = frozenset(_CLIENT_DEFAULTS) | {
    "allow_http",
    "allow_invalid_certificates",
    "http2_only",
    "pool_idle_timeout",
    "proxy_url",
    "proxy_excludes",
    "root_certificate",
    "user_agent",
}
# Failures beyond these are for the next run of the batch, which also tries again.
MAX_RETRIES = 3
_RETRY_TIMEOUT = timedelta(minutes=2)
# One request to an object store costs 20-200 ms, so small reads are gathered into this.
_READ_BUFFER_BYTES = 1 << 20
_PART_BYTES = 16 << 20
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.kadr-tmp")


@dataclass(frozen=True)
class StoredFile:
    """A file of a storage. ``etag`` changes when the content does."""

    key: str
    size: int
    etag: str


def scheme_of(url: str) -> str:
    """The lower-case scheme of ``scheme://...``; empty for a local path."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of an object's URL. The key is taken as it stands: ``?``, ``#`` and
    ``%`` in it mean nothing, as in every S3 tool.

    Raises:
        ValueError: not an object store's URL, no bucket in it, or a key before the bucket.
    """
    scheme = scheme_of(url)
    bucket, _, key = url[len(scheme) + 3 :].partition("/")
    if scheme not in OBJECT_SCHEMES or not bucket:
        raise ValueError(f"expected s3://, gs:// or az:// with a bucket, found {shown(url)!r}")
    if not set("@:").isdisjoint(bucket):
        raise ValueError(
            f"{scheme}://… names a user or a key before its bucket: they belong into "
            "KADR_STORAGE_OPTIONS, which is shown nowhere"
        )
    return scheme, bucket, key


def open_store(scheme: str, bucket: str, options: Mapping[str, Any] | None = None) -> ObjectStore:
    """The bucket (Azure: container) as an obstore store, with the options that concern it.

    Raises:
        ValueError: an option that the store does not have.
    """
    import obstore.store as stores
    from obstore.exceptions import BaseError

    given = {name.lower(): value for name, value in (options or {}).items()}
    client = _CLIENT_DEFAULTS | {k: _flag(v) for k, v in given.items() if k in _CLIENT_KEYS}
    retry = {"max_retries": int(given.pop("max_retries", MAX_RETRIES))}
    config = {k: v for k, v in given.items() if k not in _CLIENT_KEYS and _owner(k) == scheme}
    kind: Any = {"s3": stores.S3Store, "gs": stores.GCSStore, "az": stores.AzureStore}[scheme]
    try:
        return kind(
            bucket,
            config=config,
            client_options=client,
            retry_config={**retry, "retry_timeout": _RETRY_TIMEOUT},
        )
    except BaseError as error:
        said = f"cannot open {scheme}://{bucket}: {in_words(error)}"
        raise ValueError(said) from presentable(error)


def _owner(option: str) -> str:
    owners = {"google_": "gs", "azure_": "az"}
    return next((s for prefix, s in owners.items() if option.startswith(prefix)), "s3")


def _flag(value: Any) -> Any:
    """Settings arrive as text; the client wants its flags as booleans."""
    return {"true": True, "false": False}.get(str(value).lower(), value)


class Storage:
    """Files by key (``datasets/frames/2026-11-20-001.parquet``) under one root.

    Holds plain settings and a client, and can be pickled. Keys are relative, with ``/`` between
    their parts.
    """

    def __init__(self, root: str | Path, options: Mapping[str, Any] | None = None) -> None:
        """Open the place; nothing is read or made yet.

        Raises:
            ValueError: a scheme that is not known, or an option that the store does not have.
        """
        self.options = dict(options or {})
        self.is_local = scheme_of(str(root)) == ""
        self.root = str(Path(root).resolve()) if self.is_local else str(root).rstrip("/")
        if not self.is_local:
            scheme, bucket, self._prefix = split_url(self.root)
            self._store = open_store(scheme, bucket, self.options)

    def __reduce__(self) -> tuple[type[Storage], tuple[str, dict[str, Any]]]:
        return Storage, (self.root, self.options)

    def __repr__(self) -> str:
        return f"Storage({self.root!r})"

    def url(self, key: str) -> str:
        """The local path or URL of a file, for messages and other programs."""
        return f"{self.root}/{_checked(key)}"

    def put_file(self, local_path: str | Path, key: str) -> None:
        """Make a finished local file the file of that key, replacing an older one.

        The local file stays, and must not be changed afterwards: on one file system both names
        share the bytes.
        """
        if self.is_local:
            with self._temporary(key) as temporary:
                _link_or_copy(local_path, temporary)
                temporary.replace(self.url(key))
                _sync_folder(temporary.parent)
            return
        import obstore

        with explained("write", self.url(key)):
            obstore.put(self._store, self._path(key), Path(local_path), chunk_size=_PART_BYTES)

    def put_bytes(self, data: bytes, key: str) -> None:
        """Make ``data`` the file of that key, replacing an older one."""
        if self.is_local:
            with self._temporary(key) as temporary:
                _write_synced(temporary, data)
                temporary.replace(self.url(key))
                _sync_folder(temporary.parent)
            return
        import obstore

        with explained("write", self.url(key)):
            obstore.put(self._store, self._path(key), data)

    def create_bytes(self, data: bytes, key: str) -> None:
        """Make ``data`` the file of that key, once: of two writers at a time one fails.

        Raises:
            FileExistsError: there is a file of that key.
        """
        if self.is_local:
            with self._temporary(key) as temporary:
                _write_synced(temporary, data)
                os.link(temporary, self.url(key))
                _sync_folder(temporary.parent)
            return
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with explained("write", self.url(key)):
            try:
                obstore.put(self._store, self._path(key), data, mode="create")
            except AlreadyExistsError as error:
                raise FileExistsError(f"{self.url(key)} exists") from error

    def open_reader(self, key: str) -> BinaryIO:
        """A seekable file object, also for ``pyarrow.parquet.ParquetFile``; close it.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if self.is_local:
            return Path(self.url(key)).open("rb")
        info = self.info(key)
        raw = _ObjectReader(self._store, self._path(key), self.url(key), info)
        return cast(BinaryIO, io.BufferedReader(raw, _READ_BUFFER_BYTES))

    def read_bytes(self, key: str) -> bytes:
        """The whole file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if self.is_local:
            return Path(self.url(key)).read_bytes()
        import obstore

        with explained("read", self.url(key)):
            return _gathered(obstore.get(self._store, self._path(key)), self.url(key))

    def info(self, key: str) -> StoredFile:
        """Size and etag (locally ``size-mtime_ns``).

        Raises:
            FileNotFoundError: there is no such file.
        """
        if self.is_local:
            return _local_info(key, Path(self.url(key)).stat())
        import obstore

        with explained("read", self.url(key)):
            return object_info(key, obstore.head(self._store, self._path(key)))

    def size(self, key: str) -> int:
        """Bytes in the file; errors as in ``info``."""
        return self.info(key).size

    def etag(self, key: str) -> str:
        """Changes when the content does; errors as in ``info``."""
        return self.info(key).etag

    def exists(self, key: str) -> bool:
        """Whether there is a file of that key."""
        if self.is_local:
            return Path(self.url(key)).is_file()
        try:
            self.info(key)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """Finished files in the folder ``prefix`` and below, sorted by key."""
        return iter(sorted(self.scan(prefix), key=lambda file: file.key))

    def scan(self, prefix: str = "") -> Iterator[StoredFile]:
        """The same as a stream that holds no listing in memory; object stores give key order."""
        folder = prefix.strip("/")
        if self.is_local:
            return (f for f in self._local_files(folder) if not _is_temporary(f.key))
        return self._objects(folder)

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        if self.is_local:
            Path(self.url(key)).unlink(missing_ok=True)
            return
        import obstore

        with explained("delete", self.url(key)):
            try:
                obstore.delete(self._store, self._path(key))
            except FileNotFoundError:
                return

    def set_aside(self, key: str) -> None:
        """Keep a file that is of no use under another name, ``….damaged``, replacing an older
        one: whoever wants to know what happened still has it."""
        self.put_bytes(self.read_bytes(key), f"{key}.damaged")
        self.delete(key)

    def clean_temporary(self, prefix: str = "", older_than_s: float = 86_400.0) -> int:
        """Remove what killed writers left below the folder ``prefix``; how many files that was.

        Object stores show no unfinished upload, so there is nothing to remove there; have the
        bucket expire incomplete multipart uploads.
        """
        if not self.is_local:
            return 0
        limit, removed = time.time() - older_than_s, 0
        for file in self._local_files(prefix.strip("/")):
            path = Path(self.url(file.key))
            if _is_temporary(file.key) and path.stat().st_mtime <= limit:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, key: str) -> str:
        return "/".join(part for part in (self._prefix, _checked(key)) if part)

    @contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        """A temporary name beside the file; nothing is left of it when the block ends."""
        path = Path(self.url(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.kadr-tmp")
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _local_files(self, folder: str) -> Iterator[StoredFile]:
        for parent, _, names in os.walk(Path(self.root) / folder):
            for path in (Path(parent) / name for name in names):
                try:
                    info = path.stat()
                except OSError as error:
                    # Moved into place or removed since the listing; or a link in a circle.
                    if error.errno not in (errno.ENOENT, errno.ELOOP):
                        raise
                    continue
                yield _local_info(path.relative_to(self.root).as_posix(), info)

    def _objects(self, folder: str) -> Iterator[StoredFile]:
        import obstore

        place = "/".join(part for part in (self._prefix, folder) if part)
        cut = len(self._prefix) + 1 if self._prefix else 0
        with explained("list", f"{self.root}/{folder}"):
            for chunk in obstore.list(self._store, place or None, chunk_size=1000):
                for meta in chunk:
                    yield object_info(meta["path"][cut:], meta)


def _gathered(answer: GetResult, url: str) -> bytes:
    """The body. Its ``bytes()`` would take the server's word for the length, and memory for it: a
    wrong one ended the process; and it would wait hours for a byte a second.

    Raises:
        StorageError: the server sends next to nothing.
    """
    try:
        chunks = (bytes(chunk) for chunk in answer.stream(min_chunk_size=1))
        return b"".join(Pace().over(chunks))
    except NotNow as error:
        raise StorageError(f"cannot read {printable(url)}: {error}") from error


class _ObjectReader(io.RawIOBase):
    """One version of an object, read by ranges."""

    def __init__(self, store: ObjectStore, path: str, url: str, info: StoredFile) -> None:
        self._store, self._path, self._url = store, path, url
        self._size, self._position, self._etag = info.size, 0, info.etag

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        import obstore

        view = memoryview(buffer).cast("B")
        end = min(self._position + len(view), self._size)
        if end <= self._position:
            return 0
        options: Any = {"range": (self._position, end)}
        if self._etag:
            options["if_match"] = self._etag
        with explained("read", self._url):
            data = _gathered(obstore.get(self._store, self._path, options=options), self._url)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def _checked(key: str) -> str:
    if not key or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError(f"expected a relative key such as 'datasets/x.parquet', found {key!r}")
    return key


def _is_temporary(key: str) -> bool:
    return _TEMPORARY.fullmatch(key.rsplit("/", 1)[-1]) is not None


def _local_info(key: str, info: os.stat_result) -> StoredFile:
    return StoredFile(key, info.st_size, f"{info.st_size}-{info.st_mtime_ns}")


def object_info(key: str, meta: Mapping[str, Any]) -> StoredFile:
    """An object's size and etag, the same whether it was listed, asked after or read."""
    etag = meta["e_tag"] or f'"{meta["size"]}-{meta["last_modified"].isoformat()}"'
    return StoredFile(key, meta["size"], etag)


def _link_or_copy(source: str | Path, target: Path) -> None:
    """Give the file a second name, or copy it where a name cannot reach (other file system)."""
    try:
        os.link(source, target, follow_symlinks=True)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
