"""What a comparison means: verdict, shares, transform and reason, from segments and sound."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from ml.copies.evidence import Segment
from ml.copies.sound.along import SoundComparison
from ml.copies.verdicts import Seen, Verdict, covered_s, judge
from ml.schemas import PAIR_COLUMNS, SOUND_STATES, VERDICTS


def seen(
    start_s: float,
    end_s: float,
    from_s: float = 0.0,
    *,
    speed: float = 1.0,
    score: float = 0.9,
    mirrored: bool = False,
    turned_deg: float = 0.0,
) -> Seen:
    """Seconds of the copy from ``from_s`` of the original, its picture turned clockwise."""
    back = math.radians(-turned_deg)
    turn = [[math.cos(back), -math.sin(back), 0], [math.sin(back), math.cos(back), 0]]
    to_s = from_s + speed * (end_s - start_s)
    segment = Segment(start_s, end_s, from_s, to_s, speed, score)
    return Seen(segment, mirrored, np.array(turn, np.float32))


def sound(state: str, score: float = 0.5) -> SoundComparison:
    return SoundComparison(state, score, 0.0, 1.0, False, 10.0, 0.0, f"sound {state}")


MISSING = sound("missing")


def verdict(
    segments: list[Seen],
    copy_s: float,
    original_s: float,
    heard: SoundComparison = MISSING,
) -> Verdict:
    judged = judge(segments, heard, (), copy_s, original_s)
    assert judged is not None
    return judged


def track(start_s: float, end_s: float, score: float = 0.9) -> Segment:
    return Segment(start_s, end_s, start_s + 1, end_s + 1, 1.0, score)


def test_all_of_it_from_the_original_is_a_duplicate() -> None:
    judged = verdict([seen(0, 10)], 10, 10)
    assert (judged.verdict, judged.copy_share, judged.original_share) == ("duplicate", 1.0, 1.0)


def test_piece_of_the_original_is_a_duplicate_that_holds_a_share_of_it() -> None:
    judged = verdict([seen(0, 10, 30)], 10, 100)
    assert (judged.verdict, judged.copy_share, judged.original_share) == ("duplicate", 1.0, 0.1)


def test_second_left_over_at_the_ends_is_not_foreign() -> None:
    assert verdict([seen(0, 3)], 4.4, 10).verdict == "duplicate"


@pytest.mark.parametrize(("matched_s", "expected"), [(85, "duplicate"), (75, "partial")])
def test_more_than_a_fifth_foreign_is_partial(matched_s: float, expected: str) -> None:
    assert verdict([seen(0, matched_s)], 100, 100).verdict == expected


def test_nothing_shared_is_no_verdict() -> None:
    assert judge([], MISSING, (), 10, 10) is None


@pytest.mark.parametrize("state", sorted(set(SOUND_STATES) - {"different"}))
def test_only_different_sound_speaks_against_a_copy(state: str) -> None:
    judged = verdict([seen(0, 10)], 10, 10, sound(state))
    assert (judged.verdict, judged.sound, judged.score) == ("duplicate", state, 0.9)


def test_other_words_over_the_same_pictures_are_a_hard_case() -> None:
    judged = verdict([seen(0, 10)], 10, 10, sound("different", 0.1))
    assert judged.verdict == "hard_same_video_other_audio"
    assert judged.audio_score == pytest.approx(0.1)
    assert judged.score < judged.visual_score == pytest.approx(0.9)


def test_same_sound_under_other_pictures_is_a_hard_case() -> None:
    judged = judge([], sound("missing"), [track(0, 9)], 10, 10)
    assert judged is not None
    assert judged.verdict == "hard_other_video_same_audio"
    assert (judged.visual_score, judged.sound, judged.copy_share) == (0.0, "same", 0.9)
    assert "0:00-0:09 from 0:01-0:10" in judged.reason


def test_jingle_in_two_long_videos_is_no_pair() -> None:
    assert judge([], MISSING, [track(0, 3)], 60, 60) is None


def test_most_of_a_short_sound_track_is_a_pair() -> None:
    assert judge([], MISSING, [track(0, 3)], 60, 4) is not None


def test_loop_is_not_twice_the_original() -> None:
    judged = verdict([seen(0, 10), seen(10, 20), seen(20, 30)], 30, 10)
    assert (judged.copy_share, judged.original_share) == (1.0, 1.0)


def test_seconds_that_two_segments_share_count_once() -> None:
    assert covered_s([(5, 8), (0, 6), (20, 21)]) == pytest.approx(9.0)
    assert covered_s([]) == 0.0


def test_shares_stay_within_one_when_a_match_outlasts_the_video() -> None:
    judged = verdict([seen(0, 10.4)], 10, 10)
    assert (judged.copy_share, judged.original_share) == (1.0, 1.0)


def test_shares_of_a_video_without_length_are_finite() -> None:
    judged = verdict([seen(0, 0.02)], 0.0, 0.0)
    assert math.isfinite(judged.copy_share) and math.isfinite(judged.original_share)


def test_segments_are_listed_in_the_order_of_the_copy() -> None:
    judged = verdict([seen(20, 25, 3), seen(0, 5, 40), seen(8, 12, 1)], 30, 60)
    assert judged.copy_starts_s == [0, 8, 20]
    assert judged.copy_ends_s == [5, 12, 25]
    assert judged.original_starts_s == [40, 1, 3]
    assert judged.original_ends_s == [45, 5, 8]


def test_longest_segment_says_how_it_was_edited() -> None:
    long, short = seen(5, 20, speed=1.25, mirrored=True), seen(0, 4, speed=0.8)
    judged = verdict([short, long], 20, 20)
    assert (judged.speed, judged.mirrored) == (1.25, True)
    assert "mirrored" in judged.reason and "1.25 times as fast" in judged.reason


@pytest.mark.parametrize("turned_deg", [0, 4, 90, 180, 270, 352])
def test_rotation_is_how_far_the_copy_is_turned_clockwise(turned_deg: int) -> None:
    assert verdict([seen(0, 10, turned_deg=turned_deg)], 10, 10).rotated_deg == turned_deg


def test_rotation_of_a_fraction_of_a_degree_is_none() -> None:
    assert verdict([seen(0, 10, turned_deg=-0.3)], 10, 10).rotated_deg == 0


def test_reason_of_a_plain_copy_names_ranges_and_sound_and_no_edit() -> None:
    reason = verdict([seen(0, 10, 3725)], 10, 4000, sound("same", 0.9)).reason
    assert "0:00-0:10 from 1:02:05-1:02:15" in reason
    assert "sound same" in reason
    assert not any(word in reason for word in ("mirrored", "turned", "times as fast"))


def test_reason_names_three_ranges_and_counts_the_others() -> None:
    reason = verdict([seen(10 * n, 10 * n + 5) for n in range(5)], 50, 50).reason
    assert reason.count(" from ") == 3 and "and 2 more" in reason


def test_verdict_has_the_columns_of_a_pair() -> None:
    names = [field.name for field in PAIR_COLUMNS]
    for judged in (
        verdict([seen(0, 10)], 10, 10, sound("different", 0.2)),
        judge([], MISSING, [track(0, 9)], 10, 10),
    ):
        assert judged is not None and judged.verdict in VERDICTS
        row = {"copy_id": "b", "original_id": "a", **asdict(judged)}
        assert list(row) == names
        pa.RecordBatch.from_pylist([row], schema=pa.schema(PAIR_COLUMNS)).validate(full=True)
