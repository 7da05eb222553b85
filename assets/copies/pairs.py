"""From videos to verified pairs, without Dagster: what is compared, from which files, in which
direction.

The asset ``duplicate_pairs`` asks for a batch's videos and ``kadr check`` for a file outside of the
library; both make ``Query`` objects and call ``find_copies``. The later of two videos is the copy:
by time of publication, a missing one being later than every other, then by id. A verdict depends on
the two videos alone, so it doesn't matter which of them asked.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import chain, groupby, zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.stores.batches import BatchRegistry
from assets.stores.datasets import DatasetStore, key_of, layout_of
from assets.stores.incremental import Rows, by_video
from ml.schemas import AUDIO_FINGERPRINTS, COPY_DESCRIPTORS, MOTION, VIDEOS

if TYPE_CHECKING:
    from ml.copies.evidence import Candidate, Evidence
    from ml.copies.verdicts import Verdict
    from ml.failures import VideoFailure
    from ml.workers import Outcome

MAX_CANDIDATES = 64
DESCRIBED = (COPY_DESCRIPTORS, AUDIO_FINGERPRINTS)
# Queries are compared some at a time: 256 MB hold about 500 short videos or one of 3 hours.
_QUERY_BYTES = 256 << 20
# A process takes about a second to start, as long as some ten pairs take to compare.
_IN_PLACE = 16
# A pair of short videos takes a tenth of a second; the limit only ends what would never end.
_LIMIT_S, _LIMIT_S_PER_FRAME_PAIR = 600.0, 0.01
_LATEST = datetime.max.replace(tzinfo=UTC)

Place = tuple[datetime, str]


@dataclass(frozen=True)
class Comparable:
    """A video as its batch's files have it now; ``key`` changes when what is compared does, and
    ``position`` is its place in the batch."""

    video_id: str
    batch: str
    key: str
    position: int
    published_at: datetime | None
    duration_s: float
    licensed: bool

    @property
    def item(self) -> str:
        """Its name in the indexes, which says where its rows lie."""
        return item_of(self.batch, self.video_id)

    @property
    def place(self) -> Place:
        """Its place in time: the lesser of two is the original."""
        return place_of(self.published_at, self.video_id)


@dataclass(frozen=True)
class Query:
    """A video to compare, and with which; ``place`` as in ``Comparable``."""

    evidence: Evidence
    place: Place
    others: Sequence[Comparable]


@dataclass(frozen=True)
class Compared:
    """A pair that was compared; no verdict where the two have nothing to do with each other."""

    query: Query
    other: Comparable
    verdict: Verdict | None
    failure: VideoFailure | None
    seconds: float

    @property
    def copy_id(self) -> str:
        """The later video."""
        return self._ids[1]

    @property
    def original_id(self) -> str:
        """The earlier video."""
        return self._ids[0]

    @property
    def _ids(self) -> tuple[str, str]:
        ids = self.other.video_id, self.query.evidence.video_id
        return ids if self.other.place < self.query.place else ids[::-1]


def place_of(published_at: datetime | None, video_id: str) -> Place:
    """Sorts by publication, a video without a date after all others, and then by id."""
    return published_at or _LATEST, video_id


def item_of(batch: str, video_id: str) -> str:
    """The name of a video in the indexes. A batch's name has no slash in it."""
    return f"{batch}/{video_id}"


# What there is ------------------------------------------------------------------------------------


def comparables(
    store: DatasetStore, registry: BatchRegistry, batch: str, makers: Sequence[str] = ()
) -> dict[str, Comparable]:
    """The videos of a batch that can be compared, by id, in its order.

    Args:
        makers: of the two datasets behind it; a batch described by others has none, because
            descriptions of two kinds can't be compared. Any makers will do when empty.
    """
    known = store.ledger(VIDEOS.name, batch)
    described = [ledger for d in DESCRIBED if (ledger := store.ledger(d.name, batch)) is not None]
    if known is None or known.layout != layout_of(VIDEOS) or len(described) < len(DESCRIBED):
        return {}
    if makers and [ledger.maker for ledger in described] != list(makers):
        return {}
    gone = registry.superseded(batch)
    columns = [f.name for f in fields(Comparable) if f.name in VIDEOS.schema.names]
    found: dict[str, Comparable] = {}
    for position, row in enumerate(store.table(VIDEOS, batch, columns).to_pylist()):
        video = row["video_id"]
        keys = [ledger.keys.get(video, "") for ledger in described]
        if all(keys) and video not in gone:
            key = key_of(*keys, str(row["published_at"]))
            found[video] = Comparable(batch=batch, key=key, position=position, **row)
    return found


def resolved(
    items: Iterable[str], of_batch: Callable[[str], Mapping[str, Comparable]]
) -> dict[str, Comparable]:
    """What the indexes named, as it is now; what left since is left out."""
    by_batch: dict[str, list[str]] = defaultdict(list)
    for item in items:
        batch, _, video = item.partition("/")
        by_batch[batch].append(video)
    found: dict[str, Comparable] = {}
    for batch, videos in sorted(by_batch.items()):
        there = of_batch(batch)
        found |= {item_of(batch, v): there[v] for v in videos if v in there}
    return found


def load_evidence(
    store: DatasetStore, videos: Iterable[Comparable]
) -> Iterator[tuple[Comparable, Evidence]]:
    """Videos with all that is known of them, batch by batch; each file is opened once.

    A video whose rows are gone, because its batch is just being made anew, is passed over: that
    batch then compares it. Memory holds two videos.
    """
    by_batch: dict[str, dict[str, Comparable]] = defaultdict(dict)
    for video in videos:
        by_batch[video.batch][video.video_id] = video
    for batch, wanted in sorted(by_batch.items()):
        yield from _of_batch(store, batch, wanted)


def _of_batch(
    store: DatasetStore, batch: str, wanted: Mapping[str, Comparable]
) -> Iterator[tuple[Comparable, Evidence]]:
    pictures, motion, sound = (
        _Rows(store.rows(dataset, batch, video_ids=wanted), wanted)
        for dataset in (COPY_DESCRIPTORS, MOTION, AUDIO_FINGERPRINTS)
    )
    for video in sorted(wanted.values(), key=lambda v: v.position):
        rows = [stream.take(video) for stream in (pictures, motion, sound)]
        if rows[0]:
            yield video, evidence_of(video.video_id, video.duration_s, *rows)


def evidence_of(
    video_id: str,
    duration_s: float,
    pictures: Iterable[pa.RecordBatch],
    motion: Iterable[pa.RecordBatch],
    sound: Iterable[pa.RecordBatch],
) -> Evidence:
    """One video from its rows of ``copy_descriptors``, ``motion`` and ``audio_fingerprints``."""
    from ml.copies.evidence import Evidence
    from ml.copies.features import pictures_of
    from ml.copies.motion.thumbnails import motion_of
    from ml.copies.sound.bands import sound_of

    return Evidence(video_id, duration_s, pictures_of(pictures), motion_of(motion), sound_of(sound))


class _Rows:
    """A batch's rows of some videos, taken in the batch's order."""

    def __init__(self, stream: Rows, videos: Mapping[str, Comparable]) -> None:
        self._place = {video_id: video.position for video_id, video in videos.items()}
        self._groups = groupby(by_video(stream), key=itemgetter(0))
        self._video, self._rows = "", list[pa.RecordBatch]()
        self._advance()

    def take(self, video: Comparable) -> list[pa.RecordBatch]:
        """The video's rows, none where it has none."""
        while self._video and self._place[self._video] < video.position:
            self._advance()
        if self._video != video.video_id:
            return []
        rows = self._rows
        self._advance()
        return rows

    def _advance(self) -> None:
        self._video, group = next(self._groups, ("", iter(())))
        self._rows = [rows for _, rows in group]


# Which to compare ---------------------------------------------------------------------------------


def candidate_items(by_pictures: Sequence[Candidate], by_sound: Sequence[Candidate]) -> list[str]:
    """The names of at most 64 videos worth comparing: the best by pictures, the best by sound,
    the second best by pictures, and so on, because the two scores don't compare."""
    in_turn = chain.from_iterable(zip_longest(by_pictures, by_sound))
    names = dict.fromkeys(c.video_id for c in in_turn if c is not None)
    return list(names)[:MAX_CANDIDATES]


def one_way(
    wanted: Mapping[str, Mapping[str, Comparable]], own: Mapping[str, Comparable]
) -> dict[str, list[Comparable]]:
    """What each of a batch's videos is to be compared with: a pair of two of them once, by the
    later, whichever of the two found the other.

    Args:
        wanted: id of a video that asks, to what was found for it by item.
        own: the batch's videos, by id.
    """
    pairs: dict[str, dict[str, Comparable]] = {video_id: {} for video_id in wanted}
    for video_id, others in wanted.items():
        video = own[video_id]
        for item, other in others.items():
            if other.video_id == video_id:
                continue
            asks_too = other.batch == video.batch and other.video_id in wanted
            if asks_too and video.place < other.place:
                pairs[other.video_id][video.item] = video
            else:
                pairs[video_id][item] = other
    return {video_id: list(others.values()) for video_id, others in pairs.items()}


# Comparing ----------------------------------------------------------------------------------------


def find_copies(
    queries: Iterable[Query],
    load: Callable[[Iterable[Comparable]], Iterator[tuple[Comparable, Evidence]]],
    *,
    workers: int = 1,
) -> Iterator[list[Compared]]:
    """Compare every query with its others; the comparisons of one query after those of another.

    Queries are taken some at a time, and what they are compared with is loaded once for these.
    Comparing runs in as many processes; few pairs are compared in this one.

    Args:
        queries: streamed, in any order.
        load: ``load_evidence`` of the store.
        workers: processes.
    """
    for some in _groups_of(queries):
        asking: dict[str, list[int]] = defaultdict(list)
        others: dict[str, Comparable] = {}
        for place, query in enumerate(some):
            for other in query.others:
                asking[other.item].append(place)
                others[other.item] = other
        count = sum(map(len, asking.values()))
        pairs = (
            _Pair(place, some[place], other, evidence)
            for other, evidence in load(others.values())
            for place in asking[other.item]
        )
        done: list[list[Compared]] = [[] for _ in some]
        with closing(_outcomes(pairs, workers if count > _IN_PLACE else 0)) as outcomes:
            for outcome in outcomes:
                done[outcome.task.place].append(_compared(outcome))
        yield from done


@dataclass(frozen=True)
class _Pair:
    """One comparison for one process; ``place`` is the query's in its group."""

    place: int
    query: Query
    other: Comparable
    evidence: Evidence


def _compared(outcome: Outcome[_Pair, Verdict | None]) -> Compared:
    pair = outcome.task
    return Compared(pair.query, pair.other, outcome.value, outcome.failure, outcome.seconds)


def _compare(pair: _Pair) -> Verdict | None:
    """The verdict of the later on the earlier."""
    from threadpoolctl import threadpool_limits

    from ml.copies.pairs import compare

    copy, original = pair.query.evidence, pair.evidence
    if pair.query.place < pair.other.place:
        copy, original = original, copy
    # One thread a process: on two busy cores six pairs took 0.08 to 0.58 s of CPU each with BLAS's
    # own two threads, 0.04 to 0.13 s with one.
    with threadpool_limits(1):
        return compare(copy, original)


def _outcomes(
    pairs: Iterator[_Pair], workers: int
) -> Generator[Outcome[_Pair, Verdict | None], None, None]:
    """Compare in ``workers`` processes, or with 0 in this one."""
    from ml.workers import run_tasks

    if workers:
        yield from run_tasks(
            _compare,
            pairs,
            workers=workers,
            limit_s=_limit_s,
            look_ahead=2 * workers,
            what="comparison",
        )
    else:
        yield from map(_in_place, pairs)


def _in_place(pair: _Pair) -> Outcome[_Pair, Verdict | None]:
    from ml.failures import failure_from
    from ml.workers import Outcome

    began = time.perf_counter()
    try:
        return Outcome(pair, _compare(pair), None, time.perf_counter() - began)
    except Exception as error:
        return Outcome(pair, None, failure_from(error), time.perf_counter() - began)


def _limit_s(pair: _Pair) -> float:
    frames = pair.query.evidence.pictures.frame_count * pair.evidence.pictures.frame_count
    return _LIMIT_S + _LIMIT_S_PER_FRAME_PAIR * frames


def _groups_of(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """Queries in groups of about ``_QUERY_BYTES``."""
    group, size = list[Query](), 0
    for query in queries:
        group.append(query)
        size += _bytes_of(query.evidence)
        if size >= _QUERY_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _bytes_of(evidence: Evidence) -> int:
    held = evidence.pictures.descriptors.nbytes + evidence.pictures.geometry.nbytes
    held += evidence.motion.luma.nbytes if evidence.motion else 0
    return held + (evidence.sound.bands.nbytes if evidence.sound else 0)
