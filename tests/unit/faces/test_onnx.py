"""An ONNX pair in InsightFace's layout: decoding, loading, and one clear error when it is not so.

The networks are tiny ones that this file writes: a detector that answers with constants, and a
recogniser of random weights. The real ones are not part of the project and were never run here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.faces import load_face_finder
from ml.faces.onnx_models import ARCFACE, DETECTOR_FILE, RECOGNISER_FILE, decoded
from ml.failures import ModelUnavailable
from tests.unit.faces.pictures import astronaut, frame_rows

COUNTS = (12800, 3200, 800)  # places of strides 8, 16, 32 in 640 px, two anchors each


def outputs() -> list[np.ndarray]:
    """SCRFD's nine outputs, with one face about (200, 120) and a fainter anchor of the same."""
    scores = [np.zeros((n, 1), np.float32) for n in COUNTS]
    edges = [np.ones((n, 4), np.float32) for n in COUNTS]
    shifts = [np.zeros((n, 10), np.float32) for n in COUNTS]
    at = 2 * ((120 // 8) * 80 + 200 // 8)
    scores[0][at : at + 2, 0] = 0.9, 0.8
    edges[0][at : at + 2] = 5, 6, 5, 6
    places = (ARCFACE.landmarks - 56) / 112 * 10
    shifts[0][at : at + 2] = places.ravel()
    return [*scores, *edges, *shifts]


def write_pair(folder: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: no ONNX pair is tested")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    constants = [
        helper.make_node("Constant", [], [f"o{i}"], value=onnx.numpy_helper.from_array(value))
        for i, value in enumerate(outputs())
    ]
    wanted = [
        helper.make_tensor_value_info(f"o{i}", kind, v.shape) for i, v in enumerate(outputs())
    ]
    picture = helper.make_tensor_value_info("input.1", kind, [1, 3, 640, 640])
    save(onnx, folder / DETECTOR_FILE, constants, [picture], wanted, [])
    weights = np.random.default_rng(0).standard_normal((3 * 28 * 28, 16)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    chips = helper.make_tensor_value_info("x", kind, ["n", 3, 112, 112])
    vectors = helper.make_tensor_value_info("y", kind, ["n", 16])
    held = [onnx.numpy_helper.from_array(weights, "w")]
    save(onnx, folder / RECOGNISER_FILE, nodes, [chips], [vectors], held)


def save(onnx: object, file: Path, nodes: list, into: list, out: list, weights: list) -> None:
    helper = onnx.helper  # type: ignore[attr-defined]
    graph = helper.make_graph(nodes, "g", into, out, weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    file.write_bytes(model.SerializeToString())


def test_boxes_and_landmarks_are_distances_in_strides() -> None:
    found = decoded(outputs())
    assert found.boxes.tolist() == [[160, 72, 240, 168]]
    assert found.scores.tolist() == pytest.approx([0.9])
    expected = [200, 120] + (ARCFACE.landmarks - 56) / 112 * 80
    np.testing.assert_allclose(found.landmarks[0], expected, atol=1e-3)


def test_nothing_sure_is_no_face() -> None:
    blank = [np.zeros_like(output) for output in outputs()]
    assert len(decoded(blank).boxes) == 0


def test_pair_in_a_folder_finds_and_describes(tmp_path: Path) -> None:
    write_pair(tmp_path)
    finder = load_face_finder(str(tmp_path), profile="full", device="cpu")
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[:360, :360] = astronaut()
    rows = [
        row for batch in finder.find(frame_rows({"v": [picture] * 3})) for row in batch.to_pylist()
    ]
    assert [row["frame_no"] for row in rows] == [0, 25, 50]
    (face,) = finder.faces_of(picture)
    assert (face.x0, face.x1) == pytest.approx((320 / 1280, 480 / 1280), abs=0.01)
    assert (face.y0, face.y1) == pytest.approx((144 / 720, 336 / 720), abs=0.01)
    assert face.embedding.shape == (16,)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert finder.model.startswith(f"{tmp_path.name}@")


@pytest.mark.parametrize("missing", [DETECTOR_FILE, RECOGNISER_FILE])
def test_folder_without_a_file_is_one_clear_error(tmp_path: Path, missing: str) -> None:
    write_pair(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ModelUnavailable, match=f"'full'.*holds no {missing}"):
        load_face_finder(str(tmp_path), profile="full", device="cpu")


def test_file_that_is_no_network_is_one_clear_error(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / RECOGNISER_FILE).write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable, match="'full'"):
        load_face_finder(str(tmp_path), profile="full", device="cpu")


def test_detector_without_landmarks_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / DETECTOR_FILE).write_bytes((tmp_path / RECOGNISER_FILE).read_bytes())
    with pytest.raises(ModelUnavailable, match="SCRFD with landmarks has 9"):
        load_face_finder(str(tmp_path), profile="full", device="cpu")
