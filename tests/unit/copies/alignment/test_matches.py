"""A still is one picture, however long it stands."""

from __future__ import annotations

from tests.unit.copies.alignment.matched import aligned, each_second, frames, matches, spans


def test_still_in_one_video_is_not_a_minute_of_match() -> None:
    query, reference = frames([0, 5], [5, 60]), each_second(60)
    found = aligned(query, reference, matches([(1, 30, 0.9)]))
    assert len(found) == 1
    segment = found[0].segment
    assert segment.query_end_s - segment.query_start_s < 2
    assert found[0].evidence_s <= 1 and segment.score < 0.4 and found[0].ambiguous


def test_one_still_in_both_is_weak_evidence_however_long() -> None:
    still = frames([0], [60])
    found = aligned(still, still, matches([(0, 0, 1.0)]))
    assert len(found) == 1
    assert found[0].evidence_s <= 1 and found[0].segment.score < 0.4


def test_slide_show_is_matched_from_end_to_end() -> None:
    slides = frames([0, 10, 20, 30, 40, 50], [10] * 6)
    found = aligned(slides, slides, matches([(i, i, 0.9) for i in range(6)]))
    assert spans(found) == [(0, 60, 0, 60)]
    assert found[0].segment.score > 0.85 and not found[0].ambiguous
