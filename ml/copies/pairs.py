"""One pair of videos, compared in full: pictures, time, motion, sound, verdict.

A pure function of the two videos, so the verdict never depends on when it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.copies.alignment import AlignedSegment, align
from ml.copies.evidence import Evidence, FrameMatches, Segment
from ml.copies.geometry import match_frames
from ml.copies.motion import MotionComparison, resolve
from ml.copies.sound import compare_along, match_sounds
from ml.copies.verdicts import Seen, Verdict, covered_s, judge

VERSION = 1
# Pictures by themselves, where motion cannot tell: a score of alignment under this is chance.
LEAST_SCORE = 0.35
# Pictures against motion: scenes that follow each other at one offset for so long are no chance.
SURE_SCORE, SURE_EVIDENCE_S = 0.75, 5.0
# Motion that is compared for so long and still says neither yes nor no does not bear a match out.
LONG_S = 4.0
# Mirrored frames are looked for unless plain ones explain this share of the query, this well.
EXPLAINED, EXPLAINED_SCORE = 0.8, 0.8


@dataclass(frozen=True)
class _Checked:
    """A segment of shared pictures; ``is_weak``: it may be the same place at another time."""

    seen: Seen
    is_weak: bool


def compare(query: Evidence, reference: Evidence) -> Verdict | None:
    """What the later video (``query``) has of the earlier one; None for nothing worth a row."""
    checked = [c for line in aligned(query, reference) for c in _checked(line, query, reference)]
    seen = [c.seen for c in checked if not c.is_weak] or [c.seen for c in checked]
    sound = compare_along(query.sound, reference.sound, [s.segment for s in seen])
    if all(c.is_weak for c in checked) and sound.state != "same":
        seen = []
    heard: Sequence[Segment] = ()
    if not seen and query.sound is not None and reference.sound is not None:
        heard = match_sounds(query.sound, reference.sound)
    return judge(seen, sound, heard, query.duration_s, reference.duration_s)


def aligned(query: Evidence, reference: Evidence) -> list[AlignedSegment]:
    """Where the pictures match, before motion is asked."""
    plain = match_frames(query.pictures, reference.pictures)
    found = _align(query, reference, plain)
    good = [a.segment for a in found if a.segment.score >= EXPLAINED_SCORE]
    spans = [(s.query_start_s, s.query_end_s) for s in good]
    if covered_s(spans) >= EXPLAINED * query.duration_s:
        return found
    turned = match_frames(query.pictures, reference.pictures, mirrored=True)
    return _align(query, reference, _joined(plain, turned)) if len(turned.weight) else found


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
    if query.motion is None or reference.motion is None:
        still = _Checked(_seen(line, line.segment, 0.0), is_weak=False)
        return [still] if line.segment.score >= LEAST_SCORE else []
    parts = resolve(
        query.motion,
        reference.motion,
        line,
        query_aspect=_aspect(query),
        reference_aspect=_aspect(reference),
        reference_duration_s=reference.duration_s,
    )
    return [
        _Checked(_seen(line, segment, _agreement(motion)), _is_weak(line, motion))
        for segment, motion in parts
        if _stands(line, motion)
    ]


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
        return line.ambiguous and not _bears_out(motion)
    return motion.finding == "unclear" and (line.ambiguous or motion.support_s >= LONG_S)


def _bears_out(motion: MotionComparison) -> bool:
    """Whether motion alone tells a copy from another take before a camera that stands still.

    People who come in and stand there move alike for some seconds: another take reached a
    correlation of .80 with 40 % of its seconds agreeing, .75 with 67 %, .92 with 50 % over 2.4 s.
    """
    throughout = float((motion.agreement > 0.5).mean()) if len(motion.agreement) else 0.0
    return throughout >= 0.7 or (motion.correlation >= 0.85 and motion.support_s >= 3.0)


def _agreement(motion: MotionComparison) -> float:
    return motion.correlation if motion.finding == "same" else 0.0


def _seen(line: AlignedSegment, segment: Segment, agreement: float) -> Seen:
    """The segment with its score raised by motion that agrees."""
    score = max(line.segment.score, min(1.0, agreement))
    return Seen(replace(segment, score=score), line.mirrored, line.transform)


def _aspect(evidence: Evidence) -> float:
    return float(np.median(evidence.pictures.aspect))
