"""What stands for a tag: texts for an embedding model, and phrases to find in a video's words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.taxonomy import Entry, path_text
from ml.text.lexical import foreign_share
from ml.text.words import lemmatiser, words

if TYPE_CHECKING:
    from scipy import sparse

Phrase = tuple[str, ...]

# "Cakes and desserts" are cakes, or desserts.
_AND = re.compile(r"\s+(?:and|or|и|или|&)\s+|\s*/\s*", re.IGNORECASE)
# Forms that the word lists do not know keep their endings: "майнкрафте" is "майнкрафт" by these.
# 5 letters lose two points of made-up videos; sounds in Latin letters (`ml.text.lexical.folded`)
# gain none.
STEM_LETTERS = 8
# A single word out of a longer phrase says less than the phrase; at 0 and at .6 one made-up video
# in a hundred fewer is right.
PART_WEIGHT = 0.25
# Words in the phrases of more entries than that ("game", "урок") tell no entry from another.
_MOST_ENTRIES = 12


def tag_texts(entry: Entry, *, english_only: bool = False) -> list[str]:
    """The texts whose mean vector stands for a tag: its name, its path, its names and aliases.

    They depend on the entry alone, so that a changed taxonomy has new texts for changed entries
    only. Cosines with the packaged text model put 37 % of 706 made-up videos right among the
    first three by the name alone, 33 % by the path, 37 % by names and aliases, 39 % by the mean.

    Args:
        entry: of the taxonomy.
        english_only: for a text model that knows no other language: leaves out what is in other
            alphabets, which may be all.
    """
    names = [w for w in (*entry.names, *entry.aliases) if not english_only or is_latin(w)]
    texts = [*names[:1], path_text(entry.path), ", ".join(names)] if names else []
    return [text for text in texts if not english_only or is_latin(text)]


def visual_texts(entry: Entry) -> list[str]:
    """The text that stands for a tag beside pictures, in the words image-text models learnt by."""
    return [f"a photo of {entry.path[-1].lower()}"]


def is_latin(text: str) -> bool:
    """Whether most letters of a text are Latin; so is a text without letters."""
    return foreign_share(text) < 0.5


class TagPhrases:
    """Finds the tags that a text names, by names and aliases in all of their languages.

    Attributes:
        weights: CSR float32[features, entries], how much a phrase or a word speaks for an entry.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._stems = phrase_stemmer()
        phrases = [self._phrases(entry) for entry in entries]
        of_phrase, of_word = _entries_by_feature(phrases)
        self._phrase_ids = {p: i for i, p in enumerate(sorted(of_phrase))}
        self._word_ids = {w: i for i, w in enumerate(sorted(of_word), len(self._phrase_ids))}
        self._longest: dict[str, int] = {}
        for phrase in self._phrase_ids:
            self._longest[phrase[0]] = max(len(phrase), self._longest.get(phrase[0], 0))
        self.weights = self._weights(of_phrase, of_word, len(entries))

    def counts(self, texts: Iterable[str]) -> sparse.csr_array[Any, Any]:
        """CSR float32[texts, features], 1 + log of how often each phrase and word is met."""
        from scipy import sparse

        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        for text in texts:
            found = sorted(self._found(text).items())
            columns += [feature for feature, _ in found]
            values += [1 + log(count) for _, count in found]
            ends.append(len(columns))
        parts = (np.array(values, np.float32), np.array(columns, np.int64), np.array(ends))
        return sparse.csr_array(parts, shape=(len(ends) - 1, self.weights.shape[0]))

    def _found(self, text: str) -> Counter[int]:
        stems = self._stems(text) if text else []
        found: Counter[int] = Counter()
        covered = 0
        for start, stem in enumerate(stems):
            phrase = self._longest_at(stems, start)
            # "hot dog" names no dog.
            if phrase and start + len(phrase) > covered:
                found[self._phrase_ids[phrase]] += 1
                covered = start + len(phrase)
            if start >= covered - (len(phrase) == 1) and stem in self._word_ids:
                found[self._word_ids[stem]] += 1
        return found

    def _longest_at(self, stems: Sequence[str], start: int) -> Phrase:
        for length in range(self._longest.get(stems[start], 0), 0, -1):
            phrase = tuple(stems[start : start + length])
            if phrase in self._phrase_ids:
                return phrase
        return ()

    def _phrases(self, entry: Entry) -> set[Phrase]:
        parts = [part for name in entry.names for part in (name, *_AND.split(name))]
        return {tuple(self._stems(text)) for text in (*parts, *entry.aliases)} - {()}

    def _weights(
        self, of_phrase: Mapping[Phrase, set[int]], of_word: Mapping[str, set[int]], entries: int
    ) -> sparse.csr_array[Any, Any]:
        from scipy import sparse

        cells = [
            (weight, self._phrase_ids[phrase], entry)
            for phrase, named in of_phrase.items()
            for weight in [_specificity(len(named)) * (1 + log(len(phrase)))]
            for entry in sorted(named)
        ]
        cells += [
            (PART_WEIGHT * _specificity(len(named)), self._word_ids[word], entry)
            for word, named in of_word.items()
            for entry in sorted(named)
        ]
        shape = (len(of_phrase) + len(of_word), entries)
        if not cells:
            return sparse.csr_array(shape, dtype=np.float32)
        values, rows, columns = (np.array(x) for x in zip(*cells, strict=True))
        return sparse.csr_array((values.astype(np.float32), (rows, columns)), shape=shape)


def phrase_stemmer() -> Callable[[str], list[str]]:
    """A function from a text to the stems of its words less stop words, in their own alphabet."""
    lemma = lemmatiser()

    @lru_cache(maxsize=200_000)
    def stem(of: str) -> str:
        return of.replace("ё", "е")[:STEM_LETTERS]

    return lambda text: [stem(word.lemma) for word in words(text, lemma)]


def _entries_by_feature(
    phrases: Sequence[set[Phrase]],
) -> tuple[dict[Phrase, set[int]], dict[str, set[int]]]:
    """The entries of each phrase, and of each word that longer phrases are made of."""
    of_phrase: dict[Phrase, set[int]] = defaultdict(set)
    of_word: dict[str, set[int]] = defaultdict(set)
    for number, own in enumerate(phrases):
        for phrase in own:
            of_phrase[phrase].add(number)
            for word in phrase if len(phrase) > 1 else ():
                of_word[word].add(number)
    few = {word: named for word, named in of_word.items() if len(named) <= _MOST_ENTRIES}
    return dict(of_phrase), few


def _specificity(named: int) -> float:
    """What one of so many named entries is told by.

    Right among the first three of the libraries that chose it: 97.6, 96.2 and 77.6 %, with the
    whole weight for each 97.6, 94.2 and 76.5, with an equal share of it 95.2, 96.2 and 77.5.
    """
    return named**-0.5
