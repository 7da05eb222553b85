"""The faces models that come inside installed packages: MTCNN and dlib's face network."""

from __future__ import annotations

from collections.abc import Sequence

from ml.faces.alignment import DLIB
from ml.faces.boxes import F32, U8
from ml.faces.detector import SURE_SCORE, Detections, Detector
from ml.faces.mtcnn_nets import package_identity as detector_identity
from ml.faces.recogniser import Recogniser
from ml.faces.recogniser import package_identity as recogniser_identity

# Raise it when the same picture would give other rows.
VERSION = 1


class PackagedModels:
    """MTCNN finds, dlib's face network tells people apart; see `ml.faces.finder.FaceModels`.

    Args:
        device: of torch, such as ``cpu`` or ``cuda``.
        same_person_distance: see there.

    Raises:
        FileNotFoundError: a package is not installed.
    """

    def __init__(self, device: str, same_person_distance: float) -> None:
        self.identity = f"mtcnn@{detector_identity()}+dlib-resnet@{recogniser_identity()}+{VERSION}"
        self.template = DLIB
        self.sure_score = SURE_SCORE
        self.same_person_distance = same_person_distance
        self._detector, self._recogniser = Detector(device), Recogniser(device)

    def detect(self, pictures: Sequence[U8]) -> list[Detections]:
        return self._detector.detect(pictures)

    def embed(self, chips: U8) -> F32:
        return self._recogniser.embed(chips)
