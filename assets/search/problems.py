"""The indexes of search, as ``kadr doctor`` and ``kadr index`` look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from assets.search.cards import FOLDER as CARDS
from assets.search.indexes import INDEXES
from assets.search.lexical import LEXICAL, VOCABULARY, VOCABULARY_FILE
from assets.stores.kept import Kept, behind_versions, damage_found
from assets.stores.resources import Library
from ml.schemas import PASSAGES, VIDEOS
from ml.search.cards import FILE as CARDS_FILE


def kept_for_search(library: Library) -> Iterator[Kept]:
    """The indexes of vectors and words, the vocabulary and the cards."""

    def versions(dataset: str) -> Callable[[Path], str]:
        return behind_versions(partial(_versions, library, dataset))

    for index in INDEXES.values():
        behind = versions(index.source.name)
        yield Kept(index.name, damage_found(_check_vectors), behind=behind)
    yield Kept(LEXICAL, damage_found(_check_words), behind=versions(PASSAGES.name))
    yield Kept(
        VOCABULARY, damage_found(_check_vocabulary), VOCABULARY_FILE, versions(PASSAGES.name)
    )
    yield Kept(CARDS, damage_found(_check_cards), CARDS_FILE, versions(VIDEOS.name))


def _versions(library: Library, dataset: str) -> Mapping[str, str]:
    return library.datasets.versions(dataset)


def _check_vectors(folder: Path) -> None:
    from ml.neighbours import VectorIndex

    VectorIndex.load(folder, mmap=True, verify=True)


def _check_words(folder: Path) -> None:
    from ml.search.lexical_index import LexicalIndex

    LexicalIndex.open(folder, verify=True)


def _check_vocabulary(folder: Path) -> None:
    from ml.search.vocabulary import Vocabulary

    Vocabulary.open(folder / VOCABULARY_FILE)


def _check_cards(folder: Path) -> None:
    from ml.search.cards import Cards

    Cards.open(folder)
