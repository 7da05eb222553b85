"""Clusterings on disk, as ``kadr doctor`` and ``kadr index`` look at them.

One that is damaged can't be made again from the datasets: it holds which ids were given to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from assets.clustering import given_names
from assets.clustering.given_names import COPY_REMEDY
from assets.clustering.store import DAMAGE_REMEDY, ClusteringDamaged, load
from assets.stores.kept import Kept


def kept_clusterings(names: Iterable[str]) -> Iterator[Kept]:
    """The clusterings in these folders, and the copy of names that were given by hand."""
    for name in names:
        yield Kept(name, _damage, remedy=DAMAGE_REMEDY)
    yield Kept(given_names.FOLDER, given_names.copy_damage, marker="", remedy=COPY_REMEDY)


def _damage(folder: Path) -> str:
    try:
        load(folder)
    except ClusteringDamaged as error:
        return error.found
    return ""
