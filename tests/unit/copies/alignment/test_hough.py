"""The line that matches lie on is found: its speed, and its offset among thousands."""

from __future__ import annotations

import time

import pytest

from tests.unit.copies.alignment.matched import aligned, each_second, matches, shown, spans


@pytest.mark.parametrize("speed", [0.67, 0.8, 0.9, 1.1, 1.25, 1.5])
def test_speed_of_a_whole_copy_is_found_within_two_hundredths(speed: float) -> None:
    query, reference = each_second(20 / speed), each_second(20)
    found = aligned(query, reference, shown(query, reference, [(0, 99, speed, 0)]))
    assert len(found) == 1
    assert found[0].segment.speed == pytest.approx(speed, abs=0.02)


def test_speed_of_a_long_part_is_found_within_two_hundredths() -> None:
    query, reference = each_second(60), each_second(90)
    found = aligned(query, reference, shown(query, reference, [(12, 52, 1.25, 9.3)]))
    assert len(found) == 1
    assert found[0].segment.speed == pytest.approx(1.25, abs=0.02)
    assert spans(found)[0] == pytest.approx((12, 52, 24.3, 74.3), abs=1.0)


def test_static_scene_is_not_slowed_down_to_fit() -> None:
    every = [(i, j, 0.9) for i in range(15) for j in range(10)]
    found = aligned(each_second(15), each_second(10), matches(every))
    assert max(found, key=lambda one: one.evidence_s).segment.speed == 1


def test_five_seconds_in_three_hours_take_a_fraction_of_a_second() -> None:
    query, reference = each_second(5), each_second(10_800)
    found = shown(query, reference, [(0, 5, 1, 7000.4)], missed=0)
    began = time.perf_counter()
    segments = aligned(query, reference, found)
    assert time.perf_counter() - began < 0.5
    assert spans(segments)[0] == pytest.approx((0, 5, 7000.4, 7005.4), abs=0.55)
