"""Vectors of the tags' own texts, by the models behind the videos' vectors; kept for next time.

A changed taxonomy embeds only the texts that are new.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.stores.datasets import key_of
from assets.stores.models import OFF, Rows, text_tower
from assets.stores.resources import Models
from ml.indexes.files import IndexDamaged
from ml.indexes.sealed import read_sealed, write_sealed
from ml.vectors import ModelMismatch

VECTORS_FILE = "vectors.npz"
# What reading an archive of arrays raises where it is none.
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
_PACKAGED = "packaged:"
Encode = Callable[[list[str]], np.ndarray]
Vectors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TagEncoders:
    """What turns tags into vectors that videos' vectors can be compared with.

    Attributes:
        text: None where the videos have no vectors of texts.
        visual: None where the image model has no text tower.
        english_only: whether the text model knows no other language.
        identity: of both models.
    """

    text: Encode | None
    visual: Encode | None
    english_only: bool
    identity: str

    @property
    def how(self) -> str:
        """In words."""
        parts = ["words"]
        parts += ["English texts' vectors" if self.english_only else "texts' vectors"] * (
            self.text is not None
        )
        parts += ["pictures' vectors"] * (self.visual is not None)
        return "compared by " + " and ".join(parts)


def tag_encoders(models: Models, texts_by: str, pictures_by: str) -> TagEncoders:
    """Encoders by the settings' models.

    Args:
        models: the settings.
        texts_by: identity of the model behind the vectors of the videos' texts; ``off`` for none.
        pictures_by: of the one behind those of their pictures.

    Raises:
        ModelMismatch: the vectors are of another model than the settings'.
    """
    text, visual = models.text_embedder(), models.image_embedder()
    has_text = _made_by(text.identity, texts_by, "text")
    is_learned = not models.profile.visual.startswith(_PACKAGED)
    has_visual = is_learned and _made_by(visual.identity, pictures_by, "visual")
    return TagEncoders(
        _text_encoder(text.load) if has_text else None,
        _visual_encoder(models) if has_visual else None,
        models.profile.text.startswith(_PACKAGED),
        key_of(text.identity * has_text, visual.identity * has_visual),
    )


def _made_by(identity: str, maker: str, what: str) -> bool:
    if OFF in (identity, maker):
        return False
    if maker != identity:
        raise ModelMismatch(
            f"{what} vectors were made by {maker}, and those of tags would be by {identity}: "
            "run the older batches again (kadr ingest SOURCE --all)"
        )
    return True


def _text_encoder(load: Callable[[], Callable[[Rows], Rows]]) -> Encode:
    def encode(texts: list[str]) -> np.ndarray:
        from ml.vectors import list_matrix

        names = [str(number) for number in range(len(texts))]
        columns = {"video_id": names, "channel": ["tag"] * len(texts), "text": texts}
        parts = load()(iter([pa.RecordBatch.from_pydict(columns)]))
        return np.concatenate([list_matrix(part.column("embedding")) for part in parts])

    return encode


def _visual_encoder(models: Models) -> Encode | None:
    from ml.visual.embedder import TextSearchOff

    try:
        tower = text_tower(models)
    except TextSearchOff:
        return None
    return lambda texts: np.stack([tower.embed_query(text) for text in texts])


def kept_vectors(folder: Path, encoders: TagEncoders) -> tuple[Vectors, Vectors]:
    """Vectors of texts and for pictures, as far as these models have made them."""
    try:
        identity, text, visual = stored_vectors(folder)
    except IndexDamaged:
        (folder / VECTORS_FILE).unlink()  # they are made again, if there are any to be made
        return {}, {}
    return (text, visual) if identity == encoders.identity else ({}, {})


def stored_vectors(folder: Path) -> tuple[str, Vectors, Vectors]:
    """What `keep_vectors` wrote, with the identity of the encoders; empty where nothing was.

    Raises:
        IndexDamaged: the file is no such file.
    """
    path = folder / VECTORS_FILE
    if not path.exists():
        return "", {}, {}
    try:
        with np.load(io.BytesIO(read_sealed(path)), allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            text = dict(zip(about["text"], file["text"], strict=True))
            return about["identity"], text, dict(zip(about["visual"], file["visual"], strict=True))
    except _UNREADABLE as error:
        raise IndexDamaged(folder, f"{path.name} can't be read ({error})") from error


def keep_vectors(folder: Path, encoders: TagEncoders, text: Vectors, visual: Vectors) -> None:
    """Write them for the next taxonomy."""
    about = {"identity": encoders.identity, "text": list(text), "visual": list(visual)}
    file = io.BytesIO()
    np.savez(
        file,
        about=np.array(json.dumps(about)),
        text=_stacked(text.values()),
        visual=_stacked(visual.values()),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_sealed(folder / VECTORS_FILE, lambda partial: partial.write_bytes(file.getvalue()))


def _stacked(vectors: Iterable[np.ndarray]) -> np.ndarray:
    rows = list(vectors)
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)
