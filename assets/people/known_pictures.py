"""A file of ``known_people`` as a picture; what is none says why, whatever it is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from assets.stores.storage import Storage, StoredFile
from assets.stores.storage_errors import StorageError

SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"}
# Of what PIL can open; some of its others start programs (EPS) or are videos.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_PHONE_SUFFIXES = {".heic", ".heif", ".hif"}
NOT_OPENED = "it cannot be opened: may this user read it?"
_PHONE_PICTURE = "it is HEIC: save it as JPEG or PNG"
_NO_PICTURE = "it is no JPEG, PNG, WebP, BMP or TIFF"
_DAMAGED = f"{_NO_PICTURE}, or it is damaged"
_TOO_LARGE = "it has more pixels than any camera's picture"
_TOO_LONG = "it is larger than 100 MB"
_NO_FILE = "it is no regular file"
_MAX_BYTES = 100_000_000
# More shows no more of a face, and costs a gigabyte: PIL takes up to 179 million pixels.
_MAX_SIDE = 4096


def suffix_of(key: str) -> str:
    return "." + key.rpartition(".")[2].lower()


def _why_not_read(storage: Storage, file: StoredFile) -> str:
    """Why a file is not even opened; empty if it may be."""
    if suffix_of(file.key) in _PHONE_SUFFIXES:
        return _PHONE_PICTURE
    if suffix_of(file.key) not in SUFFIXES:
        return _NO_PICTURE
    # A pipe would be waited for, a device read for ever.
    if storage.is_local and not Path(storage.url(file.key)).is_file():
        return _NO_FILE
    return _TOO_LONG if file.size > _MAX_BYTES else ""


def picture_of(storage: Storage, file: StoredFile) -> tuple[np.ndarray | None, str]:
    """RGB uint8[height, width, 3], upright, no side above 4096; or why there is none.

    Raises:
        StorageError: an object store failed in a way that may pass.
    """
    from PIL import Image, ImageOps

    why_not = _why_not_read(storage, file)
    if why_not:
        return None, why_not
    try:
        data = storage.read_bytes(file.key)
    except StorageError:
        raise
    except (OSError, ValueError):
        return None, NOT_OPENED
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            image.draft("RGB", (_MAX_SIDE, _MAX_SIDE))
            image.thumbnail((_MAX_SIDE, _MAX_SIDE))
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB")), ""
    except Image.DecompressionBombError:
        return None, _TOO_LARGE
    # Parsers of damaged headers raise what they like: among 3,000 damaged pictures struct.error
    # and SyntaxError beside OSError, elsewhere TypeError.
    except Exception:
        return None, _PHONE_PICTURE if data[4:8] == b"ftyp" else _DAMAGED
