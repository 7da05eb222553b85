"""The recogniser files that do not come packaged: where they lie, and whether they are whole.

RapidOCR asked for a recogniser that it does not have builds without a word and returns blanks, so
the file is found, and its checksum held against RapidOCR's own list, before RapidOCR is asked.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ml.failures import ModelUnavailable
from ml.models import loading

PACKAGED = "packaged:rapidocr"
PREFIX = "rapidocr:"
# Names in RapidOCR's list of models, by the name after ``rapidocr:``.
RECOGNISERS = {
    "eslav": "eslav_PP-OCRv5_rec_mobile",
    "cyrillic": "cyrillic_PP-OCRv5_rec_mobile",
}


def recogniser_file(model_id: str, profile: str) -> Path:
    """The ONNX file of ``rapidocr:eslav``, ``rapidocr:cyrillic`` or ``rapidocr:/path/rec.onnx``.

    A named one that is not there yet is downloaded into RapidOCR's own folder, as `fetch` does.

    Raises:
        ModelUnavailable: no such name, no such file, no characters inside, or a wrong checksum.
    """
    name = model_id.removeprefix(PREFIX)
    if model_id.startswith(PREFIX) and name in RECOGNISERS:
        return fetch_recogniser(model_id, profile)
    file = Path(name)
    if not model_id.startswith(PREFIX) or not file.is_file():
        known = ", ".join([PACKAGED, *(PREFIX + n for n in RECOGNISERS), PREFIX + "PATH.onnx"])
        reason = f"there is no such file or model; there are: {known}"
        raise ModelUnavailable(model_id, profile, reason)
    _require_characters(file, model_id, profile)
    return file


def fetch(model_id: str, profile: str) -> Path | None:
    """Bring a reader's model onto this machine: ``rapidocr:NAME``, or as in `ml.models.loading`.

    Raises:
        ModelUnavailable: it is not there, or cannot be reached.
    """
    if model_id.startswith(PREFIX):
        return recogniser_file(model_id, profile)
    return loading.fetch(model_id, profile)


def fetch_recogniser(model_id: str, profile: str) -> Path:
    """Download a named recogniser (8 MB), unless it is there and whole.

    Raises:
        ModelUnavailable: the download failed, or gave other bytes than RapidOCR's list says.
    """
    from rapidocr.utils.download_file import DownloadFile, DownloadFileInput
    from rapidocr.utils.log import logger

    url, sha256 = _listed(RECOGNISERS[model_id.removeprefix(PREFIX)])
    file = _model_folder() / Path(url).name
    logger.setLevel("ERROR")
    if not _is_whole(file, sha256):
        try:
            DownloadFile.run(DownloadFileInput(url, file, logger, sha256))
        except Exception as error:
            reason = f"{file.name} is not on this machine, and downloading it failed ({error})"
            raise ModelUnavailable(model_id, profile, reason) from error
    if not _is_whole(file, sha256):
        reason = f"{file} is damaged: its SHA-256 is not {sha256}"
        raise ModelUnavailable(model_id, profile, reason)
    return file


def short_hash(file: Path) -> str:
    """The first 12 hex digits of a file's SHA-256."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()[:12]


def _is_whole(file: Path, sha256: str) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() == sha256


def _listed(name: str) -> tuple[str, str]:
    from rapidocr.inference_engine.base import InferSession

    models: Any = InferSession.model_info
    entry = models["onnxruntime"]["PP-OCRv5"]["rec"][name]
    return str(entry["model_dir"]), str(entry["SHA256"])


def _model_folder() -> Path:
    import rapidocr

    return Path(rapidocr.__file__).parent / "models"


def _require_characters(file: Path, model_id: str, profile: str) -> None:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelUnavailable(model_id, profile, f"{file} is no ONNX model ({error})") from error
    if "character" not in session.get_modelmeta().custom_metadata_map:
        reason = f"{file} names no characters (metadata 'character'): not a PP-OCR recogniser"
        raise ModelUnavailable(model_id, profile, reason)
