"""Rows of known pairs are checked before they are believed."""

from __future__ import annotations

import pytest

from ml.copies.pair_rows import known_pairs
from tests.unit.copies.known import truth


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a1", "a", "x", 0, "", 0, 1, "partial"), "line 2: no value in column copy_end_s"),
        (("a1", "a", "x", 0, "ten", 0, 1, "partial"), "copy_end_s is 'ten', not seconds"),
        (("a1", "a", "x", 0, 1, 0, 1, "maybe"), "expected_verdict is 'maybe', not one of"),
    ],
)
def test_wrong_row_is_named(row: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        known_pairs(truth(row))
