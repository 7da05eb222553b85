"""Which seconds of one video show which of another, from frames that match."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ml.copies.alignment.segments import align
from ml.copies.evidence import FrameMatches
from tests.unit.copies.alignment.matched import aligned, each_second, frames, matches, shown, spans


def test_whole_copy_is_one_segment_from_start_to_end() -> None:
    query, reference = each_second(20), each_second(20)
    found = aligned(query, reference, shown(query, reference, [(0, 20, 1, 0)]))
    assert spans(found) == [(0, 20, 0, 20)]
    assert found[0].segment.speed == 1 and found[0].segment.score > 0.85
    assert not found[0].ambiguous


def test_trimmed_copy_is_found_within_half_a_second_whatever_the_phase() -> None:
    query, reference = each_second(10), each_second(30)
    for phase in (0.0, 0.3, 0.5, 0.8):
        found = aligned(query, reference, shown(query, reference, [(0, 10, 1, 7 + phase)]))
        assert len(found) == 1
        assert spans(found)[0] == pytest.approx((0, 10, 7 + phase, 17 + phase), abs=0.55)


def test_inserted_copy_leaves_out_what_is_foreign() -> None:
    query, reference = each_second(25), each_second(10)
    found = aligned(query, reference, shown(query, reference, [(8.2, 18.2, 1, -8.2)]))
    assert len(found) == 1
    assert found[0].segment.query_start_s == pytest.approx(8.2, abs=0.6)
    assert found[0].segment.query_end_s == pytest.approx(18.2, abs=0.8)


def test_loop_gives_three_segments_of_the_same_reference() -> None:
    query, reference = each_second(30), each_second(10)
    parts = [(0, 10, 1, 0), (10, 20, 1, -10), (20, 30, 1, -20)]
    found = aligned(query, reference, shown(query, reference, parts))
    assert len(found) == 3
    for number, span in enumerate(spans(found)):
        assert span == pytest.approx((10 * number, 10 * number + 10, 0, 10), abs=0.6)


def test_pieces_in_another_order_are_each_found_once() -> None:
    query, reference = each_second(20), each_second(20)
    parts = [(0, 5, 1, 10), (5, 10, 1, -5), (10, 15, 1, 5), (15, 20, 1, -10)]
    found = spans(aligned(query, reference, shown(query, reference, parts, missed=0)))
    assert len(found) == 4
    assert [round(span[2] - span[0]) for span in found] == [10, -5, 5, -10]
    for one, other in itertools.pairwise(found):
        assert one[1] <= other[0] + 1e-6


def test_static_scene_is_ambiguous_and_takes_the_whole_diagonal() -> None:
    scene = each_second(20)
    every = [(i, j, 0.9) for i in range(20) for j in range(20)]
    found = aligned(scene, scene, matches(every))
    assert spans(found) == [(0, 20, 0, 20)]
    assert found[0].ambiguous


def test_mirrored_matches_make_a_mirrored_segment_of_their_transform() -> None:
    query, reference = each_second(10), each_second(10)
    plain = matches([(3, 7, 0.3)])
    turned = matches([(i, i, 0.9) for i in range(10)], mirrored=True, shift=0.25)
    both = FrameMatches(
        *(
            np.concatenate(pair)
            for pair in zip(vars(plain).values(), vars(turned).values(), strict=True)
        )
    )
    found = aligned(query, reference, both)
    assert len(found) == 1
    assert found[0].mirrored and found[0].transform[0, 2] == np.float32(0.25)
    assert both.mirrored[found[0].matches].all()


def test_nothing_matches_nothing() -> None:
    assert aligned(each_second(5), each_second(5), matches([])) == []


def test_videos_of_one_frame_match_on_weak_evidence() -> None:
    for length_s in (0.04, 1.0):
        picture = frames([0], [length_s])
        found = aligned(picture, picture, matches([(0, 0, 1.0)]))
        assert spans(found) == [(0, length_s, 0, length_s)]
        assert 0.1 < found[0].segment.score < 0.4 and found[0].ambiguous


def test_never_more_segments_than_asked_for() -> None:
    query, reference = each_second(30), each_second(10)
    parts = [(0, 10, 1, 0), (10, 20, 1, -10), (20, 30, 1, -20)]
    found = align(
        query,
        reference,
        shown(query, reference, parts),
        query_duration_s=30,
        reference_duration_s=10,
        max_segments=2,
    )
    assert len(found) == 2
