"""What the segments of two videos become when movement is asked too: their lines and their ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ml.copies.alignment.segments import AlignedSegment, align
from ml.copies.evidence import F32, Motion, Segment
from ml.copies.motion.comparison import MotionComparison, compare, realigned
from ml.copies.motion.correlation import SPEED_REACH
from ml.copies.motion.ends import extend, with_query_ends
from ml.copies.motion.offsets import WINDOW_CORRELATION, moving_matches
from ml.copies.motion.shared_cells import shared_cells

_CLEARLY = 1.05  # what is aligned anew must agree for this much longer
_THROUGHOUT = 0.8  # of the seconds agree: then a line needs no alternative


def resolve(
    query: Motion,
    reference: Motion,
    aligned: AlignedSegment,
    *,
    query_aspect: float,
    reference_aspect: float,
    reference_duration_s: float,
) -> list[tuple[Segment, MotionComparison]]:
    """What a segment of ``alignment.segments.align`` becomes when movement is asked too.

    A segment that moves alike gets its line and its ends from the movement. One whose pictures
    match at many offsets (a camera that never moves) is aligned anew by movement alone, and may
    become several. What movement can't confirm comes back as it was, with its ``finding``.
    """
    view = _View(query, reference, aligned.transform, query_aspect, reference_aspect)
    plain = view.followed(aligned.segment, aligned.mirrored)
    found = [plain] if plain[1].finding == "same" else []
    throughout = float((plain[1].agreement > 0.5).sum()) >= _THROUGHOUT * len(plain[1].agreement)
    if (aligned.ambiguous or not found) and not (found and throughout):
        lines = view.moving(aligned.segment, aligned.mirrored, reference_duration_s)
        anew = [view.compared(line, aligned.mirrored) for line in lines]
        anew = [one for one in anew if one[1].finding == "same"]
        if _agreeing_s(anew) > _CLEARLY * _agreeing_s(found):
            found = anew
    if not found:
        return [plain]
    apart = _apart([view.extended(*one, aligned.mirrored) for one in found])
    return [(_within(segment, reference_duration_s), motion) for segment, motion in apart]


@dataclass(frozen=True)
class _View:
    """Two videos' movement, and how one picture lies in the other."""

    query: Motion
    reference: Motion
    transform: F32
    query_aspect: float
    reference_aspect: float

    def compared(self, segment: Segment, mirrored: bool) -> tuple[Segment, MotionComparison]:
        found = compare(
            self.query,
            self.reference,
            segment,
            self.transform,
            query_aspect=self.query_aspect,
            reference_aspect=self.reference_aspect,
            mirrored=mirrored,
        )
        return segment, found

    def followed(self, segment: Segment, mirrored: bool) -> tuple[Segment, MotionComparison]:
        """Compared, and again around what was found where that lies at the reach of the search."""
        found = self.compared(segment, mirrored)
        for _ in range(2):
            change = abs(found[1].speed / found[0].speed - 1)
            if change < 0.9 * SPEED_REACH or found[1].correlation < WINDOW_CORRELATION:
                break
            again = self.compared(realigned(*found), mirrored)
            if again[1].correlation <= found[1].correlation:
                break
            found = again
        return found

    def extended(
        self, segment: Segment, comparison: MotionComparison, mirrored: bool
    ) -> tuple[Segment, MotionComparison]:
        longer = extend(
            self.query,
            self.reference,
            realigned(segment, comparison),
            self.transform,
            query_aspect=self.query_aspect,
            reference_aspect=self.reference_aspect,
            mirrored=mirrored,
        )
        return longer, comparison

    def moving(
        self, segment: Segment, mirrored: bool, reference_duration_s: float
    ) -> list[Segment]:
        """Segments within the given one's query time that follow from movement alone."""
        shared = shared_cells(self.transform, self.query_aspect, self.reference_aspect, mirrored)
        if shared is None:
            return []
        rows, columns, matches = moving_matches(self.query, self.reference, shared, segment)
        if not len(matches.weight):
            return []
        found = align(
            rows,
            columns,
            matches,
            query_duration_s=segment.query_end_s,
            reference_duration_s=reference_duration_s,
        )
        return [one.segment for one in found]


def _within(segment: Segment, reference_duration_s: float) -> Segment:
    """Without what lies beyond the reference's end, by a fraction of a tick."""
    return replace(segment, reference_end_s=min(segment.reference_end_s, reference_duration_s))


def _apart(
    found: list[tuple[Segment, MotionComparison]],
) -> list[tuple[Segment, MotionComparison]]:
    """In the query's order, each ended where the next begins: at the middle of what both claim."""
    found = sorted(found, key=lambda one: one[0].query_start_s)
    for number in range(len(found) - 1):
        (one, mine), (other, theirs) = found[number], found[number + 1]
        if one.query_end_s > other.query_start_s:
            middle_s = 0.5 * (one.query_end_s + other.query_start_s)
            found[number] = with_query_ends(one, one.query_start_s, middle_s), mine
            found[number + 1] = with_query_ends(other, middle_s, other.query_end_s), theirs
    return [one for one in found if one[0].query_end_s - one[0].query_start_s > 0.25]


def _agreeing_s(found: list[tuple[Segment, MotionComparison]]) -> float:
    return sum(float((c.agreement * (c.agreement > 0)).sum()) for _, c in found)
