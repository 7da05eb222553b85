"""Whether two videos sound alike along shared pictures.

Over all 24 edits of 35 sounds, and 332 pairs of other sound (other sentences by the same speakers,
other parts of one programme, other music by the same instruments), at up to 1.5 s and 2 % of speed
off, the sureness of ``ml/copies/sound/correlation.py``, height times peak, was, rumble and quiet
rooms left out::

                under music 6 dB louder   any other edit    other sound
    3 s         2.6 and more              3.7 and more      1.1 at most; one pair of clips 2.1
    4.5 to 9 s                            10.8 and more     1.0 at most; one pair of clips 1.9
    9 s on      1.8 and more              2.4 and more      0.6 at most

The bounds were set on these very sounds, so expect somewhat less on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.copies.evidence import Segment, Sound
from ml.copies.sound.audibility import LEAST_AUDIBLE_S, heard
from ml.copies.sound.bands import RATE_HZ
from ml.copies.sound.correlation import LEAST_CHANGE, PIECE, SAME_WINDOW, Laid, lay, score_of
from ml.schemas import SOUND_STATES

_PIECES = 6  # of a long match, evenly spread
_LEAST_SAME_SHARE = 0.5


@dataclass(frozen=True)
class SoundComparison:
    """How the sound of two videos compares along a match.

    ``same_share`` is the share of the compared windows that sound the same: between 0.1 and 0.9 a
    part has another sound. ``score`` is 0 for other sound to 1 for the same, 0.5 in doubt.
    """

    state: str  # one of ml.schemas.SOUND_STATES
    score: float
    lag_s: float  # reference minus query time, beyond the pictures' alignment
    speed: float
    pitch_shifted: bool
    compared_s: float
    same_share: float
    reason: str


@dataclass(frozen=True)
class _Judged:
    """What one piece says; ``same_share`` of its windows sound the same."""

    state: str
    score: float
    same_share: float
    laid: Laid | None

    @property
    def seconds(self) -> float:
        return self.laid.seconds if self.laid else 0.0


def compare_along(
    query: Sound | None, reference: Sound | None, segments: Sequence[Segment]
) -> SoundComparison:
    """The sound of two videos along an alignment of their pictures.

    The alignment may be off by 2 s and its speed by 3 %. Matches of more than 3 minutes are
    compared in six pieces of 30 s.

    Args:
        query: sound of the later video; None without a sound track.
        reference: sound of the earlier one.
        segments: where the pictures match.
    """
    if query is None or reference is None:
        sides = [name for name, s in (("copy", query), ("original", reference)) if s is None]
        return _nothing("missing", f"no sound track in the {' and the '.join(sides)}")
    return _judge([_judge_piece(query, reference, piece) for piece in _pieces(segments)])


def _nothing(state: str, reason: str) -> SoundComparison:
    return SoundComparison(state, 0.5, 0.0, 1.0, False, 0.0, 0.0, reason)


def _pieces(segments: Sequence[Segment]) -> list[Segment]:
    """At most 30 s each; of many, six spread evenly over the matched time."""
    pieces = []
    for s in sorted(segments, key=lambda s: (s.query_start_s, s.reference_start_s)):
        length = s.query_end_s - s.query_start_s
        count = max(1, int(np.ceil(length * RATE_HZ / PIECE)))
        for i in range(count):
            start, end = length * i / count, length * (i + 1) / count
            pieces.append(
                Segment(
                    s.query_start_s + start,
                    s.query_start_s + end,
                    s.reference_start_s + start * s.speed,
                    s.reference_start_s + end * s.speed,
                    s.speed,
                    s.score,
                )
            )
    if len(pieces) <= _PIECES:
        return pieces
    chosen = np.linspace(0, len(pieces) - 1, _PIECES).round().astype(int)
    return [pieces[i] for i in chosen]


def _judge_piece(query: Sound, reference: Sound, piece: Segment) -> _Judged:
    found = lay(query, reference, piece)
    if found is None:
        return _Judged("silent", 0.0, 0.0, None)
    ours = heard(query, piece.query_start_s, piece.query_end_s)
    theirs = heard(reference, piece.reference_start_s, piece.reference_end_s)
    lowest, highest = _bounds(min(found.seconds, max(ours[0], theirs[0])))
    sureness = found.sureness
    score = score_of(found, (lowest * highest) ** 0.5)
    if sureness >= highest:
        return _Judged("same", score, float((found.windows >= SAME_WINDOW).mean()), found)
    if min(ours[0], theirs[0]) < LEAST_AUDIBLE_S:
        one_speaks = max(ours[0], theirs[0]) >= LEAST_AUDIBLE_S
        other_is_noise = theirs[1] if ours[0] >= theirs[0] else ours[1]
        if not (one_speaks and other_is_noise):
            return _Judged("silent", score, 0.0, found)
    return _Judged("different" if sureness <= lowest else "unclear", score, 0.0, found)


def _bounds(seconds: float) -> tuple[float, float]:
    """What sureness is surely other sound at most, and surely the same at least.

    Between them it stays unclear: the worst pairs of other sound come to 2.1 within 3 s and to 0.6
    from 9 s on (the table above).
    """
    share = float(np.clip((seconds - 4.5) / 4.5, 0, 1))
    return 1.8 - 0.9 * share, 2.2 - 0.9 * share


def _judge(judged: Sequence[_Judged]) -> SoundComparison:
    totals = {state: sum(j.seconds for j in judged if j.state == state) for state in SOUND_STATES}
    heard_s = totals["same"] + totals["different"]
    same_s = sum(j.seconds * j.same_share for j in judged)
    if heard_s:
        state = "same" if same_s >= _LEAST_SAME_SHARE * heard_s else "different"
    else:
        state = "unclear" if totals["unclear"] else "silent"
    best = max(judged, key=lambda j: (j.state == state, j.score * j.seconds), default=None)
    if best is None or best.laid is None:
        return _nothing("silent", "the match is too short for its sound to say anything")
    share = same_s / heard_s if heard_s else 0.0
    compared_s = heard_s or totals["unclear"] or totals["silent"]
    fits = best.laid
    reason = _reason(state, fits, share, compared_s)
    counted = [j for j in judged if j.state in ((state,) if not heard_s else ("same", "different"))]
    score = sum(j.score * j.seconds for j in counted) / sum(j.seconds for j in counted)
    return SoundComparison(
        state,
        0.5 if state == "silent" else score,
        fits.lag_s,
        fits.speed,
        fits.pitch_shifted,
        compared_s,
        share,
        reason,
    )


def _reason(state: str, fits: Laid, share: float, compared_s: float) -> str:
    if state == "silent":
        return "nothing audible in the sound of at least one of them"
    how = f"peak {fits.peak:.1f}, correlation {fits.height:.2f} over {compared_s:.1f} s"
    if state == "unclear":
        return f"sound unclear: {how}"
    if state == "different" and share == 0:
        return f"sound different: {how}"
    extra = ""
    if abs(fits.speed - 1) >= LEAST_CHANGE:
        pitch = "pitch shifted" if fits.pitch_shifted else "pitch kept"
        extra += f", {fits.speed:.2f} times as fast, {pitch}"
    if abs(fits.lag_s) >= 0.25:
        extra += f", {abs(fits.lag_s):.1f} s {'later' if fits.lag_s > 0 else 'earlier'}"
    if share < 0.9:
        extra += f", in {share:.0%} of the match only"
    return f"sound {state}: {how}{extra}"
