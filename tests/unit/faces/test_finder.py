"""Faces in frames: found where they are, described alike, and odd pictures have an outcome."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.faces import (
    PACKAGED,
    FaceFinder,
    finder,
    load_face_finder,
    mtcnn_nets,
    recogniser,
    same_person_distance,
)
from ml.failures import ModelUnavailable
from ml.schemas import FACE_FLAWS, FACES
from tests.unit.faces.pictures import FACELESS, U8, as_jpeg, astronaut, faceless, frame_rows, scaled


@pytest.fixture(scope="module")
def faces() -> FaceFinder:
    return load_face_finder(PACKAGED, profile="embedded", device="cpu", workers=2)


def rows_of(faces: FaceFinder, videos: dict[str, list[U8 | bytes]]) -> list[dict[str, Any]]:
    return [row for batch in faces.find(frame_rows(videos)) for row in batch.to_pylist()]


def apart(a: Any, b: Any) -> float:
    return float(np.linalg.norm(np.array(a) - np.array(b)))


def test_face_is_found_at_its_place_and_clear(faces: FaceFinder) -> None:
    (row,) = rows_of(faces, {"v": [astronaut()]})
    # dlib's own detector says .34-.58 across and .23-.47 down; it leaves the forehead out.
    assert [row["x0"], row["x1"], row["y1"]] == pytest.approx([0.34, 0.58, 0.47], abs=0.04)
    assert 0.12 < row["y0"] < 0.23
    assert 70 < row["size_px"] < 110
    assert (row["flaw"], row["face_no"]) == ("", 0)
    assert row["score"] > 0.99
    assert row["quality"] > 0.8
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-5)


def test_rows_have_the_declared_columns_and_the_frames_order(faces: FaceFinder) -> None:
    one = astronaut()
    videos = {"b": [one, faceless("coffee"), one], "a": [faceless("chelsea")], "c": [one]}
    batches = list(faces.find(frame_rows(videos)))
    assert all(batch.schema.equals(FACES.schema) for batch in batches)
    rows = pa.Table.from_batches(batches).to_pylist()
    assert [(r["video_id"], r["frame_no"], r["start_s"]) for r in rows] == [
        *(("b", 0, 0.0), ("b", 50, 2.0), ("c", 0, 0.0)),
    ]
    assert {r["model"] for r in rows} == {faces.model}


@pytest.mark.parametrize("name", FACELESS)
def test_picture_without_a_face_has_no_clear_face(faces: FaceFinder, name: str) -> None:
    assert not [face for face in faces.faces_of(faceless(name)) if not face.flaw]


def test_two_faces_of_one_frame_are_numbered_by_size(faces: FaceFinder) -> None:
    one = astronaut()
    small = scaled(one, 0.7)
    both = np.zeros((360, 360 + small.shape[1], 3), np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = one
    first, second = rows_of(faces, {"v": [both]})
    assert (first["face_no"], second["face_no"]) == (0, 1)
    assert first["x0"] > second["x1"]
    assert first["size_px"] > second["size_px"]


def test_one_person_stays_near_herself(faces: FaceFinder) -> None:
    """Smaller, mirrored, darker, turned a little: all within the distance of one person."""
    import cv2

    one = astronaut()
    turn = cv2.getRotationMatrix2D((180, 140), 12, 1)
    views = [one, scaled(one, 0.6), np.ascontiguousarray(one[:, ::-1])]
    views += [(one * 0.6).astype(np.uint8), np.asarray(cv2.warpAffine(one, turn, (360, 360)))]
    vectors = [row["embedding"] for row in rows_of(faces, {"v": list(views)})]
    assert len(vectors) == len(views)
    assert max(apart(vectors[0], v) for v in vectors) < faces.same_person_distance
    assert apart(vectors[0], vectors[2]) < 0.1


@pytest.mark.parametrize(("scale", "flaw"), [(0.4, "small"), (1.0, "")])
def test_small_face_is_kept_with_its_flaw(faces: FaceFinder, scale: float, flaw: str) -> None:
    (face,) = faces.faces_of(scaled(astronaut(), scale))
    assert face.flaw == flaw


def test_blurred_and_cut_faces_are_flawed(faces: FaceFinder) -> None:
    import cv2

    one = astronaut()
    blurred = np.asarray(cv2.GaussianBlur(one, (0, 0), 5.0), np.uint8)
    for worse in (blurred, np.ascontiguousarray(one[:, 175:])):
        found = faces.faces_of(worse)
        assert all(face.flaw and face.flaw in FACE_FLAWS for face in found)
        assert all(face.quality < 0.8 for face in found)


def test_what_shares_a_batch_changes_nothing(
    faces: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = astronaut()
    videos: dict[str, list[U8 | bytes]] = {"a": [one, scaled(one, 0.8)], "b": [faceless("rocket")]}
    together = rows_of(faces, videos)
    monkeypatch.setattr(finder, "_PIXELS_PER_BATCH", 1)
    alone = rows_of(faces, videos)
    assert [r["crop"] for r in together] == [r["crop"] for r in alone]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a["embedding"], b["embedding"], atol=1e-4)


def test_crop_is_a_small_jpeg_of_the_face(faces: FaceFinder) -> None:
    import cv2

    (face,) = faces.faces_of(np.repeat(np.repeat(astronaut(), 3, axis=0), 3, axis=1))
    crop = cv2.imdecode(np.frombuffer(face.crop, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert max(crop.shape[:2]) == finder.CROP_PX
    assert crop[..., 0].mean() > crop[..., 2].mean()  # skin, so the channels are in order
    assert len(faces.faces_of(np.asarray(crop, np.uint8))) == 1


def test_huge_picture_is_searched_like_a_small_one(faces: FaceFinder) -> None:
    import cv2

    huge = np.asarray(cv2.resize(astronaut(), (3600, 3600)), np.uint8)
    (large,), (small,) = faces.faces_of(huge), faces.faces_of(astronaut())
    assert large.size_px == pytest.approx(10 * small.size_px, rel=0.1)
    assert apart(large.embedding, small.embedding) < 0.2


def test_grey_jpeg_is_read(faces: FaceFinder) -> None:
    import cv2

    grey = np.asarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY), np.uint8)
    assert len(rows_of(faces, {"v": [as_jpeg(grey)]})) == 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (13, 13, 3), (400, 300, 3)])
def test_black_and_tiny_pictures_have_no_face(faces: FaceFinder, shape: tuple[int, ...]) -> None:
    assert faces.faces_of(np.zeros(shape, np.uint8)) == []


def test_no_frames_give_no_rows(faces: FaceFinder) -> None:
    assert rows_of(faces, {}) == []
    assert rows_of(faces, {"v": []}) == []


@pytest.mark.parametrize("jpeg", [b"", b"not a picture"])
def test_frame_that_is_no_picture_is_named(faces: FaceFinder, jpeg: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame at 1\.0 s of video v7 is not a picture"):
        rows_of(faces, {"v7": [astronaut(), jpeg]})


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_array_that_is_no_rgb_picture_is_refused(faces: FaceFinder, array: Any) -> None:
    with pytest.raises(ValueError, match="a picture must be uint8"):
        faces.faces_of(array)


def test_identity_names_both_packages_and_versions(faces: FaceFinder) -> None:
    assert "facenet-pytorch-2" in faces.model
    assert "face-recognition-models-0" in faces.model
    assert faces.same_person_distance == same_person_distance(PACKAGED)


@pytest.mark.parametrize("module", [mtcnn_nets, recogniser])
def test_missing_package_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"'embedded'.* is not installed"):
        load_face_finder(PACKAGED, profile="embedded", device="cpu")


def test_no_workers_are_refused(faces: FaceFinder) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        load_face_finder(PACKAGED, profile="embedded", device="cpu", workers=0)
