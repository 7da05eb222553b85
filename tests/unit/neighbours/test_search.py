"""Searching the vector index: filters by video, items of hits, a background, shared memory."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.indexes.files import MANIFEST
from ml.neighbours import (
    IndexDamaged,
    IndexOptions,
    VectorIndex,
    item_key,
    read_manifest,
    update_index,
)

DIMENSION = 32
MODEL = "layout@1"
SCENES = 3
EXACT, SQ8, RABITQ = (
    IndexOptions(),
    IndexOptions(exact_limit=1000),
    IndexOptions(exact_limit=1000, sq8_limit=1000),
)
Built = dict[str, tuple["Library", Path]]
KINDS = {"exact": EXACT, "ivf-sq8": SQ8, "ivf-rabitq": RABITQ}
each_kind = pytest.mark.parametrize("kind", KINDS)


def vectors(seed: int, n: int) -> np.ndarray:
    """Unit vectors around a few centres, as embeddings of similar videos are."""
    centres = np.random.default_rng(99).standard_normal((40, DIMENSION))
    draw = np.random.default_rng(seed)
    rows = centres[draw.integers(0, 40, n)] + 0.5 * draw.standard_normal((n, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Library:
    """Batches of 200 videos with three scenes each; batch 4 is videos 4-000 to 4-199."""

    def __init__(self, batches: range = range(8)) -> None:
        self.fingerprints = {str(b): "1" for b in batches}
        self.read_names: list[str] = []

    def rows(self, batch: str) -> np.ndarray:
        return vectors(int(batch) + 100 * int(self.fingerprints[batch]), 200 * SCENES)

    def read(self, batch: str) -> tuple[list[str], np.ndarray]:
        self.read_names.append(batch)
        keys = [item_key(f"{batch}-{v:03}", scene) for v in range(200) for scene in range(SCENES)]
        return keys, self.rows(batch)

    def update(self, folder: Path, kind: str, **how: Any) -> VectorIndex:
        self.read_names.clear()
        options = KINDS[kind]
        report = update_index(folder, self.fingerprints, self.read, MODEL, options=options, **how)
        assert report.kind == kind
        assert not report.count or (report.recall_at_10 or 0.0) >= 0.95
        return VectorIndex.load(folder, mmap=True)

    def nearest(self, query: np.ndarray, k: int, batches: str) -> list[str]:
        """Keys by comparing with everything in these batches, in numpy."""
        keys = [key for batch in batches for key in self.read(batch)[0]]
        scores = np.vstack([self.rows(batch) for batch in batches]) @ query
        return [keys[i] for i in np.argsort(-scores)[:k]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A library of 4,800 vectors as an index of each kind; not to be changed."""
    made: Built = {}
    for kind in KINDS:
        made[kind] = (Library(), tmp_path_factory.mktemp(kind))
        made[kind][0].update(made[kind][1], kind)
    return made


def keys_found(index: VectorIndex, query: np.ndarray, k: int, among: Any = None) -> list[str]:
    ids = index.search_ids(query, k, among)[1][0]
    return index.keys_of(ids[ids >= 0])


@each_kind
def test_rare_filter_finds_every_vector_of_its_videos(built: Built, kind: str) -> None:
    index = VectorIndex.load(built[kind][1], mmap=True)
    videos = [f"{batch}-{number:03}" for batch in range(8) for number in (7, 155)]
    among = index.mask_of_videos(videos)
    assert among.sum() == len(videos) * SCENES
    wanted = {item_key(video, scene) for video in videos for scene in range(SCENES)}
    for query in vectors(5, 20):
        assert set(keys_found(index, query, 200, among)) == wanted
        assert set(keys_found(index, query, 200, np.flatnonzero(among))) == wanted


@each_kind
def test_filter_finds_the_nearest_among_what_it_lets_through(built: Built, kind: str) -> None:
    library, folder = built[kind]
    index = VectorIndex.load(folder, mmap=True)
    batches = "1357"  # 2,400 of 4,800 vectors
    among = index.mask_of_videos(pa.array([f"{b}-{v:03}" for b in batches for v in range(200)]))
    hits = 0
    for query in vectors(5, 40):
        found = keys_found(index, query, 10, among)
        assert all(key[0] in batches for key in found)
        hits += len(set(found) & set(library.nearest(query, 10, batches)))
    assert hits >= 0.95 * 400


def test_filter_too_large_to_compare_one_by_one_is_scanned(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.neighbours.kinds._FEW", 10)
    library, folder = built["ivf-rabitq"]
    index = VectorIndex.load(folder, mmap=True)
    among = index.mask_of_videos([f"3-{v:03}" for v in range(200)])
    for query in vectors(5, 10):
        near = library.nearest(query, 10, "3")
        assert len(set(keys_found(index, query, 10, among)) & set(near)) >= 9


@each_kind
def test_filter_that_lets_nothing_through_finds_nothing(built: Built, kind: str) -> None:
    index = VectorIndex.load(built[kind][1], mmap=True)
    for among in (index.mask_of_videos(["no such video"]), np.zeros(0, np.int64)):
        scores, ids = index.search_ids(vectors(5, 2), 4, among)
        assert (ids == -1).all()
        assert np.isneginf(scores).all()


def test_mask_of_another_length_and_ids_out_of_range_are_refused(built: Built) -> None:
    index = VectorIndex.load(built["exact"][1])
    with pytest.raises(ValueError, match=r"shape \(3,\) for 4800 ids"):
        index.search_ids(vectors(5, 1), 4, np.ones(3, bool))
    with pytest.raises(ValueError, match="from 0 to 4799"):
        index.search_ids(vectors(5, 1), 4, np.array([4800]))


@each_kind
def test_hits_name_their_video_and_item(built: Built, kind: str) -> None:
    index = VectorIndex.load(built[kind][1], mmap=True)
    ids = index.search_ids(vectors(5, 1), 30)[1][0]
    videos, items = index.videos_of(ids), index.items_of(ids)
    assert index.keys_of(ids) == [item_key(v, i) for v, i in zip(videos, items, strict=True)]
    assert index.mask_of_videos(videos)[ids].all()


def test_video_ids_with_any_characters_are_filtered_by(tmp_path: Path) -> None:
    names = ["кот #1", "x/y#z", "", "plain"]
    keys = [item_key(name, item) for name in names for item in ("asr", 12)]
    update_index(tmp_path, {"b": "1"}, lambda _: (keys, vectors(1, 8)), MODEL)
    index = VectorIndex.load(tmp_path)
    for place, name in enumerate(names):
        found = np.flatnonzero(index.mask_of_videos([name]))
        assert found.tolist() == [2 * place, 2 * place + 1]
        assert index.items_of(found) == ["asr", "12"]


def test_key_without_an_item_is_a_video(tmp_path: Path) -> None:
    update_index(tmp_path, {"b": "1"}, lambda _: (["one", "two"], vectors(1, 2)), MODEL)
    index = VectorIndex.load(tmp_path)
    assert index.mask_of_videos(["two"]).tolist() == [False, True]
    ids = np.array([1, 0])
    assert (index.videos_of(ids), index.items_of(ids)) == (["two", "one"], ["", ""])
    assert index.keys_of(ids) == ["two", "one"]


@each_kind
def test_filters_follow_batches_that_come_change_and_go(tmp_path: Path, kind: str) -> None:
    library = Library()
    library.update(tmp_path, kind)
    library.fingerprints["2"] = "2"
    del library.fingerprints["5"]
    library.fingerprints["9"] = "1"
    index = library.update(tmp_path, kind)
    assert library.read_names == ["2", "9"]
    videos = ["2-010", "5-010", "7-010", "9-010"]
    among = index.mask_of_videos(videos)
    wanted = {item_key(v, s) for v in videos if v != "5-010" for s in range(SCENES)}
    assert set(keys_found(index, vectors(5, 1), 100, among)) == wanted
    row = library.rows("2")[30]
    assert keys_found(index, row, 1) == keys_found(index, row, 1, among) == ["2-010#0"]
    assert len(index.background(5000)) == index.count == 4800


def test_removed_batch_leaves_no_video_names_in_the_files(tmp_path: Path) -> None:
    library = Library()
    library.update(tmp_path, "ivf-rabitq")
    del library.fingerprints["5"]
    library.update(tmp_path, "ivf-rabitq")
    newest = tmp_path / read_manifest(tmp_path).files["keys"].name
    assert b"4-010" in newest.read_bytes()
    assert b"5-010" not in newest.read_bytes()


@each_kind
def test_background_is_a_fixed_sample_of_the_vectors_inside(built: Built, kind: str) -> None:
    library, folder = built[kind]
    index = VectorIndex.load(folder, mmap=True)
    sample = index.background(500)
    assert (sample.shape, sample.dtype) == ((500, DIMENSION), np.float32)
    np.testing.assert_array_equal(sample, VectorIndex.load(folder).background(500))
    every = np.vstack([library.rows(batch) for batch in library.fingerprints])
    nearest = (sample @ every.T).argmax(axis=1)
    np.testing.assert_allclose(sample, every[nearest], atol=0.02)
    assert len(np.unique(nearest)) > 490
    # Of all batches alike: 62 of each are expected, and 10 fewer or more are 1.4 deviations.
    assert np.bincount(nearest // (200 * SCENES), minlength=8).min() > 35
    assert index.background(10**6).shape == every.shape


def test_background_of_an_empty_index_is_empty(tmp_path: Path) -> None:
    VectorIndex.exact(MODEL, DIMENSION).save(tmp_path)
    index = VectorIndex.load(tmp_path, mmap=True)
    assert index.background().shape == (0, DIMENSION)
    assert index.mask_of_videos(["a"]).shape == (0,)


def test_library_that_outgrows_a_kind_becomes_the_next(tmp_path: Path) -> None:
    options = IndexOptions(exact_limit=500, sq8_limit=1500)
    kinds = []
    for batches in range(1, 4):
        library = Library(range(batches))
        report = update_index(tmp_path, library.fingerprints, library.read, MODEL, options=options)
        kinds.append(report.kind)
    assert kinds == ["ivf-sq8", "ivf-sq8", "ivf-rabitq"]


def test_rabitq_scores_are_those_of_its_8_bit_codes(built: Built) -> None:
    library, folder = built["ivf-rabitq"]
    index = VectorIndex.load(folder, mmap=True)
    every = {k: row for b in library.fingerprints for k, row in zip(*library.read(b), strict=True)}
    for query in vectors(5, 10):
        scores, ids = index.search_ids(query, 20)
        true = [float(every[key] @ query) for key in index.keys_of(ids[0])]
        np.testing.assert_allclose(scores[0], true, atol=0.01)


def test_manifest_says_how_many_are_reranked(built: Built) -> None:
    folder = built["ivf-rabitq"][1]
    manifest = read_manifest(folder)
    assert set(manifest.files) == {"index", "codes", "keys", "truth"}
    assert manifest.reranked >= 50
    assert VectorIndex.load(folder)._stored.reranked == manifest.reranked


def made_older(folder: Path) -> None:
    path = folder / MANIFEST
    older = {**json.loads(path.read_text()), "format": 1}
    for later in ("reranked", "self_checksum"):
        del older[later]
    path.write_text(json.dumps(older))


def test_index_of_an_older_format_is_not_searched_and_says_why(tmp_path: Path) -> None:
    Library(range(1)).update(tmp_path, "exact")
    made_older(tmp_path)
    assert read_manifest(tmp_path).model == MODEL
    with pytest.raises(IndexDamaged, match=r"format 1.*kadr index"):
        VectorIndex.load(tmp_path)


def test_index_of_an_older_format_is_built_anew_by_an_update(tmp_path: Path) -> None:
    library = Library(range(2))
    library.update(tmp_path, "exact")
    made_older(tmp_path)
    assert library.update(tmp_path, "exact").count == 1200
    assert library.read_names == ["0", "1"]
    made_older(tmp_path)
    library.fingerprints.clear()
    assert library.update(tmp_path, "exact").count == 0


def test_index_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    Library(range(1)).update(tmp_path, "exact")
    path = tmp_path / MANIFEST
    newer = {**json.loads(path.read_text()), "format": 99}
    del newer["self_checksum"]
    path.write_text(json.dumps(newer))
    with pytest.raises(IndexDamaged, match="format 99"):
        read_manifest(tmp_path)


def hold(folder: Path, barrier: Any, answers: Any) -> None:
    """Reads every vector of a mapped index, and says what memory that took once all have."""
    VectorIndex.exact(MODEL, DIMENSION).search(np.ones((1, DIMENSION), np.float32))
    before = memory_kb()
    index = VectorIndex.load(folder, mmap=True, verify=False)
    index.search_ids(np.ones((1, index.dimension), np.float32), 5)
    barrier.wait(60)
    answers.put({name: kb - before[name] for name, kb in memory_kb().items()})
    barrier.wait(60)


def memory_kb() -> dict[str, int]:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no smaps_rollup here")
def test_processes_that_map_an_index_share_one_copy(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((30_000, 256), dtype=np.float32)  # 31 MB
    update_index(tmp_path, {"b": "1"}, lambda _: ([str(i) for i in range(30_000)], rows), MODEL)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [context.Process(target=hold, args=(tmp_path, barrier, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    grown = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    for each in grown:
        assert each["Rss"] > 30_000
        assert each["Pss"] < 22_000
        assert each["Pss_Anon"] < 8_000


@pytest.mark.parametrize("kind", ["exact", "ivf-sq8", "ivf-rabitq"])
def test_index_emptied_of_all_its_batches_takes_new_ones(tmp_path: Path, kind: str) -> None:
    library = Library(range(2))
    library.update(tmp_path, kind)
    gone, library.fingerprints = library.fingerprints, {}
    assert library.update(tmp_path, "exact").count == 0
    library.fingerprints = gone
    assert library.update(tmp_path, kind).count == 1200


@pytest.mark.parametrize("kind", ["exact", "ivf-sq8"])
def test_index_that_was_emptied_to_no_dimension_takes_new_batches(
    tmp_path: Path, kind: str
) -> None:
    VectorIndex.exact(MODEL, 0).save(tmp_path)
    assert Library(range(2)).update(tmp_path, kind).count == 1200
