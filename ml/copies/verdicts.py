"""What a comparison means: the verdict on a pair of videos, and the reason in words.

``duplicate``: nearly all of the later video comes from the earlier one. ``partial``: it also holds
other seconds. ``hard_same_video_other_audio``: the pictures are the earlier video's, what is heard
is not. ``hard_other_video_same_audio``: the other way round. A sound track that is missing or
silent says nothing against a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.copies.evidence import F32, Segment
from ml.copies.sound.along import SoundComparison

# A copy's first and last second often escape a frame a second, so what is left over counts as
# foreign only beyond these.
FOREIGN_SHARE = 0.2
FOREIGN_S = 1.5
# Sound alone: a jingle or a gong of a few seconds is not the same sound track.
LEAST_HEARD_S = 5.0
LEAST_HEARD_SHARE = 0.5


@dataclass(frozen=True)
class Seen:
    """Seconds in which the two videos show the same."""

    segment: Segment
    mirrored: bool
    transform: F32  # [2, 3], the query's picture into the reference's


@dataclass(frozen=True)
class Verdict:
    """Columns of ``ml.schemas.PAIR_COLUMNS``, without the two ids."""

    verdict: str
    score: float
    visual_score: float
    audio_score: float
    sound: str
    copy_share: float
    original_share: float
    mirrored: bool
    rotated_deg: int
    speed: float
    copy_starts_s: list[float]
    copy_ends_s: list[float]
    original_starts_s: list[float]
    original_ends_s: list[float]
    reason: str


def judge(
    seen: Sequence[Seen],
    sound: SoundComparison,
    heard: Sequence[Segment],
    copy_s: float,
    original_s: float,
) -> Verdict | None:
    """The verdict on a pair, None where the two have nothing to do with each other.

    Args:
        seen: seconds with shared pictures; empty when there are none.
        sound: the comparison of the sound along ``seen``.
        heard: seconds with shared sound, when no pictures are shared.
        copy_s: length of the later video, seconds.
        original_s: length of the earlier one, seconds.
    """
    if seen:
        return _judge_seen(seen, sound, copy_s, original_s)
    if _is_track(heard, copy_s, original_s):
        return _judge_heard(heard, copy_s, original_s)
    return None


def covered_s(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds in the union of the spans."""
    total, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _judge_seen(
    seen: Sequence[Seen], sound: SoundComparison, copy_s: float, original_s: float
) -> Verdict:
    segments = [s.segment for s in seen]
    shares = _shares(segments, copy_s, original_s)
    longest = max(seen, key=lambda s: s.segment.query_end_s - s.segment.query_start_s)
    visual = max(s.score for s in segments)
    if sound.state == "different":
        verdict, score = "hard_same_video_other_audio", visual * (1 - sound.score)
    else:
        foreign_s = copy_s * (1 - shares[0])
        is_whole = foreign_s <= max(FOREIGN_SHARE * copy_s, FOREIGN_S)
        verdict, score = "duplicate" if is_whole else "partial", visual
    return _verdict(
        verdict,
        score,
        visual,
        sound.score,
        sound.state,
        shares,
        segments,
        mirrored=longest.mirrored,
        rotated_deg=_rotated_deg(longest),
        speed=longest.segment.speed,
        reason=_reason_seen(segments, longest, shares, sound),
    )


def _judge_heard(heard: Sequence[Segment], copy_s: float, original_s: float) -> Verdict:
    shares = _shares(heard, copy_s, original_s)
    longest = max(heard, key=lambda s: s.query_end_s - s.query_start_s)
    return _verdict(
        "hard_other_video_same_audio",
        longest.score,
        0.0,
        longest.score,
        "same",
        shares,
        heard,
        mirrored=False,
        rotated_deg=0,
        speed=longest.speed,
        reason=f"no shared pictures, the same sound in {_ranges(heard)}",
    )


def _verdict(
    verdict: str,
    score: float,
    visual: float,
    audio: float,
    sound: str,
    shares: tuple[float, float],
    segments: Sequence[Segment],
    *,
    mirrored: bool,
    rotated_deg: int,
    speed: float,
    reason: str,
) -> Verdict:
    in_order = sorted(segments, key=lambda s: (s.query_start_s, s.reference_start_s))
    return Verdict(
        verdict,
        round(score, 4),
        round(visual, 4),
        round(audio, 4),
        sound,
        round(shares[0], 4),
        round(shares[1], 4),
        mirrored,
        rotated_deg,
        round(speed, 3),
        [round(s.query_start_s, 2) for s in in_order],
        [round(s.query_end_s, 2) for s in in_order],
        [round(s.reference_start_s, 2) for s in in_order],
        [round(s.reference_end_s, 2) for s in in_order],
        reason,
    )


def _shares(segments: Sequence[Segment], copy_s: float, original_s: float) -> tuple[float, float]:
    copied = covered_s([(s.query_start_s, s.query_end_s) for s in segments])
    shown = covered_s([(s.reference_start_s, s.reference_end_s) for s in segments])
    return min(1.0, copied / max(copy_s, 1e-6)), min(1.0, shown / max(original_s, 1e-6))


def _is_track(heard: Sequence[Segment], copy_s: float, original_s: float) -> bool:
    """Whether the shared sound is a track rather than a jingle both happen to have."""
    if not heard:
        return False
    seconds = covered_s([(s.query_start_s, s.query_end_s) for s in heard])
    shortest = min(copy_s, original_s)
    return seconds >= min(LEAST_HEARD_S, shortest) * 0.9 or seconds >= LEAST_HEARD_SHARE * shortest


def _rotated_deg(seen: Seen) -> int:
    """Degrees the copy is turned clockwise: the transform turns it back.

    A mirrored picture is mirrored before the transform, which then turns the other way.
    """
    (a, b), (c, d) = np.asarray(seen.transform, np.float64)[:, :2]
    back = math.degrees(math.atan2(c - b, a + d))
    return round(back if seen.mirrored else -back) % 360


def _reason_seen(
    segments: Sequence[Segment], longest: Seen, shares: tuple[float, float], sound: SoundComparison
) -> str:
    share = f"{shares[0]:.0%}" if shares[0] >= 0.01 else "under 1%"
    how = [f"{share} of it shows the original: {_ranges(segments)}"]
    if longest.mirrored:
        how.append("mirrored")
    turned = _rotated_deg(longest)
    if 3 <= turned <= 357:
        how.append(f"turned by {turned}°")
    speed = longest.segment.speed
    if abs(speed - 1) > 0.02:
        how.append(f"{speed:.2f} times as fast")
    return "; ".join([*how, sound.reason])


def _ranges(segments: Sequence[Segment]) -> str:
    """As in "0:02-0:11 from 1:30-1:39", at most three."""
    parts = [
        f"{_clock(s.query_start_s)}-{_clock(s.query_end_s)} from "
        f"{_clock(s.reference_start_s)}-{_clock(s.reference_end_s)}"
        for s in sorted(segments, key=lambda s: s.query_start_s)
    ]
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return ", ".join(parts[:3]) + more


def _clock(seconds: float) -> str:
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
