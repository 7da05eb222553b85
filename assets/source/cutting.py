"""What is new in a listing, cut into batches.

A video is left out of new batches when a batch already has its uri with the same version. It is cut
into a new batch, under its id, when its file has changed or when its id now names another uri (the
file was moved); the older entry is then *superseded*. A video that the listing cannot read never
supersedes one: an unreadable disk must not undo a library. A changed title alone is no new video.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assets.source.errors import EmptySource
from assets.source.videos import list_source
from assets.stores.addresses import CATALOGUE_SUFFIXES, local_uri, suffix_of
from assets.stores.batches import Batch, BatchRegistry, Change, SourceVideo, name_key
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.storage import scheme_of

_LISTED_AT_ONCE = 10_000
Hashes = npt.NDArray[np.uint64]


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
    def of(cls, registry: BatchRegistry, names: Sequence[str] | None = None) -> Known:
        """The entries of all batches, or of some, to hold a listing against."""
        names = registry.names() if names is None else names
        columns = [pl.col(c).hash() for c in ("video_id", "uri", "version")]
        columns.append(pl.col("licensed").fill_null(value=False))
        first = pl.col("position") == 0
        pieces = [
            lists.select(
                (first.cum_sum() + start - 1).cast(pl.UInt32).alias("batch"), *columns
            ).collect()
            for start, lists in registry.scan(names)
        ]
        types = {"batch": pl.UInt32} | dict.fromkeys(("video_id", "uri", "version"), pl.UInt64)
        entries = pl.concat([pl.DataFrame(schema={**types, "licensed": pl.Boolean}), *pieces])
        return cls.from_entries(names, _with_noted(registry, names, entries))

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


def _with_noted(
    registry: BatchRegistry, names: Sequence[str], entries: pl.DataFrame
) -> pl.DataFrame:
    """The entries with what was said of their licences since."""
    place = {name: i for i, name in enumerate(names)}
    noted = [
        (place[name], video_id, said)
        for name, said_of in registry.noted_licences()
        if name in place
        for video_id, said in said_of.items()
    ]
    schema = {"batch": pl.UInt32, "video_id": pl.String, "said": pl.Boolean}
    said = pl.DataFrame(noted, schema, orient="row").with_columns(pl.col("video_id").hash())
    joined = entries.join(said, ["batch", "video_id"], how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("said", "licensed").alias("licensed")).drop("said")


def _hashed(texts: Iterable[str]) -> Hashes:
    return pl.Series(list(texts), dtype=pl.String).hash().to_numpy()


def _ranges(rising: Hashes, wanted: Hashes) -> tuple[list[int], list[int]]:
    first = np.searchsorted(rising, wanted, side="left")
    return first.tolist(), np.searchsorted(rising, wanted, side="right").tolist()


def new_videos(listing: Iterable[SourceVideo], known: Known) -> Iterator[Change]:
    """What of a listing is to be cut into new batches or noted, in its order, as a stream."""
    for group in _groups(listing, _LISTED_AT_ONCE):
        yield from known.changes(group)


def ingest(
    source: str,
    registry: BatchRegistry,
    day: date,
    size: int,
    options: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
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
    known, kinds, listed = Known.of(registry, names), Counter[str](), Counter[str]()
    listing = _counted(list_source(source, options, limits), listed, leave_out)
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
        refuse_empty(source, count_below(registry, source))
    for older, videos in said.items():
        registry.note_licences(older, videos)
    counts = {kind: kinds[kind] for kind in ("new", "changed", "moved")}
    counts["licences"] = sum(map(len, said.values()))
    counts |= {"listed": listed.total(), "left_out": listed["left out"]}
    return Ingested(tuple(written), frozenset(touched.union(said)), **counts)


def count_below(registry: BatchRegistry, source: str) -> int:
    """Entries whose uri lies in a folder or prefix; all entries for a catalogue."""
    place = source if scheme_of(source) else local_uri(source)
    everywhere = suffix_of(place) in CATALOGUE_SUFFIXES
    below = pl.col("uri").str.starts_with(place.rstrip("/") + "/") | (pl.col("uri") == place)
    total = 0
    for _, lists in registry.scan(registry.names()):
        lists = lists if everywhere else lists.filter(below)
        total += lists.select(pl.len()).collect().item()
    return total


def refuse_empty(source: str, known_count: int) -> None:
    """Stop at a listing without a single video where ``known_count`` of the source are known.

    Raises:
        EmptySource: videos are known.
    """
    if known_count:
        raise EmptySource(
            f"{source} lists no video at all, though {known_count} of it are in the library. "
            "Nothing was done; check that the disk is mounted and the address is right."
        )


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
