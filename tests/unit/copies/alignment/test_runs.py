"""Along a line, a run of matches may have gaps, but they cost."""

from __future__ import annotations

import pytest

from tests.unit.copies.alignment.matched import aligned, each_second, shown


def test_gap_that_was_looked_at_costs() -> None:
    query, reference = each_second(20), each_second(20)
    whole = shown(query, reference, [(0, 20, 1, 0)], missed=0)
    holed = shown(query, reference, [(0, 8, 1, 0), (12, 20, 1, 0)], missed=0)
    one, other = (aligned(query, reference, found) for found in (whole, holed))
    assert len(other) == 1
    assert other[0].segment.score < one[0].segment.score
    assert other[0].coverage == pytest.approx(0.8, abs=0.05)


def test_long_gap_parts_two_segments() -> None:
    query, reference = each_second(40), each_second(40)
    found = shown(query, reference, [(0, 10, 1, 0), (25, 40, 1, 0)], missed=0)
    assert len(aligned(query, reference, found)) == 2
