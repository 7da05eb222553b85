"""A clustering comes back from disk as it was saved, or says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assets.cluster_store import (
    MANIFEST,
    ClusteringDamaged,
    StoredClustering,
    fingerprint_of,
    load,
    save,
)
from assets.clustered import gather
from ml.stable_clusters import recluster


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
        *(MANIFEST, "members-2.parquet", "clusters-2.npz", "space-2.bin"),
    }


def test_every_version_has_its_own_fingerprint(tmp_path: Path) -> None:
    save(tmp_path, stored())
    first = fingerprint_of(tmp_path)
    save(tmp_path, stored())
    assert fingerprint_of(tmp_path) != first


@pytest.mark.parametrize("name", ["members-1.parquet", "clusters-1.npz", "space-1.bin"])
def test_missing_file_is_named_damage_and_what_mends_it(tmp_path: Path, name: str) -> None:
    save(tmp_path, stored())
    (tmp_path / name).unlink()
    with pytest.raises(ClusteringDamaged, match="Restore the folder from a back-up, or delete it"):
        load(tmp_path)


def test_cut_off_members_and_manifest_are_damage(tmp_path: Path) -> None:
    save(tmp_path, stored())
    whole = (tmp_path / "members-1.parquet").read_bytes()
    (tmp_path / "members-1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ClusteringDamaged):
        load(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ClusteringDamaged):
        load(tmp_path)


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
