"""Lexical features of a video's texts, and its embeddings beside them, as one sparse matrix.

A view is one way to look at some channels: character n-grams, which meet inflected Russian words
and the spelling of a show's name, or lemmas. Counts depend on nothing but the texts; weights (IDF)
are learnt from the videos that a model is trained on. The rows are of unit length, so that their
products are cosines. All that is learnt is arrays of text and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from ml.tags.examples import TagExamples
from ml.tags.tree import TagError

if TYPE_CHECKING:
    from scipy import sparse

# Hours of speech say no more of the theme than their beginning.
_CHARACTERS = 6000
TITLE, DESCRIPTION = "title", "description"
VECTORS = "vectors"

# NumPy takes a zero at the end of a string for its end.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class View(NamedTuple):
    """Terms of some channels read as one text: ``char`` n-grams within words, or ``lemma``."""

    name: str
    channels: tuple[str, ...]
    kind: str
    shortest: int = 1
    longest: int = 1


WHOLE_CHARS = View("title and description, characters", (TITLE, DESCRIPTION), "char", 2, 5)
TITLE_CHARS = View("title, characters", (TITLE,), "char", 2, 4)
WHOLE_LEMMAS = View("title and description, lemmas", (TITLE, DESCRIPTION), "lemma")
# Which views count how much, as shares of the square of a row's length. Which recipe is best
# depends on the library, so that each model chooses between them by cross-validation.
RECIPES: dict[str, dict[View, float]] = {
    "characters": {WHOLE_CHARS: 1.0},
    "characters, titles and lemmas": {WHOLE_CHARS: 0.4, TITLE_CHARS: 0.3, WHOLE_LEMMAS: 0.3},
    "lemmas and titles": {WHOLE_LEMMAS: 0.6, TITLE_CHARS: 0.4},
}
# What is said, shown on screen or captioned, and the embeddings, are added to every recipe.
_FURTHER_SHARE = 0.2

Counts = Mapping[str, "sparse.csr_array[Any, Any]"]


class Counted(NamedTuple):
    """Videos with the terms of every view counted, and the terms' names by view."""

    examples: TagExamples
    counts: Counts
    terms: Mapping[str, np.ndarray]


def views_of(examples: TagExamples, recipe: str) -> dict[View, float]:
    """A recipe's views for these videos' channels; what no video has is left out."""
    present = {c for c, texts in examples.texts.items() if any(t.strip() for t in texts)}
    views = {v: share for v, share in RECIPES[recipe].items() if present & set(v.channels)}
    further = sorted(present - {TITLE, DESCRIPTION})
    return views | {View(f"{c}, lemmas", (c,), "lemma"): _FURTHER_SHARE for c in further}


def count_terms(examples: TagExamples) -> Counted:
    """The terms of every view of every recipe.

    Raises:
        TagError: no video has a text or a vector.
    """
    views = {v.name: v for recipe in RECIPES for v in views_of(examples, recipe)}
    counts, terms = {}, {}
    for name, view in views.items():
        found = _count(examples, view, None)
        if found is not None:
            counts[name], terms[name] = found
    if not counts and not any(v.present.any() for v in examples.vectors.values()):
        raise TagError("no video has a text or a vector: there is nothing to learn tags from")
    return Counted(examples, counts, terms)


@dataclass(frozen=True, eq=False)
class Features:
    """How rows are made, learnt from some videos.

    Attributes:
        views: each with its share.
        terms: view's name to its terms, str[t].
        idf: view's name to float32[t]; 0 for terms that no video had.
        means: channel to the mean of its embeddings, float32[d].
    """

    views: Mapping[View, float]
    terms: Mapping[str, np.ndarray]
    idf: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]

    @classmethod
    def fit(cls, counted: Counted, rows: np.ndarray, recipe: str) -> Self:
        """Learns the weights of terms from the videos at these places.

        ``idf = log((1 + n) / (1 + videos with the term)) + 1``, as scikit-learn has it.
        """
        views = {
            v: w for v, w in views_of(counted.examples, recipe).items() if v.name in counted.terms
        }
        idf = {}
        for view in views:
            counts = counted.counts[view.name][rows]
            videos = np.bincount(counts.indices, minlength=counts.shape[1])
            weights = np.log((1 + len(rows)) / (1 + videos)) + 1
            idf[view.name] = np.where(videos > 0, weights, 0).astype(np.float32)
        means = {
            channel: values[rows][present[rows]].mean(axis=0)
            for channel, (values, present) in counted.examples.vectors.items()
            if present[rows].any()
        }
        return cls(views, {v.name: counted.terms[v.name] for v in views}, idf, means)

    def count(self, examples: TagExamples) -> Counted:
        """These videos' known terms."""
        counts = {}
        for view in self.views:
            found = _count(examples, view, self.terms[view.name])
            assert found is not None
            counts[view.name] = found[0]
        return Counted(examples, counts, self.terms)

    def matrix(self, counted: Counted, rows: np.ndarray) -> sparse.csr_array[Any, Any]:
        """float32[len(rows), features], sparse; unit rows, or zeros without a known term.

        Raises:
            TagError: embeddings of another width than those it was learnt with.
        """
        from scipy import sparse
        from sklearn.preprocessing import normalize

        blocks = []
        for view, share in self.views.items():
            block = counted.counts[view.name][rows].astype(np.float32)
            block.data = 1 + np.log(block.data)
            block = block @ sparse.diags_array(self.idf[view.name])
            blocks.append(normalize(block) * np.float32(share**0.5))
        blocks += [self._vectors(counted.examples, channel, rows) for channel in self.means]
        return normalize(sparse.csr_array(sparse.hstack(blocks, format="csr", dtype=np.float32)))

    def _vectors(
        self, examples: TagExamples, channel: str, rows: np.ndarray
    ) -> sparse.csr_array[Any, Any]:
        """Embeddings less their mean, which all have in common; zeros where absent."""
        from scipy import sparse
        from sklearn.preprocessing import normalize

        mean = self.means[channel]
        centred = np.zeros((len(rows), len(mean)), np.float32)
        if channel in examples.vectors:
            values, present = (a[rows] for a in examples.vectors[channel])
            if values.shape[1] != len(mean):
                raise TagError(
                    f"vectors of {channel!r} have {values.shape[1]} numbers, the model was trained "
                    f"with {len(mean)}: use the same embedding model, or train again"
                )
            centred[present] = values[present] - mean
        return sparse.csr_array(normalize(centred) * np.float32(_FURTHER_SHARE**0.5))


def _count(
    examples: TagExamples, view: View, terms: np.ndarray | None
) -> tuple[sparse.csr_array[Any, Any], np.ndarray] | None:
    """Counts int64[n, t] and terms str[t], of the given terms or of all; None without any."""
    from scipy import sparse
    from sklearn.feature_extraction.text import CountVectorizer

    texts = documents(examples, view.channels)
    vocabulary = None if terms is None else {str(term): i for i, term in enumerate(terms)}
    if vocabulary == {}:
        return sparse.csr_array((len(texts), 0), dtype=np.int64), np.array([], "<U1")
    settings: dict[str, Any] = (
        {"analyzer": "char_wb", "ngram_range": (view.shortest, view.longest)}
        if view.kind == "char"
        else {"analyzer": _lemmas()}
    )
    vectoriser = CountVectorizer(vocabulary=vocabulary, **settings)
    try:
        counts = vectoriser.fit_transform(texts)
    except ValueError as error:
        if "empty vocabulary" in str(error):
            return None
        raise
    names = vectoriser.get_feature_names_out() if terms is None else terms
    return sparse.csr_array(counts), np.array(names, dtype=np.str_)


def documents(examples: TagExamples, channels: Sequence[str]) -> list[str]:
    """Each video's channels as one text, ё as е, cut to what says something."""
    texts = zip(*(examples.text(channel) for channel in channels), strict=True)
    cut = ("\n".join(t[:_CHARACTERS] for t in of) for of in texts)
    return [_CONTROL.sub(" ", text).lower().replace("ё", "е") for text in cut]


def _lemmas() -> Callable[[str], list[str]]:
    from ml.text.words import lemmatiser, words

    lemma = lemmatiser()
    return lambda text: [word.lemma for word in words(text, lemma)]
