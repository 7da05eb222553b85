"""A file that is a whole index by itself: its content, and a checksum of it at the end.

So it is replaced in one move, and still told from one that was cut off or altered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from ml.indexes.files import IndexDamaged, replace_file, write_arrow
from ml.indexes.verified import Verify, is_as_written

_MARK = b"\0KADRSUM"
_DIGEST_BYTES = 16
_SEAL_BYTES = _DIGEST_BYTES + len(_MARK)


def write_sealed(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, seal it, and move it there."""

    def write_and_seal(partial: Path) -> None:
        write(partial)
        seal(partial)

    replace_file(path, write_and_seal)


def write_sealed_arrow(table: pa.Table, path: Path) -> None:
    """A table as `read_sealed_arrow` maps it."""
    write_sealed(path, lambda partial: write_arrow(table, partial))


def seal(path: Path) -> None:
    """Append the checksum of what is in a file."""
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES))
        file.write(digest.digest() + _MARK)


def read_sealed(path: Path, *, verify: Verify = True) -> pa.Buffer:
    """The content of a sealed file, mapped; of one from before there were seals, all of it.

    Args:
        path: the file.
        verify: compare the checksum, about 1 s per GB.

    Raises:
        IndexDamaged: it is missing, or was altered.
    """
    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
    except FileNotFoundError as error:
        raise IndexDamaged(path.parent, f"{path.name} is missing") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise IndexDamaged(path.parent, f"{path.name} can't be read ({error})") from error
    if whole.size < _SEAL_BYTES or whole[-len(_MARK) :].to_pybytes() != _MARK:
        return whole
    content = whole[: whole.size - _SEAL_BYTES]
    digest = whole[content.size : content.size + _DIGEST_BYTES].to_pybytes().hex()
    if not is_as_written(path, digest, lambda: _digest(content), verify):
        raise IndexDamaged(path.parent, f"{path.name} was altered: its checksum is another")
    return content


def read_sealed_arrow(path: Path, *, verify: Verify = True) -> pa.Table:
    """The table in a sealed file, mapped. Raises as `read_sealed` does, and where it is none."""
    content = read_sealed(path, verify=verify)
    try:
        return pa.ipc.open_file(pa.BufferReader(content)).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise IndexDamaged(path.parent, f"{path.name} is no Arrow file ({error})") from error


def _digest(content: pa.Buffer) -> str:
    return hashlib.blake2b(memoryview(content), digest_size=_DIGEST_BYTES).hexdigest()
