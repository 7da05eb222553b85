"""What is wrong below ``indexes/``, told by all rooms that keep something there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from assets.clustering.problems import kept_clusterings
from assets.copies.problems import kept_for_copies
from assets.people.clustering import FOLDER as PEOPLE
from assets.search.problems import kept_for_search
from assets.stores.kept import Kept, problems_of
from assets.stores.problems import Problem
from assets.stores.resources import Library, Models
from assets.tags.problems import kept_for_tags
from assets.topics.clustering import FOLDER as TOPICS


def index_problems(library: Library) -> Iterator[Problem]:
    """Every index that is missing, damaged or behind the datasets; all are read in full."""
    yield from problems_of(library, _kept(library))


def _kept(library: Library) -> Iterator[Kept]:
    return chain(
        kept_for_search(library),
        kept_for_copies(library, Models()),
        kept_for_tags(library),
        kept_clusterings((TOPICS, PEOPLE)),
    )
