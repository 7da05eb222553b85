"""Before a camera that never moves, movement says which seconds are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.copies.alignment.segments import AlignedSegment
from ml.copies.evidence import Motion, Segment
from ml.copies.motion.realignment import resolve
from tests.unit.copies.motion.filmed import FPS, SAME, filmed, part, ticks


def ambiguous(segment: Segment) -> AlignedSegment:
    return AlignedSegment(segment, False, SAME, np.zeros(1, np.int32), 9.0, 1.0, True)


def resolved(query: Motion, reference: Motion, line: AlignedSegment) -> list[Any]:
    return resolve(
        query,
        reference,
        line,
        query_aspect=1,
        reference_aspect=1,
        reference_duration_s=len(reference.luma) / FPS,
    )


def test_static_scene_is_aligned_by_what_moves_in_it(original: Motion) -> None:
    query = filmed(1, ticks(8, 9.2))
    found = resolved(query, original, ambiguous(part((0, 8), 0)))
    assert len(found) == 1
    segment, motion = found[0]
    assert motion.finding == "same"
    assert segment.reference_start_s == pytest.approx(9.2, abs=0.15)
    assert (segment.query_start_s, segment.query_end_s) == pytest.approx((0, 8), abs=0.26)


def test_loop_of_a_static_scene_is_three_segments(original: Motion) -> None:
    query = Motion(FPS, np.tile(filmed(1, ticks(5, 4)).luma, (3, 1, 1)))
    found = resolved(query, original, ambiguous(part((0, 15), 2)))
    assert [motion.finding for _, motion in found] == ["same"] * 3
    for number, (segment, _) in enumerate(found):
        assert segment.query_start_s == pytest.approx(5 * number, abs=0.8)
        assert segment.reference_start_s - segment.query_start_s == pytest.approx(
            4 - 5 * number, abs=0.15
        )


def test_other_take_stays_as_it_was_and_is_called_other(original: Motion) -> None:
    line = ambiguous(part((0, 8), 4))
    found = resolved(filmed(5, ticks(8)), original, line)
    assert len(found) == 1
    assert found[0][0] == line.segment and found[0][1].finding == "other"
