"""Over lag and speed the correlation is highest at the true ones."""

from __future__ import annotations

import pytest

from ml.copies.evidence import Motion
from ml.copies.motion.comparison import realigned
from tests.unit.copies.motion.filmed import compared, filmed, part, ticks


@pytest.mark.parametrize("speed", [0.8, 0.95, 1.1, 1.25])
def test_speed_is_refined(original: Motion, speed: float) -> None:
    query = filmed(1, ticks(10, 2.0, speed))
    found = compared(query, original, part((0, 10), 2.2, speed + 0.04))
    assert found.finding == "same"
    assert found.speed == pytest.approx(speed, abs=0.01)
    segment = realigned(part((0, 10), 2.2, speed + 0.04), found)
    assert segment.reference_start_s == pytest.approx(2.0, abs=0.1)
    assert segment.reference_end_s == pytest.approx(2.0 + 10 * speed, abs=0.1)
