"""Which seconds of one video show which of another, from frames that match."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
import pytest

from ml.copies.alignment.segments import AlignedSegment, align
from ml.copies.evidence import FrameMatches, Pictures


def frames(starts: Sequence[float], durations: Sequence[float]) -> Pictures:
    count = len(starts)
    return Pictures(
        start_s=np.asarray(starts, np.float64),
        duration_s=np.asarray(durations, np.float64),
        aspect=np.full(count, 16 / 9, np.float32),
        offsets=np.zeros(count + 1, np.int32),
        geometry=np.zeros((0, 4), np.float32),
        descriptors=np.zeros((0, 128), np.uint8),
        hashes=np.zeros((count, 32), np.uint8),
        detail=np.ones(count, np.float32),
    )


def each_second(length_s: float) -> Pictures:
    starts = np.arange(0, length_s - 1e-6, 1.0)
    return frames(starts.tolist(), np.diff(np.r_[starts, length_s]).tolist())


def matches(
    pairs: Sequence[tuple[int, int, float]], mirrored: bool = False, shift: float = 0.0
) -> FrameMatches:
    rows = np.asarray(pairs, np.float64).reshape(-1, 3)
    transform = np.tile(np.array([[1, 0, shift], [0, 1, 0]], np.float32), (len(rows), 1, 1))
    return FrameMatches(
        query_frame=rows[:, 0].astype(np.int32),
        reference_frame=rows[:, 1].astype(np.int32),
        inliers=(rows[:, 2] * 50).astype(np.int32),
        weight=rows[:, 2].astype(np.float32),
        transform=transform,
        mirrored=np.full(len(rows), mirrored),
    )


def shown(
    query: Pictures,
    reference: Pictures,
    parts: Sequence[tuple[float, float, float, float]],
    seed: int = 0,
    missed: float = 0.1,
) -> FrameMatches:
    """Matches as a geometric check gives them where reference = speed * query + offset.

    ``parts`` are (query from, to, speed, offset). Frames within 0.6 s look alike; one in ten is
    missed.
    """
    rng = np.random.default_rng(seed)
    found = []
    for start_s, end_s, speed, offset_s in parts:
        for i, at_s in enumerate(query.start_s):
            if start_s <= at_s < end_s and rng.random() >= missed:
                off = np.abs(reference.start_s - speed * at_s - offset_s)
                found += [(i, int(j), 1.0 - 0.7 * off[j]) for j in np.flatnonzero(off <= 0.6)]
    return matches(found)


def aligned(query: Pictures, reference: Pictures, found: FrameMatches) -> list[AlignedSegment]:
    ends = [float(p.start_s[-1] + p.duration_s[-1]) for p in (query, reference)]
    return align(query, reference, found, query_duration_s=ends[0], reference_duration_s=ends[1])


def spans(found: list[AlignedSegment]) -> list[tuple[float, float, float, float]]:
    segments = [one.segment for one in found]
    return [
        (s.query_start_s, s.query_end_s, s.reference_start_s, s.reference_end_s) for s in segments
    ]


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


def test_static_scene_is_ambiguous_and_takes_the_whole_diagonal() -> None:
    scene = each_second(20)
    every = [(i, j, 0.9) for i in range(20) for j in range(20)]
    found = aligned(scene, scene, matches(every))
    assert spans(found) == [(0, 20, 0, 20)]
    assert found[0].ambiguous


def test_static_scene_is_not_slowed_down_to_fit() -> None:
    every = [(i, j, 0.9) for i in range(15) for j in range(10)]
    found = aligned(each_second(15), each_second(10), matches(every))
    assert max(found, key=lambda one: one.evidence_s).segment.speed == 1


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


def test_five_seconds_in_three_hours_take_a_fraction_of_a_second() -> None:
    query, reference = each_second(5), each_second(10_800)
    found = shown(query, reference, [(0, 5, 1, 7000.4)], missed=0)
    began = time.perf_counter()
    segments = aligned(query, reference, found)
    assert time.perf_counter() - began < 0.5
    assert spans(segments)[0] == pytest.approx((0, 5, 7000.4, 7005.4), abs=0.55)
