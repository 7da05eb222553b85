"""Datasets on disk: one Parquet file per dataset and batch, replaced whole or not at all.

The file's footer carries a ledger: for every video that is done, the key of what its rows were
made from. A re-run keeps the rows whose key still holds and computes the others, so rows and the
knowledge that they are done can never disagree.
"""

from __future__ import annotations

import hashlib
import json
import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.stores.scratch import scratch_folder
from assets.stores.storage import Storage, StorageError
from ml.schemas import Dataset

log = logging.getLogger(__name__)
_LEDGER_KEY = b"kadr.ledger"
# A row group is closed at 16 MB: large enough that one object-store read is worth its latency,
# small enough that a reader holding one does not notice it.
ROW_GROUP_BYTES = 16 << 20
# Datasets that are read a video here and a video there, when pairs are compared: 1 MB is one or two
# short videos. Taking 8 of a batch of 500 costs 33 ms against 137 ms, for 15 % more on disk.
_PICKED = {"copy_descriptors", "audio_fingerprints", "motion"}
_PICKED_BYTES = 1 << 20
READ_ROWS = 64  # rows in a RecordBatch that is read; 64 JPEG frames are some 4 MB
_ALREADY_COMPRESSED = {"jpeg", "flac", "luma_zstd", "bands_zstd"}


_MADE_AGAIN = "`kadr ingest SOURCE` makes it again"
_SET_ASIDE = "`kadr doctor --deep --mend` moves it aside, then `kadr ingest SOURCE` makes it again"


class DatasetDamaged(OSError):
    """A dataset's file is not whole: names it, and what makes it again."""


def key_of(*parts: str) -> str:
    """A short key for the inputs that rows are made from: BLAKE2b-64, hex."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Ledger:
    """What a file holds: a key for every video that is done, also one without rows.

    ``waiting`` is JSON about videos that are not, which changes nothing for readers of the rows.
    """

    maker: str
    keys: Mapping[str, str]
    layout: str = ""
    digest: str = ""
    waiting: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Changes when the file does: what it was made from, by what, or its rows."""
        return key_of(self.maker, self.layout, self.digest, json.dumps(dict(self.keys)))


def layout_of(dataset: Dataset) -> str:
    """Changes when a column is added, dropped or retyped, so that older files are remade."""
    return key_of(*(f"{f.name} {f.type} {f.nullable}" for f in dataset.schema))


@dataclass
class _Writer:
    """Streams rows into a temporary file, a row group when there are bytes enough for one."""

    dataset: Dataset
    path: Path
    rows: int = 0
    _pending: list[pa.RecordBatch] = field(default_factory=list)
    _pending_bytes: int = 0

    def __post_init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=8)
        self._group_bytes = _PICKED_BYTES if self.dataset.name in _PICKED else ROW_GROUP_BYTES
        names = self.dataset.schema.names
        compression = {n: "none" if n in _ALREADY_COMPRESSED else "zstd" for n in names}
        self._file = pq.ParquetWriter(
            self.path,
            self.dataset.schema,
            compression=compression,
            use_dictionary=[n for n in names if n in {"video_id", "model", "language"}],
            write_page_checksum=True,
        )

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows of the dataset's schema."""
        self.rows += rows.num_rows
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes
        if self._pending_bytes >= self._group_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, self.dataset.schema).combine_chunks()
            for rows in table.to_batches():
                self._digest.update(rows.serialize())
            self._file.write_table(table, row_group_size=max(1, table.num_rows))
        self._pending, self._pending_bytes = [], 0

    def close(self, ledger: Ledger | None) -> None:
        """Write what is left and, unless the file is being given up, the ledger."""
        if ledger is not None:
            self._flush()
            made = {"maker": ledger.maker, "keys": dict(ledger.keys)}
            made |= {"waiting": dict(ledger.waiting)} if ledger.waiting else {}
            seen = {"layout": layout_of(self.dataset), "digest": self._digest.hexdigest()}
            text = json.dumps({**made, **seen})
            self._file.add_key_value_metadata({_LEDGER_KEY: text.encode()})
        self._file.close()


class DatasetStore:
    """Reads and replaces ``datasets/{name}/{batch}.parquet`` under a storage root."""

    def __init__(self, storage: Storage, scratch: Path) -> None:
        self.storage, self.scratch = storage, scratch

    @staticmethod
    def key(name: str, batch: str) -> str:
        """Where the file lies below the root."""
        return f"datasets/{name}/{batch}.parquet"

    def ledger(self, name: str, batch: str) -> Ledger | None:
        """The footer's ledger, or None where the dataset has no file for the batch.

        Raises:
            DatasetDamaged: the file is not whole, or none of ours.
        """
        with self._open(name, batch) as file:
            if file is None:
                return None
            try:
                stored = json.loads((file.metadata.metadata or {})[_LEDGER_KEY])
                made = {part: stored[part] for part in ("maker", "keys", "layout", "digest")}
                return Ledger(**made, waiting=stored.get("waiting", {}))
            except (KeyError, ValueError, TypeError) as error:
                raise self._damaged(name, batch, "it has no ledger") from error

    def usable_ledger(self, name: str, batch: str) -> Ledger | None:
        """For whoever makes the file: a damaged one counts as none, which is logged."""
        try:
            return self.ledger(name, batch)
        except DatasetDamaged as error:
            log.warning("%s", error)
            return None

    def versions(self, name: str) -> dict[str, str]:
        """What changes with each batch's file of a dataset, from one listing."""
        files = self.storage.scan(f"datasets/{name}")
        return {Path(f.key).stem: f.etag for f in files if f.key.endswith(".parquet")}

    def read_through(self, name: str, batch: str) -> None:
        """Read all of a file, for the checksums of its pages.

        Raises:
            DatasetDamaged: one of them is wrong, or a page can't be unpacked.
        """
        with self._open(name, batch) as file:
            for _ in () if file is None else file.iter_batches(READ_ROWS):
                pass

    def row_count(self, name: str, batch: str) -> int:
        """Rows in the file; 0 where there is none."""
        with self._open(name, batch) as file:
            return 0 if file is None else file.metadata.num_rows

    def rows(
        self,
        dataset: Dataset,
        batch: str,
        *,
        columns: Sequence[str] | None = None,
        video_ids: Iterable[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Stream rows in file order, of all videos or of some; memory holds one row group.

        Row groups without a wanted video are not read beyond their ids.
        """
        wanted = None if video_ids is None else pa.array(sorted(set(video_ids)), pa.string())
        if wanted is not None and not len(wanted):
            return
        with self._open(dataset.name, batch) as file:
            if file is None:
                return
            groups = range(file.num_row_groups) if wanted is None else _holding(file, wanted)
            for rows in file.iter_batches(READ_ROWS, row_groups=groups, columns=columns):
                kept = rows if wanted is None else rows.filter(_is_in(rows, wanted))
                if kept.num_rows:
                    yield kept

    def table(self, dataset: Dataset, batch: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once, for datasets without pictures or sound."""
        schema = dataset.schema if columns is None else _project(dataset.schema, columns)
        return pa.Table.from_batches(
            [b.cast(schema) for b in self.rows(dataset, batch, columns=columns)], schema
        )

    @contextmanager
    def replace(self, dataset: Dataset, batch: str) -> Iterator[_Replacement]:
        """Write a new file; it takes the old one's place only when ``publish`` is called."""
        with scratch_folder(self.scratch, dataset.name) as folder:
            writer = _Writer(dataset, folder / "new.parquet")
            replacement = _Replacement(self.storage, self.key(dataset.name, batch), writer)
            try:
                yield replacement
            finally:
                replacement.give_up()

    @contextmanager
    def _open(self, name: str, batch: str) -> Iterator[pq.ParquetFile | None]:
        key = self.key(name, batch)
        if not self.storage.exists(key):
            yield None
            return
        remedy = _MADE_AGAIN
        try:
            with (
                self.storage.open_reader(key) as source,
                pq.ParquetFile(source, page_checksum_verification=True) as file,
            ):
                remedy = _SET_ASIDE  # the footer is whole, so only reading all of it tells
                yield file
        except (pa.ArrowInvalid, OSError) as error:
            # Of what Arrow finds in a file, none has a number; what the disk or a server says has.
            if isinstance(error, (StorageError, DatasetDamaged)) or getattr(error, "errno", None):
                raise
            raise self._damaged(name, batch, str(error).splitlines()[0], remedy) from error

    def _damaged(
        self, name: str, batch: str, why: str, remedy: str = _MADE_AGAIN
    ) -> DatasetDamaged:
        url = self.storage.url(self.key(name, batch))
        return DatasetDamaged(f"{url} is damaged ({why.rstrip('.')}): {remedy}")


@dataclass
class _Replacement:
    storage: Storage
    key: str
    writer: _Writer
    closed: bool = False

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows; they must fit the dataset's schema to the column."""
        if rows.schema != self.writer.dataset.schema:
            rows = rows.cast(self.writer.dataset.schema)
        self.writer.write(rows)

    def publish(self, ledger: Ledger) -> None:
        """Close the file and move it into place: readers see the old file or the new one."""
        self.writer.close(ledger)
        self.closed = True
        self.storage.put_file(self.writer.path, self.key)

    def give_up(self) -> None:
        """Close a file that was not published; it goes with its folder."""
        if not self.closed:
            self.writer.close(None)
            self.closed = True


def _is_in(rows: pa.RecordBatch | pa.Table, video_ids: pa.Array) -> pa.Array:
    return pc.is_in(rows.column("video_id"), value_set=video_ids)


def _holding(file: pq.ParquetFile, wanted: pa.Array) -> list[int]:
    """The row groups with a wanted video; most are ruled out by their least and greatest id."""
    ids = wanted.to_pylist()
    place = file.schema_arrow.get_field_index("video_id")
    near = (g for g in range(file.num_row_groups) if _may_hold(file, g, place, ids))
    return [g for g in near if _holds(file, g, wanted)]


def _may_hold(file: pq.ParquetFile, group: int, column: int, rising_ids: list[str]) -> bool:
    seen = file.metadata.row_group(group).column(column).statistics
    if seen is None or not seen.has_min_max:
        return True
    first = bisect_left(rising_ids, seen.min)
    return first < len(rising_ids) and rising_ids[first] <= seen.max


def _holds(file: pq.ParquetFile, group: int, wanted: pa.Array) -> bool:
    ids = file.read_row_group(group, columns=["video_id"])
    return bool(pc.any(_is_in(ids, wanted)).as_py())


def _project(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in columns])
