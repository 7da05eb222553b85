"""Pairs that are known, and the same pairs found."""

from __future__ import annotations

from collections.abc import Sequence

from ml.copies.pair_rows import FoundPair, known_pairs
from samples.truth import PAIR_COLUMNS

OTHER_AUDIO, OTHER_VIDEO = "hard_same_video_other_audio", "hard_other_video_same_audio"


def truth(*rows: tuple[object, ...]) -> list[dict[str, str]]:
    """Rows of pairs.csv: copy, original, kind, four times, verdict."""
    return [dict(zip(PAIR_COLUMNS, map(str, row), strict=True)) for row in rows]


def found(
    copy: str,
    original: str,
    verdict: str = "duplicate",
    score: float = 0.9,
    spans: Sequence[tuple[float, float]] = ((0, 10),),
) -> FoundPair:
    return FoundPair(copy, original, verdict, score, tuple(spans), tuple(spans))


TRUTH = known_pairs(
    truth(
        ("a1", "a", "mirrored", 0, 10, 0, 10, "duplicate"),
        ("b1", "b", "inserted", 2, 8, 0, 6, "partial"),
        ("c1", "c", "other_speech", 0, 10, 0, 10, OTHER_AUDIO),
        ("d1", "d", "same_sound", 0, 10, 0, 10, OTHER_VIDEO),
    )
)
ALL_FOUND = [
    found("a1", "a"),
    found("b1", "b", "partial", spans=[(2, 8)]),
    found("c1", "c", OTHER_AUDIO),
    found("d1", "d", OTHER_VIDEO),
]
