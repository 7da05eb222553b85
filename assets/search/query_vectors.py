"""What turns a typed query into vectors that those of the library can be compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assets.stores.models import Model, query_embedder, text_tower
from assets.stores.resources import Models

if TYPE_CHECKING:
    from ml.search.query import Query
    from ml.search.translation import Translator

_PACKAGED = "packaged:"
# A query of which more than half is in other letters is no English.
_MOST_FOREIGN = 0.5


@dataclass(frozen=True)
class Encoder:
    """A query's vectors by one model.

    Attributes:
        encode_text: text to unit-length float32[d].
        english_only: whether the model knows no other language.
        what: what it compares, for people.
    """

    encode_text: Callable[[str], np.ndarray]
    english_only: bool
    what: str
    translator: Translator | None

    def encode(self, query: Query, notes: list[str]) -> np.ndarray | None:
        """float32[q, d] of the query and its variants; None, with a note, for other languages."""
        from ml.search.translation import in_english
        from ml.text.lexical import foreign_share

        texts = [query.text, *query.variants]
        if self.english_only:
            readable = [text for text in texts if foreign_share(text) <= _MOST_FOREIGN]
            if not readable and self.translator is not None:
                translated = in_english(query, self.translator)
                notes += [translated.note] if translated.note else []
                readable = [] if translated.note else [translated.text]
            texts = readable
        if not texts:
            notes.append(
                f"{self.what} are compared by words only: the model knows English alone "
                "(profiles base and full know other languages; so does KADR_TRANSLATION_MODEL)"
            )
            return None
        return np.stack([self.encode_text(text) for text in texts])


def kind_of(channel: str) -> str:
    """Whose vectors a channel of search has: of texts or of pictures (visual)."""
    return "visual" if channel == "visual" else "text"


def model_of(models: Models, kind: str) -> Model:
    """The settings' model behind them, not loaded."""
    return models.image_embedder() if kind == "visual" else models.text_embedder()


def load_encoder(models: Models, kind: str, translator: Translator | None) -> Encoder | None:
    """The encoder of a kind; None where the model has no text side."""
    from ml.search.translation import is_english_only
    from ml.visual.embedder import TextSearchOff

    if kind == "text":
        embedder = query_embedder(models)
        packaged = models.profile.text.startswith(_PACKAGED)
        return Encoder(embedder.embed_query, packaged, "texts", translator)
    try:
        tower = text_tower(models)
    except TextSearchOff:
        return None
    return Encoder(tower.embed_query, is_english_only(tower.tokenizer), "pictures", translator)
