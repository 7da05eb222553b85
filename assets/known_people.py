"""The folder ``known_people/NAME/*.jpg``: names, read again only when it changed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assets.cluster_store import StoredClustering
from assets.datasets import key_of
from assets.models import OFF, face_finder
from assets.resources import Library, Models
from assets.storage import Storage, StoredFile

if TYPE_CHECKING:
    from ml.faces import FaceFinder
    from ml.people.known import Known, KnownPicture

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_FOLDER = "known_people"


@dataclass(frozen=True)
class KnownPeople:
    """What the pictures are good for, and what they were: a key of the files and the model."""

    known: Known
    files: str

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON, to be kept with the clustering."""
        return {
            "files": self.files,
            "names": list(self.known.names),
            "vectors": [[float(v) for v in vector] for vector in self.known.vectors],
            "problems": list(self.known.problems),
        }


def known_people(
    library: Library,
    models: Models,
    model: str,
    stored: StoredClustering | None,
    say: Callable[[str], None],
) -> KnownPeople:
    """The known people; pictures that were looked at last time are not looked at again.

    Args:
        model: identity of the faces model behind the library's persons.
        stored: the clustering of last time, if it was made by that model.
        say: told what is wrong with pictures.
    """
    files = sorted(_pictures(library.known_faces), key=lambda file: file.key)
    key = key_of(model, *(f"{file.key} {file.etag}" for file in files))
    if stored is not None and stored.extra["known"]["files"] == key:
        return _restored(stored.extra["known"])
    known = _looked_at(library.known_faces, files, models, model)
    for problem in known.problems:
        say(problem)
    return KnownPeople(known, key)


def _pictures(storage: Storage) -> list[StoredFile]:
    """Files in a folder that is a name, with a picture's suffix."""
    return [
        file
        for file in storage.scan()
        if file.key.count("/") == 1 and _suffix(file.key) in _SUFFIXES
    ]


def _suffix(key: str) -> str:
    return "." + key.rpartition(".")[2].lower()


def _restored(kept: dict[str, Any]) -> KnownPeople:
    from ml.people.known import Known

    vectors = np.array(kept["vectors"] or np.zeros((0, 0)), np.float32)
    return KnownPeople(Known(kept["names"], vectors, kept["problems"]), kept["files"])


def _looked_at(storage: Storage, files: list[StoredFile], models: Models, model: str) -> Known:
    from ml.faces import same_person_distance
    from ml.people.known import known_vectors

    model_id = models.profile.faces
    if not files or OFF in (model, model_id):
        return known_vectors([], 0.0)
    finder = face_finder(models, model_id)
    pictures = [_picture(storage, file.key, finder) for file in files]
    return known_vectors(pictures, same_person_distance(model_id))


def _picture(storage: Storage, key: str, finder: FaceFinder) -> KnownPicture:
    from PIL import Image, ImageOps

    from ml.people.known import KnownPicture

    name, label = key.partition("/")[0], f"{_FOLDER}/{key}"
    try:
        with Image.open(io.BytesIO(storage.read_bytes(key))) as image:
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(upright.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        return KnownPicture(name, label, unreadable=str(error) or type(error).__name__)
    return KnownPicture(name, label, finder.faces_of(pixels))
