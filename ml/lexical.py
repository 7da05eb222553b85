"""Vectors of the words themselves, for languages that the text model does not know.

Latent semantic analysis (Deerwester et al. 1990): TF-IDF with sublinear term counts, reduced by a
truncated SVD. A word counts by the beginning of its lemma in Latin letters, so that "программы"
meets "programming" and "гитарный" meets "гитара". What was chosen between is measured by
`benchmarks.topics`: mean adjusted Rand index over subsets of two bilingual libraries.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.words import lemmatiser, words

if TYPE_CHECKING:
    from scipy import sparse

MODEL = "lexical@1"
# Of 4, 5, 6 letters and whole lemmas 6 did best on the library `tuning` (.47, .59, .62 and .42)
# and no worse on the sample library (.61, .59, .57 and .60), where spoken English joins themes.
STEM_LETTERS = 6
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
        sample_limit: vocabulary, weights and SVD come from so many videos at most. 40,000 texts
            of 200 words take 51 s on one core, and the time grows with their number.
        seed: of the sample and of the SVD.
    """

    dimensions: int = 100
    sample_limit: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class _Space:
    """Words as columns, their weights, and the SVD's axes."""

    columns: Mapping[str, int]
    weights: np.ndarray
    axes: np.ndarray = field(repr=False)


def lexical_vectors(
    documents: Mapping[str, str], options: LexicalOptions | None = None
) -> tuple[list[str], np.ndarray]:
    """A vector of the words of each video; the same whatever the order of the videos.

    Args:
        documents: video id to all of its text.
        options: see there.

    Returns:
        The ids, sorted, and unit-length float32[len(ids), k]. A video that shares no word with
        another one has no row; a library without shared words has none at all.
    """
    options = options or LexicalOptions()
    ids, stems = sorted(documents), stemmer()
    space = _fitted([documents[i] for i in _sample(ids, options)], stems, options)
    kept, blocks = [], [np.zeros((0, space.axes.shape[1]), np.float32)]
    rest = iter(ids)
    while block := list(islice(rest, _ROWS)):
        counts = (Counter(stems(documents[i])) for i in block)
        z = _weighted(counts, space.columns, space.weights) @ space.axes
        length = np.linalg.norm(z, axis=1)
        # What is left of a video none of whose words is shared, or on the axes kept, is rounding.
        good = length > 1e-6
        kept += [i for i, is_good in zip(block, good, strict=True) if is_good]
        blocks.append((z[good] / length[good, None]).astype(np.float32))
    return kept, np.vstack(blocks)


def stemmer() -> Callable[[str], list[str]]:
    """A function from a text to its words less stop words, each as its folded lemma's start."""
    lemma = lemmatiser()

    @lru_cache(maxsize=200_000)
    def stem(of: str) -> str:
        return folded(of)[:STEM_LETTERS]

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


def _sample(ids: Sequence[str], options: LexicalOptions) -> list[str]:
    if len(ids) <= options.sample_limit:
        return list(ids)
    draw = np.random.default_rng(options.seed)
    return [ids[i] for i in np.sort(draw.choice(len(ids), options.sample_limit, replace=False))]


def _fitted(
    documents: Sequence[str], stems: Callable[[str], list[str]], options: LexicalOptions
) -> _Space:
    from sklearn.decomposition import TruncatedSVD

    counts = [Counter(stems(document)) for document in documents]
    videos = Counter(word for count in counts for word in count)
    most = _LARGEST_SHARE * len(documents)
    kept = sorted(word for word, n in videos.items() if _FEWEST_VIDEOS <= n <= most)
    columns = {word: column for column, word in enumerate(kept)}
    weights = np.log(len(documents) / np.array([videos[word] for word in kept], np.float64))
    k = min(options.dimensions, len(documents) - 1, len(kept) - 1)
    if k < 1:
        # Too few words for an SVD: the words are the axes.
        return _Space(columns, weights, np.eye(len(kept)))
    # Ten rounds: the last axes of a small library have almost equal singular values.
    svd = TruncatedSVD(k, n_iter=10, random_state=options.seed)
    svd.fit(_weighted(counts, columns, weights))
    return _Space(columns, weights, np.ascontiguousarray(svd.components_.T))


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
