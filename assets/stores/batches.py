"""Batches: the library cut into immutable, ordered lists of videos, which are Dagster's partitions.

A batch's list is ``batches/{name}.parquet``, written once. These files are the truth: ``names()``
is what Dagster's partitions are brought up to, so an ingest that was killed between writing a list
and registering its partition heals with the next one, and a killed ingest is simply continued.

A video is left out of new batches when a batch already has its uri with the same version. It is cut
into a new batch, under its id, when its file has changed or when its id now names another uri (the
file was moved); the older entry is then *superseded*. A video that the listing cannot read never
supersedes one: an unreadable disk must not undo a library. A changed title alone is no new video.

What supersedes what is noted in ``superseded/{older batch}/{newer batch}.json`` before the newer
list is written, and counts once that list exists.

A video whose licence alone changed stays in its batch: what a later listing said of it is noted in
``licences/{batch}.json``, and counts from then on. A listing that does not say changes nothing.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.source.videos import (
    CATALOGUE_SUFFIXES,
    SourceVideo,
    list_source,
    local_uri,
    refuse_empty,
    suffix_of,
)
from assets.stores.storage import Storage, scheme_of

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
        pa.field("licensed", pa.bool_(), nullable=True),  # not in lists of before there was one
    ]
)
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{3,})")
# Lists are small (50 KB for 500 videos), so reading many is waiting: 16 at a time, and 256 lists
# (some 13 MB) in memory.
_READERS = 16
_LISTS_AT_ONCE = 256
_LISTED_AT_ONCE = 10_000

Hashes = npt.NDArray[np.uint64]


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


@dataclass(frozen=True)
class Ingested:
    """What an ingest did. ``touched``: older batches that have superseded videos now, or videos
    whose licence changed (``licences`` counts these); ``left_out``: what the caller left out."""

    batches: tuple[str, ...]
    touched: frozenset[str]
    listed: int
    left_out: int
    new: int
    changed: int
    moved: int
    licences: int


# Names --------------------------------------------------------------------------------------------


def name_key(name: str) -> tuple[str, int]:
    """Sorts batch names by day and number: ``-1000`` comes after ``-999``.

    Raises:
        ValueError: not a batch's name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"expected a batch such as 2026-11-20-003, found {name!r}")
    return match[1], int(match[2])


def next_names(names: Iterable[str], day: date) -> Iterator[str]:
    """Names that follow the ones there are. They only grow: when the clock was set back, numbering
    goes on with the latest day, because a later name means a later batch."""
    latest_day, latest_number = max(map(name_key, names), default=("", 0))
    today = max(day.isoformat(), latest_day)
    number = latest_number if today == latest_day else 0
    while True:
        number += 1
        yield f"{today}-{number:03d}"


def cut(
    changes: Iterable[Change], names: Iterable[str], day: date, size: int
) -> Iterator[tuple[Batch, tuple[Change, ...]]]:
    """Batches of at most ``size`` videos in the order given, each with what it was cut from.

    Raises:
        ValueError: a size below 1.
    """
    if size < 1:
        raise ValueError(f"expected a batch size of 1 or more, found {size}")
    for name, group in zip(next_names(names, day), _groups(changes, size), strict=False):
        yield Batch(name, tuple(change.video for change in group)), tuple(group)


def _groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    stream = iter(items)
    while group := list(islice(stream, size)):
        yield group


# What is known ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """The latest entry of every id, as 64-bit hashes: 37 bytes each, 370 MB for ten million.

    ``ids``, ``versions``, ``batch`` (an index into ``names``) and ``licensed`` are in the order of
    ``ids``, which rise; ``uris`` rise too, and ``uri_order[i]`` is the entry of ``uris[i]``.
    """

    names: Sequence[str]
    ids: Hashes
    versions: Hashes
    batch: npt.NDArray[np.uint32]
    licensed: npt.NDArray[np.bool_]
    uris: Hashes
    uri_order: npt.NDArray[np.int64]

    @classmethod
    def from_entries(cls, names: Sequence[str], entries: pl.DataFrame) -> Known:
        """From hashed entries in the order of batches (columns batch, video_id, uri, version, and
        licensed as it is)."""
        ids = entries["video_id"].to_numpy()
        order = np.argsort(ids, kind="stable")
        is_last = np.append(ids[order][1:] != ids[order][:-1], True)[: len(order)]
        latest = order[is_last]
        uris = entries["uri"].to_numpy()[latest]
        uri_order = np.argsort(uris, kind="stable")
        versions, batch, licensed = (
            entries[column].to_numpy()[latest] for column in ("version", "batch", "licensed")
        )
        return cls(names, ids[latest], versions, batch, licensed, uris[uri_order], uri_order)

    def changes(self, videos: Sequence[SourceVideo]) -> Iterator[Change]:
        """The videos that no batch has as they are now, in their order. One whose source does not
        say is licensed if any entry is whose place it takes."""
        ids = _hashed(v.video_id for v in videos)
        uris = _hashed(v.uri for v in videos)
        versions = _hashed(v.version for v in videos)
        ids_from, ids_to = _ranges(self.ids, ids)
        uris_from, uris_to = _ranges(self.uris, uris)
        for i, video in enumerate(videos):
            with_id = list(range(ids_from[i], ids_to[i]))
            with_uri = self.uri_order[uris_from[i] : uris_to[i]].tolist()
            change = self._change(video, versions[i], with_id, with_uri)
            if change is not None:
                yield change

    def _change(
        self, video: SourceVideo, version: np.uint64, with_id: list[int], with_uri: list[int]
    ) -> Change | None:
        if not with_id and not with_uri:
            return Change(video, "new")
        if video.problem:
            return None
        same = {e for e in with_uri if not video.version or self.versions[e] == version}
        is_moved = bool(with_id) and not set(with_id) & set(with_uri)
        here = same & set(with_id or with_uri)
        if not is_moved and here:
            return self._licence_change(video, min(here))
        entries = {*with_id, *with_uri} - same
        if video.licensed is None and any(self.licensed[e] for e in entries):
            video = replace(video, licensed=True)
        older = frozenset(self.names[self.batch[e]] for e in entries)
        return Change(video, "moved" if is_moved else "changed", older)

    def _licence_change(self, video: SourceVideo, entry: int) -> Change | None:
        if video.licensed is None or video.licensed == self.licensed[entry]:
            return None
        return Change(video, "licence", frozenset([self.names[self.batch[entry]]]))


def _hashed(texts: Iterable[str]) -> Hashes:
    return pl.Series(list(texts), dtype=pl.String).hash().to_numpy()


def _ranges(rising: Hashes, wanted: Hashes) -> tuple[list[int], list[int]]:
    first = np.searchsorted(rising, wanted, side="left")
    return first.tolist(), np.searchsorted(rising, wanted, side="right").tolist()


def new_videos(listing: Iterable[SourceVideo], known: Known) -> Iterator[Change]:
    """What of a listing is to be cut into new batches or noted, in its order, as a stream."""
    for group in _groups(listing, _LISTED_AT_ONCE):
        yield from known.changes(group)


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
            ValueError: not a batch's name.
        """
        try:
            data = self.storage.read_bytes(_key(name))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there is no batch {name} in {self.storage.root}") from error
        return pq.read_table(pa.BufferReader(data), schema=BATCH_SCHEMA)

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
            ids = json.loads(self.storage.read_bytes(f"superseded/{name}/{newer}.json"))
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
        return json.loads(self.storage.read_bytes(key)) if self.storage.exists(key) else {}

    def known(self, names: Sequence[str] | None = None) -> Known:
        """The entries of all batches, or of some, to hold a listing against."""
        names = self.names() if names is None else names
        columns = [pl.col(c).hash() for c in ("video_id", "uri", "version")]
        columns.append(pl.col("licensed").fill_null(value=False))
        first = pl.col("position") == 0
        pieces = [
            lists.select(
                (first.cum_sum() + start - 1).cast(pl.UInt32).alias("batch"), *columns
            ).collect()
            for start, lists in self._scan(names)
        ]
        types = {"batch": pl.UInt32} | dict.fromkeys(("video_id", "uri", "version"), pl.UInt64)
        entries = pl.concat([pl.DataFrame(schema={**types, "licensed": pl.Boolean}), *pieces])
        return Known.from_entries(names, self._with_noted(names, entries))

    def _with_noted(self, names: Sequence[str], entries: pl.DataFrame) -> pl.DataFrame:
        """The entries with what was said of their licences since."""
        place = {name: i for i, name in enumerate(names)}
        later = (Path(file.key).stem for file in self.storage.scan("licences"))
        noted = [
            (place[n], i, said) for n in later if n in place for i, said in self._noted(n).items()
        ]
        schema = {"batch": pl.UInt32, "video_id": pl.String, "said": pl.Boolean}
        said = pl.DataFrame(noted, schema, orient="row").with_columns(pl.col("video_id").hash())
        joined = entries.join(said, ["batch", "video_id"], how="left", maintain_order="left")
        return joined.with_columns(pl.coalesce("said", "licensed").alias("licensed")).drop("said")

    def count_below(self, source: str) -> int:
        """Entries whose uri lies in a folder or prefix; all entries for a catalogue."""
        place = source if scheme_of(source) else local_uri(source)
        everywhere = suffix_of(place) in CATALOGUE_SUFFIXES
        below = pl.col("uri").str.starts_with(place.rstrip("/") + "/") | (pl.col("uri") == place)
        total = 0
        for _, lists in self._scan(self.names()):
            lists = lists if everywhere else lists.filter(below)
            total += lists.select(pl.len()).collect().item()
        return total

    def _scan(self, names: Sequence[str]) -> Iterator[tuple[int, pl.LazyFrame]]:
        """The lists in order, some at a time, with the index of the first."""
        schema = pl.DataFrame(BATCH_SCHEMA.empty_table()).schema
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(names), _LISTS_AT_ONCE):
                keys = map(_key, names[start : start + _LISTS_AT_ONCE])
                lists = list(readers.map(self.storage.read_bytes, keys))
                yield start, pl.scan_parquet(lists, schema=schema, missing_columns="insert")

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


def ingest(
    source: str,
    registry: BatchRegistry,
    day: date,
    size: int,
    options: Mapping[str, Any] | None = None,
    *,
    licensed: bool = False,
    leave_out: Callable[[SourceVideo], bool] = lambda _: False,
) -> Ingested:
    """List a source and cut what is new into batches, as a stream: a library need not fit memory.

    ``licensed`` says so of every video of the source, whatever its catalogue says. What is left
    out, a file that is still being written say, is for a later ingest.

    Raises:
        SourceError: the source cannot be listed (CatalogueError: it has errors, EmptySource: it is
            empty and was not).
        BatchExists: another ingest was at work.
    """
    names = registry.names()  # before the entries: what another ingest adds then meets BatchExists
    known, kinds, listed = registry.known(names), Counter[str](), Counter[str]()
    listing = _counted(list_source(source, options), listed, leave_out)
    if licensed:
        listing = (replace(video, licensed=True) for video in listing)
    written, touched = [], set[str]()
    said: dict[str, list[SourceVideo]] = defaultdict(list)
    for batch, changes in cut(
        _without_licences(new_videos(listing, known), said), names, day, size
    ):
        registry.write(batch, changes)
        written.append(batch.name)
        kinds.update(change.kind for change in changes)
        touched.update(*(change.older for change in changes))
    if not listed.total():
        refuse_empty(source, registry.count_below(source))
    for older, videos in said.items():
        registry.note_licences(older, videos)
    counts = {kind: kinds[kind] for kind in ("new", "changed", "moved")}
    counts["licences"] = sum(map(len, said.values()))
    counts |= {"listed": listed.total(), "left_out": listed["left out"]}
    return Ingested(tuple(written), frozenset(touched.union(said)), **counts)


def _without_licences(
    changes: Iterable[Change], said: dict[str, list[SourceVideo]]
) -> Iterator[Change]:
    """What is to be cut; changes of a licence alone are put into ``said`` by their batch."""
    for change in changes:
        if change.kind == "licence":
            (older,) = change.older
            said[older].append(change.video)
        else:
            yield change


def _counted(
    listing: Iterable[SourceVideo], counter: Counter[str], leave_out: Callable[[SourceVideo], bool]
) -> Iterator[SourceVideo]:
    for video in listing:
        is_left_out = leave_out(video)
        counter["left out" if is_left_out else "taken"] += 1
        if not is_left_out:
            yield video
