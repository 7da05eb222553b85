"""The vector index: what is found, what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.indexes.files import MANIFEST
from ml.neighbours import (
    IndexDamaged,
    IndexOptions,
    IndexReport,
    ModelMismatch,
    VectorIndex,
    gpu_count,
    item_key,
    read_manifest,
    split_key,
    update_index,
)

DIMENSION = 16
MODEL = "layout@1"
SMALL = IndexOptions(exact_limit=1000)


def vectors(seed: int, n: int = 40) -> np.ndarray:
    """Unit vectors around a few centres, as embeddings of similar videos are."""
    centres = np.random.default_rng(99).standard_normal((30, DIMENSION))
    draw = np.random.default_rng(seed)
    rows = centres[draw.integers(0, 30, n)] + 0.5 * draw.standard_normal((n, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Library:
    """Batches to read, and which of them were read."""

    def __init__(self, **batches: np.ndarray) -> None:
        self.batches = batches
        self.fingerprints = dict.fromkeys(batches, "1")
        self.read_names: list[str] = []

    def read(self, name: str) -> tuple[list[str], np.ndarray]:
        self.read_names.append(name)
        return [f"{name}-{i}" for i in range(len(self.batches[name]))], self.batches[name]

    def set(self, name: str, rows: np.ndarray) -> None:
        self.batches[name] = rows
        self.fingerprints[name] = str(int(self.fingerprints.get(name, "0")) + 1)

    def drop(self, name: str) -> None:
        del self.batches[name], self.fingerprints[name]

    def update(self, folder: Path, **how: Any) -> IndexReport:
        self.read_names.clear()
        return update_index(folder, self.fingerprints, self.read, MODEL, **how)

    def nearest(self, query: np.ndarray, k: int) -> list[str]:
        """By comparing with everything, in numpy."""
        keys = [f"{name}-{i}" for name, rows in self.batches.items() for i in range(len(rows))]
        scores = np.vstack(list(self.batches.values())) @ query
        return [keys[i] for i in np.argsort(-scores)[:k]]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_exact_index_finds_what_comparing_with_everything_finds(tmp_path: Path) -> None:
    library = Library(a=vectors(1), b=vectors(2))
    library.update(tmp_path)
    query = vectors(3, 1)[0]
    keys, scores = VectorIndex.load(tmp_path).search(query, 5)
    assert keys == [library.nearest(query, 5)]
    assert scores[0] == sorted(scores[0], reverse=True)


def test_order_of_batches_changes_neither_results_nor_bytes(tmp_path: Path) -> None:
    twin = vectors(1)  # batch b is a copy of batch a: every score is there twice
    parts = {"a": vectors(1), "b": twin, "c": vectors(3)}
    for order, folder in (("abc", tmp_path / "x"), ("cab", tmp_path / "y")):
        index = VectorIndex.exact(MODEL, DIMENSION)
        for name in order:
            index.add(name, [f"{name}{i}" for i in range(40)], parts[name], "1")
        index.save(folder)
    assert bytes_of(tmp_path / "x") == bytes_of(tmp_path / "y")
    query = parts["a"][:3]
    found = [VectorIndex.load(tmp_path / f).search(query, 7) for f in "xy"]
    assert found[0] == found[1]
    assert found[0][0][0][:2] == ["a0", "b0"]


def test_only_touched_batches_are_read(tmp_path: Path) -> None:
    library = Library(a=vectors(1), b=vectors(2), c=vectors(3))
    first = library.update(tmp_path)
    assert (first.added, first.count, first.recall_at_10) == (3, 120, 1.0)
    library.set("b", vectors(4, 10))
    library.set("d", vectors(5, 5))
    library.drop("a")
    report = library.update(tmp_path)
    assert library.read_names == ["b", "d"]
    counts = (report.added, report.replaced, report.removed, report.unchanged, report.count)
    assert counts == (1, 1, 1, 1, 55)
    query = vectors(6, 1)[0]
    assert VectorIndex.load(tmp_path).search(query, 55)[0] == [library.nearest(query, 55)]


def test_nothing_is_read_or_written_when_nothing_changed(tmp_path: Path) -> None:
    library = Library(a=vectors(1), b=vectors(2))
    library.update(tmp_path)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()}
    report = library.update(tmp_path)
    assert library.read_names == []
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()} == before
    assert (report.unchanged, report.added, report.count) == (2, 0, 80)


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        Library(a=vectors(1), b=vectors(2)).update(tmp_path / folder)
    assert bytes_of(tmp_path / "x") == bytes_of(tmp_path / "y")


def test_version_before_the_current_one_stays_for_readers(tmp_path: Path) -> None:
    library = Library(a=vectors(1))
    for n in range(4):
        library.set("a", vectors(n))
        library.update(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "manifest.json",
        "index-3.faiss",
        "keys-3.arrow",
        "index-4.faiss",
        "keys-4.arrow",
    }


def test_kill_before_the_manifest_leaves_the_old_index(tmp_path: Path) -> None:
    library = Library(a=vectors(1))
    library.update(tmp_path)
    (tmp_path / "index-2.faiss").write_bytes(b"half of a new ver")
    query = vectors(1)[0]
    assert VectorIndex.load(tmp_path).search(query, 1)[0] == [["a-0"]]
    library.set("a", vectors(2))
    library.update(tmp_path)
    assert VectorIndex.load(tmp_path).search(vectors(2)[7], 1)[0] == [["a-7"]]


def test_large_index_is_approximate_with_measured_recall(tmp_path: Path) -> None:
    library = Library(**{f"b{i}": vectors(i, 500) for i in range(4)})
    report = library.update(tmp_path, options=SMALL)
    assert (report.kind, report.count) == ("ivf-sq8", 2000)
    assert report.recall_at_10 is not None
    assert report.recall_at_10 >= 0.95
    index = VectorIndex.load(tmp_path)
    hits = 0
    for query in vectors(50, 100):
        hits += len(set(index.search(query, 10)[0][0]) & set(library.nearest(query, 10)))
    assert abs(hits / 1000 - report.recall_at_10) < 0.05


def test_large_index_takes_batches_in_and_out_without_reading_the_rest(tmp_path: Path) -> None:
    library = Library(**{f"b{i}": vectors(i, 500) for i in range(4)})
    library.update(tmp_path, options=SMALL)
    library.set("b1", vectors(11, 400))
    library.drop("b2")
    library.set("b9", vectors(19, 300))
    report = library.update(tmp_path, options=SMALL)
    assert library.read_names == ["b1", "b9"]
    assert (report.kind, report.count) == ("ivf-sq8", 1700)
    assert report.recall_at_10 is not None
    assert report.recall_at_10 >= 0.95
    index = VectorIndex.load(tmp_path)
    assert index.search(library.batches["b9"][:3], 1)[0] == [["b9-0"], ["b9-1"], ["b9-2"]]
    everything = index.search(library.batches["b0"][0], 1700)[0][0]
    assert not any(key.startswith("b2-") for key in everything)


def test_recall_after_removals_equals_recall_measured_anew(tmp_path: Path) -> None:
    library = Library(**{f"b{i}": vectors(i, 500) for i in range(6)})
    library.update(tmp_path, options=SMALL)
    library.drop("b3")
    library.set("b7", vectors(17, 500))
    library.update(tmp_path, options=SMALL)
    truth = VectorIndex.load(tmp_path)._truth
    assert truth is not None
    every = np.vstack(list(library.batches.values()))
    for query, own, scores in zip(truth.queries, truth.own_ids, truth.scores, strict=True):
        exact = np.sort(every @ query)[::-1]
        exact = exact[1:] if own >= 0 else exact
        known = scores[np.isfinite(scores)]
        np.testing.assert_allclose(known, exact[: len(known)], atol=1e-5)


def test_index_that_grew_fourfold_is_trained_anew(tmp_path: Path) -> None:
    library = Library(**{f"b{i}": vectors(i, 400) for i in range(3)})
    library.update(tmp_path, options=SMALL)
    assert read_manifest(tmp_path).trained_count == 1200
    for i in range(3, 13):
        library.set(f"b{i}", vectors(i, 400))
    library.update(tmp_path, options=SMALL)
    assert read_manifest(tmp_path).trained_count == 5200


@pytest.mark.parametrize("size", [40, 600])
def test_memory_mapped_index_answers_alike_and_refuses_changes(tmp_path: Path, size: int) -> None:
    library = Library(a=vectors(1, size), b=vectors(2, size))
    library.update(tmp_path, options=SMALL)
    queries = vectors(3, 5)
    mapped = VectorIndex.load(tmp_path, mmap=True)
    assert mapped.search(queries, 5) == VectorIndex.load(tmp_path).search(queries, 5)
    with pytest.raises(ValueError, match="read-only"):
        mapped.add("c", ["c"], vectors(4, 1), "1")
    with pytest.raises(ValueError, match="read-only"):
        mapped.remove("a")


def test_other_model_is_refused_and_both_are_named(tmp_path: Path) -> None:
    library = Library(a=vectors(1))
    library.update(tmp_path)
    with pytest.raises(ModelMismatch, match=r"layout@1.*clip@2"):
        update_index(tmp_path, library.fingerprints, library.read, "clip@2")
    report = update_index(tmp_path, library.fingerprints, library.read, "clip@2", rebuild=True)
    assert (report.added, read_manifest(tmp_path).model) == (1, "clip@2")


def test_other_dimension_is_refused_and_both_are_named(tmp_path: Path) -> None:
    library = Library(a=vectors(1), b=np.ones((3, 8), np.float32))
    with pytest.raises(ModelMismatch, match=r"16 dimensions.*with 8"):
        library.update(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModelMismatch):
        VectorIndex.exact(MODEL, DIMENSION).search(np.ones((1, 8), np.float32))


def test_nan_is_refused_with_how_many_and_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    library = Library(a=vectors(1))
    library.update(tmp_path)
    before = bytes_of(tmp_path)
    rows = vectors(2)
    rows[[3, 5], 2] = np.nan, np.inf
    library.set("b", rows)
    with pytest.raises(ValueError, match="2 of 40 vectors of batch 'b'"):
        library.update(tmp_path)
    assert bytes_of(tmp_path) == before


def test_zero_vectors_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = vectors(1)
    rows[4] = 0
    report = Library(a=rows).update(tmp_path)
    assert (report.count, report.left_out) == (39, 1)
    assert "a-4" not in VectorIndex.load(tmp_path).search(rows[0], 100)[0][0]


def test_key_twice_is_refused_and_named(tmp_path: Path) -> None:
    def read(name: str) -> tuple[list[str], np.ndarray]:
        return [f"{name[0]}{i}" for i in range(3)], vectors(1, 3)

    with pytest.raises(ValueError, match="the key 'a0'"):
        update_index(tmp_path, {"a1": "1", "a2": "1"}, read, MODEL)


@pytest.mark.parametrize("role", ["index", "keys", "truth"])
@pytest.mark.parametrize("harm", ["missing", "cut", "altered"])
def test_damaged_file_is_named_with_what_mends_it(tmp_path: Path, role: str, harm: str) -> None:
    library = Library(a=vectors(1, 1200))
    library.update(tmp_path, options=SMALL)
    path = next(tmp_path.glob(f"{role}-*"))
    content = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(content[:-9])
    if harm == "altered":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(IndexDamaged, match=rf"{path.name}.*kadr index"):
        VectorIndex.load(tmp_path)
    report = library.update(tmp_path, options=SMALL, rebuild=True)
    assert report.count == VectorIndex.load(tmp_path).count == 1200


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"format": 2}'])
def test_damaged_manifest_is_a_clear_error(tmp_path: Path, text: str) -> None:
    Library(a=vectors(1)).update(tmp_path)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(IndexDamaged, match=r"manifest\.json is not a manifest"):
        VectorIndex.load(tmp_path)


def test_missing_index_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match=r"there is no manifest\.json"):
        VectorIndex.load(tmp_path / "nowhere")


def test_manifest_says_what_is_inside(tmp_path: Path) -> None:
    Library(a=vectors(1), b=vectors(2, 7)).update(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert (manifest["model"], manifest["metric"]) == (MODEL, "inner_product")
    assert (manifest["dimension"], manifest["count"], manifest["kind"]) == (16, 47, "exact")
    entry = {"fingerprint": "1", "start_id": 40, "stop_id": 47, "left_out": 0}
    assert manifest["batches"]["b"] == entry
    assert manifest["device"] == ("gpu" if gpu_count() and manifest["cells"] else "cpu")


def test_empty_library_and_empty_batches(tmp_path: Path) -> None:
    assert Library().update(tmp_path).count == 0
    nothing = np.zeros((0, 0), np.float32)
    report = Library(a=nothing).update(tmp_path)
    assert (report.count, report.recall_at_10) == (0, None)
    assert VectorIndex.load(tmp_path, mmap=True).count == 0
    report = Library(a=nothing, c=nothing).update(tmp_path)
    assert (report.added, report.unchanged) == (1, 1)
    library = Library(a=nothing, b=vectors(1))
    assert library.update(tmp_path).count == 40
    library.update(tmp_path)
    assert library.read_names == []
    library.drop("b")
    assert library.update(tmp_path).count == 0
    assert VectorIndex.load(tmp_path).search(vectors(1, 2), 3) == ([[], []], [[], []])


def test_asking_for_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    if gpu_count():
        pytest.skip("this FAISS has a GPU")
    with pytest.raises(ValueError, match="sees no GPU"):
        Library(a=vectors(1)).update(tmp_path, options=IndexOptions(device="gpu"))


def test_item_key_keeps_video_ids_with_any_characters() -> None:
    for video_id in ("a", "кот #1", "x/y#z", ""):
        assert split_key(item_key(video_id, 12)) == (video_id, "12")
