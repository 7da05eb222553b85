"""How well sets of tags agree, where every path counts with all its prefixes.

``A: B: C`` counts as ``A``, ``A: B`` and ``A: B: C``, so that a tag that is right on two levels of
three earns something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ml.tags.tree import TagError, TagTree

# Tags of fewer videos than that are rare.
RARE_BELOW = 5

Tags = Sequence[Collection[int]]


@dataclass(frozen=True)
class Agreement:
    """Agreement over (video, tag) pairs.

    Attributes:
        precision: the share of found pairs that are true; 0 where none is found.
        recall: the share of true pairs that are found; 0 where none is true.
        tags: distinct true tags.
        pairs: true pairs.
    """

    precision: float
    recall: float
    tags: int
    pairs: int


@dataclass(frozen=True)
class TagScores:
    """How well found tags agree with the true ones.

    Attributes:
        mean_iou: see `mean_iou`.
        overall: all pairs.
        levels: the pairs of each level, from the top.
        rare: the pairs of rare tags.
    """

    mean_iou: float
    overall: Agreement
    levels: tuple[Agreement, ...]
    rare: Agreement


def mean_iou(found: Tags, true: Tags, tree: TagTree) -> float:
    """Mean over videos of the intersection over union of the two sets of tags with prefixes.

    Args:
        found: each video's tags; none counts as nothing found.
        true: each video's true tags, at least one.
        tree: what the tags are nodes of.

    Raises:
        TagError: the lengths differ, there are no videos, or one has no true tag.
    """
    ious = [len(f & t) / len(f | t) for f, t in _pairs(found, true, tree)]
    return sum(ious) / len(ious)


def tag_scores(found: Tags, true: Tags, tree: TagTree, rare_below: int = RARE_BELOW) -> TagScores:
    """Every figure at once; arguments and errors as in `mean_iou`.

    Precision and recall are of pairs of all videos together, so that a common tag weighs as often
    as it stands. A tag is rare when fewer than ``rare_below`` of ``true`` have it, itself or below.
    """
    pairs = _pairs(found, true, tree)
    videos = Counter(tag for _, t in pairs for tag in t)
    every = set(range(len(tree)))
    levels = [{n for n in every if tree.level[n] == k} for k in sorted(set(tree.level.tolist()))]
    return TagScores(
        mean_iou=mean_iou(found, true, tree),
        overall=_agreement(pairs, every),
        levels=tuple(_agreement(pairs, of_level) for of_level in levels),
        rare=_agreement(pairs, {tag for tag, count in videos.items() if count < rare_below}),
    )


def _pairs(found: Tags, true: Tags, tree: TagTree) -> list[tuple[set[int], set[int]]]:
    if len(found) != len(true):
        raise TagError(f"{len(found)} videos have found tags, {len(true)} have true ones")
    if not true:
        raise TagError("there are no videos to compare tags on")
    if not all(true):
        empty = sum(not tags for tags in true)
        raise TagError(f"{empty} of {len(true)} videos have no true tag; leave them out")
    return [(tree.with_parents(f), tree.with_parents(t)) for f, t in zip(found, true, strict=True)]


def _agreement(pairs: Sequence[tuple[set[int], set[int]]], among: set[int]) -> Agreement:
    """The agreement on these tags."""
    kept = [(f & among, t & among) for f, t in pairs]
    right = sum(len(f & t) for f, t in kept)
    found, true = sum(len(f) for f, _ in kept), sum(len(t) for _, t in kept)
    tags = len(set().union(*(t for _, t in kept)))
    return Agreement(right / found if found else 0.0, right / true if true else 0.0, tags, true)
