"""Matches of frames as matches of intervals of time.

Frames are intervals: a kept frame stands until the next one, about a second, longer where nothing
moves, and the two videos were sampled at different phases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F64, I32, FrameMatches, Pictures

# Matches that weigh no more say nothing; others gain what they weigh beyond it. Prototype, held-out
# benchmark: segment precision .99, recall .88 with this and the cost of gaps in ``runs``.
GAIN_FLOOR = 0.12

_STILL_S = 1.15  # a row that stands longer did not move: frames that move are kept every second


@dataclass(frozen=True)
class TimedMatches:
    """The frames of M matches as times, ``[M]`` each."""

    index: I32  # into FrameMatches
    query: I32
    reference: I32
    query_start: F64
    query_length: F64
    query_still: F64  # 0 where the frame is one sample of something that moves
    reference_start: F64
    reference_length: F64
    reference_still: F64
    weight: F64

    def take(self, which: npt.NDArray[np.generic]) -> TimedMatches:
        """Some of them, by their numbers."""
        return TimedMatches(*(values[which] for values in vars(self).values()))

    def __len__(self) -> int:
        return len(self.index)


def timed_matches(query: Pictures, reference: Pictures, matches: FrameMatches) -> TimedMatches:
    """Those of the matches that weigh enough."""
    q, r = matches.query_frame, matches.reference_frame
    query_length, reference_length = query.duration_s[q], reference.duration_s[r]
    rows = TimedMatches(
        index=np.arange(len(q), dtype=np.int32),
        query=q,
        reference=r,
        query_start=query.start_s[q],
        query_length=query_length,
        query_still=np.where(query_length > _STILL_S, query_length, 0.0),
        reference_start=reference.start_s[r],
        reference_length=reference_length,
        reference_still=np.where(reference_length > _STILL_S, reference_length, 0.0),
        weight=matches.weight.astype(np.float64),
    )
    return rows.take(np.flatnonzero(rows.weight > GAIN_FLOOR))
