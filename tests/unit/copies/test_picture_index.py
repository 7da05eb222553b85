"""The picture index: who is found, who no longer is, and that nothing depends on history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.copies import picture_segments
from ml.copies.evidence import Pictures
from ml.copies.features import mirrored
from ml.copies.index_features import UNIT_FRAMES, index_features
from ml.copies.picture_growth import PictureIndexReport, update_picture_index
from ml.copies.picture_index import PictureIndex
from ml.copies.quantiser import FILE, Quantiser
from ml.indexes.files import MANIFEST, IndexDamaged

Library = dict[str, dict[str, Pictures]]  # batch to video to pictures


def root_sift(values: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.clip(np.rint(512 * values / np.maximum(lengths, 1e-9)), 0, 255).astype(np.uint8)


def video(seed: int, frames: int = 4, features: int = 30) -> Pictures:
    """Frames that have nothing in common, with random features."""
    rng = np.random.default_rng(seed)
    count = frames * features
    geometry = np.column_stack(
        [rng.random((count, 2)), 2 ** rng.uniform(-6, -3, count), rng.uniform(0, 6.28, count)]
    )
    return Pictures(
        start_s=np.arange(frames, dtype=float),
        duration_s=np.ones(frames),
        aspect=np.full(frames, 16 / 9, np.float32),
        offsets=(np.arange(frames + 1) * features).astype(np.int32),
        geometry=geometry.astype(np.float32),
        descriptors=root_sift(rng.gamma(0.6, size=(count, 128))),
        hashes=np.zeros((frames, 32), np.uint8),
        detail=np.ones(frames, np.float32),
    )


def some_frames(pictures: Pictures, *frames: int) -> Pictures:
    rows = np.concatenate(
        [np.arange(*pictures.offsets[f : f + 2]) for f in frames] or [np.zeros(0, np.int64)]
    )
    counts = [np.diff(pictures.offsets)[f] for f in frames]
    return Pictures(
        start_s=np.arange(len(frames), dtype=float),
        duration_s=np.ones(len(frames)),
        aspect=pictures.aspect[list(frames)],
        offsets=np.cumsum([0, *counts]).astype(np.int32),
        geometry=pictures.geometry[rows],
        descriptors=pictures.descriptors[rows],
        hashes=pictures.hashes[list(frames)],
        detail=pictures.detail[list(frames)],
    )


def after(one: Pictures, other: Pictures) -> Pictures:
    """One video and then another."""
    names = ("duration_s", "aspect", "geometry", "descriptors", "hashes", "detail")
    joined = {n: np.concatenate([getattr(one, n), getattr(other, n)]) for n in names}
    offsets = np.concatenate([one.offsets, other.offsets[1:] + one.offsets[-1]])
    start_s = np.arange(len(joined["detail"]), dtype=float)
    return Pictures(start_s=start_s, offsets=offsets, **joined)


def copied(pictures: Pictures, seed: int, turned: float = 0.0, larger: float = 1.0) -> Pictures:
    """A copy with noise in every feature, turned and enlarged."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 4, pictures.descriptors.shape)
    geometry = pictures.geometry * np.array([1, 1, larger, 1], np.float32)
    geometry[:, 3] = np.mod(geometry[:, 3] + turned, 2 * np.pi)
    descriptors = np.clip(pictures.descriptors + noise, 0, 255).astype(np.uint8)
    return replace(pictures, geometry=geometry, descriptors=descriptors)


def update(
    folder: Path, library: Mapping[str, Mapping[str, Pictures]], version: str = "1"
) -> PictureIndexReport:
    def read(batch: str) -> Iterator[tuple[str, Pictures]]:
        yield from library[batch].items()

    return update_picture_index(folder, dict.fromkeys(library, version), read)


def found(folder: Path, pictures: Pictures, exclude: str = "") -> dict[str, float]:
    candidates = PictureIndex.open(folder).search(pictures, exclude=exclude)
    return {c.video_id: c.score for c in candidates}


@pytest.fixture(scope="module")
def library() -> Library:
    """Three batches of eight videos."""
    return {
        f"2026-01-0{b}-001": {f"v{b}{n}": video(10 * b + n) for n in range(8)} for b in (1, 2, 3)
    }


@pytest.fixture(scope="module")
def built(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    update(folder, library)
    return folder


def test_quantiser_ships_with_the_package() -> None:
    assert FILE.is_file()
    assert FILE.stat().st_size < 500_000


def test_a_feature_lies_in_one_of_its_own_probes() -> None:
    quantiser, descriptors = Quantiser.load(), video(1).descriptors
    probes = quantiser.probes(descriptors)
    assert (probes == quantiser.keys(descriptors)[:, None]).any(axis=1).all()
    assert all(len(set(row)) == len(row) for row in probes.tolist())


def test_signature_of_a_noisy_feature_differs_in_few_bits() -> None:
    quantiser, one = Quantiser.load(), video(1)
    plain = quantiser.signatures(one.descriptors)
    noisy = quantiser.signatures(copied(one, 2).descriptors)
    strange = quantiser.signatures(video(2).descriptors)
    assert np.median(np.bitwise_count(plain ^ noisy)) <= 8
    assert np.median(np.bitwise_count(plain ^ strange)) >= 24


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    index = PictureIndex.open(tmp_path / "not there")
    assert (index.video_count, index.posting_count, index.bytes) == (0, 0, 0)
    assert index.search(video(1)) == []


def test_a_noisy_copy_is_the_only_candidate(built: Path, library: Library) -> None:
    original = library["2026-01-02-001"]["v23"]
    assert list(found(built, copied(original, 5))) == ["v23"]


def test_a_turned_and_smaller_copy_is_found(built: Path, library: Library) -> None:
    original = library["2026-01-02-001"]["v23"]
    plain = found(built, copied(original, 5))["v23"]
    assert found(built, copied(original, 5, turned=1.3, larger=0.4))["v23"] > 0.8 * plain


def test_features_that_disagree_on_turn_and_size_are_no_candidate(
    built: Path, library: Library
) -> None:
    original = library["2026-01-02-001"]["v23"]
    one_frame = some_frames(original, 0)
    rng = np.random.default_rng(1)
    geometry = one_frame.geometry.copy()
    geometry[:, 2] = 2 ** rng.uniform(-8, -1, len(geometry))
    geometry[:, 3] = rng.uniform(0, 6.28, len(geometry))
    agreeing = found(built, one_frame)["v23"]
    assert found(built, replace(one_frame, geometry=geometry)).get("v23", 0) < 0.3 * agreeing


def test_a_mirrored_copy_is_found_and_known_as_mirrored(built: Path, library: Library) -> None:
    original = library["2026-01-03-001"]["v35"]
    (candidate,) = PictureIndex.open(built).search(mirrored(copied(original, 5)))
    assert (candidate.video_id, candidate.mirrored, candidate.by) == ("v35", True, "pictures")
    (candidate,) = PictureIndex.open(built).search(copied(original, 5))
    assert not candidate.mirrored


def test_one_shared_frame_is_enough(built: Path, library: Library) -> None:
    original = library["2026-01-01-001"]["v14"]
    mixed = after(video(77), some_frames(copied(original, 5), 2))
    assert list(found(built, mixed)) == ["v14"]


def test_the_video_itself_can_be_left_out(built: Path, library: Library) -> None:
    original = library["2026-01-01-001"]["v14"]
    assert list(found(built, original)) == ["v14"]
    assert found(built, original, exclude="v14") == {}
    assert list(found(built, original, exclude="not in the index")) == ["v14"]


def test_a_finds_b_when_b_finds_a(tmp_path: Path) -> None:
    originals = {f"a{n}": video(n) for n in range(12)}
    copies = {
        f"b{n}": after(copied(some_frames(originals[f"a{n}"], 0, 1), n, n / 6), video(100 + n))
        for n in range(12)
    }
    update(tmp_path, {"all": {**originals, **copies}})
    for n in range(12):
        assert list(found(tmp_path, copies[f"b{n}"], exclude=f"b{n}")) == [f"a{n}"]
        assert list(found(tmp_path, originals[f"a{n}"], exclude=f"a{n}")) == [f"b{n}"]


def test_ten_identical_uploads_are_all_found(tmp_path: Path) -> None:
    one = video(1)
    update(tmp_path, {"b": {f"same{n}": one for n in range(10)} | {"other": video(2)}})
    scores = found(tmp_path, one, exclude="same3")
    assert list(scores) == [f"same{n}" for n in range(10) if n != 3]
    assert len(set(scores.values())) == 1


def test_an_intro_of_200_videos_weighs_less_than_one_frame_of_the_original(tmp_path: Path) -> None:
    intro = video(1, frames=3, features=20)
    serial = {f"s{n:03}": after(intro, video(1000 + n, 1, 10)) for n in range(200)}
    original, others = video(2, 4, 20), {f"o{n}": video(2000 + n, 1, 10) for n in range(400)}
    update(tmp_path, {"a": serial, "b": {**others, "original": original}})
    candidates = PictureIndex.open(tmp_path).search(
        after(intro, copied(some_frames(original, 1), 3))
    )
    assert candidates[0].video_id == "original"
    assert len(candidates) == 64
    assert [c.video_id for c in candidates[1:]] == [f"s{n:03}" for n in range(63)]


def test_a_loop_votes_once(tmp_path: Path) -> None:
    one = video(1, frames=2)
    loop = one
    for _ in range(4):
        loop = after(loop, one)
    update(tmp_path, {"b": {"one": one, "other": video(2)}})
    assert found(tmp_path, loop)["one"] <= 1.01 * found(tmp_path, one)["one"]


def test_a_still_is_indexed_once() -> None:
    still = video(1, frames=1)
    shown = still
    for n in range(9):
        shown = after(shown, copied(still, n))
    assert len(index_features(shown).places) == len(index_features(still).places)


def test_a_short_cut_finds_the_long_stream(tmp_path: Path) -> None:
    stream = video(1, frames=10 * UNIT_FRAMES + 3, features=20)
    update(tmp_path, {"b": {"stream": stream, **{f"v{n}": video(n + 2) for n in range(20)}}})
    cut = copied(some_frames(stream, *range(300, 305)), 1)
    assert list(found(tmp_path, cut)) == ["stream"]
    assert PictureIndex.open(tmp_path).video_count == 21


def test_a_video_without_features_is_counted_and_finds_nothing(tmp_path: Path) -> None:
    black, nothing = video(1, 3, 0), video(1, 0)
    assert update(tmp_path, {"b": {"black": black, "nothing": nothing}}).videos == 2
    assert found(tmp_path, black) == found(tmp_path, nothing) == found(tmp_path, video(1)) == {}


def test_unchanged_batches_are_not_read_and_nothing_is_written(
    tmp_path: Path, library: Library
) -> None:
    update(tmp_path, library)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    def read(batch: str) -> Iterator[tuple[str, Pictures]]:
        raise AssertionError(f"{batch} was read")

    report = update_picture_index(tmp_path, dict.fromkeys(library, "1"), read)
    assert (report.added, report.replaced, report.removed, report.unchanged) == (0, 0, 0, 3)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_a_removed_batch_is_no_longer_found(tmp_path: Path, library: Library) -> None:
    update(tmp_path, library)
    rest = {name: videos for name, videos in library.items() if name != "2026-01-02-001"}
    report = update(tmp_path, rest)
    assert (report.removed, report.videos) == (1, 16)
    assert found(tmp_path, library["2026-01-02-001"]["v23"]) == {}
    assert list(found(tmp_path, library["2026-01-01-001"]["v13"])) == ["v13"]


def test_a_replaced_batch_has_its_new_videos_only(tmp_path: Path, library: Library) -> None:
    update(tmp_path, library)
    changed = {**library, "2026-01-02-001": {"v23": video(500), "new": video(501)}}
    fingerprints = dict.fromkeys(library, "1") | {"2026-01-02-001": "2"}
    read_batches = []

    def read(batch: str) -> Iterator[tuple[str, Pictures]]:
        read_batches.append(batch)
        yield from changed[batch].items()

    report = update_picture_index(tmp_path, fingerprints, read)
    assert read_batches == ["2026-01-02-001"]
    assert (report.added, report.replaced, report.videos) == (0, 1, 18)
    assert found(tmp_path, library["2026-01-02-001"]["v23"]) == {}
    assert list(found(tmp_path, video(500))) == ["v23"]


def test_removing_everything_leaves_an_empty_index(tmp_path: Path, library: Library) -> None:
    update(tmp_path, library)
    report = update(tmp_path, {})
    assert (report.videos, report.postings, report.segments) == (0, 0, 0)
    assert found(tmp_path, video(11)) == {}


def test_order_of_batches_and_merging_change_no_result(tmp_path: Path) -> None:
    batches = {f"b{n}": {f"v{n}{m}": video(50 * n + m, 2) for m in range(3)} for n in range(6)}
    batches["b0"]["twin"] = batches["b5"]["twin2"] = video(999, 2)
    orders: list[Callable[[], list[str]]] = [
        lambda: sorted(batches),
        lambda: sorted(batches, reverse=True),
        lambda: ["b3", "b0", "b5", "b1", "b4", "b2"],
    ]
    for n, order in enumerate(orders):
        held: Library = {}
        for name in order():
            held[name] = batches[name]
            update(tmp_path / str(n), held)
    whole = update(tmp_path / "whole", batches)
    assert whole.segments == 1
    queries = [copied(batches["b2"]["v21"], 1), batches["b0"]["twin"], mirrored(video(999, 2))]
    for query in queries:
        expected = PictureIndex.open(tmp_path / "whole").search(query)
        assert expected
        for n in range(len(orders)):
            assert PictureIndex.open(tmp_path / str(n)).search(query) == expected


def test_many_updates_leave_few_segments(tmp_path: Path) -> None:
    held: Library = {}
    for n in range(20):
        held[f"b{n}"] = {f"v{n}": video(n, 1, 10)}
        report = update(tmp_path, held)
    assert report.videos == 20
    assert report.segments < 2 * picture_segments.MERGE
    files = {p for e in picture_segments.read_manifest(tmp_path).segments
             for p in picture_segments.segment_files(tmp_path, e.number)}  # fmt: skip
    assert set(tmp_path.iterdir()) == files | {tmp_path / MANIFEST}


def test_segments_are_merged_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_segments, "BLOCK", 64)
    held: Library = {}
    for n in range(4):
        held[f"b{n}"] = {f"v{n}": video(n)}
        report = update(tmp_path, held)
    assert (report.segments, report.postings) == (1, 4 * 120)
    (entry,) = picture_segments.read_manifest(tmp_path).segments
    keys = picture_segments.Segment.open(tmp_path, entry).columns["keys"]
    assert np.all(np.diff(keys.astype(np.int64)) >= 0)
    assert all(list(found(tmp_path, video(n))) == [f"v{n}"] for n in range(4))


def test_an_interrupted_update_leaves_the_index_as_it_was(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(tmp_path, library)
    manifest = (tmp_path / MANIFEST).read_bytes()

    def stop(folder: Path, _: object) -> None:
        raise KeyboardInterrupt

    more = {**library, "2026-01-04-001": {"v40": video(40)}}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ml.copies.picture_growth.write_manifest", stop)
        update(tmp_path, more)
    assert (tmp_path / MANIFEST).read_bytes() == manifest
    assert len(list(tmp_path.glob("keys-*"))) > 1  # the segment that nobody names
    assert found(tmp_path, video(40)) == {}
    assert list(found(tmp_path, library["2026-01-02-001"]["v23"])) == ["v23"]
    assert update(tmp_path, more).videos == 25
    assert list(found(tmp_path, video(40))) == ["v40"]


def test_an_open_index_outlives_the_files_of_its_version(tmp_path: Path, library: Library) -> None:
    update(tmp_path, library)
    index = PictureIndex.open(tmp_path)
    query = library["2026-01-02-001"]["v23"]
    before = index.search(query)
    update(tmp_path, {"2026-01-01-001": library["2026-01-01-001"]}, version="2")
    assert index.search(query) == before
    assert found(tmp_path, query) == {}


def test_a_damaged_index_says_what_mends_it(tmp_path: Path, library: Library) -> None:
    update(tmp_path, library)
    next(tmp_path.glob("units-*.npy")).unlink()
    with pytest.raises(IndexDamaged, match=r"units-.*is missing.*kadr index"):
        PictureIndex.open(tmp_path)
    rebuilt = update_picture_index(
        tmp_path, dict.fromkeys(library, "1"), lambda b: library[b].items(), rebuild=True
    )
    assert rebuilt.videos == 24


def test_an_index_of_another_format_is_refused_and_made_anew(
    tmp_path: Path, library: Library
) -> None:
    update(tmp_path, library)
    manifest = tmp_path / MANIFEST
    older = {**json.loads(manifest.read_text(encoding="utf-8")), "format": 0}
    del older["self_checksum"]
    manifest.write_text(json.dumps(older), encoding="utf-8")
    with pytest.raises(IndexDamaged, match="format 0"):
        PictureIndex.open(tmp_path)
    assert update(tmp_path, library).added == 3
    assert list(found(tmp_path, library["2026-01-02-001"]["v23"])) == ["v23"]
