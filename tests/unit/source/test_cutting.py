"""Cutting, leaving out what is known, superseding, and surviving a kill."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assets.source.cutting import Known, cut, ingest, new_videos
from assets.source.errors import EmptySource
from assets.stores.batches import (
    Batch,
    BatchExists,
    BatchRegistry,
    Change,
    SourceVideo,
)
from assets.stores.storage import Storage
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server  # noqa: F401

DAY = date(2026, 11, 20)


@pytest.fixture
def registry(tmp_path: Path) -> BatchRegistry:
    return BatchRegistry(Storage(tmp_path / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


def _video(name: str, version: str = "v1", **more: str) -> SourceVideo:
    return SourceVideo(f"id-{name}", f"s3://b/{name}.mp4", version, **more)  # type: ignore[arg-type]


def _ingest_videos(
    registry: BatchRegistry, videos: list[SourceVideo], size: int = 10, day: date = DAY
) -> list[Change]:
    names = registry.names()
    changes = list(new_videos(videos, Known.of(registry, names)))
    for batch, its_changes in cut(changes, names, day, size):
        registry.write(batch, its_changes)
    return changes


def _ids(batch: Batch) -> list[str]:
    return [video.video_id for video in batch.videos]


def test_batches_keep_the_order_and_size_and_are_named_by_day_and_number(
    registry: BatchRegistry,
) -> None:
    _ingest_videos(registry, [_video(n) for n in "cabde"], size=2)
    assert registry.names() == ["2026-11-20-001", "2026-11-20-002", "2026-11-20-003"]
    assert [_ids(registry.read(n)) for n in registry.names()] == [
        ["id-c", "id-a"],
        ["id-b", "id-d"],
        ["id-e"],
    ]


def test_numbers_continue_grow_beyond_999_and_start_again_on_another_day() -> None:
    changes = [Change(_video(str(n)), "new") for n in range(3)]
    there = ["2026-11-19-1200", "2026-11-20-998", "2026-11-20-002"]
    assert [b.name for b, _ in cut(changes, there, DAY, 1)] == [
        "2026-11-20-999",
        "2026-11-20-1000",
        "2026-11-20-1001",
    ]
    assert next(cut(changes, there, date(2026, 11, 21), 3))[0].name == "2026-11-21-001"


def test_names_only_grow_when_the_clock_is_set_back() -> None:
    (batch, _), *_ = cut([Change(_video("a"), "new")], ["2026-11-20-004"], date(2026, 1, 1), 5)
    assert batch.name == "2026-11-20-005"


def test_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch size"):
        list(cut([Change(_video("a"), "new")], [], DAY, 0))


def test_what_is_in_a_batch_is_not_cut_again(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a"), _video("b")])
    changes = _ingest_videos(registry, [_video("b"), _video("c"), _video("a")])
    assert [(c.video.video_id, c.kind) for c in changes] == [("id-c", "new")]
    assert _ingest_videos(registry, [_video(n) for n in "abc"]) == []
    assert len(registry.names()) == 2


def test_changed_file_is_cut_again_and_supersedes_the_older_entry(
    registry: BatchRegistry,
) -> None:
    _ingest_videos(registry, [_video("a"), _video("b")])
    (change,) = _ingest_videos(registry, [_video("a", "v2"), _video("b")])
    assert (change.kind, change.older) == ("changed", {"2026-11-20-001"})
    assert registry.superseded("2026-11-20-001") == {"id-a": "2026-11-20-002"}
    assert registry.superseded("2026-11-20-002") == {}
    assert registry.touched() == {"2026-11-20-001"}


def test_file_that_changes_twice_and_back_is_cut_each_time(registry: BatchRegistry) -> None:
    for version in ("v1", "v2", "v1"):
        assert len(_ingest_videos(registry, [_video("a", version)])) == 1
    assert _ingest_videos(registry, [_video("a", "v1")]) == []
    assert registry.superseded("2026-11-20-001") == {"id-a": "2026-11-20-002"}
    assert registry.superseded("2026-11-20-002") == {"id-a": "2026-11-20-003"}


def test_id_that_names_another_uri_was_moved(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a")])
    moved = replace(_video("a"), uri="s3://b/elsewhere.mp4")
    (change,) = _ingest_videos(registry, [moved])
    assert change.kind == "moved"
    assert registry.superseded("2026-11-20-001") == {"id-a": "2026-11-20-002"}
    assert _ingest_videos(registry, [moved]) == []


def test_two_ids_may_share_a_file_and_do_not_supersede_each_other(
    registry: BatchRegistry,
) -> None:
    a = _video("a")
    twin = replace(a, video_id="twin")
    assert len(_ingest_videos(registry, [a, twin])) == 2
    assert _ingest_videos(registry, [a, twin]) == []
    other = replace(_video("other"), uri="s3://b/x.mp4")
    _ingest_videos(registry, [other])
    (change,) = _ingest_videos(registry, [a, twin, replace(other, uri=a.uri)])
    assert change.kind == "moved"
    assert registry.superseded("2026-11-20-001") == {}
    assert registry.superseded("2026-11-20-002") == {"id-other": "2026-11-20-003"}


def test_other_bytes_at_a_uri_supersede_it_also_under_another_id(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a"), _video("b")])
    (change,) = _ingest_videos(registry, [replace(_video("a", "v2"), video_id="catalogue-7")])
    assert change.kind == "changed"
    assert registry.superseded("2026-11-20-001") == {"id-a": "2026-11-20-002"}


def test_same_file_under_a_new_id_alone_is_left_out(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a")])
    assert _ingest_videos(registry, [replace(_video("a"), video_id="other")]) == []


def test_swapped_ids_are_both_moves(registry: BatchRegistry) -> None:
    a, b = _video("a", "va"), _video("b", "vb")
    _ingest_videos(registry, [a, b])
    swapped = [
        replace(a, uri=b.uri, version=b.version),
        replace(b, uri=a.uri, version=a.version),
    ]
    assert [c.kind for c in _ingest_videos(registry, swapped)] == ["moved", "moved"]
    assert set(registry.superseded("2026-11-20-001")) == {"id-a", "id-b"}


def test_unknown_version_counts_as_unchanged(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a", "v1"), _video("b", "")])
    assert _ingest_videos(registry, [_video("a", ""), _video("b", "")]) == []
    assert len(_ingest_videos(registry, [_video("b", "v2")])) == 1


def test_unreadable_file_never_supersedes_and_a_mended_one_does(registry: BatchRegistry) -> None:
    broken = _video("a", "unreadable", problem="no permission to read it")
    assert len(_ingest_videos(registry, [broken])) == 1
    assert len(_ingest_videos(registry, [_video("a")])) == 1
    assert registry.superseded("2026-11-20-001") == {"id-a": "2026-11-20-002"}
    assert _ingest_videos(registry, [broken]) == []


def test_ingest_killed_before_the_list_is_written_leaves_nothing_superseded(
    registry: BatchRegistry,
) -> None:
    _ingest_videos(registry, [_video("a"), _video("b")])
    registry.storage.put_bytes(b'{"id-a": "id-a"}', "superseded/2026-11-20-001/2026-11-20-002.json")
    assert registry.superseded("2026-11-20-001") == {}
    _ingest_videos(registry, [_video("x")])  # takes the name that the killed ingest had in mind
    assert registry.names()[-1] == "2026-11-20-002"
    assert registry.superseded("2026-11-20-001") == {}


def test_killed_ingest_is_continued_by_the_next(registry: BatchRegistry, folder: Path) -> None:
    for name in "abcde":
        (folder / f"{name}.mp4").write_bytes(name.encode())
    whole = ingest(str(folder), registry, DAY, 2)
    assert (len(whole.batches), whole.listed, whole.new) == (3, 5, 5)
    registry.storage.delete("batches/2026-11-20-003.parquet")
    registry.storage.delete("batches/2026-11-20-002.parquet")
    again = ingest(str(folder), registry, DAY, 2)
    assert again.batches == ("2026-11-20-002", "2026-11-20-003")
    assert [Path(v.uri).stem for n in registry.names() for v in registry.read(n).videos] == [
        *"abcde"
    ]
    assert ingest(str(folder), registry, DAY, 2).batches == ()


def test_ingest_sees_files_that_changed_and_says_which_batches_that_touches(
    registry: BatchRegistry, folder: Path
) -> None:
    for name in "ab":
        (folder / f"{name}.mp4").write_bytes(b"1")
    ingest(str(folder), registry, DAY, 1)
    (folder / "b.mp4").write_bytes(b"22")
    result = ingest(str(folder), registry, DAY, 1)
    assert (result.new, result.changed, result.moved) == (0, 1, 0)
    assert result.touched == {"2026-11-20-002"}
    assert list(registry.superseded("2026-11-20-002").values()) == ["2026-11-20-003"]


def test_source_that_is_suddenly_empty_is_refused(registry: BatchRegistry, folder: Path) -> None:
    assert ingest(str(folder), registry, DAY, 5).listed == 0
    (folder / "a.mp4").write_bytes(b"1")
    ingest(str(folder), registry, DAY, 5)
    (folder / "a.mp4").unlink()
    with pytest.raises(EmptySource, match="though 1 of it are in the library"):
        ingest(str(folder), registry, DAY, 5)
    other = folder.parent / "other"
    other.mkdir()
    assert ingest(str(other), registry, DAY, 5).batches == ()


def test_empty_catalogue_is_refused_where_there_is_a_library(
    registry: BatchRegistry, tmp_path: Path
) -> None:
    catalogue = tmp_path / "c.csv"
    catalogue.write_text("uri\ns3://b/a.mp4\ns3://b/b.mp4\n")
    assert ingest(str(catalogue), registry, DAY, 5).new == 2
    catalogue.write_text("uri\n")
    with pytest.raises(EmptySource):
        ingest(str(catalogue), registry, DAY, 5)


def test_two_ingests_at_once_cannot_cut_the_same_videos_twice(registry: BatchRegistry) -> None:
    names = registry.names()
    known = Known.of(registry, names)
    _ingest_videos(registry, [_video("a"), _video("b")])
    (batch, changes), *_ = cut(new_videos([_video("b")], known), names, DAY, 10)
    with pytest.raises(BatchExists, match="run the ingest again"):
        registry.write(batch, changes)


def test_many_batches_are_known_at_once(registry: BatchRegistry) -> None:
    for n in range(257):  # one more than are read at a time
        registry.write(Batch(f"2026-11-20-{n + 1:03d}", (_video(f"{n}"), _video(f"{n}+"))))
    known = Known.of(registry)
    assert len(known.ids) == 514
    (change,) = new_videos([_video("0"), _video("256+", "v2"), _video("150")], known)
    assert change.older == {"2026-11-20-257"}


def test_registry_works_in_an_object_store(
    s3_bucket: Bucket,  # noqa: F811
) -> None:
    for name in ("b", "a"):
        s3_bucket.put(f"in/{name}.mp4", name.encode())
    registry = BatchRegistry(Storage(f"{s3_bucket.url}/data", s3_bucket.options))
    first = ingest(f"{s3_bucket.url}/in", registry, DAY, 5, s3_bucket.options)
    s3_bucket.put("in/b.mp4", b"other bytes")
    second = ingest(f"{s3_bucket.url}/in", registry, DAY, 5, s3_bucket.options)
    assert (first.batches, second.batches) == (("2026-11-20-001",), ("2026-11-20-002",))
    assert [v.title for v in registry.read("2026-11-20-001").videos] == ["a", "b"]
    (superseded,) = registry.superseded("2026-11-20-001").items()
    assert superseded == (registry.read("2026-11-20-002").videos[0].video_id, "2026-11-20-002")
    assert os.path.basename(registry.read("2026-11-20-002").videos[0].uri) == "b.mp4"  # noqa: PTH119


# Licences -----------------------------------------------------------------------------------------


def _catalogue(folder: Path, **licensed: str) -> str:
    """A catalogue that says yes, no, or nothing of the licences of the folder's files."""
    path = folder / "catalogue.csv"
    lines = [f"{folder / name}.mp4,{said}" for name, said in licensed.items()]
    path.write_text("\n".join(["uri,licensed", *lines]) + "\n")
    return str(path)


def _licensed(registry: BatchRegistry) -> dict[str, bool]:
    """The name of each file to its licence, in its latest batch."""
    names = {}
    for batch in registry.names():
        licences = registry.licences(batch)
        names |= {Path(v.uri).stem: licences[v.video_id] for v in registry.read(batch).videos}
    return names


@pytest.fixture
def abc(folder: Path) -> Path:
    for name in "abc":
        (folder / f"{name}.mp4").write_bytes(name.encode())
    return folder


def test_licence_is_what_the_catalogue_says_and_no_where_it_says_nothing(
    registry: BatchRegistry, abc: Path
) -> None:
    ingest(_catalogue(abc, a="yes", b="no", c=""), registry, DAY, 2)
    assert _licensed(registry) == {"a": True, "b": False, "c": False}


def test_source_may_be_licensed_as_a_whole(registry: BatchRegistry, abc: Path) -> None:
    ingest(_catalogue(abc, a="no", b=""), registry, DAY, 2, licensed=True)
    assert _licensed(registry) == {"a": True, "b": True}


def test_licence_that_is_said_later_cuts_no_new_batch(registry: BatchRegistry, abc: Path) -> None:
    ingest(str(abc), registry, DAY, 2)
    names = registry.names()
    done = ingest(_catalogue(abc, a="yes", c="yes"), registry, DAY, 2)
    assert (done.batches, done.licences, registry.names()) == ((), 2, names)
    assert done.touched == registry.touched() == set(names)
    assert _licensed(registry) == {"a": True, "b": False, "c": True}
    assert ingest(_catalogue(abc, a="yes", c="yes"), registry, DAY, 2).licences == 0


def test_source_that_does_not_say_leaves_licences_as_they_are(
    registry: BatchRegistry, abc: Path
) -> None:
    ingest(_catalogue(abc, a="yes", b="yes"), registry, DAY, 2)
    assert ingest(str(abc), registry, DAY, 2).licences == 0
    (abc / "a.mp4").write_bytes(b"other bytes")
    assert ingest(str(abc), registry, DAY, 2).changed == 1
    assert _licensed(registry) == {"a": True, "b": True, "c": False}


def test_licence_is_taken_by_a_catalogue_that_says_no(registry: BatchRegistry, abc: Path) -> None:
    ingest(_catalogue(abc, a="yes", b="yes"), registry, DAY, 2)
    ingest(_catalogue(abc, a="no"), registry, DAY, 2)
    assert _licensed(registry) == {"a": False, "b": True}
    ingest(_catalogue(abc, a="yes"), registry, DAY, 2)
    assert _licensed(registry) == {"a": True, "b": True}


def test_licence_concerns_one_of_two_ids_that_share_a_file(registry: BatchRegistry) -> None:
    a = _video("a")
    twin = replace(a, video_id="twin")
    _ingest_videos(registry, [a, twin])
    (change,) = new_videos([replace(a, licensed=True), twin], Known.of(registry))
    registry.note_licences("2026-11-20-001", [change.video])
    assert registry.licences("2026-11-20-001") == {"id-a": True, "twin": False}


def test_list_from_before_there_were_licences_is_read(registry: BatchRegistry) -> None:
    _ingest_videos(registry, [_video("a")])
    key = "batches/2026-11-20-001.parquet"
    old = registry.table("2026-11-20-001").drop_columns(["licensed"])
    pq.write_table(old, registry.storage.url(key))
    _ingest_videos(registry, [_video("b")])
    assert registry.licences("2026-11-20-001") == {"id-a": False}
    (change,) = new_videos([replace(_video("a"), licensed=True), _video("b")], Known.of(registry))
    assert (change.kind, change.older) == ("licence", {"2026-11-20-001"})
