"""The file itself: a regular one that is not empty, opened once, and the same to the end."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.failures import PermanentFailure, RetryableFailure

_READ_BYTES = 1 << 20


@contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of the regular, non-empty file at ``path``, or a failure made for people.

    Raises:
        PermanentFailure: it is none, it is not there, or it may not be read.
        OSError: opening it failed for any other reason.
    """
    try:
        # O_NONBLOCK: opening a named pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_open(path, error) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise PermanentFailure("this is a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise PermanentFailure("this is not a regular file (a device, socket or pipe)")
        if status.st_size == 0:
            raise PermanentFailure("the file is empty (0 bytes)")
        yield descriptor
    finally:
        os.close(descriptor)


def _cannot_open(path: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
        return PermanentFailure(f"broken symbolic link, to {str(Path(path).readlink())!r}")
    if isinstance(error, FileNotFoundError):
        return PermanentFailure("the file does not exist (any more)")
    if isinstance(error, PermissionError):
        return PermanentFailure("no permission to read the file; check its owner and mode")
    return error


def check_readable(descriptor: int) -> None:
    """Read every byte of the open file once, wherever others are reading it.

    Raises:
        RetryableFailure: the disk, or the way to it, gives an error.
    """
    offset = 0
    try:
        while read := len(os.pread(descriptor, _READ_BYTES, offset)):
            offset += read
    except OSError as error:
        raise RetryableFailure(
            f"the disk failed {offset} bytes into the file: {error.strerror}"
        ) from error


def content_hash_of(descriptor: int) -> str:
    """BLAKE2b-128 of all bytes of the open file, hex."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def check_unchanged(path: str, descriptor: int, before: os.stat_result) -> None:
    """Raise unless the open file, and the one that now has its name, are as they were.

    Raises:
        RetryableFailure: one of them was changed, or the name is gone.
    """
    try:
        now = (os.fstat(descriptor), Path(path).stat())
    except OSError as error:
        raise RetryableFailure(f"the file changed while it was read: {error.strerror}") from error
    if any(_version(status) != _version(before) for status in now):
        raise RetryableFailure(
            f"the file changed while it was read ({before.st_size} bytes before, "
            f"{now[1].st_size} after); the next run reads it again"
        )


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
