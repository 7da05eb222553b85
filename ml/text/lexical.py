"""Vectors of the words themselves, for languages that the text model does not know.

Latent semantic analysis (Deerwester et al. 1990): TF-IDF with sublinear term counts, reduced by a
truncated SVD. A word counts by the beginning of its lemma in Latin letters, so that "программы"
meets "programming" and "гитарный" meets "гитара". Where words sound nothing alike the default
taxonomy serves as a dictionary: "кошка" and "cat" both name an entry of it, which counts as a word,
and so do the entries above it. What was chosen between is measured by `benchmarks.topics`: mean
adjusted Rand index (ARI) over subsets of bilingual libraries.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice
from math import log
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ml.taxonomy import Entry, default_taxonomy
from ml.text.words import lemmatiser, words
from ml.vectors import ModelMismatch

if TYPE_CHECKING:
    from scipy import sparse

# Words alone: ARI .61, .60 and .76 on the libraries `sample`, `tuning` and `fresh`, .41 on 1,500
# made-up videos; with the lowest entry .61, .62, .84 and .48, with the two lowest levels .64, .78,
# .85 and .50, with all three .72, .76, .86 and .51.
_ENTRY = "="
# Of 4, 5, 6 letters and whole lemmas 6 did best on the library `tuning` (.47, .59, .62 and .42)
# and no worse on the sample library (.61, .59, .57 and .60), where spoken English joins themes.
STEM_LETTERS = 6
# Phrases of the taxonomy stand in it in both languages, so that their words need not meet by sound:
# with 6 letters "электромобиль" is "electric". Of 55 to 59 topics 6, 7, 8, 10 letters and whole
# lemmas gave 46 or 47 a place in the taxonomy, 94, 96, 100, 98 and 96 % of them right; ARI differs
# by chance.
PHRASE_LETTERS = 8
# The alphabet shows in the first part of a text; hours of speech add nothing.
ALPHABET_CHARACTERS = 2000
# A word of one video joins nothing: with such words ARI is .51 and .39 instead of .57 and .51.
_FEWEST_VIDEOS = 2
# A word of more videos than that says nothing on the theme; any share from .2 to .5 did as well.
_LARGEST_SHARE = 0.5
# Rows of a block of documents; 4,096 x 100 dimensions in float64 are 3 MB.
_ROWS = 4096

_LATIN = str.maketrans(
    dict(zip("абвгдеёзийклмнопрстуфхыэ", "abvgdeeziiklmnoprstufhie", strict=True))
    | {"ж": "zh", "ц": "c", "ч": "ch", "ш": "sh", "щ": "sh", "ю": "u", "я": "ia", "ъ": "", "ь": ""}
)
# Spellings of one sound: "equator" and "экватор", "physics" and "физика".
_SAME_SOUND = (
    ("ck", "k"), ("ph", "f"), ("oo", "u"), ("qu", "k"), ("y", "i"), ("x", "ks"), ("w", "v"),
    ("j", "i"), ("q", "k"), ("ou", "u"), ("c", "k"), ("z", "s"),
)  # fmt: skip


@dataclass(frozen=True)
class LexicalOptions:
    """How lexical vectors are made.

    Attributes:
        dimensions: of the SVD, at most. 10 to 30 lose ARI on 50 videos, 50 and 100 are the same.
        seed: of the SVD.
    """

    dimensions: int = 100
    seed: int = 0


@dataclass(frozen=True)
class LexicalSpace:
    """Vectors of words, learnt once: the words, their weights and the axes stay as they are.

    Attributes:
        model: what the words were made by; those of another one are not comparable.
        words: stems and entries of the taxonomy that count, sorted.
        weights: float64[words], the logarithm of videos per video with the word.
        axes: float32[words, k] of the SVD.
    """

    model: str
    words: tuple[str, ...] = field(repr=False)
    weights: np.ndarray = field(repr=False)
    axes: np.ndarray = field(repr=False)

    @classmethod
    def fit(cls, documents: Mapping[str, str], options: LexicalOptions | None = None) -> Self:
        """Learns the space; the same whatever the order of the videos.

        Its time grows with the texts: 40,000 of 200 words take 51 s on one core, so that a large
        library is better learnt from a sample.

        Args:
            documents: video id to all of its text.
            options: see there.
        """
        options, stems = options or LexicalOptions(), _stems_and_entries()
        counts = [Counter(stems(documents[i])) for i in sorted(documents)]
        videos = Counter(word for count in counts for word in count)
        most = _LARGEST_SHARE * len(documents)
        kept = sorted(word for word, n in videos.items() if _FEWEST_VIDEOS <= n <= most)
        weights = np.log(len(documents) / np.array([videos[word] for word in kept], np.float64))
        return cls(lexical_model(), tuple(kept), weights, _axes(counts, kept, weights, options))

    def project(self, documents: Mapping[str, str]) -> tuple[list[str], np.ndarray]:
        """Vectors of these videos, among the ones it was learnt from or not.

        Args:
            documents: video id to all of its text.

        Returns:
            The ids, sorted, and unit-length float32[len(ids), k]. A video none of whose words is
            known has no row; a space without words gives none at all.

        Raises:
            ModelMismatch: it was learnt with another version of the words or the taxonomy.
        """
        if self.model != lexical_model():
            raise ModelMismatch(
                f"words were learnt by {self.model!r}, not {lexical_model()!r}: "
                "cluster the topics anew"
            )
        stems, columns = _stems_and_entries(), _columns(self.words)
        kept: list[str] = []
        blocks = [np.zeros((0, self.axes.shape[1]), np.float32)]
        rest = iter(sorted(documents))
        while block := list(islice(rest, _ROWS)):
            counts = (Counter(stems(documents[i])) for i in block)
            z = _weighted(counts, columns, self.weights) @ self.axes
            length = np.linalg.norm(z, axis=1)
            # What is left of a video none of whose words is known, or on the axes kept, is
            # rounding.
            good = length > 1e-6
            kept += [i for i, is_good in zip(block, good, strict=True) if is_good]
            blocks.append((z[good] / length[good, None]).astype(np.float32))
        return kept, np.vstack(blocks)


class EntryPhrases:
    """Which entries of a taxonomy a text names: by their names and aliases, word by word."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._stems = stemmer(PHRASE_LETTERS)
        self._by_first: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        for number, entry in enumerate(entries):
            phrases = {tuple(self._stems(name)) for name in (*entry.names, *entry.aliases)}
            for phrase in sorted(phrases - {()}):
                self._by_first[phrase[0]].append((phrase, number))

    def named(self, text: str) -> list[tuple[int, tuple[str, ...]]]:
        """(number of an entry, its phrase as stems) for every phrase that stands in the text."""
        stems = self._stems(text)
        return [
            (number, phrase)
            for at, stem in enumerate(stems)
            for phrase, number in self._by_first.get(stem, ())
            if tuple(stems[at : at + len(phrase)]) == phrase
        ]


@cache
def lexical_model() -> str:
    """Version of the words, and of the taxonomy that joins languages."""
    return f"lexical@2+taxonomy@{default_taxonomy().version}"


def stemmer(letters: int = STEM_LETTERS) -> Callable[[str], list[str]]:
    """A function from a text to its words less stop words, each as its folded lemma's start."""
    lemma = lemmatiser()

    @lru_cache(maxsize=200_000)
    def stem(of: str) -> str:
        return folded(of)[:letters]

    return lambda text: [stem(word.lemma) for word in words(text, lemma)]


def folded(word: str) -> str:
    """A lower-case word in Latin letters by sound: Cyrillic transliterated, double letters single.

    Letters of other alphabets, and digits, stay.
    """
    latin = word.translate(_LATIN)
    for spelling, sound in _SAME_SOUND:
        latin = latin.replace(spelling, sound)
    return "".join(b for a, b in zip(" " + latin, latin, strict=False) if a != b)


def foreign_share(text: str) -> float:
    """The share of a text's letters that are not Latin, 0 to 1; 0 without letters."""
    letters = [letter for letter in text[:ALPHABET_CHARACTERS] if letter.isalpha()]
    latin = sum(
        letter.isascii() or unicodedata.name(letter, "").startswith("LATIN") for letter in letters
    )
    return 1 - latin / len(letters) if letters else 0.0


def _stems_and_entries() -> Callable[[str], list[str]]:
    """A function from a text to its stems, and to the entries it names with those above them."""
    stems, phrases, entries = stemmer(), _default_phrases(), default_taxonomy().entries

    def found(text: str) -> list[str]:
        paths = [entries[number].path for number, _ in phrases.named(text)]
        named = [_ENTRY + ":".join(p[: n + 1]) for p in paths for n in range(len(p))]
        return stems(text) + named

    return found


@cache
def _default_phrases() -> EntryPhrases:
    """Made once, because it takes as long as the words of a thousand titles."""
    return EntryPhrases(default_taxonomy().entries)


def _columns(kept: Iterable[str]) -> dict[str, int]:
    return {word: column for column, word in enumerate(kept)}


def _axes(
    counts: Sequence[Counter[str]],
    kept: Sequence[str],
    weights: np.ndarray,
    options: LexicalOptions,
) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD

    k = min(options.dimensions, len(counts) - 1, len(kept) - 1)
    if k < 1:
        # Too few words for an SVD: the words are the axes.
        return np.eye(len(kept), dtype=np.float32)
    # Ten rounds: the last axes of a small library have almost equal singular values.
    svd = TruncatedSVD(k, n_iter=10, random_state=options.seed)
    svd.fit(_weighted(counts, _columns(kept), weights))
    return np.ascontiguousarray(svd.components_.T, np.float32)


def _weighted(
    counts: Iterable[Counter[str]], columns: Mapping[str, int], weights: np.ndarray
) -> sparse.csr_array[Any, Any]:
    """TF-IDF rows of unit length, (1 + log count) * log(videos / videos with the word)."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    values: list[float] = []
    at: list[int] = []
    ends = [0]
    for count in counts:
        found = sorted((columns[word], n) for word, n in count.items() if word in columns)
        at += [column for column, _ in found]
        values += [(1 + log(n)) * weights[column] for column, n in found]
        ends.append(len(at))
    shape = (len(ends) - 1, len(columns))
    entries = (np.array(values, np.float64), np.array(at, np.int64), np.array(ends, np.int64))
    return normalize(sparse.csr_array(entries, shape=shape)) if at else sparse.csr_array(shape)
