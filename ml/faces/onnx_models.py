"""A detector and a recogniser as ONNX files, in InsightFace's layout, such as ``fal/AuraFace-v1``.

SCRFD (Guo et al., ICLR 2022) finds faces with five landmarks in a square of 640 px; a network
trained with ArcFace's loss (Deng et al., CVPR 2019) describes chips of 112 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.faces.alignment import Template
from ml.faces.boxes import F32, U8, best_of_overlapping
from ml.faces.detector import Detections, at_most, enlarged
from ml.failures import ModelUnavailable
from ml.models.loading import identity, load, split_revision

DETECTOR_FILE = "scrfd_10g_bnkps.onnx"
RECOGNISER_FILE = "glintr100.onnx"

# Where ArcFace expects the landmarks (InsightFace, face_align.py).
ARCFACE = Template(
    np.array(
        [
            [38.2946, 51.6963],
            [73.5318, 51.5014],
            [56.0252, 71.7366],
            [41.5493, 92.3655],
            [70.7299, 92.2041],
        ],
        np.float32,
    ),
    112,
)
_SIDE_PX = 640
_STRIDES_PX = (8, 16, 32)
_ANCHORS = 2  # at each place of each stride
# InsightFace's own limits for this network.
_LEAST_SCORE = 0.5
_MOST_OVERLAP = 0.4
# Not measured here: no such network was at hand. InsightFace's examples call .65 and more sure.
SURE_SCORE = 0.65
_CHIPS_PER_BATCH = 32
_CUDA = "CUDAExecutionProvider"


class OnnxModels:
    """SCRFD and ArcFace; see `ml.faces.finder.FaceModels`.

    Args:
        detector: file with the outputs scores, boxes and landmarks, each for strides 8, 16, 32.
        recogniser: file with chips float32[n, 3, 112, 112] in and vectors float32[n, d] out.
        device: ``cuda`` asks onnxruntime for CUDA, where it has it.
        identity: names and revisions.
        same_person_distance: see there.
    """

    def __init__(
        self,
        detector: Path,
        recogniser: Path,
        *,
        device: str,
        identity: str,
        same_person_distance: float,
    ) -> None:
        self.identity = identity
        self.template = ARCFACE
        self.sure_score = SURE_SCORE
        self.same_person_distance = same_person_distance
        self._detector = _session(detector, device)
        self._recogniser = _session(recogniser, device)
        outputs = len(self._detector.get_outputs())
        if outputs != 3 * len(_STRIDES_PX):
            raise ValueError(f"{detector.name} has {outputs} outputs; SCRFD with landmarks has 9")

    def detect(self, pictures: Sequence[U8]) -> list[Detections]:
        """Picture by picture: the network is exported for one at a time."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: U8) -> Detections:
        small = at_most(picture, _SIDE_PX)
        canvas = np.zeros((1, _SIDE_PX, _SIDE_PX, 3), np.uint8)
        canvas[0, : small.shape[0], : small.shape[1]] = small
        outputs = _run(self._detector, _normalised(canvas, 128))
        found = decoded([output.reshape(-1, output.shape[-1]) for output in outputs])
        return enlarged(found, max(picture.shape[:2]) / max(small.shape[:2]))

    def embed(self, chips: U8) -> F32:
        """Unit-length vectors float32[n, d] of aligned RGB chips uint8[n, 112, 112, 3]."""
        blocks = [
            _run(self._recogniser, _normalised(chips[at : at + _CHIPS_PER_BATCH], 127.5))[0]
            for at in range(0, len(chips), _CHIPS_PER_BATCH)
        ]
        if not blocks:
            return np.zeros((0, int(self._recogniser.get_outputs()[0].shape[-1])), np.float32)
        vectors = np.concatenate(blocks)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def decoded(outputs: Sequence[F32]) -> Detections:
    """SCRFD's outputs as faces in pixels of the 640 px square.

    Args:
        outputs: for strides 8, 16, 32: scores [n, 1]; then boxes [n, 4], as distances from a place
            to the left, top, right and bottom edge in strides; then landmarks [n, 10], as shifts
            x, y from it in strides. n is 2 for each place, row by row.
    """
    count = len(_STRIDES_PX)
    boxes, scores, landmarks = [], [], []
    for stride, score, edges, shifts in zip(
        _STRIDES_PX, *(outputs[part * count : (part + 1) * count] for part in range(3)), strict=True
    ):
        sure = np.flatnonzero(score[:, 0] >= _LEAST_SCORE)
        places = _places(stride)[sure]
        edges = edges[sure] * stride
        boxes.append(np.hstack([places - edges[:, :2], places + edges[:, 2:]]))
        landmarks.append(places[:, None] + shifts[sure].reshape(-1, 5, 2) * stride)
        scores.append(score[sure, 0])
    box, points, sureness = np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores)
    best = best_of_overlapping(box, sureness, _MOST_OVERLAP)
    return Detections(box[best], sureness[best], points[best])


def _places(stride: int) -> F32:
    """float32[n, 2]: x and y of the anchors, row by row, each twice."""
    steps = np.arange(0, _SIDE_PX, stride, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return np.repeat(grid, _ANCHORS, axis=0)


def _normalised(pictures: U8, scale: float) -> F32:
    """uint8[n, h, w, 3] to float32[n, 3, h, w] of about -1 to 1."""
    x = (pictures.astype(np.float32) - 127.5) / np.float32(scale)
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def _session(file: Path, device: str) -> Any:
    import onnxruntime

    from ml.models.device import device_number, quiet_onnxruntime

    quiet_onnxruntime()
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda") and _CUDA in onnxruntime.get_available_providers():
        providers.insert(0, (_CUDA, {"device_id": device_number(device)}))
    return onnxruntime.InferenceSession(str(file), providers=providers)


def _run(session: Any, x: F32) -> list[F32]:
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def load_onnx_models(
    model_id: str, profile: str, device: str, same_person_distance: float
) -> OnnxModels:
    """The pair of a folder or a hub id.

    Raises:
        ModelUnavailable: a file is missing, cannot be fetched, or is not such a network.
    """
    detector, recogniser = files_of(model_id, profile)
    name, _ = split_revision(model_id)
    # A file of the hub's cache lies in a folder named by its commit.
    known = identity(model_id) if Path(name).exists() else f"{name}@{detector.parent.name[:12]}"
    try:
        return OnnxModels(
            *(detector, recogniser),
            device=device,
            identity=known,
            same_person_distance=same_person_distance,
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(model_id, profile, reason) from error


def files_of(model_id: str, profile: str) -> tuple[Path, Path]:
    """The detector's and the recogniser's file of a folder, or fetched from the hub.

    Raises:
        ModelUnavailable: a file is missing, or cannot be fetched.
    """
    return _file(model_id, profile, DETECTOR_FILE), _file(model_id, profile, RECOGNISER_FILE)


def _file(model_id: str, profile: str, name: str) -> Path:
    folder = Path(split_revision(model_id)[0])
    if folder.exists():
        if not (folder / name).is_file():
            raise ModelUnavailable(model_id, profile, f"{folder} holds no {name}")
        return folder / name
    from huggingface_hub import hf_hub_download

    return Path(load(model_id, profile, hf_hub_download, filename=name))
