"""A query in English, for image-text models that know no other language.

Any sequence-to-sequence checkpoint of transformers that reads the language and writes English will
do, such as Helsinki-NLP/opus-mt-ru-en or a fine-tune of it. Whether an image-text model needs one
is told by its tokenizer. No quality is measured here: tests run random models of the same classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from ml.failures import ModelUnavailable
from ml.models.loading import identity, load
from ml.search.query import Query
from ml.text.embedder import language_detector
from ml.text.lexical import foreign_share

BEAMS = 4
# A translation has about as many pieces as its source; what is caught in a loop ends here.
_MOST_PIECES_PER_PIECE = 3
_FEWEST_NEW_PIECES = 10
# Longest input where the checkpoint does not say; a query of 1,000 characters has some 300 pieces.
_MAX_PIECES = 512
# With a larger share of its words unknown a text is in a language that the model does not read.
_MOST_UNKNOWN = 0.5
_ENGLISH = ("en", "eng")
_MEND = "Choose one that reads the language and writes English, such as Helsinki-NLP/opus-mt-ru-en"
# Everyday words: a vocabulary learnt from Russian holds long pieces of them.
RUSSIAN_WORDS = (
    "видео", "рыбалку", "зимой", "новый", "год", "приготовить", "вкусный", "пирог", "смешные",
    "кошки", "обзор", "машины", "дети", "играют", "дома", "песня",
)  # fmt: skip
# Letters of those words per piece: GPT-2's vocabulary .8 (byte-level BPE, as CLIP's), MiniLM's
# 1.0, both learnt from English; Whisper's, learnt from 99 languages, 2.7. English words have 4.5 to
# 4.8 in all three.
_FEWEST_LETTERS = 1.8


class Translated(NamedTuple):
    """A text in English; the note says, for people, why it is the text as it was given."""

    text: str
    note: str


def load_translator(model_id: str, *, profile: str, device: str = "cpu") -> Translator:
    """A translator into English.

    Args:
        model_id: hub id or local path of a sequence-to-sequence model.
        profile: the profile's name, for the error message.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelUnavailable: it cannot be loaded, writes another language, or has to be told the
            language of each text.
    """
    return Translator(model_id, profile, device)


class Translator:
    """Texts in, English out; a text always gives the same.

    Attributes:
        model: name and revision.
        source: ISO 639-1 code of the language it reads; empty for several, or where not known.
    """

    def __init__(self, model_id: str, profile: str, device: str) -> None:
        self._tokenizer = _load_tokenizer(model_id, profile)
        self._network = _load_network(model_id, profile).to(device)
        self._device = device
        source = str(getattr(self._tokenizer, "source_lang", None) or "")
        self.source = source if len(source) == 2 else ""
        self.model = identity(model_id, self._network)

    @cached_property
    def _language(self) -> Callable[[str], str]:
        """Made for the first text in Latin letters, because it takes half a second."""
        return language_detector()

    def translate(self, text: str) -> Translated:
        """The text in English; what is English stays, and what can't be translated, with a note.

        A text in Latin letters is English unless it is sure to be another language, which takes
        three words: most queries are shorter.
        """
        if not foreign_share(text):
            language = self._language(text)
            if language in ("", "en"):
                return Translated(text, "")
            if self.source not in ("", language):
                return _as_it_was(
                    text, f"reads {self.source!r}, and this is taken for {language!r}"
                )
        if self._unknown_share(text) > _MOST_UNKNOWN:
            return _as_it_was(text, "does not know these letters")
        english = self._generated(text)
        if not any(map(str.isalnum, english)):
            return _as_it_was(text, "found no words for it")
        return Translated(english, "")

    def _unknown_share(self, text: str) -> float:
        """The share of words with a piece that the vocabulary lacks, 0 to 1."""
        words = self._tokenizer(text.split(), add_special_tokens=False)["input_ids"]
        return sum(self._tokenizer.unk_token_id in word for word in words) / max(1, len(words))

    def _generated(self, text: str) -> str:
        import torch

        pieces = self._tokenizer(
            text, truncation=True, max_length=self._max_pieces(), return_tensors="pt"
        )
        ids = pieces["input_ids"].to(self._device)
        longest = _MOST_PIECES_PER_PIECE * ids.shape[1] + _FEWEST_NEW_PIECES
        with torch.inference_mode():
            made = self._network.generate(
                input_ids=ids,
                attention_mask=pieces["attention_mask"].to(self._device),
                num_beams=BEAMS,
                do_sample=False,
                max_new_tokens=min(longest, self._max_pieces() - 1),
            )
        return " ".join(self._tokenizer.decode(made[0], skip_special_tokens=True).split())

    def _max_pieces(self) -> int:
        positions = getattr(self._network.config, "max_position_embeddings", _MAX_PIECES)
        return min(int(positions), int(self._tokenizer.model_max_length), _MAX_PIECES)


def in_english(query: Query, translator: Translator) -> Translated:
    """A query for a model that knows English only.

    Of the text and what the slang table makes of it the one with the fewest foreign letters is
    translated: "обзор dota" rather than "обзор доты".
    """
    return translator.translate(min((*query.variants, query.text), key=foreign_share))


def is_english_only(tokenizer: Any) -> bool:
    """Whether the model behind a tokenizer knows English alone, so that queries need a translation.

    A configuration names no languages: SigLIP's ``model_type`` is the same for English and for
    many. The vocabulary tells: one of many languages has pieces of several letters for everyday
    Russian words, one of English spells them by letters or bytes, or not at all. It is mistaken in
    a model that was taught Russian with an English vocabulary, and in one of Chinese alone.

    Args:
        tokenizer: of transformers, of the image-text model.
    """
    return letters_per_piece(tokenizer, RUSSIAN_WORDS) < _FEWEST_LETTERS


def letters_per_piece(tokenizer: Any, words: tuple[str, ...]) -> float:
    """Mean letters of words in a piece of a tokenizer's vocabulary, 0 where a piece is unknown."""
    pieces = tokenizer(list(words), add_special_tokens=False)["input_ids"]
    if any(tokenizer.unk_token_id in of_word for of_word in pieces):
        return 0.0
    return sum(map(len, words)) / sum(map(len, pieces))


def _as_it_was(text: str, reason: str) -> Translated:
    return Translated(text, f"“{text}” is not translated: the translation model {reason}")


def _load_tokenizer(model_id: str, profile: str) -> Any:
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        # It recommends sacremoses, which makes quotation marks and spaces alike: a query's are.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer = load(model_id, profile, AutoTokenizer.from_pretrained)
    target = getattr(tokenizer, "target_lang", None)
    if target and target not in _ENGLISH:
        raise ModelUnavailable(model_id, profile, f"it translates into {target!r}", _MEND)
    if hasattr(tokenizer, "src_lang") or getattr(tokenizer, "supported_language_codes", None):
        reason = "it has to be told the languages of each text"
        raise ModelUnavailable(model_id, profile, reason, _MEND)
    return tokenizer


def _load_network(model_id: str, profile: str) -> Any:
    """The network with all of its weights, in float32: a query takes no time worth a rounding."""
    import torch
    from transformers import AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    network, report = load(
        model_id,
        profile,
        AutoModelForSeq2SeqLM.from_pretrained,
        output_loading_info=True,
        dtype=torch.float32,
    )
    if missing := sorted(report["missing_keys"]):
        reason = f"the checkpoint lacks {len(missing)} of its weights, such as {missing[0]}"
        raise ModelUnavailable(model_id, profile, reason)
    return network.eval()
