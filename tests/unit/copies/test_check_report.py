"""One verdict from those of the pairs, and which match comes first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assets.copies.check_report import (
    EXIT_CODES,
    by_strength,
    verdict_on,
)
from tests.unit.copies.checks import match


@pytest.mark.parametrize(
    ("pairs", "verdict", "code"),
    [
        ([], "new", 0),
        (["partial"], "copy", 10),
        (["hard_same_video_other_audio", "duplicate"], "copy", 10),
        (["hard_other_video_same_audio"], "hard case", 11),
        (["hard_same_video_other_audio", "hard_other_video_same_audio"], "hard case", 11),
    ],
)
def test_the_strongest_pair_decides(pairs: list[str], verdict: str, code: int) -> None:
    assert verdict_on(pairs) == verdict
    assert EXIT_CODES[verdict] == code


def test_copies_come_before_hard_cases_and_the_surest_first() -> None:
    given = [
        match("hard", "hard_same_video_other_audio", 0.99),
        match("weak", "partial", 0.6),
        match("sure", "partial", 0.95),
    ]
    assert [m.video_id for m in by_strength(given)] == ["sure", "weak", "hard"]


def test_of_equally_sure_copies_the_earliest_is_the_original() -> None:
    later = match("a", score=0.951, published_at=datetime(2026, 5, 1, tzinfo=UTC))
    undated = match("b", score=0.952, published_at=None)
    earlier = match("c", score=0.949)
    assert [m.video_id for m in by_strength([later, undated, earlier])] == ["c", "a", "b"]


def test_the_same_file_comes_first() -> None:
    same = match("z", score=1.0, is_same_file=True, published_at=None)
    assert by_strength([match("a", score=1.0), same])[0] is same
