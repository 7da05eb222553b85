"""Batches: immutable, ordered lists of videos, which are Dagster's partitions.

A batch's list is ``batches/{name}.parquet``, written once. These files are the truth: ``names()``
is what Dagster's partitions are brought up to, so an ingest that was killed between writing a list
and registering its partition heals with the next one, and a killed ingest is simply continued.
What supersedes what is noted in ``superseded/{older batch}/{newer batch}.json`` before the newer
list is written, and counts once that list exists.

A video whose licence alone changed stays in its batch: what a later listing said of it is noted in
``licences/{batch}.json``, and counts from then on. A listing that does not say changes nothing.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.stores.storage import Storage

BATCHES = dg.DynamicPartitionsDefinition(name="batches")

BATCH_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int32(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("source_bytes", pa.int64(), nullable=False),
        pa.field("published_at", pa.timestamp("ms", tz="UTC"), nullable=True),
        pa.field("title", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("tags", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
        # Not in lists of before there were these.
        pa.field("licensed", pa.bool_(), nullable=True),
        pa.field("public_only", pa.bool_(), nullable=True),
    ]
)
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{3,})")
# Lists are small (50 KB for 500 videos), so reading many is waiting: 16 at a time, and 256 lists
# (some 13 MB) in memory.
_READERS = 16
_LISTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """A video as its source lists it. ``version`` changes when the bytes do; empty is unknown.

    ``licensed`` is None where the source does not say. ``public_only`` says that a catalogue from
    outside this network names it, so its address may not lie inside.
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
    public_only: bool | None = None


class ListDamaged(OSError):
    """A batch's list, or a note beside it, is not whole: names it, and what mends it."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is damaged: `kadr doctor --mend` makes it again")


class BatchExists(Exception):
    """A list is written once; another one of that name was cut in the meantime."""


@dataclass(frozen=True)
class Batch:
    """A partition: its name (``2026-11-20-003``) and its videos in their order."""

    name: str
    videos: tuple[SourceVideo, ...]

    def table(self) -> pa.Table:
        """The list in ``BATCH_SCHEMA``; ``position`` is 0, 1, ..."""
        rows = [
            {"position": i} | {f.name: getattr(video, f.name) for f in fields(video)}
            for i, video in enumerate(self.videos)
        ]
        return pa.Table.from_pylist(rows, BATCH_SCHEMA)

    @classmethod
    def from_table(cls, name: str, table: pa.Table) -> Batch:
        """The batch of a list in ``BATCH_SCHEMA``."""
        rows = table.drop_columns(["position"]).to_pylist()
        return cls(name, tuple(SourceVideo(**row) for row in rows))


@dataclass(frozen=True)
class Change:
    """A video to cut, and the older batches that have it under its id or its uri.

    One of the kind ``licence`` is not cut again: it is noted with the batch that has it.
    """

    video: SourceVideo
    kind: str  # new, changed, moved or licence
    older: frozenset[str] = frozenset()


def name_key(name: str) -> tuple[str, int]:
    """Sorts batch names by day and number: ``-1000`` comes after ``-999``.

    Raises:
        ValueError: not a batch's name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"expected a batch such as 2026-11-20-003, found {name!r}")
    return match[1], int(match[2])


def supersedes(new: SourceVideo, old: SourceVideo) -> bool:
    """Whether a newer entry takes an older one's place: the same id, or other bytes at its uri.

    Two ids may share a file, so an entry with the same bytes stays.
    """
    if new.video_id == old.video_id:
        return True
    return new.uri == old.uri and new.version not in ("", old.version)


def _superseded_ids(new: Sequence[SourceVideo], old: Iterable[SourceVideo]) -> dict[str, str]:
    """Superseded id to the id that takes its place."""
    by_id, by_uri = {v.video_id: v for v in new}, {v.uri: v for v in new}
    pairs = ((entry, by_id.get(entry.video_id) or by_uri.get(entry.uri)) for entry in old)
    return {e.video_id: v.video_id for e, v in pairs if v is not None and supersedes(v, e)}


# The registry -------------------------------------------------------------------------------------


class BatchRegistry:
    """The batch lists under a storage root."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def names(self) -> list[str]:
        """All batches, from the earliest."""
        keys = (Path(file.key).stem for file in self.storage.scan("batches"))
        return sorted((name for name in keys if _NAME.fullmatch(name)), key=name_key)

    def exists(self, name: str) -> bool:
        """Whether the batch's list is there."""
        return self.storage.exists(_key(name))

    def table(self, name: str) -> pa.Table:
        """A batch's list in ``BATCH_SCHEMA``.

        Raises:
            FileNotFoundError: there is no such batch.
            ListDamaged: its file is not whole.
            ValueError: not a batch's name.
        """
        return self._table(name, self._bytes(name))

    def _bytes(self, name: str) -> bytes:
        try:
            return self.storage.read_bytes(_key(name))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there is no batch {name} in {self.storage.root}") from error

    def _table(self, name: str, data: bytes) -> pa.Table:
        try:
            return pq.read_table(pa.BufferReader(data), schema=BATCH_SCHEMA)
        except (pa.ArrowException, OSError) as error:
            raise ListDamaged(self.storage.url(_key(name))) from error

    def read(self, name: str) -> Batch:
        """A batch with its videos in order; errors as in ``table``."""
        return Batch.from_table(name, self.table(name))

    def write(self, batch: Batch, changes: Iterable[Change] = ()) -> None:
        """Note what the batch supersedes, then write its list, once.

        Writing the same list again changes nothing.

        Raises:
            BatchExists: there is another list of that name.
        """
        self._check_free(batch)
        for older, ids in self._superseded_by(batch, changes).items():
            self.storage.put_bytes(
                json.dumps(ids).encode(), f"superseded/{older}/{batch.name}.json"
            )
        buffer = io.BytesIO()
        pq.write_table(batch.table(), buffer, compression="zstd")
        try:
            self.storage.create_bytes(buffer.getvalue(), _key(batch.name))
        except FileExistsError:
            self._check_free(batch)

    def superseded(self, name: str) -> dict[str, str]:
        """Videos of a batch that a later one has in a newer version: id to that batch's name."""
        found: dict[str, str] = {}
        notes = [Path(file.key) for file in self.storage.list(f"superseded/{name}")]
        for newer in sorted((note.stem for note in notes), key=name_key):
            if not self.exists(newer):  # the ingest was killed before it wrote the list
                continue
            ids = self._note(f"superseded/{name}/{newer}.json")
            there = set(self.table(newer).column("video_id").to_pylist())
            found |= {old: newer for old, new in ids.items() if new in there}
        return found

    def touched(self) -> set[str]:
        """All batches that may have superseded videos or others' licences, for a check that their
        tables know it."""
        superseded = {file.key.split("/")[1] for file in self.storage.scan("superseded")}
        return superseded | {Path(file.key).stem for file in self.storage.scan("licences")}

    def licences(self, name: str) -> dict[str, bool]:
        """Whether each of a batch's videos is licensed: by its list, and by what was said since."""
        videos = self.read(name).videos
        return {v.video_id: bool(v.licensed) for v in videos} | self._noted(name)

    def note_licences(self, name: str, videos: Iterable[SourceVideo]) -> None:
        """Note what a listing says of videos that the batch has, under their id or their uri."""
        entries, by_id = self.read(name).videos, {video.video_id: video for video in videos}
        ids = {entry.video_id for entry in entries}
        by_uri = {v.uri: v for v in by_id.values() if v.video_id not in ids}
        said = ((e.video_id, by_id.get(e.video_id) or by_uri.get(e.uri)) for e in entries)
        noted = self._noted(name) | {i: bool(v.licensed) for i, v in said if v is not None}
        self.storage.put_bytes(json.dumps(noted).encode(), _licences_key(name))

    def _noted(self, name: str) -> dict[str, bool]:
        key = _licences_key(name)
        return self._note(key) if self.storage.exists(key) else {}

    def _note(self, key: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self.storage.read_bytes(key)))
        except (ValueError, TypeError) as error:
            raise ListDamaged(self.storage.url(key)) from error

    def noted_licences(self) -> Iterator[tuple[str, dict[str, bool]]]:
        """The batches of which later listings said something: whether each such video is
        licensed."""
        for file in self.storage.scan("licences"):
            name = Path(file.key).stem
            yield name, self._noted(name)

    def scan(self, names: Sequence[str]) -> Iterator[tuple[int, pl.LazyFrame]]:
        """The lists in order, some at a time, with the index of the first."""
        schema = pl.DataFrame(BATCH_SCHEMA.empty_table()).schema
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(names), _LISTS_AT_ONCE):
                some = names[start : start + _LISTS_AT_ONCE]
                lists = list(readers.map(self._whole, some))
                yield start, pl.scan_parquet(lists, schema=schema, missing_columns="insert")

    def _whole(self, name: str) -> bytes:
        """The bytes of a list, whose end was seen: readers of many name none of them."""
        data = self._bytes(name)
        try:
            pq.read_metadata(pa.BufferReader(data))
        except (pa.ArrowException, OSError) as error:
            raise ListDamaged(self.storage.url(_key(name))) from error
        return data

    def _check_free(self, batch: Batch) -> None:
        if self.exists(batch.name) and self.read(batch.name) != batch:
            raise BatchExists(
                f"batch {batch.name} was cut with other videos in the meantime, perhaps by "
                "another ingest; nothing was overwritten, run the ingest again"
            )

    def _superseded_by(self, batch: Batch, changes: Iterable[Change]) -> dict[str, dict[str, str]]:
        """For each older batch: its superseded ids to the ids in this one."""
        olders = {older for change in changes for older in change.older}
        return {o: _superseded_ids(batch.videos, self.read(o).videos) for o in sorted(olders)}


def _key(name: str) -> str:
    name_key(name)
    return f"batches/{name}.parquet"


def _licences_key(name: str) -> str:
    name_key(name)
    return f"licences/{name}.json"
