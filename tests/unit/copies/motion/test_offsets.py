"""Where two videos move alike is found without a line to start from."""

from __future__ import annotations

import pytest

from ml.copies.evidence import Motion
from ml.copies.motion.offsets import search
from tests.unit.copies.motion.filmed import SAME, filmed, ticks


def test_offset_is_found_among_all(original: Motion) -> None:
    for speed in (1.0, 1.25):
        query = filmed(1, ticks(5, 11.0, speed))
        found = search(query, original, SAME, query_aspect=1, reference_aspect=1)
        assert found[0][0] == pytest.approx(11.0, abs=0.3)
        assert found[0][1] == pytest.approx(speed, abs=0.06) and found[0][2] > 0.8
        assert all(value < 0.7 for offset, _, value in found if abs(offset - 11) > 2)
