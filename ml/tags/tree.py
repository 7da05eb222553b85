"""A taxonomy as arrays: nodes are numbers, in the order of its entries, parents before children."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np

from ml.taxonomy import Taxonomy, TreePath, path_key, path_text


class TagError(ValueError):
    """Labels, texts or a model that tags can't be made from; says what was found."""


@dataclass(frozen=True, eq=False)
class TagTree:
    """A taxonomy's nodes.

    Attributes:
        taxonomy: what it was made of.
        paths: the names of each node's path, from the top.
        parent: int64[m], the node above; -1 at the top.
        level: int64[m], 1 to 3.
    """

    taxonomy: Taxonomy = field(repr=False)
    paths: tuple[TreePath, ...]
    parent: np.ndarray
    level: np.ndarray

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> Self:
        """The tree of a taxonomy; one without entries gives a tree without nodes."""
        paths = tuple(entry.path for entry in taxonomy.entries)
        number = {path_key(path): node for node, path in enumerate(paths)}
        parent = [number[path_key(p[:-1])] if len(p) > 1 else -1 for p in paths]
        level = [len(path) for path in paths]
        return cls(taxonomy, paths, np.array(parent, np.int64), np.array(level, np.int64))

    def __len__(self) -> int:
        return len(self.paths)

    def find(self, path: Sequence[str]) -> int | None:
        """The node of a path in any case and in any of the taxonomy's languages."""
        entry = self.taxonomy.find(path)
        return None if entry is None else self._numbers[path_key(entry.path)]

    def text(self, node: int) -> str:
        """A node's path as it is written: ``A: B: C``."""
        return path_text(self.paths[node])

    def with_parents(self, nodes: Collection[int]) -> set[int]:
        """The nodes and all that stand above them."""
        found: set[int] = set()
        for node in nodes:
            while node >= 0 and node not in found:
                found.add(node)
                node = int(self.parent[node])
        return found

    def without_parents(self, nodes: Collection[int]) -> set[int]:
        """The nodes less those that stand above another: ``A`` adds nothing to ``A: B``."""
        kept = set(nodes)
        above = self.with_parents([int(self.parent[node]) for node in kept])
        return kept - above

    @cached_property
    def _numbers(self) -> dict[TreePath, int]:
        return {path_key(path): node for node, path in enumerate(self.paths)}
