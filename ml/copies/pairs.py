"""One pair of videos, compared in full: pictures, time, motion, sound, verdict.

A pure function of the two videos, so the verdict never depends on when it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.copies.alignment.segments import AlignedSegment, align
from ml.copies.evidence import Evidence, FrameMatches, Segment
from ml.copies.long_videos import match_frames
from ml.copies.motion.comparison import MotionComparison
from ml.copies.motion.comparison import compare as compare_motion
from ml.copies.motion.realignment import resolve
from ml.copies.sound.alone import match_sounds
from ml.copies.sound.along import compare_along
from ml.copies.verdicts import Seen, Verdict, covered_s, judge

VERSION = 2
# Pictures by themselves, where motion cannot tell: a score of alignment under this is chance.
LEAST_SCORE = 0.35
# Pictures against motion: scenes that follow each other at one offset for so long are no chance.
SURE_SCORE, SURE_EVIDENCE_S = 0.75, 5.0
# Motion that is compared for so long and still says neither yes nor no does not bear a match out.
LONG_S = 4.0
SPEED_RANGE = (0.6, 1.6)
# A segment as short as this beside others is chance.
CRUMB_S = 1.0
# Shared sound carries the pictures along where this share of its frames match, this surely.
ALONG_SHARE, ALONG_WEIGHT = 0.5, 0.3
# What moves is sampled every second, a still once.
STILL_FRAMES_PER_S = 0.5
# So few places that agree are letters of two captions, unless motion says otherwise.
STILL_INLIERS = 10
# Mirrored frames are looked for unless plain ones explain this share of the query, this well.
EXPLAINED, EXPLAINED_SCORE = 0.8, 0.8


@dataclass(frozen=True)
class _Checked:
    """A segment of shared pictures.

    ``is_open``: it moves, and whether alike is not clear. ``is_weak``: so unclear, or so still a
    camera, that it may be the same place at another time.
    """

    seen: Seen
    is_open: bool
    is_weak: bool


def compare(query: Evidence, reference: Evidence) -> Verdict | None:
    """What the later video (``query``) has of the earlier one; None for nothing worth a row."""
    matches, lines = aligned(query, reference)
    least_s = min(CRUMB_S, 0.8 * query.duration_s)
    checked = [
        c
        for line in lines
        for c in _checked(line, matches, query, reference)
        if _length_s(c.seen) >= least_s
    ]
    seen = _apart([c.seen for c in checked if not c.is_weak] or [c.seen for c in checked])
    sound = compare_along(query.sound, reference.sound, [s.segment for s in seen])
    heard: Sequence[Segment] = ()
    stands = _stands_alone(checked, sound.state)
    if not stands or sound.state == "different":
        heard = _heard(query, reference, thorough=bool(lines))
        along = [s for piece in heard if (s := _along(piece, matches, query, reference))]
        if not (along or stands or heard):
            along = _end_to_end(matches, query, reference)
        seen = along or (seen if stands else [])
        sound = compare_along(query.sound, reference.sound, [s.segment for s in seen])
    return judge(seen, sound, heard, query.duration_s, reference.duration_s)


def _stands_alone(checked: Sequence[_Checked], sound: str) -> bool:
    """Whether the pictures make a pair, given what the sound along them says."""
    if not checked or sound == "same":
        return bool(checked)
    if sound == "different" and all(c.is_open for c in checked):
        return False
    return not all(c.is_weak for c in checked)


def _heard(query: Evidence, reference: Evidence, *, thorough: bool) -> Sequence[Segment]:
    """Shared sound. Under louder music it is only looked for where pictures match as well.

    The thorough search took 0.4 s of two unrelated pieces of 12 s, the other a third of that.
    """
    if query.sound is None or reference.sound is None:
        return ()
    return match_sounds(query.sound, reference.sound, () if thorough else (0.0,))


def _along(
    line: Segment,
    matches: FrameMatches,
    query: Evidence,
    reference: Evidence,
    *,
    must_move: bool = False,
) -> Seen | None:
    """Shared pictures along a line found otherwise, by sound say; ``must_move``: and alike."""
    near = _near(line, matches, query, reference)
    asked = _frames_in(query, line.query_start_s, line.query_end_s)
    if len(np.unique(matches.query_frame[near])) < ALONG_SHARE * asked or not len(near):
        return None
    best = near[np.argmax(matches.inliers[near])]
    seen = Seen(line, bool(matches.mirrored[best]), matches.transform[best])
    if not _has_motion(query, reference):
        return None if must_move else seen
    assert query.motion is not None and reference.motion is not None
    motion = compare_motion(
        query.motion,
        reference.motion,
        line,
        seen.transform,
        query_aspect=_aspect(query),
        reference_aspect=_aspect(reference),
        mirrored=seen.mirrored,
    )
    if motion.finding == "other" or (must_move and not _throughout(motion)):
        return None
    return seen


def _end_to_end(matches: FrameMatches, query: Evidence, reference: Evidence) -> list[Seen]:
    """The whole of the one along the whole of the other, if it moves alike throughout.

    Before a camera that hardly moves, frames a second apart fit at speed 1 as well as at .7.
    """
    speed = reference.duration_s / max(query.duration_s, 1e-3)
    if not len(matches.weight) or not SPEED_RANGE[0] <= speed <= SPEED_RANGE[1]:
        return []
    whole = Segment(0.0, query.duration_s, 0.0, reference.duration_s, speed, LEAST_SCORE)
    seen = _along(whole, matches, query, reference, must_move=True)
    return [seen] if seen else []


def _near(
    heard: Segment, matches: FrameMatches, query: Evidence, reference: Evidence
) -> npt.NDArray[np.intp]:
    """Matches of frames that the sound's line passes, within a second."""
    q, r = query.pictures, reference.pictures
    at_s = q.start_s[matches.query_frame]
    passed_s = heard.reference_start_s + heard.speed * (at_s - heard.query_start_s)
    late_s = passed_s - r.start_s[matches.reference_frame]
    near = (late_s > -1.0) & (late_s < r.duration_s[matches.reference_frame] + 1.0)
    inside = (at_s > heard.query_start_s - 1.0) & (at_s < heard.query_end_s)
    return np.flatnonzero(near & inside & (matches.weight >= ALONG_WEIGHT))


def _frames_in(query: Evidence, start_s: float, end_s: float) -> int:
    at_s = query.pictures.start_s
    return int(((at_s > start_s - 1.0) & (at_s < end_s)).sum())


def _length_s(seen: Seen) -> float:
    return seen.segment.query_end_s - seen.segment.query_start_s


def _apart(seen: Sequence[Seen]) -> list[Seen]:
    """Segments that share no time of the query: the longer one keeps it."""
    kept: list[Seen] = []
    for one in sorted(seen, key=lambda s: (-_length_s(s), s.segment.query_start_s)):
        start, end = one.segment.query_start_s, one.segment.query_end_s
        for other in (k.segment for k in kept):
            if other.query_start_s <= start < other.query_end_s:
                start = other.query_end_s
            elif start < other.query_start_s < end:
                end = other.query_start_s
        if end - start >= 0.5 * _length_s(one):
            kept.append(replace(one, segment=_between(one.segment, start, end)))
    return sorted(kept, key=lambda s: s.segment.query_start_s)


def _between(segment: Segment, start_s: float, end_s: float) -> Segment:
    """The part of the segment between two times of the query."""
    cut_s, left_s = start_s - segment.query_start_s, segment.query_end_s - end_s
    return replace(
        segment,
        query_start_s=start_s,
        query_end_s=end_s,
        reference_start_s=segment.reference_start_s + segment.speed * cut_s,
        reference_end_s=segment.reference_end_s - segment.speed * left_s,
    )


def aligned(query: Evidence, reference: Evidence) -> tuple[FrameMatches, list[AlignedSegment]]:
    """Frames that match, and where they line up, before motion is asked."""
    plain = match_frames(query.pictures, reference.pictures)
    found = _align(query, reference, plain)
    good = [a.segment for a in found if a.segment.score >= EXPLAINED_SCORE]
    spans = [(s.query_start_s, s.query_end_s) for s in good]
    if covered_s(spans) >= EXPLAINED * query.duration_s:
        return plain, found
    turned = match_frames(query.pictures, reference.pictures, mirrored=True)
    if not len(turned.weight):
        return plain, found
    both = _joined(plain, turned)
    return both, _align(query, reference, both)


def _align(query: Evidence, reference: Evidence, matches: FrameMatches) -> list[AlignedSegment]:
    return align(
        query.pictures,
        reference.pictures,
        sharpened(matches),
        query_duration_s=query.duration_s,
        reference_duration_s=reference.duration_s,
    )


def sharpened(matches: FrameMatches) -> FrameMatches:
    """Matches weighed against the best of the same frame, on both sides.

    Before a camera that hardly moves, every frame matches every frame surely enough; the one taken
    at the same moment shares the most features.
    """
    inliers = np.maximum(matches.inliers, 1).astype(np.float32)
    share = np.ones(len(inliers), np.float32)
    for frame in (matches.query_frame, matches.reference_frame):
        best = np.ones(int(frame.max(initial=0)) + 1, np.float32)
        np.maximum.at(best, frame, inliers)
        share = np.minimum(share, inliers / best[frame])
    return replace(matches, weight=matches.weight * share)


def _joined(first: FrameMatches, second: FrameMatches) -> FrameMatches:
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return FrameMatches(*(np.concatenate(pair) for pair in pairs))


def _checked(
    line: AlignedSegment, matches: FrameMatches, query: Evidence, reference: Evidence
) -> list[_Checked]:
    """What of the segment stands when motion is asked; it may part into several."""
    if not _has_motion(query, reference):
        still = _Checked(_seen(line, line.segment, 0.0), is_open=False, is_weak=False)
        return [still] if line.segment.score >= LEAST_SCORE else []
    assert query.motion is not None and reference.motion is not None
    parts = resolve(
        query.motion,
        reference.motion,
        line,
        query_aspect=_aspect(query),
        reference_aspect=_aspect(reference),
        reference_duration_s=reference.duration_s,
    )
    return [
        _Checked(
            _seen(line, segment, _agreement(motion)),
            is_open=motion.can_tell and motion.finding == "unclear",
            is_weak=_is_weak(line, segment, motion, query),
        )
        for segment, motion in parts
        if _stands(line, motion, int(matches.inliers[line.matches].max(initial=0)))
    ]


def _has_motion(*videos: Evidence) -> bool:
    return all(v.motion is not None and len(v.motion.luma) for v in videos)


def _stands(line: AlignedSegment, motion: MotionComparison, inliers: int) -> bool:
    """Whether the segment is worth anything; ``inliers`` of its best frames, 0 by hash alone."""
    is_letters = 0 < inliers < STILL_INLIERS
    if motion.finding == "same":
        return not is_letters or motion.support_s >= LONG_S
    is_sure = line.segment.score >= SURE_SCORE and line.evidence_s >= SURE_EVIDENCE_S
    if motion.finding == "other":
        return is_sure and not line.ambiguous
    return line.segment.score >= LEAST_SCORE and not is_letters


def _is_weak(
    line: AlignedSegment, segment: Segment, motion: MotionComparison, query: Evidence
) -> bool:
    """Whether this may be the same place at another time, so that sound must decide."""
    if not motion.can_tell:
        moves_alike = motion.correlation >= 0.85 and motion.support_s >= 3.0
        return line.ambiguous and not (moves_alike or _is_still(line, query))
    if motion.finding == "same":
        return not _bears_out(line, segment, motion)
    return motion.finding == "unclear" and (line.ambiguous or motion.support_s >= LONG_S)


def _is_still(line: AlignedSegment, query: Evidence) -> bool:
    """A picture that stands, not a room in which nobody moves: that is sampled every second."""
    pictures, s = query.pictures, line.segment
    ends_s = pictures.start_s + pictures.duration_s
    inside = (pictures.start_s < s.query_end_s) & (ends_s > s.query_start_s)
    return bool(inside.sum() < STILL_FRAMES_PER_S * (s.query_end_s - s.query_start_s) + 1)


def _bears_out(line: AlignedSegment, segment: Segment, motion: MotionComparison) -> bool:
    """Whether motion tells a copy from another take before a camera that stands still.

    Somebody who comes in and stands there moves like somebody else who did: other takes correlated
    by .71 to .92, but over less than 70 % of the seconds, and at another speed or 0.8 s and more
    from where the pictures fit best.
    """
    if _throughout(motion):
        return True
    at_s = 0.5 * (segment.query_start_s + segment.query_end_s)
    apart_s = abs(_passed_s(segment, at_s) - _passed_s(line.segment, at_s))
    agrees = abs(segment.speed - line.segment.speed) < 0.04 and apart_s <= 0.75
    is_most = motion.support_s >= 0.6 * (line.segment.query_end_s - line.segment.query_start_s)
    if is_most and motion.correlation >= 0.88:  # no other take did so nearly all the time
        return True
    return agrees and (motion.correlation >= 0.85 or is_most)


def _throughout(motion: MotionComparison) -> bool:
    seconds = motion.agreement
    return motion.finding == "same" and bool(len(seconds)) and float((seconds > 0.5).mean()) >= 0.7


def _passed_s(segment: Segment, query_s: float) -> float:
    """Where the reference is when the query is at ``query_s``."""
    return segment.reference_start_s + segment.speed * (query_s - segment.query_start_s)


def _agreement(motion: MotionComparison) -> float:
    return motion.correlation if motion.finding == "same" else 0.0


def _seen(line: AlignedSegment, segment: Segment, agreement: float) -> Seen:
    """The segment with its score raised by motion that agrees."""
    score = max(line.segment.score, min(1.0, agreement))
    return Seen(replace(segment, score=score), line.mirrored, line.transform)


def _aspect(evidence: Evidence) -> float:
    return float(np.median(evidence.pictures.aspect))
