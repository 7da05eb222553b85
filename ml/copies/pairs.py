"""One pair of videos, compared in full: pictures, time, motion, sound, verdict.

A pure function of the two videos, so the verdict never depends on when it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.copies.alignment import AlignedSegment, align
from ml.copies.evidence import Evidence, FrameMatches, Segment
from ml.copies.geometry import match_frames
from ml.copies.motion import MotionComparison, resolve
from ml.copies.motion import compare as compare_motion
from ml.copies.sound import compare_along, match_sounds
from ml.copies.verdicts import Seen, Verdict, covered_s, judge

VERSION = 1
# Pictures by themselves, where motion cannot tell: a score of alignment under this is chance.
LEAST_SCORE = 0.35
# Pictures against motion: scenes that follow each other at one offset for so long are no chance.
SURE_SCORE, SURE_EVIDENCE_S = 0.75, 5.0
# Motion that is compared for so long and still says neither yes nor no does not bear a match out.
LONG_S = 4.0
# A segment as short as this beside others is chance.
CRUMB_S = 1.0
# Shared sound carries the pictures along where this share of its frames match, this surely.
ALONG_SHARE, ALONG_WEIGHT = 0.5, 0.3
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
    checked = [c for line in lines for c in _checked(line, query, reference)]
    seen = _apart(_worth(checked, query.duration_s))
    sound = compare_along(query.sound, reference.sound, [s.segment for s in seen])
    heard: Sequence[Segment] = ()
    if not _stands_alone(checked, sound.state) or sound.state == "different":
        heard = _heard(query, reference, thorough=bool(lines))
        along = [s for piece in heard if (s := _along(piece, matches, query, reference))]
        if along:
            seen = along
            sound = compare_along(query.sound, reference.sound, [s.segment for s in seen])
        elif not _stands_alone(checked, sound.state):
            seen = []
    return judge(seen, sound, heard, query.duration_s, reference.duration_s)


def _worth(checked: Sequence[_Checked], duration_s: float) -> list[Seen]:
    """Without what is weak, where something else is not, and without crumbs."""
    whole = [c for c in checked if _length_s(c.seen) >= min(CRUMB_S, 0.8 * duration_s)]
    return [c.seen for c in whole if not c.is_weak] or [c.seen for c in whole]


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
    heard: Segment, matches: FrameMatches, query: Evidence, reference: Evidence
) -> Seen | None:
    """Shared pictures along shared sound: what frames cannot place in time, sound can."""
    near = _near(heard, matches, query, reference)
    asked = _frames_in(query, heard.query_start_s, heard.query_end_s)
    if len(np.unique(matches.query_frame[near])) < ALONG_SHARE * asked or not len(near):
        return None
    best = near[np.argmax(matches.inliers[near])]
    mirrored, transform = bool(matches.mirrored[best]), matches.transform[best]
    if _has_motion(query, reference):
        assert query.motion is not None and reference.motion is not None
        motion = compare_motion(
            query.motion,
            reference.motion,
            heard,
            transform,
            query_aspect=_aspect(query),
            reference_aspect=_aspect(reference),
            mirrored=mirrored,
        )
        if motion.finding == "other":
            return None
    return Seen(heard, mirrored, transform)


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


def _checked(line: AlignedSegment, query: Evidence, reference: Evidence) -> list[_Checked]:
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
            is_weak=_is_weak(line, motion),
        )
        for segment, motion in parts
        if _stands(line, motion)
    ]


def _has_motion(*videos: Evidence) -> bool:
    return all(v.motion is not None and len(v.motion.luma) for v in videos)


def _stands(line: AlignedSegment, motion: MotionComparison) -> bool:
    if motion.finding == "same":
        return True
    is_sure = line.segment.score >= SURE_SCORE and line.evidence_s >= SURE_EVIDENCE_S
    if motion.finding == "other":
        return is_sure and not line.ambiguous
    return line.segment.score >= LEAST_SCORE


def _is_weak(line: AlignedSegment, motion: MotionComparison) -> bool:
    """Whether this may be the same place at another time, so that sound must decide."""
    if not motion.can_tell:
        return False
    if motion.finding == "same":
        return line.ambiguous and not _bears_out(line, motion)
    return motion.finding == "unclear" and (line.ambiguous or motion.support_s >= LONG_S)


def _bears_out(line: AlignedSegment, motion: MotionComparison) -> bool:
    """Whether motion alone tells a copy from another take before a camera that stands still.

    People who come in and stand there move alike for some seconds: another take reached a
    correlation of .80 with 40 % of its seconds agreeing and .75 with 67 %; and .92 with 50 %, over
    2.4 s at 1.4 times the speed that the pictures had.
    """
    throughout = float((motion.agreement > 0.5).mean()) if len(motion.agreement) else 0.0
    at_its_speed = abs(motion.speed - line.segment.speed) < 0.1 * line.segment.speed
    return throughout >= 0.7 or (motion.correlation >= 0.85 and at_its_speed)


def _agreement(motion: MotionComparison) -> float:
    return motion.correlation if motion.finding == "same" else 0.0


def _seen(line: AlignedSegment, segment: Segment, agreement: float) -> Seen:
    """The segment with its score raised by motion that agrees."""
    score = max(line.segment.score, min(1.0, agreement))
    return Seen(replace(segment, score=score), line.mirrored, line.transform)


def _aspect(evidence: Evidence) -> float:
    return float(np.median(evidence.pictures.aspect))
