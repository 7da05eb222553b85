"""Videos with their texts, vectors and labels, which tags are learnt from and found for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ml.tags.tree import TagError, TagTree
from ml.taxonomy import Taxonomy, clean_name, parse_path, path_text

# A taxonomy's names hold no commas: they are read as " / ". A tag list writes such a name with
# them, so that up to so many pieces between commas may be one path.
_MOST_PIECES = 4
_NAME_COMMA = " / "


class ChannelVectors(NamedTuple):
    """A channel's frozen embeddings.

    Attributes:
        values: float32[n, d]; rows of absent videos are passed over, the others are finite.
        present: bool[n], which videos have the channel.
    """

    values: np.ndarray
    present: np.ndarray


@dataclass(frozen=True, eq=False)
class TagExamples:
    """Videos that tags are learnt from or found for.

    Attributes:
        ids: of the videos.
        texts: channel (title, description, asr, ocr, ...) to each video's text, empty if absent.
        vectors: channel to its embeddings; may be empty.
        labels: each video's tags as nodes of the taxonomy's tree; empty where nothing is known.
            None at all where the videos are only to be tagged.
        publishers: who published each video (in the catalogue: its channel), empty if unknown.
            None at all where nobody is known.

    Raises:
        TagError: lengths that differ, or vectors that are not finite.
    """

    ids: Sequence[str]
    texts: Mapping[str, Sequence[str]]
    vectors: Mapping[str, ChannelVectors] = field(default_factory=dict)
    labels: Sequence[frozenset[int]] = ()
    publishers: Sequence[str] = ()

    def __post_init__(self) -> None:
        lengths = {f"texts of {c!r}": len(t) for c, t in self.texts.items()}
        for channel, (values, present) in self.vectors.items():
            lengths |= {
                f"vectors of {channel!r}": len(values),
                f"mask of {channel!r}": len(present),
            }
            if values.ndim != 2 or not np.isfinite(values[present]).all():
                raise TagError(f"vectors of {channel!r} are no table of finite numbers")
        lengths |= {"labels": len(self.labels)} if len(self.labels) else {}
        lengths |= {"publishers": len(self.publishers)} if len(self.publishers) else {}
        for name, length in lengths.items():
            if length != len(self.ids):
                raise TagError(f"there are {len(self.ids)} videos, but {length} {name}")

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Sequence[int] | np.ndarray) -> TagExamples:
        """The videos at these places, in that order."""
        at = np.asarray(rows, np.int64)
        return TagExamples(
            [self.ids[i] for i in at],
            {channel: [texts[i] for i in at] for channel, texts in self.texts.items()},
            {c: ChannelVectors(v.values[at], v.present[at]) for c, v in self.vectors.items()},
            [self.labels[i] for i in at] if len(self.labels) else (),
            [self.publishers[i] for i in at] if len(self.publishers) else (),
        )

    def labelled(self) -> TagExamples:
        """The videos that have a label."""
        return self.select([i for i, label in enumerate(self.labels) if label])

    def text(self, channel: str) -> Sequence[str]:
        """A channel's texts; empty ones where no video has it."""
        return self.texts.get(channel) or [""] * len(self)


def read_labels(texts: Sequence[str], taxonomy: Taxonomy) -> tuple[list[frozenset[int]], list[str]]:
    """The labels of a catalogue's ``tags`` column.

    Args:
        texts: each video's tags, ``A: B: C, D: E``. A path that ends above the lowest level is a
            label like any other; parents of another of the same video are dropped.
        taxonomy: what the paths belong to.

    Returns:
        Each text's nodes, and sentences on what was mended. An unknown tag is cut down to its
        known beginning; a text without a known tag gives an empty set. Rows count from 1.

    Raises:
        TagError: the taxonomy is empty.
    """
    tree = TagTree.of(taxonomy)
    if not len(tree):
        raise TagError("the taxonomy has no entries: there is nothing to file videos under")
    labels, problems = [], []
    unknown: dict[str, list[int]] = {}
    for row, text in enumerate(texts, 1):
        nodes = _nodes(text or "", tree, row, unknown)
        labels.append(frozenset(tree.without_parents(nodes)))
        if not nodes:
            said = repr(text) if text and text.strip() else "none"
            problems.append(f"row {row} is left out: it has no tag of the taxonomy ({said})")
    return labels, [_about_unknown(tag, rows) for tag, rows in unknown.items()] + problems


def _nodes(text: str, tree: TagTree, row: int, unknown: dict[str, list[int]]) -> set[int]:
    """The nodes of a list of tags; unknown ones are noted with the row."""
    pieces = [clean_name(piece) for piece in text.split(",")]
    nodes: set[int] = set()
    at = 0
    while at < len(pieces):
        node, width = _longest(pieces[at : at + _MOST_PIECES], tree)
        path = parse_path(pieces[at])
        if node is None and path:
            node = _known_beginning(path, tree)
            kept = f", taken as {tree.text(node)}" if node is not None else ""
            unknown.setdefault(f"{path_text(path)!r} is not in the taxonomy{kept}", []).append(row)
        nodes |= {node} if node is not None else set()
        at += width
    return nodes


def _longest(pieces: Sequence[str], tree: TagTree) -> tuple[int | None, int]:
    """The node that the most of these pieces together name, and how many they are."""
    for width in range(len(pieces), 0, -1):
        path = parse_path(_NAME_COMMA.join(pieces[:width]))
        node = tree.find(path) if path else None
        if node is not None:
            return node, width
    return None, 1


def _known_beginning(path: Sequence[str], tree: TagTree) -> int | None:
    for names in range(len(path) - 1, 0, -1):
        node = tree.find(path[:names])
        if node is not None:
            return node
    return None


def _about_unknown(found: str, rows: Sequence[int]) -> str:
    named = ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
    return f"tag {found} (row{'s' if len(rows) > 1 else ''} {named})"
