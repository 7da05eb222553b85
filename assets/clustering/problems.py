"""Clusterings on disk, as ``kadr doctor`` and ``kadr index`` look at them.

One that is damaged can't be made again from the datasets: it holds which ids were given to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from assets.clustering.store import DAMAGE_REMEDY, ClusteringDamaged, load
from assets.stores.kept import Kept


def kept_clusterings(names: Iterable[str]) -> Iterator[Kept]:
    """The clusterings in these folders."""
    for name in names:
        yield Kept(name, _damage, remedy=DAMAGE_REMEDY)


def _damage(folder: Path) -> str:
    try:
        load(folder)
    except ClusteringDamaged as error:
        return error.found
    return ""
