"""What tags keep beside the indexes, as ``kadr doctor`` and ``kadr index`` look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assets.stores.kept import Kept, damage_found
from assets.stores.resources import Library
from assets.tags.keywords import FOLDER as KEYWORDS
from assets.tags.keywords import FREQUENCIES_FILE, frequencies_in
from assets.tags.model import ABOUT, model_damage
from assets.tags.model import FOLDER as TAG_MODEL
from assets.tags.vectors import stored_vectors
from assets.tags.zero_shot import FOLDER as TAGS


def kept_for_tags(library: Library) -> Iterator[Kept]:
    """The trained model, the vectors of the taxonomy, and how common words are."""
    yield Kept(TAG_MODEL, lambda folder: model_damage(folder, library.read_taxonomy()), ABOUT)
    yield Kept(TAGS, damage_found(stored_vectors), marker="")
    yield Kept(KEYWORDS, damage_found(_check_frequencies), FREQUENCIES_FILE)


def _check_frequencies(folder: Path) -> None:
    frequencies_in(folder / FREQUENCIES_FILE)
