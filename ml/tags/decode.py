"""From scores, or from probabilities of whole sets of tags, to the tags of each video.

`decode` takes any scores of nodes. `LabelSets` is for models that say how probable each set of
tags is: it answers with the set whose expected intersection over union is the greatest
(minimum-Bayes-risk decoding), which may be a prefix where the model is torn between two children,
or two tags where it is torn between either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np

from ml.tags.tree import TagError, TagTree

Decoded = list[list[tuple[int, float]]]

# Sets beyond the commonest so many are counted as the kept one they overlap most.
MOST_SETS = 1500
# Unions of two are tried among the commonest so many sets, which gives at most 780 more answers.
_UNITED_SETS = 40


@dataclass(frozen=True)
class DecodeOptions:
    """What is made of scores.

    Attributes:
        most_tags: per video, at most.
        least_confidence: tags below it are left out, but for a video's first tag.
        least_of_parent: a first tag below ``least_confidence`` goes down to a child of at least so
            large a share of its parent's confidence.
    """

    most_tags: int = 3
    least_confidence: float = 0.5
    least_of_parent: float = 0.5

    def __post_init__(self) -> None:
        if self.most_tags < 1:
            raise TagError(f"most_tags must be 1 or more, not {self.most_tags}")


def decode(scores: np.ndarray, tree: TagTree, options: DecodeOptions | None = None) -> Decoded:
    """Each video's tags with their confidence, the surest first.

    A child is at most as sure as its parent; a parent of another tag found is dropped; there is at
    least one tag and at most ``most_tags``.

    Args:
        scores: float32[n, m], confidence of each node for each video.
        tree: of m nodes.
        options: see there.

    Raises:
        TagError: scores of another shape or not finite, or a tree without nodes.
    """
    options = options or DecodeOptions()
    capped = under_parents(scores, tree)
    return [_decoded_row(row, tree, options) for row in capped]


def under_parents(scores: np.ndarray, tree: TagTree) -> np.ndarray:
    """float32[n, m]: scores with each child's at most its parent's; errors as in `decode`."""
    if not len(tree):
        raise TagError("the taxonomy has no entries: there is nothing to file videos under")
    if scores.ndim != 2 or scores.shape[1] != len(tree):
        raise TagError(f"scores have the shape {scores.shape}, not (videos, {len(tree)} tags)")
    if not np.isfinite(scores).all():
        raise TagError("scores hold values that are not finite")
    capped = scores.astype(np.float32)
    for node, parent in enumerate(tree.parent):
        if parent >= 0:
            np.minimum(capped[:, node], capped[:, parent], out=capped[:, node])
    return capped


def _decoded_row(row: np.ndarray, tree: TagTree, options: DecodeOptions) -> list[tuple[int, float]]:
    kept = tree.without_parents(np.flatnonzero(row >= options.least_confidence).tolist())
    found = kept or {_first_tag(row, tree, options)}
    best = sorted(found, key=lambda node: (-row[node], node))[: options.most_tags]
    return [(node, float(row[node])) for node in best]


def _first_tag(row: np.ndarray, tree: TagTree, options: DecodeOptions) -> int:
    """The best node of the top, or below it while a child is nearly as sure."""
    node, children = -1, np.flatnonzero(tree.parent == -1)
    while len(children):
        best = int(children[row[children].argmax()])
        if node >= 0 and row[best] < options.least_of_parent * row[node]:
            break
        node, children = best, np.flatnonzero(tree.parent == best)
    return node


@dataclass(frozen=True, eq=False)
class LabelSets:
    """The sets of tags that videos had in training, and the sets that may be answered.

    Attributes:
        tree: what the tags are nodes of.
        seen: bool[s, m], each distinct set with its parents, the commonest first.
        answers: bool[a, m], the seen sets of at most ``most_tags`` tags, what is left of them when
            lower levels are cut off, and unions of two of the commonest.
    """

    tree: TagTree
    seen: np.ndarray
    answers: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[Collection[int]], tree: TagTree, most_tags: int = 3) -> Self:
        """The sets of these labels.

        Raises:
            TagError: a video without a label, or ``most_tags`` below 1.
        """
        if most_tags < 1:
            raise TagError(f"most_tags must be 1 or more, not {most_tags}")
        if not all(labels) or not labels:
            raise TagError("label sets need videos that all have a label")
        counts = Counter(frozenset(tree.with_parents(nodes)) for nodes in labels)
        # Sorted by their nodes where equally common, so that nothing hangs on the order of rows.
        seen = sorted(counts, key=lambda s: (-counts[s], sorted(s)))[:MOST_SETS]
        return cls(
            tree, _table(seen, len(tree)), _table(_answers(seen, tree, most_tags), len(tree))
        )

    @cached_property
    def gains(self) -> np.ndarray:
        """float32[s, a]: the intersection over union of each seen set with each answer."""
        return overlap(self.seen, self.answers)

    def places(self, labels: Sequence[Collection[int]]) -> np.ndarray:
        """int64[n]: each label's place among the seen sets; of others, that of the likest."""
        wanted = _table([self.tree.with_parents(nodes) for nodes in labels], len(self.tree))
        return overlap(wanted, self.seen).argmax(axis=1).astype(np.int64)

    def best(self, probabilities: np.ndarray) -> np.ndarray:
        """int64[n]: the answer of the greatest expected gain under float[n, s] probabilities."""
        return (probabilities @ self.gains).argmax(axis=1).astype(np.int64)

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """float32[n, m]: how probable each node is; a child never more than its parent."""
        weights = np.maximum(probabilities, 0)
        total = weights.sum(axis=1, keepdims=True)
        shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        return np.minimum(shares @ self.seen.astype(np.float32), 1).astype(np.float32)

    def decode(self, probabilities: np.ndarray) -> Decoded:
        """The tags of each video's best answer with their probability, the surest first."""
        scores = self.scores(probabilities)
        return [
            sorted(
                ((node, float(row[node])) for node in self.tags[at]), key=lambda t: (-t[1], t[0])
            )
            for at, row in zip(self.best(probabilities), scores, strict=True)
        ]

    @cached_property
    def tags(self) -> list[list[int]]:
        """Each answer's nodes without parents that add nothing."""
        sets = (np.flatnonzero(row).tolist() for row in self.answers)
        return [sorted(self.tree.without_parents(nodes)) for nodes in sets]


def overlap(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float32[a, b]: intersection over union of bool[a, m] with bool[b, m]; 0 of two empty sets."""
    left, right = some.astype(np.float32), others.astype(np.float32)
    shared = left @ right.T
    union = left.sum(axis=1)[:, None] + right.sum(axis=1)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _answers(seen: Sequence[frozenset[int]], tree: TagTree, most_tags: int) -> list[frozenset[int]]:
    found: dict[frozenset[int], None] = dict.fromkeys(seen)
    for level in (2, 1):
        found |= dict.fromkeys(frozenset(n for n in s if tree.level[n] <= level) for s in seen)
    found |= dict.fromkeys(a | b for a, b in combinations(seen[:_UNITED_SETS], 2))
    kept = [s for s in found if len(tree.without_parents(s)) <= most_tags]
    # Where every video has more tags than may be answered, single tags are the answers.
    return kept or [frozenset(tree.with_parents([n])) for n in sorted(set().union(*seen))]


def _table(sets: Iterable[Collection[int]], nodes: int) -> np.ndarray:
    rows = list(sets)
    table = np.zeros((len(rows), nodes), bool)
    for row, of in enumerate(rows):
        table[row, list(of)] = True
    return table
