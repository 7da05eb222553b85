"""Faces of one video become persons; drawn vectors stand for faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.people.joining import appearances, overlaps, persons, tracks
from ml.people.linkage import average_linkage, pairs_within
from ml.schemas import FACES, PERSONS
from ml.vectors import ModelMismatch

DISTANCE = 0.34
RNG = np.random.default_rng(7)
# Strangers are about .75 apart, faces of one person about .14.
WHO = dict(zip("abcd", RNG.standard_normal((4, 64)), strict=True))
LEFT, RIGHT = (0.1, 0.2, 0.3, 0.6), (0.6, 0.2, 0.8, 0.6)


def vector(name: str, seed: int, noise: float = 0.1) -> np.ndarray:
    own = WHO[name] / np.linalg.norm(WHO[name])
    drawn = np.random.default_rng([seed, ord(name)]).standard_normal(64)
    mixed = own + noise * drawn / np.linalg.norm(drawn)
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def face(second: int, name: str, box: tuple = LEFT, **changes: Any) -> dict[str, Any]:
    row = {
        "video_id": "v",
        "frame_no": second * 25,
        "face_no": 0,
        "start_s": float(second),
        "duration_s": 1.0,
        **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        "score": 0.99,
        "size_px": 120,
        "quality": 0.8,
        "flaw": "",
        "embedding": vector(name, second),
        "crop": f"{name}{second}".encode(),
        "model": "m",
    }
    return {**row, **changes}


def batches(rows: list[dict[str, Any]], size: int = 3) -> list[pa.RecordBatch]:
    """In small record batches, so that videos span them."""
    table = pa.Table.from_pylist(rows, schema=FACES.schema)
    return table.to_batches(max_chunksize=size)


def found(rows: list[dict[str, Any]], duration_s: float = 20.0) -> list[dict[str, Any]]:
    durations_s = {row["video_id"]: duration_s for row in rows}
    made = list(persons(batches(rows), durations_s, DISTANCE))
    assert all(batch.schema.equals(PERSONS.schema) for batch in made)
    return [row for batch in made for row in batch.to_pylist()]


def test_person_seen_ten_times_is_one_row_with_appearances() -> None:
    seconds = (0, 1, 2, 8, 9, 11, 12, 13, 14, 18)  # 10 is bridged, 3-7 and 15-17 are not
    (row,) = found([face(s, "a") for s in seconds])
    assert row["face_count"] == 10
    assert row["starts_s"] == [0, 8, 18]
    assert row["ends_s"] == [3, 15, 19]
    assert row["screen_s"] == 10
    assert row["screen_share"] == pytest.approx(0.5)
    assert row["first_s"] == 0
    assert row["model"] == "m"


def test_row_shows_the_best_face_and_the_weighted_mean_vector() -> None:
    rows = [face(0, "a", quality=0.2), face(5, "a", quality=0.9), face(9, "a", quality=0.4)]
    (row,) = found(rows)
    assert (row["best_s"], row["best_frame_no"], row["crop"]) == (5, 125, b"a5")
    assert row["quality"] == pytest.approx(0.9)
    mean = np.average([r["embedding"] for r in rows], axis=0, weights=[0.2, 0.9, 0.4])
    np.testing.assert_allclose(row["embedding"], mean / np.linalg.norm(mean), atol=1e-6)
    apart = [np.linalg.norm(r["embedding"] - np.array(row["embedding"])) for r in rows]
    assert row["spread"] == pytest.approx(max(apart), abs=1e-5)


def test_two_faces_of_one_frame_are_never_one_person() -> None:
    rows = []
    for second in range(4):
        rows += [face(second, "a", LEFT), face(second, "a", RIGHT, face_no=1)]
    assert [row["face_count"] for row in found(rows)] == [4, 4]


def test_persons_are_numbered_by_time_on_screen() -> None:
    rows = [face(0, "a"), *(face(s, "b") for s in (3, 4, 5)), face(9, "c"), face(10, "c")]
    table = found(rows)
    assert [row["person_no"] for row in table] == [0, 1, 2]
    assert [row["crop"][:1] for row in table] == [b"b", b"c", b"a"]


def test_interviewer_and_guest_cut_to_the_same_place_stay_two() -> None:
    rows = [face(s, "ab"[s // 2 % 2]) for s in range(12)]
    table = found(rows)
    assert [row["face_count"] for row in table] == [6, 6]
    # The other one's two seconds are a gap.
    assert [len(row["starts_s"]) for row in table] == [3, 3]


def test_flawed_face_lengthens_the_time_of_whom_it_follows() -> None:
    turned = [face(s, "d", flaw="turned", quality=0.1) for s in (1, 2)]
    (row,) = found([face(0, "a"), *turned, face(6, "a")])
    assert (row["screen_s"], row["face_count"], row["ends_s"]) == (4, 4, [3, 7])
    np.testing.assert_allclose(row["spread"], 0.07, atol=0.03)


def test_flawed_face_before_the_first_clear_one_counts_too() -> None:
    (row,) = found([face(0, "d", flaw="blurred"), face(1, "a")])
    assert (row["first_s"], row["best_s"]) == (0, 1)


def test_flawed_faces_alone_are_nobody() -> None:
    assert found([face(s, "a", flaw="small") for s in range(5)]) == []


def test_flawed_face_elsewhere_or_beside_its_own_clear_one_is_nobodys() -> None:
    rows = [face(0, "a"), face(1, "a"), face(1, "d", RIGHT, face_no=1, flaw="blurred")]
    (row,) = found(rows)
    assert row["face_count"] == 2


def test_videos_without_faces_have_no_rows_and_others_keep_their_order() -> None:
    rows = [face(s, "a", video_id=v) for v in ("z", "b", "m") for s in range(4)]
    assert [row["video_id"] for row in found(rows)] == ["z", "b", "m"]
    assert found([]) == []


def test_still_picture_of_no_length_is_filled_by_its_person() -> None:
    (row,) = found([face(0, "a", duration_s=0.0)], duration_s=0.0)
    assert (row["screen_s"], row["screen_share"]) == (0, 1)


def test_order_of_faces_within_a_frame_changes_nothing() -> None:
    rows = []
    for second in range(6):
        pair = [face(second, "a", LEFT), face(second, "b", RIGHT, face_no=1)]
        rows += pair[:: 1 if second % 2 else -1]
    straight = sorted(rows, key=lambda row: (row["frame_no"], row["face_no"]))
    assert found(rows) == found(straight)


def test_nan_two_models_and_a_missing_length_are_refused_by_name() -> None:
    bad = vector("a", 0)
    bad[3] = np.nan
    with pytest.raises(ValueError, match=r"1 of 2 vectors of faces of video 'v'"):
        found([face(0, "a", embedding=bad), face(1, "a")])
    with pytest.raises(ModelMismatch, match=r"video 'v' come from 'm' and 'n'"):
        found([face(0, "a"), face(1, "a", model="n")])
    with pytest.raises(ValueError, match="'v' has faces, but its length is not known"):
        list(persons(batches([face(0, "a")]), {}, DISTANCE))


def test_tracks_need_neighbouring_frames_the_same_place_and_like_vectors() -> None:
    start_s = np.array([0.0, 1, 2, 5, 6])
    boxes = np.array([LEFT, LEFT, RIGHT, RIGHT, RIGHT])
    vectors = np.stack([vector(name, i) for i, name in enumerate("aaaab")])
    track = tracks(np.arange(5), start_s, start_s + 1, boxes, vectors, DISTANCE)
    assert track.tolist() == [0, 0, 1, 2, 3]


def test_overlap_is_intersection_over_union() -> None:
    a = np.array([[0, 0, 2, 2.0]])
    b = np.array([[0, 0, 2, 2.0], [1, 0, 3, 2], [5, 5, 6, 6], [1, 1, 1, 1]])
    np.testing.assert_allclose(overlaps(a, b), [[1, 1 / 3, 0, 0]])


def test_appearances_may_come_in_any_order() -> None:
    starts, ends = appearances(np.array([9.0, 0, 1]), np.array([10.0, 1, 2]))
    assert (starts, ends) == ([0, 9], [2, 10])


def test_linkage_keeps_apart_what_must_not_meet_whatever_is_between() -> None:
    x = np.stack([vector("a", seed, noise=0.02) for seed in range(6)])
    groups = average_linkage(x, DISTANCE, np.array([[0, 5]]))
    assert groups[0] != groups[5]
    assert len(set(groups.tolist())) == 2


def test_linkage_in_blocks_finds_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["abcd"[i] for i in np.random.default_rng(0).integers(0, 4, 300)]
    x = np.stack([vector(name, i) for i, name in enumerate(names)])
    frames = np.arange(300) // 3
    apart = pairs_within(frames)
    once = average_linkage(x, DISTANCE)
    monkeypatch.setattr("ml.people.linkage._BLOCK_ROWS", 40)
    assert (average_linkage(x, DISTANCE) == once).all()
    groups = average_linkage(x, DISTANCE, apart)
    assert (groups[apart[:, 0]] != groups[apart[:, 1]]).all()


def test_pairs_within_lists_every_pair_of_a_number_once() -> None:
    pairs = pairs_within(np.array([2, 1, 2, 2, 3]))
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (0, 3), (2, 3)]
    assert pairs_within(np.zeros(0, np.int64)).shape == (0, 2)


def test_three_hours_with_five_thousand_tracks_are_joined() -> None:
    order = np.random.default_rng(3).permutation(5000)  # nobody stays in place: no tracks
    rows = [face(s, "abcd"[i % 4], duration_s=0.5) for s, i in enumerate(order.tolist())]
    table = pa.Table.from_pylist(rows, schema=FACES.schema).to_batches(1000)
    (batch,) = persons(table, {"v": 10_800.0}, DISTANCE)
    assert batch["face_count"].to_pylist() == [1250] * 4
