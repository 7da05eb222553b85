"""Groups of copies: every member matches the group's original directly.

Joining whatever is connected would glue strangers together: a compilation matches each of its
parts, and through it the parts would be one group. So a copy joins only where at least half of it
comes from the original, and it is joined to an original, never to another copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Of the copy. Under a half, it is a video of its own that quotes another.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Edge:
    """A verified pair, as far as groups need it."""

    copy_id: str
    original_id: str
    verdict: str
    score: float
    copy_share: float
    original_share: float


@dataclass(frozen=True)
class Member:
    """A video of a group; ``score`` is that of its pair with the original, 1 for the original."""

    video_id: str
    group_id: str
    is_original: bool
    group_size: int
    score: float


def group(edges: Iterable[Edge], rank: Mapping[str, int]) -> list[Member]:
    """Groups of two and more videos, the earliest video being the original.

    Args:
        edges: verified pairs, in any order.
        rank: place of every video by time of publication; the earliest is lowest.

    Returns:
        Members by rank of their original, then by their own. Each video is in one group at most:
        that of the earliest original it matches. A copy that matches only other copies founds a
        group of its own with those that match it.

    Raises:
        KeyError: a video of a pair without a rank.
    """
    joined: dict[str, dict[str, float]] = {}
    for edge in edges:
        if _is_same_video(edge):
            joined.setdefault(edge.copy_id, {})[edge.original_id] = edge.score
    members: dict[str, list[tuple[str, float]]] = {}
    original_of: dict[str, str] = {}
    for video in sorted(joined, key=lambda v: rank[v]):
        originals = [o for o in joined[video] if original_of.get(o, o) == o]
        if originals:
            first = min(originals, key=lambda v: rank[v])
            original_of[video] = first
            members.setdefault(first, []).append((video, joined[video][first]))
    return [m for o in sorted(members, key=lambda v: rank[v]) for m in _rows(o, members[o])]


def _is_same_video(edge: Edge) -> bool:
    return edge.verdict == "duplicate" or (
        edge.verdict == "partial" and edge.copy_share >= LEAST_SHARE
    )


def _rows(original: str, copies: list[tuple[str, float]]) -> list[Member]:
    size = len(copies) + 1
    first = Member(original, original, True, size, 1.0)
    return [first, *(Member(video, original, False, size, score) for video, score in copies)]
