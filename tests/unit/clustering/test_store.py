"""A clustering comes back from disk as it was saved, or says what is wrong."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from assets.clustering.clustered import gather
from assets.clustering.store import (
    FORMAT,
    MANIFEST,
    ClusteringDamaged,
    StoredClustering,
    fingerprint_of,
    load,
    save,
)
from ml.clustering.stable import recluster
from orchestration.cli import cli, main


def stored(count: int = 6, **more: object) -> StoredClustering:
    keys = [f"видео {i}" for i in range(count)]
    z = np.repeat(np.eye(2, 4, dtype=np.float32), 3, axis=0)[:count]
    clustering = recluster(keys, z, np.arange(count) // 3, np.full(count, 0.5))
    known = {
        "batch_of": ["b1"] * min(4, count) + ["b2"] * max(0, count - 4),
        "inputs": {"b1": "x", "b2": "y"},
        "made_by": "model",
        "facts": {0: {"name": "кошки", "terms": ["кошка"]}},
        "history": [{"clustering_no": 1, "change": "appeared", "other_ids": [1]}],
        "space": b"\0space",
        "message": "two clusters",
        "extra": {"model": "m"},
    }
    return StoredClustering(clustering, **(known | more))  # type: ignore[arg-type]


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    before = stored()
    save(tmp_path, before)
    after = load(tmp_path)
    assert after is not None
    for name in ("batch_of", "inputs", "made_by", "facts", "history", "space", "message", "extra"):
        assert getattr(after, name) == getattr(before, name), name
    was, now = before.clustering, after.clustering
    assert (now.number, now.next_id, now.count) == (was.number, was.next_id, was.count)
    assert list(now.members.keys) == list(was.members.keys)
    for name in ("z", "ids", "distance", "probability", "joined"):
        np.testing.assert_array_equal(getattr(now.members, name), getattr(was.members, name))
    for name in ("ids", "centroids", "reach"):
        np.testing.assert_array_equal(getattr(now, name), getattr(was, name))


def test_nothing_is_there_before_the_first_save(tmp_path: Path) -> None:
    assert load(tmp_path) is None


def test_empty_clustering_comes_back(tmp_path: Path) -> None:
    keys: list[str] = []
    empty = recluster(keys, np.zeros((0, 0), np.float32), np.zeros(0, np.int64), np.zeros(0))
    save(tmp_path, StoredClustering(empty, [], {}, "model", {}, []))
    after = load(tmp_path)
    assert after is not None and list(after.clustering.members.keys) == []


def test_save_that_was_killed_before_the_manifest_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path, stored())
    (tmp_path / "members-2.parquet").write_bytes(b"half")
    (tmp_path / f"{MANIFEST}.new").write_text("{")
    after = load(tmp_path)
    assert after is not None and after.message == "two clusters"
    save(tmp_path, stored(message="later"))
    assert {p.name for p in tmp_path.iterdir()} == {
        *(MANIFEST, "members-2.parquet", "vectors-2.npy", "clusters-2.npz", "space-2.bin"),
    }


def test_every_version_has_its_own_fingerprint(tmp_path: Path) -> None:
    save(tmp_path, stored())
    first = fingerprint_of(tmp_path)
    save(tmp_path, stored())
    assert fingerprint_of(tmp_path) != first


FILES = ("members-1.parquet", "vectors-1.npy", "clusters-1.npz", "space-1.bin")


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named_damage_and_what_mends_it(tmp_path: Path, name: str) -> None:
    save(tmp_path, stored())
    (tmp_path / name).unlink()
    with pytest.raises(ClusteringDamaged, match=f"{name}.* Restore the folder from a back-up, or"):
        load(tmp_path)


def harms(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    return {"empty": b"", "half": whole[:middle], "garbage": b"garbage!" * 20, "flipped": flipped}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["empty", "half", "garbage", "flipped"])
def test_file_that_is_not_as_it_was_written_is_damage(tmp_path: Path, name: str, harm: str) -> None:
    save(tmp_path, stored())
    path = tmp_path / name
    path.write_bytes(harms(path.read_bytes())[harm])
    with pytest.raises(ClusteringDamaged, match=f"{name} is not as it was written"):
        load(tmp_path)


@pytest.mark.parametrize("manifest", ["", "{", "[1]", "{}", '{"format": 2}', "7"])
def test_manifest_that_is_none_is_damage(tmp_path: Path, manifest: str) -> None:
    save(tmp_path, stored())
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(ClusteringDamaged):
        load(tmp_path)


def test_every_altered_byte_of_the_manifest_is_damage(tmp_path: Path) -> None:
    save(tmp_path, stored())
    path = tmp_path / MANIFEST
    whole = path.read_bytes()
    # Under another name the checksum is none, and all the rest is as it was.
    named = whole.index(b"self_checksum")
    for place in {*range(0, len(whole), 7)} - {*range(named, named + len(b"self_checksum"))}:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ClusteringDamaged):
            load(tmp_path)
    path.write_bytes(whole)
    assert load(tmp_path) is not None


def test_format_of_another_version_is_told_from_damage(tmp_path: Path) -> None:
    save(tmp_path, stored())
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    del manifest["self_checksum"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"format": FORMAT + 1}))
    with pytest.raises(ClusteringDamaged, match="has format 3 and this version of Kadr reads 2"):
        load(tmp_path)


def test_folder_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("no")

    save(tmp_path, stored())
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(PermissionError):
        load(tmp_path)


def test_damage_is_named_by_the_place_that_people_know(tmp_path: Path) -> None:
    save(tmp_path, stored())
    (tmp_path / "space-1.bin").write_bytes(b"")
    with pytest.raises(ClusteringDamaged, match="the clustering in s3://bucket/indexes/people"):
        load(tmp_path, "s3://bucket/indexes/people")


def test_command_line_tells_damage_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged(**_: object) -> None:
        raise ClusteringDamaged("here", "cut short")

    monkeypatch.setattr(cli, "main", damaged)
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capsys.readouterr().err
    assert said.startswith("kadr: the clustering in here can't be read: cut short.")
    assert said.count("\n") == 1


def test_saving_and_loading_hold_little_more_than_the_clustering(tmp_path: Path) -> None:
    count, dimensions = 20_000, 128
    keys, z = [f"{i:09}" for i in range(count)], np.zeros((count, dimensions), np.float32)
    clustering = recluster(keys, z, np.zeros(count, np.int64), np.ones(count))
    batch_of = [f"b{row // 500}" for row in range(count)]
    inputs = dict.fromkeys(batch_of, "x")
    before = StoredClustering(clustering, batch_of, inputs, "model", {}, [])
    tracemalloc.start()
    pool = pa.total_allocated_bytes()
    save(tmp_path, before)
    after = load(tmp_path)
    assert after is not None
    gather(after, inputs, lambda _: ([], z[:0]), dimensions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Once as they are loaded, once as they are gathered.
    assert 2 * z.nbytes < peak < 3 * z.nbytes
    assert pa.total_allocated_bytes() - pool < z.nbytes // 4


def test_only_batches_that_changed_are_read_again() -> None:
    asked = []

    def read(batch: str) -> tuple[list[str], np.ndarray]:
        asked.append(batch)
        return ["видео 4", "новое"], np.ones((2, 4), np.float32)

    items = gather(stored(), {"b1": "x", "b2": "other"}, read, 4)
    assert asked == ["b2"]
    assert items.keys == ["видео 0", "видео 1", "видео 2", "видео 3", "видео 4", "новое"]
    assert items.batch_of == ["b1"] * 4 + ["b2"] * 2
    assert items.z[4].tolist() == [1, 1, 1, 1]


def test_item_of_two_batches_counts_in_the_later_one() -> None:
    def read(batch: str) -> tuple[list[str], np.ndarray]:
        return ["v"], np.full((1, 2), {"b1": 1, "b2": 2}[batch], np.float32)

    items = gather(None, {"b1": "x", "b2": "y"}, read, 2)
    assert (items.keys, items.batch_of, items.z.tolist()) == (["v"], ["b2"], [[2, 2]])


def test_batches_that_are_held_and_read_lie_in_the_order_of_their_keys() -> None:
    def read(batch: str) -> tuple[list[str], np.ndarray]:
        return ["а", "я"], np.array([[7, 0, 0, 0], [9, 0, 0, 0]], np.float64)

    items = gather(stored(), {"b0": "new", "b1": "x"}, read, 4)
    assert items.keys == ["а", "видео 0", "видео 1", "видео 2", "видео 3", "я"]
    assert items.z.dtype == np.float32
    assert items.z[:, 0].tolist() == [7, 1, 1, 1, 0, 9] and items.z[4, 1] == 1


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        gather(None, {"b": "x"}, lambda _: (["v"], np.zeros((1, 3), np.float32)), 4)
