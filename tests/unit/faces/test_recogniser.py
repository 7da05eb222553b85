"""The recogniser is dlib's network, and its file and chips are read and cut as dlib's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.faces.alignment import DLIB, aligned_chip, similarity
from ml.faces.batches import batches
from ml.faces.boxes import best_of_overlapping, moved, squared
from ml.faces.detector import Detector
from ml.faces.dlib_file import read_layers
from ml.faces.recogniser import DIMENSIONS, Recogniser, load_net, weights_file
from tests.unit.faces.pictures import U8, astronaut


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def chip() -> U8:
    picture = astronaut()
    (face,) = Detector().detect([picture])
    return aligned_chip(picture, face.landmarks[0], DLIB)


def test_vectors_are_those_of_dlib_itself(recogniser: Recogniser) -> None:
    dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed: no parity is tested")
    network = dlib.face_recognition_model_v1(str(weights_file()))
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3)).astype(np.uint8)
    for one in (chip(), noise):
        theirs = np.array(network.compute_face_descriptor(one))
        np.testing.assert_allclose(recogniser.describe(one[None])[0], theirs, atol=1e-4)


def test_our_alignment_is_near_that_of_dlib(recogniser: Recogniser) -> None:
    dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed: no parity is tested")
    landmarks = weights_file().with_name("shape_predictor_5_face_landmarks.dat")
    picture = astronaut()
    box = dlib.get_frontal_face_detector()(picture)[0]
    shape = dlib.shape_predictor(str(landmarks))(picture, box)
    theirs = np.asarray(dlib.get_face_chip(picture, shape, 150, 0.25))
    ours, other = recogniser.embed(np.stack([chip(), theirs]))
    assert np.linalg.norm(ours - other) < 0.15


def test_mirrored_chip_has_the_same_vector(recogniser: Recogniser) -> None:
    one = chip()
    a, b = recogniser.embed(np.stack([one, one[:, ::-1]]))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_no_chips_give_no_vectors(recogniser: Recogniser) -> None:
    assert recogniser.embed(np.zeros((0, 150, 150, 3), np.uint8)).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("size", [0, 3, 1000, 5_000_000])
def test_file_cut_short_is_refused_with_its_name(tmp_path: Path, size: int) -> None:
    file = tmp_path / "cut.dat"
    file.write_bytes(weights_file().read_bytes()[:size])
    with pytest.raises(ValueError, match=r"cut\.dat"):
        load_net(file)


def test_another_network_of_dlib_is_refused() -> None:
    with pytest.raises(ValueError, match="mmod_human_face_detector"):
        load_net(weights_file().with_name("mmod_human_face_detector.dat"))


def test_layers_come_from_the_input_on() -> None:
    layers = read_layers(weights_file())
    assert layers[0].shape == (32, 7, 7, 2, 2, 0, 0)
    assert [layer.kind for layer in layers[:3]] == ["con_4", "affine_", "con_4"]
    assert (layers[-1].kind, layers[-1].shape) == ("fc_2", (128, 256))


def test_landmarks_come_to_lie_on_the_template() -> None:
    angle, scale = 0.5, 3.0
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (DLIB.landmarks @ turn.T + [20, -7]).astype(np.float32)
    transform = similarity(landmarks, DLIB.landmarks)
    found = landmarks @ transform[:, :2].T + transform[:, 2]
    np.testing.assert_allclose(found, DLIB.landmarks, atol=1e-3)
    assert np.isfinite(similarity(np.ones((5, 2), np.float32), DLIB.landmarks)).all()


def test_chip_of_a_large_face_is_averaged_not_sampled() -> None:
    """A fine chequerboard becomes grey; sampling single pixels would keep its black and white."""
    board = (np.indices((1000, 1000)).sum(axis=0) % 2 * 255).astype(np.uint8)
    chip = aligned_chip(np.repeat(board[..., None], 3, axis=2), DLIB.landmarks * 5 + 20, DLIB)
    assert np.abs(chip.astype(int) - 127).max() < 30


def test_faces_are_the_same_in_batches_that_fit_a_small_device(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [astronaut()] * 3
    detector, whole = Detector(), Detector().detect(pictures)
    for net in ("_propose", "_refine", "_decide"):
        monkeypatch.setattr(detector, net, OnASmallDevice(getattr(detector, net), most=2))
    for ours, theirs in zip(detector.detect(pictures), whole, strict=True):
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-3)
        np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=1e-3)
    chips = np.stack([chip()] * 5)
    vectors = recogniser.describe(chips)
    monkeypatch.setattr(recogniser, "_net", OnASmallDevice(recogniser._net, most=2))
    np.testing.assert_allclose(recogniser.describe(chips), vectors, atol=1e-5)


class OnASmallDevice:
    """A network that runs out of memory on more than so many items."""

    def __init__(self, net: Any, most: int) -> None:
        self._net, self._most = net, most

    def __call__(self, items: torch.Tensor) -> Any:
        if len(items) > self._most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._net(items)


def test_box_inside_another_goes_only_by_its_own_share() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 2, 5, 5], [20, 0, 30, 10]], np.float32)
    scores = np.array([0.9, 0.99, 0.8], np.float32)
    assert best_of_overlapping(boxes, scores, 0.5).tolist() == [1, 0, 2]
    assert best_of_overlapping(boxes, scores, 0.5, of_smaller=True).tolist() == [1, 2]
    assert len(best_of_overlapping(boxes[:0], scores[:0], 0.5)) == 0


def test_boxes_are_squared_about_their_centre_and_moved_by_their_size() -> None:
    box = np.array([[10, 20, 20, 60]], np.float32)
    assert squared(box).tolist() == [[-5, 20, 35, 60]]
    offsets = np.array([[0.1, 0, -0.1, 0.5]], np.float32)
    np.testing.assert_allclose(moved(box, offsets), [[11, 20, 19, 80]])


@pytest.mark.parametrize("count", [0, 1, 7, 64, 100, 131])
def test_batches_hold_everything_once_in_few_sizes(count: int) -> None:
    parts = list(batches(count, 32))
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    assert {part.stop - part.start for part in parts} <= {32, 16, 8, 4, 2, 1}
