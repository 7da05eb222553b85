"""Folds for cross-validation: random ones, and ones that keep a series together.

Episodes of a show have near-same titles and the same tags. With random folds an episode is judged
by its neighbours in the same show; with grouped folds the show is new, as a new publisher's is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ml.tags.tree import TagError
from ml.taxonomy import name_key

# What tells one episode from the next, in the two languages that titles here have.
_EPISODES = """
выпуск выпуски серия серии сезон сезона эпизод эпизоды часть части ч глава день неделя тур этап
раунд урок лекция анонс трейлер тизер промо финал полный полностью новый новая новое премьера
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
episode episodes ep season part series chapter day week round lesson lecture trailer teaser
promo final full new premiere no vol
"""
_EPISODE_WORDS = frozenset(_EPISODES.split())
_WORD = re.compile(r"[^\W\d_]+")
_BREAK = re.compile(r"[|:;•–—/()\[\]«»\"!?#]|\.\s|\s-\s|,\s")
_NUMBERED = re.compile(r"#\s*\d")
# A piece of an episode's title between signs names its series when it has so many letters and two
# words, and stands in another episode's title too: "Кухня" is a theme, "Вечерний Ургант" a show.
_SERIES_LETTERS = 10
# Titles whose character trigrams have a cosine of so much are episodes of one series.
SAME_SERIES = 0.7
_ROWS = 2048


def random_folds(count: int, folds: int, seed: int = 0) -> np.ndarray:
    """int64[count]: the fold of each video, 0 to folds - 1, of sizes that differ by one at most.

    Raises:
        TagError: fewer than two folds, or fewer videos than folds.
    """
    _check(count, folds, "videos")
    fold = np.arange(count) % folds
    return np.random.default_rng(seed).permutation(fold)


def grouped_folds(groups: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """int64[count]: the fold of each video; a group is never divided.

    The largest group goes first, each to the fold with the fewest videos so far.

    Raises:
        TagError: fewer than two folds, or fewer groups than folds.
    """
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _check(len(names), folds, "series")
    chance = np.random.default_rng(seed).random(len(names))
    fold_of = np.zeros(len(names), np.int64)
    filled = np.zeros(folds, np.int64)
    for group in np.lexsort((chance, -sizes)):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[place]


def series_groups(titles: Sequence[str], publishers: Sequence[str] = ()) -> np.ndarray:
    """int64[n]: a number for each series of near-same titles, or for each publisher.

    Videos of one publisher belong together. The others are compared by title, without digits,
    signs and words such as "выпуск" and "season": two belong together when their character
    trigrams are alike (`SAME_SERIES`), when both are of episodes and share a long piece between
    signs, or through a third. Videos without a publisher or a title of letters stand alone.

    Args:
        titles: of the videos.
        publishers: who published each, empty if unknown; none at all where nobody is known.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    known = [name_key(publisher) for publisher in publishers] or [""] * len(titles)
    # Two publishers' titles are not compared: chains of "мой день" would join half a library.
    names = ["" if who else " ".join(_title_words(t)) for t, who in zip(titles, known, strict=True)]
    links = _alike(names)
    first: dict[str, int] = {}
    for row, (title, publisher) in enumerate(zip(titles, known, strict=True)):
        keys = [publisher] if publisher else [f": {piece}" for piece in _long_pieces(title)]
        links += [(first.setdefault(key, row), row) for key in keys]
    ends = np.array(links, np.int64).reshape(-1, 2)
    shape = (len(titles), len(titles))
    graph = sparse.coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=shape)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _title_words(title: str) -> list[str]:
    words = _WORD.findall(title.casefold().replace("ё", "е"))
    return [word for word in words if word not in _EPISODE_WORDS]


def _long_pieces(title: str) -> set[str]:
    """The pieces that may name a series; none of a title that is not an episode's."""
    words = set(_WORD.findall(title.casefold()))
    if not words & _EPISODE_WORDS and not _NUMBERED.search(title):
        return set()
    pieces = {" ".join(_title_words(piece)) for piece in _BREAK.split(title)}
    return {piece for piece in pieces if len(piece) >= _SERIES_LETTERS and " " in piece}


def _alike(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of names whose trigrams are alike."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = [row for row, name in enumerate(names) if name]
    if not rows:
        return []
    # Without IDF: what stands in every episode is what makes it a series.
    vectors = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 3), use_idf=False, sublinear_tf=True
    ).fit_transform([names[row] for row in rows])
    links = []
    for start in range(0, len(rows), _ROWS):
        cosines = (vectors[start : start + _ROWS] @ vectors.T).tocoo()
        near = cosines.data >= SAME_SERIES
        pairs = zip(cosines.row[near] + start, cosines.col[near], strict=True)
        links += [(rows[a], rows[b]) for a, b in pairs if a < b]
    return links


def _check(count: int, folds: int, what: str) -> None:
    if folds < 2:
        raise TagError(f"cross-validation needs 2 folds or more, not {folds}")
    if count < folds:
        raise TagError(f"{count} {what} can't be divided into {folds} folds")
