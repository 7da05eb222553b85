"""Spool files: a video's rows on disk as they come, so that the parent can stream them on.

One Arrow IPC file for each dataset in a folder of the video's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.schemas import AUDIO, FRAMES, MOTION

SPOOLED = {dataset.name: dataset for dataset in (FRAMES, MOTION, AUDIO)}
# Rows are written together in bunches of this size: small enough to hold, large enough that the
# cost of a record batch vanishes.
_BUNCH_BYTES, _BUNCH_ROWS = 4_000_000, 64


def spooled(spool_dir: str | os.PathLike[str], name: str) -> Iterator[pa.RecordBatch]:
    """The rows of dataset ``name`` that were left in ``spool_dir``, some MB at a time."""
    with pa.OSFile(str(_spool_path(spool_dir, name)), "rb") as file:
        yield from pa.ipc.open_stream(file)


def _spool_path(spool_dir: str | os.PathLike[str], name: str) -> Path:
    return Path(spool_dir) / f"{name}.arrow"


@dataclass
class Spool:
    """An Arrow IPC stream file of dataset ``name`` that grows in bunches of rows, until it is left.

    From the system's memory pool: Arrow's own keeps what it once had, 25 MB of a 200 MB worker.
    """

    spool_dir: str | os.PathLike[str]
    name: str
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _bytes: int = 0

    def __enter__(self) -> Spool:
        self._file = pa.OSFile(str(_spool_path(self.spool_dir, self.name)), "wb")
        self._writer = pa.ipc.new_stream(self._file, SPOOLED[self.name].schema)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()
        self._file.close()

    def add(self, row: dict[str, Any], size: int) -> None:
        """Append a row whose blob has ``size`` bytes."""
        self._rows.append(row)
        self._bytes += size
        if self._bytes >= _BUNCH_BYTES or len(self._rows) >= _BUNCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            schema = SPOOLED[self.name].schema
            columns = [_column(field, [row[field.name] for row in self._rows]) for field in schema]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        self._rows, self._bytes = [], 0


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    """The values as an array; a single blob (300 s of sound) is not copied."""
    if pa.types.is_binary(field.type) and len(values) == 1:
        ends = pa.array([0, len(values[0])], pa.int32()).buffers()[1]
        return pa.Array.from_buffers(field.type, 1, [None, ends, pa.py_buffer(values[0])])
    return pa.array(values, field.type, memory_pool=pa.system_memory_pool())
