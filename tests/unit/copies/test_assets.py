"""Which videos are compared, in which direction, and which of the found pairs still hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.copies.pairs import (
    Comparable,
    Query,
    candidate_items,
    comparables,
    evidence_of,
    find_copies,
    load_evidence,
    one_way,
    place_of,
    resolved,
)
from assets.copies.tables import CopyTables, copy_tables
from assets.stores.batches import Batch, BatchRegistry, SourceVideo
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.storage import Storage
from ml.copies.evidence import Candidate
from ml.schemas import (
    AUDIO_FINGERPRINTS,
    COPY_DESCRIPTORS,
    FOUND_PAIRS,
    MOTION,
    VIDEOS,
    Dataset,
)

DAY = datetime(2026, 11, 1, tzinfo=UTC)
FIRST, SECOND = "2026-11-20-001", "2026-11-20-002"


def day(number: int) -> datetime:
    return DAY.replace(day=number)


def row_of(dataset: Dataset, **known: Any) -> dict[str, Any]:
    """A row with empty values where none is given."""
    empty = {
        pa.string(): "",
        pa.binary(): b"",
        pa.bool_(): False,
        pa.binary(32): bytes(32),
        pa.timestamp("ms", tz="UTC"): None,
    }
    row = {f.name: [] if pa.types.is_list(f.type) else empty.get(f.type, 0) for f in dataset.schema}
    return row | known


@dataclass
class Shelf:
    """Datasets of a made-up library, a file at a time."""

    store: DatasetStore
    registry: BatchRegistry
    names: list[str] = field(default_factory=list)

    def write(self, dataset: Dataset, batch: str, keys: dict[str, str], *rows: Any) -> None:
        with self.store.replace(dataset, batch) as new:
            new.write(pa.RecordBatch.from_pylist(list(rows), dataset.schema))
            new.publish(Ledger("m", keys))

    def describe(self, batch: str, videos: dict[str, datetime | None], key: str = "k") -> None:
        """A batch whose videos are described, each in two frames."""
        self.names = sorted({*self.names, batch})
        keys = dict.fromkeys(videos, key)
        ok = {"status": "ok", "duration_s": 2.0}
        rows = [
            row_of(VIDEOS, video_id=v, published_at=at, licensed=v.startswith("licensed"), **ok)
            for v, at in videos.items()
        ]
        self.write(VIDEOS, batch, keys, *rows)
        frames = [
            row_of(COPY_DESCRIPTORS, video_id=v, start_s=s, duration_s=1.0, aspect=1.0, model="m")
            for v in videos
            for s in (0.0, 1.0)
        ]
        self.write(COPY_DESCRIPTORS, batch, keys, *frames)
        self.write(AUDIO_FINGERPRINTS, batch, keys)
        self.write(MOTION, batch, keys)

    def find(self, batch: str, *pairs: tuple[str, str], **more: Any) -> None:
        """Pairs (copy, original) that the copies' batch found, as things are now."""
        own = comparables(self.store, self.registry, batch)
        every = {v: c for n in self.names for v, c in self.of(n).items()}
        rows = []
        for copy, original in pairs:
            asks, other = (copy, original) if copy in own else (original, copy)
            ids = {"video_id": asks, "copy_id": copy, "original_id": original}
            row = ids | {"verdict": "duplicate", "score": 0.9, "copy_share": 1.0, "sound": "same"}
            row |= {"copy_starts_s": [1.0, 2.0], "copy_ends_s": [3.0, 4.0], **more}
            row |= {"original_starts_s": [5.0, 6.0], "original_ends_s": [7.0, 8.0]}
            rows.append(row_of(FOUND_PAIRS, other_key=every[other].key, **row))
        self.write(FOUND_PAIRS, batch, {v: c.key for v, c in own.items()}, *rows)

    def of(self, batch: str) -> dict[str, Comparable]:
        return comparables(self.store, self.registry, batch)

    def tables(self) -> CopyTables:
        return copy_tables(self.store, self.registry, self.names)

    def pairs(self) -> list[tuple[str, str]]:
        rows = self.tables().pairs.to_pylist()
        return [(row["copy_id"], row["original_id"]) for row in rows]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    storage = Storage(tmp_path / "data")
    return Shelf(DatasetStore(storage, tmp_path / "scratch"), BatchRegistry(storage))


def test_the_later_video_is_the_copy_and_one_without_a_date_is_the_latest() -> None:
    places = [
        place_of(at, v) for at, v in ((None, "a"), (day(2), "b"), (day(1), "d"), (day(1), "c"))
    ]
    assert [video for _, video in sorted(places)] == ["c", "d", "b", "a"]


def test_candidates_by_pictures_and_by_sound_take_turns() -> None:
    def found(by: str, *names: str) -> list[Candidate]:
        return [Candidate(name, 1.0, by) for name in names]

    pictures, sound = found("pictures", "a", "b", "c"), found("sound", "x", "b", "y", "z")
    assert candidate_items(pictures, sound) == ["a", "x", "b", "c", "y", "z"]
    many = found("pictures", *(f"p{n}" for n in range(100)))
    assert len(candidate_items(many, sound)) == 64
    assert set(candidate_items(many, sound)) >= {"x", "b", "y", "z"}


def test_videos_are_comparable_once_both_descriptions_are_there(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1), "b": None})
    assert list(shelf.of(FIRST)) == ["a", "b"]
    assert [v.position for v in shelf.of(FIRST).values()] == [0, 1]
    shelf.write(AUDIO_FINGERPRINTS, FIRST, {"a": "k"})
    assert list(shelf.of(FIRST)) == ["a"]
    assert comparables(shelf.store, shelf.registry, FIRST, ["m", "another"]) == {}
    assert comparables(shelf.store, shelf.registry, SECOND) == {}


def test_key_changes_with_either_description_and_with_the_date(shelf: Shelf) -> None:
    keys = set()
    for at, key in ((day(1), "k"), (day(1), "other"), (day(2), "k")):
        shelf.describe(FIRST, {"a": at}, key)
        keys.add(shelf.of(FIRST)["a"].key)
    assert len(keys) == 3


def test_named_items_that_left_since_are_left_out(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1), "b/c": day(1)})
    asked: list[str] = []

    def of_batch(batch: str) -> dict[str, Comparable]:
        asked.append(batch)
        return shelf.of(batch)

    items = [f"{FIRST}/a", f"{SECOND}/a", f"{FIRST}/gone", f"{FIRST}/b/c"]
    assert set(resolved(items, of_batch)) == {f"{FIRST}/a", f"{FIRST}/b/c"}
    assert asked == [FIRST, SECOND]


def test_a_pair_inside_a_batch_is_compared_once_by_the_later(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(3), "b": day(2)})
    shelf.describe(SECOND, {"c": day(9)})
    own = shelf.of(FIRST)
    every = {v.item: v for v in [*own.values(), *shelf.of(SECOND).values()]}

    def asked(**named: str) -> dict[str, list[str]]:
        wanted = {
            v: {item: c for item, c in every.items() if c.video_id in names}
            for v, names in named.items()
        }
        return {v: [o.video_id for o in others] for v, others in one_way(wanted, own).items()}

    assert asked(a="b", b="a") == {"a": ["b"], "b": []}
    assert asked(a="", b="a") == {"a": ["b"], "b": []}  # found by the earlier one alone
    assert asked(b="a") == {"b": ["a"]}  # the other was compared before
    assert asked(a="ac", b="c") == {"a": ["c"], "b": ["c"]}


def test_evidence_is_loaded_from_all_files_in_the_order_of_the_batch(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"b": day(1), "a": day(2), "c": day(3)})
    shelf.describe(SECOND, {"d": day(1)})
    luma = pa.compress(bytes(range(256)) * 4, codec="zstd", asbytes=True)
    motion = {"fps": 8.0, "size": 32, "thumbnail_count": 1, "luma_zstd": luma}
    shelf.write(MOTION, FIRST, {"c": "k"}, row_of(MOTION, video_id="c", **motion))
    videos = shelf.of(FIRST) | shelf.of(SECOND)
    wanted = [videos[v] for v in "dcb"]
    loaded = [(video.video_id, evidence) for video, evidence in load_evidence(shelf.store, wanted)]
    assert [video for video, _ in loaded] == ["b", "c", "d"]
    by_id = dict(loaded)
    assert by_id["b"].motion is None and by_id["b"].sound is None
    assert by_id["c"].motion is not None and by_id["c"].motion.luma.shape == (1, 32, 32)
    assert by_id["d"].pictures.start_s.tolist() == [0.0, 1.0]


def test_videos_without_features_or_sound_are_compared_and_have_nothing_in_common(
    shelf: Shelf,
) -> None:
    shelf.describe(FIRST, {"a": day(1), "b": day(2)})
    a, b = shelf.of(FIRST).values()
    (evidence,) = (e for _, e in load_evidence(shelf.store, [b]))
    queries = [Query(evidence, b.place, [a])]
    ((pair,),) = find_copies(queries, lambda videos: load_evidence(shelf.store, videos))
    assert (pair.copy_id, pair.original_id) == ("b", "a")
    assert (pair.verdict, pair.failure) == (None, None)


def test_a_pair_that_can_not_be_compared_is_a_failure_of_its_own(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1), "b": day(2)})
    a, b = shelf.of(FIRST).values()
    (evidence,) = (e for _, e in load_evidence(shelf.store, [b]))
    torn = evidence_of("a", 2.0, shelf.store.rows(COPY_DESCRIPTORS, FIRST, video_ids=["a"]), [], [])
    object.__setattr__(torn.pictures, "offsets", np.array([0, 5, 9], np.int32))
    object.__setattr__(evidence.pictures, "offsets", np.array([0, 5, 9], np.int32))
    ((pair,),) = find_copies([Query(evidence, b.place, [a])], lambda _: iter([(a, torn)]))
    assert pair.verdict is None
    assert pair.failure is not None and str(pair.failure)


# Tables -------------------------------------------------------------------------------------------


def test_a_pair_that_both_its_batches_found_is_one_row(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1)})
    shelf.describe(SECOND, {"b": day(2)})
    shelf.find(FIRST, ("b", "a"))
    shelf.find(SECOND, ("b", "a"))
    found = shelf.tables()
    assert shelf.pairs() == [("b", "a")]
    assert (found.backwards, found.not_compared) == ((), ())


@pytest.mark.parametrize("described", [FIRST, SECOND])
def test_pairs_of_a_video_that_was_described_anew_wait_for_its_comparison(
    shelf: Shelf, described: str
) -> None:
    videos: dict[str, dict[str, datetime | None]] = {FIRST: {"a": day(1)}, SECOND: {"b": day(2)}}
    for batch in videos:
        shelf.describe(batch, videos[batch])
    shelf.find(FIRST)
    shelf.find(SECOND, ("b", "a"))
    shelf.describe(described, videos[described], key="anew")
    assert shelf.pairs() == []
    shelf.find(described, ("b", "a"))
    assert shelf.pairs() == [("b", "a")]


def test_a_video_that_failed_or_left_takes_its_pairs_along(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1), "x": day(1)})
    shelf.describe(SECOND, {"b": day(2)})
    shelf.find(FIRST)
    shelf.find(SECOND, ("b", "a"), ("b", "x"))
    assert shelf.pairs() == [("b", "a"), ("b", "x")]
    shelf.describe(FIRST, {"x": day(1)})
    assert shelf.pairs() == [("b", "x")]
    shelf.names.remove(FIRST)
    assert shelf.pairs() == []


def test_a_video_that_a_later_batch_replaces_takes_its_pairs_along(shelf: Shelf) -> None:
    old, new = SourceVideo("a", "/a.mp4", "1"), SourceVideo("a", "/a.mp4", "2")
    shelf.registry.write(Batch(FIRST, (old, SourceVideo("b", "/b.mp4", "1"))))
    shelf.describe(FIRST, {"a": day(1), "b": day(2)})
    shelf.find(FIRST, ("b", "a"))
    assert shelf.pairs() == [("b", "a")]
    storage = shelf.registry.storage
    storage.put_bytes(b'{"a": "a"}', f"superseded/{FIRST}/{SECOND}.json")
    shelf.registry.write(Batch(SECOND, (new,)))
    assert shelf.pairs() == []


def test_batches_that_were_not_compared_are_named(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1)})
    shelf.describe(SECOND, {"b": day(2)})
    shelf.find(SECOND)
    assert shelf.tables().not_compared == (FIRST,)


def test_a_pair_that_points_backwards_is_noticed(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"a": day(1), "b": day(2)})
    shelf.find(FIRST, ("a", "b"))
    assert shelf.tables().backwards == (("a", "b"),)


def test_groups_are_those_of_the_pairs_that_hold(shelf: Shelf) -> None:
    shelf.describe(FIRST, {"c": None, "a": day(1), "b": day(2)})
    shelf.find(FIRST, ("c", "a"), ("c", "b"), ("b", "a"))
    rows = shelf.tables().groups.to_pylist()
    assert [(r["video_id"], r["group_id"], r["is_original"]) for r in rows] == [
        ("a", "a", True),
        ("b", "a", False),
        ("c", "a", False),
    ]


def test_the_licensed_side_is_the_licence_whatever_the_dates(shelf: Shelf) -> None:
    videos: dict[str, datetime | None] = {"licensed-1": day(1), "b": day(2), "licensed-3": day(3)}
    shelf.describe(FIRST, videos)
    copies: Sequence[tuple[str, str]] = [("b", "licensed-1"), ("licensed-3", "b")]
    shelf.find(FIRST, *copies, ("licensed-3", "licensed-1"))
    hits = shelf.tables().hits.to_pylist()
    assert [(hit["video_id"], hit["licence_id"]) for hit in hits] == [
        ("b", "licensed-1"),
        ("b", "licensed-3"),
    ]
    assert [hit["starts_s"] for hit in hits] == [[1.0, 2.0], [5.0, 6.0]]
    assert [hit["licence_starts_s"] for hit in hits] == [[5.0, 6.0], [1.0, 2.0]]
    assert [hit["matched_s"] for hit in hits] == [3.0, 3.0]
