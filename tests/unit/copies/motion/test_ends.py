"""Segments end where the thumbnails part."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.evidence import Motion, Segment
from ml.copies.motion.ends import extend
from tests.unit.copies.motion.filmed import FPS, SAME, filmed, ticks


def test_ends_are_grown_and_trimmed_to_the_tick(original: Motion) -> None:
    foreign = [filmed(take, ticks(4), room=take).luma for take in (8, 9)]
    clip = filmed(1, ticks(6.5, 4)).luma
    query = Motion(FPS, np.concatenate([foreign[0], clip, foreign[1]]))
    for start_s, end_s in ((5.0, 9.5), (3.0, 11.5), (3.1, 9.0)):
        segment = Segment(start_s, end_s, start_s, end_s, 1.0, 0.9)
        found = extend(
            query, original, segment, SAME, query_aspect=1, reference_aspect=1, mirrored=False
        )
        assert found.query_start_s == pytest.approx(4.0, abs=0.13)
        assert found.query_end_s == pytest.approx(10.5, abs=0.13)
        assert found.reference_start_s == pytest.approx(found.query_start_s)
