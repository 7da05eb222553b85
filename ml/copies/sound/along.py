"""Whether two videos sound alike: along shared pictures, or by sound alone.

Two sounds are laid over each other at one speed, with the pitch kept or shifted along, and at every
lag their textures (``ml/copies/sound/bands.py``) are correlated in windows of 3 s. The same sound
shows as a peak one or two frames wide that stands far above all other lags: what decides is its
height times how far it stands out, in standard deviations of the other lags. The correlation alone
doesn't: two sentences of one speaker reach .33, as does a sentence under music 6 dB louder. Over
all 24 edits of 35 sounds, and 332 pairs of other sound (other sentences by the same speakers, other
parts of one programme, other music by the same instruments), at up to 1.5 s and 2 % of speed off,
height times peak was, rumble and quiet rooms left out::

                under music 6 dB louder   any other edit    other sound
    3 s         2.6 and more              3.7 and more      1.1 at most; one pair of clips 2.1
    4.5 to 9 s                            10.8 and more     1.0 at most; one pair of clips 1.9
    9 s on      1.8 and more              2.4 and more      0.6 at most

The bounds were set on these very sounds, so expect somewhat less on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, Segment, Sound
from ml.copies.sound.bands import (
    BANDS,
    BANDS_PER_OCTAVE,
    MAKER,
    RATE_HZ,
    SoundFingerprinter,
    audible,
    local_mean,
    sound_of,
    texture,
)
from ml.copies.sound.landmarks import CHANGES, peaks_of, voted_lines
from ml.schemas import SOUND_STATES

__all__ = [
    "MAKER",
    "SoundComparison",
    "SoundFingerprinter",
    "audible",
    "compare_along",
    "is_silent",
    "match_sounds",
    "sound_of",
]

# A sound with less of it than this says nothing about which one it is.
LEAST_AUDIBLE_S = 0.6
_AUDIBLE_SHARE = 0.02

# Pictures a second apart place a match to about 1.5 s; re-muxing shifts sound by less.
_LAG_S = 2.2
_WINDOW = round(3.0 * RATE_HZ)
_STEP = round(0.5 * RATE_HZ)
# Long matches are heard in this many pieces, evenly spread.
_PIECE = round(30.0 * RATE_HZ)
_PIECES = 6
# Speeds tried around the pictures' speed: that is read off frames a second apart.
_SPEED_STEPS = (-0.03, -0.015, 0.0, 0.015, 0.03)
_FINE_STEPS = (-0.006, -0.003, 0.0, 0.003, 0.006)
# Below this change a shift of pitch, a twentieth of an octave, is not told from none.
_LEAST_CHANGE = 0.02
# Around a peak, what still belongs to it.
_PEAK_REACH = 6
_SAME_WINDOW = 0.18
_LOUD_DB = -45.0
_LEAST_SAME_SHARE = 0.5
_TRIAL = round(10.0 * RATE_HZ)
_LEAST_TEXTURE = 44.0
_LEAST_SPREAD = 0.003

# Sound alone.
_LEAST_MATCH = round(1.5 * RATE_HZ)
_MOST_SEGMENTS = 8
_MOST_LINES = 24
_DENSE = round(60 * RATE_HZ)
_MATCH_STEPS = (-0.024, -0.012, 0.0, 0.012, 0.024)


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
class _Laid:
    """One piece of a match, at the speed and pitch under which it fits best."""

    speed: float
    pitch_shifted: bool
    lag_s: float
    height: float  # correlation at the peak, mean over windows
    peak: float  # the peak over the other lags, in their standard deviations
    windows: F32  # correlation of each window near the peak
    seconds: float


@dataclass(frozen=True)
class _Judged:
    """What one piece says; ``same_share`` of its windows sound the same."""

    state: str
    score: float
    same_share: float
    laid: _Laid | None

    @property
    def seconds(self) -> float:
        return self.laid.seconds if self.laid else 0.0


def is_silent(sound: Sound) -> bool:
    """Whether nothing in it says which sound this is: silence, hiss, hum or a tone throughout."""
    heard = int(audible(sound).sum())
    return heard < max(LEAST_AUDIBLE_S * RATE_HZ, _AUDIBLE_SHARE * len(sound.bands))


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
        count = max(1, int(np.ceil(length * RATE_HZ / _PIECE)))
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


def _span(sound: Sound, start_s: float, end_s: float) -> slice:
    first = max(0, round(start_s * RATE_HZ))
    return slice(first, max(first, min(len(sound.bands), round(end_s * RATE_HZ))))


def _lay(query: Sound, reference: Sound, piece: Segment) -> _Laid | None:
    """The best fit of a piece; None when it is too short to say anything."""
    place = _span(query, piece.query_start_s, piece.query_end_s)
    if place.stop - place.start < LEAST_AUDIBLE_S * RATE_HZ:
        return None
    middle = _middle(place, _TRIAL)
    trials = [
        (speed, shifted, _fit(query, reference, piece, middle, speed, shifted))
        for speed, shifted in _speeds(piece.speed)
    ]
    speed, shifted, best = max(trials, key=lambda trial: trial[2].height * trial[2].peak)
    finer = [speed] if speed == 1.0 else [speed * (1 + step) for step in _FINE_STEPS]
    fits = [(s, _fit(query, reference, piece, place, s, shifted)) for s in finer]
    speed, best = max(fits, key=lambda fit: fit[1].height * fit[1].peak)
    return _Laid(
        speed,
        shifted,
        best.lag * speed / RATE_HZ,
        best.height,
        best.peak,
        best.windows,
        (place.stop - place.start) / RATE_HZ,
    )


def _middle(place: slice, length: int) -> slice:
    spare = max(0, place.stop - place.start - length) // 2
    return slice(place.start + spare, place.stop - spare)


def _speeds(speed: float) -> list[tuple[float, bool]]:
    """(speed, whether the pitch goes with it) to try around the pictures' speed."""
    around = {round(speed * (1 + step), 4) for step in _SPEED_STEPS}
    if abs(speed - 1) < 0.04:
        around.add(1.0)
    return [
        (tried, shifted)
        for tried in sorted(around)
        for shifted in ((False, True) if abs(tried - 1) >= _LEAST_CHANGE else (False,))
    ]


@dataclass(frozen=True)
class _Fit:
    height: float
    peak: float
    lag: int
    windows: F32


def _fit(
    query: Sound,
    reference: Sound,
    piece: Segment,
    place: slice,
    speed: float,
    shifted: bool,
) -> _Fit:
    """Correlation at all lags of the query's frames in ``place`` with the reference at a speed."""
    count = place.stop - place.start
    middle_s = (piece.query_start_s + piece.query_end_s) / 2
    lag = round(_LAG_S * RATE_HZ / speed)
    at_s = (place.start + np.arange(-lag, count + lag)) / RATE_HZ
    from_s = (piece.reference_start_s + piece.reference_end_s) / 2
    ours = texture(query.bands[place])
    theirs = laid(reference, from_s + speed * (at_s - middle_s), speed if shifted else 1.0)
    curves = _curves(ours, theirs)
    return _peak_of(curves, lag)


def laid(sound: Sound, at_s: F64, pitch: float) -> F32:
    """Texture of a sound read at the given times, its pitch multiplied; zeros outside it."""
    position = at_s * RATE_HZ
    count = len(sound.bands)
    inside = (position >= 0) & (position <= count - 1)
    read = np.clip(position, 0, count - 1)
    first = np.minimum(read.astype(np.int64), max(count - 2, 0))
    second = np.minimum(first + 1, count - 1)
    share = (read - first).astype(np.float32)[:, None]
    energy = sound.bands[first] * (1 - share) + sound.bands[second] * share
    result = texture(_shifted(energy, pitch))
    result[~inside] = 0
    return result


def _shifted(energy: F32, pitch: float) -> F32:
    if pitch == 1.0:
        return energy
    source = np.arange(BANDS) - BANDS_PER_OCTAVE * np.log2(pitch)
    low = np.clip(np.floor(source).astype(int), 0, BANDS - 2)
    share = np.clip(source - low, 0, 1).astype(np.float32)
    moved: F32 = energy[:, low] * (1 - share) + energy[:, low + 1] * share
    moved[:, (source < -0.5) | (source > BANDS - 0.5)] = 0
    return moved


def _curves(ours: F32, theirs: F32, window: int = _WINDOW, step: int = _STEP) -> F32:
    """float32[windows, lags]: correlation of windows of ``ours`` at each lag."""
    count, lags = len(ours), len(theirs) - len(ours) + 1
    products = np.empty((count, lags), np.float32)
    for start in range(0, count, 128):
        block = ours[start : start + 128]
        n = len(block)
        gram = block @ theirs[start : start + n + lags - 1].T
        products[start : start + n] = np.lib.stride_tricks.as_strided(
            gram, (n, lags), (gram.strides[0] + gram.strides[1], gram.strides[1])
        )
    length = min(window, count)
    starts = np.arange(0, count - length + 1, step)
    sums = _running(products)
    dot = sums[starts + length] - sums[starts]
    mine = _running((ours * ours).sum(axis=1))
    other = _running((theirs * theirs).sum(axis=1))
    at = starts[:, None] + np.arange(lags)
    own = mine[starts + length] - mine[starts]
    beside = other[at + length] - other[at]
    least = _LEAST_TEXTURE * length
    return (dot / np.sqrt(np.maximum(own, least)[:, None] * np.maximum(beside, least))).astype(
        np.float32
    )


def _running(values: npt.NDArray[np.float32]) -> F64:
    return np.concatenate(
        [np.zeros_like(values[:1], np.float64), np.cumsum(values, axis=0, dtype=np.float64)]
    )


def _peak_of(curves: F32, lag: int) -> _Fit:
    mean = curves.mean(axis=0)
    smooth = np.convolve(np.pad(mean, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    best = int(np.argmax(smooth))
    far = np.concatenate([smooth[: max(0, best - _PEAK_REACH)], smooth[best + _PEAK_REACH + 1 :]])
    peak = float((smooth[best] - far.mean()) / (far.std() + _LEAST_SPREAD))
    near = curves[:, max(0, best - 3) : best + 4].max(axis=1)
    return _Fit(float(mean[best]), peak, best - lag, near)


def _heard(sound: Sound, start_s: float, end_s: float) -> tuple[float, bool]:
    """Seconds that say which sound this is, and whether it is loud noise from end to end."""
    margin = round(1.0 * RATE_HZ)
    place = _span(sound, start_s, end_s)
    wide = slice(max(0, place.start - margin), place.stop + margin)
    cut = Sound(sound.rate_hz, sound.bands[wide], sound.hashes[wide], sound.level_db[wide])
    mask = audible(cut)[place.start - wide.start :][: place.stop - place.start]
    return float(mask.sum()) / RATE_HZ, _is_loud_noise(cut)


def _is_loud_noise(sound: Sound) -> bool:
    """Wind, an engine, applause: loud in most bands, which neither a noise floor nor a tone is."""
    if not len(sound.bands) or float(np.median(sound.level_db)) < _LOUD_DB:
        return False
    typical = np.median(sound.bands, axis=0).astype(np.float32)
    return bool((typical > typical.max() - 30).mean() > 0.5)


def _judge_piece(query: Sound, reference: Sound, piece: Segment) -> _Judged:
    found = _lay(query, reference, piece)
    if found is None:
        return _Judged("silent", 0.0, 0.0, None)
    ours = _heard(query, piece.query_start_s, piece.query_end_s)
    theirs = _heard(reference, piece.reference_start_s, piece.reference_end_s)
    lowest, highest = _bounds(min(found.seconds, max(ours[0], theirs[0])))
    sureness = found.height * found.peak
    score = _score(found, (lowest * highest) ** 0.5)
    if sureness >= highest:
        return _Judged("same", score, float((found.windows >= _SAME_WINDOW).mean()), found)
    if min(ours[0], theirs[0]) < LEAST_AUDIBLE_S:
        one_speaks = max(ours[0], theirs[0]) >= LEAST_AUDIBLE_S
        other_is_noise = theirs[1] if ours[0] >= theirs[0] else ours[1]
        if not (one_speaks and other_is_noise):
            return _Judged("silent", score, 0.0, found)
    return _Judged("different" if sureness <= lowest else "unclear", score, 0.0, found)


def _score(found: _Laid, even: float = 2.0) -> float:
    """0 to 1; 0.5 where (height x peak) is ``even``."""
    sureness = max(0.0, found.height * found.peak)
    return sureness**2 / (sureness**2 + even**2)


def _bounds(seconds: float) -> tuple[float, float]:
    """What (height x peak) is surely other sound at most, and surely the same at least.

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


def _reason(state: str, fits: _Laid, share: float, compared_s: float) -> str:
    if state == "silent":
        return "nothing audible in the sound of at least one of them"
    how = f"peak {fits.peak:.1f}, correlation {fits.height:.2f} over {compared_s:.1f} s"
    if state == "unclear":
        return f"sound unclear: {how}"
    if state == "different" and share == 0:
        return f"sound different: {how}"
    extra = ""
    if abs(fits.speed - 1) >= _LEAST_CHANGE:
        pitch = "pitch shifted" if fits.pitch_shifted else "pitch kept"
        extra += f", {fits.speed:.2f} times as fast, {pitch}"
    if abs(fits.lag_s) >= 0.25:
        extra += f", {abs(fits.lag_s):.1f} s {'later' if fits.lag_s > 0 else 'earlier'}"
    if share < 0.9:
        extra += f", in {share:.0%} of the match only"
    return f"sound {state}: {how}{extra}"


def match_sounds(query: Sound, reference: Sound, offsets_s: Sequence[float] = ()) -> list[Segment]:
    """Seconds in which two videos sound the same, whatever they show; the longest evidence first.

    Speeds of 0.67 to 1.5, the pitch kept or shifted. No two segments share time of the query: of a
    loop that fits in many places the best is named. Each lasts 1.5 s at least.

    Args:
        query: sound of the later video.
        reference: sound of the earlier one.
        offsets_s: likely reference minus query times, as ``sound_index`` gives. With them only
            these and lines of landmarks are tried; without them, in sounds of about a minute,
            every lag at every speed too, which also finds more of what lies under louder music
            and took three times as long on two pieces of music with nothing in common.
    """
    if not len(query.bands) or is_silent(reference):
        return []
    found: list[Segment] = []
    free = np.ones(len(query.bands), np.bool_)
    for line in _lines(query, reference, offsets_s, free):
        segment = _along(query, reference, line, free)
        if segment is not None:
            found.append(segment)
            free[_span(query, segment.query_start_s, segment.query_end_s)] = False
        if len(found) == _MOST_SEGMENTS:
            break
    return sorted(found, key=lambda s: (s.query_start_s, s.reference_start_s))


def _lines(
    query: Sound, reference: Sound, offsets_s: Sequence[float], free: npt.NDArray[np.bool_]
) -> Iterator[_Line]:
    """Lines worth trying, the cheap ones first; whoever uses one up marks it in ``free``."""
    for offset in offsets_s:
        yield _Line(1.0, False, offset, None)
    for line in voted_lines(peaks_of(query), peaks_of(reference)):
        yield _Line(*line)
    is_short = len(query.bands) * len(reference.bands) <= _DENSE**2
    if is_short and not offsets_s and (free & audible(query)).sum() > _LEAST_MATCH:
        yield from _dense_lines(query, reference)


@dataclass(frozen=True)
class _Line:
    """Reference time is ``speed * query time + offset_s``; it was seen near ``middle_s``."""

    speed: float
    pitch_shifted: bool
    offset_s: float
    middle_s: float | None  # None: anywhere


def _dense_lines(query: Sound, reference: Sound) -> list[_Line]:
    """Lines on which windows of 3 s correlate, the strongest first, from all speeds and lags."""
    ours = _coarse(texture(query.bands))
    rate = RATE_HZ / 2
    found = []
    for speed, shifted in CHANGES:
        count = int(len(reference.bands) / speed)
        at_s = np.arange(-len(query.bands), count + len(query.bands)) / RATE_HZ * speed
        theirs = _coarse(laid(reference, at_s, speed if shifted else 1.0))
        curves = _curves(ours, theirs, round(3 * rate), round(rate))
        gain = np.maximum(curves - _SAME_WINDOW, 0)
        strength = gain.sum(axis=0)
        for lag in _highest_apart(strength, round(rate), 3):
            weights = gain[:, lag]
            middle = float((weights * np.arange(len(weights))).sum() / weights.sum()) + 1.5
            offset_s = speed * (lag - len(ours)) / rate
            found.append((float(strength[lag]), _Line(speed, shifted, offset_s, middle)))
    found.sort(key=lambda item: -item[0])
    return [line for _, line in found[:_MOST_LINES]]


def _coarse(fine: F32) -> F32:
    """Half the rate and half the bands."""
    even = fine[: len(fine) // 2 * 2]
    return even.reshape(len(even) // 2, 2, -1, 2).mean(axis=(1, 3), dtype=np.float32)


def _highest_apart(values: npt.NDArray[np.float32], reach: int, count: int) -> list[int]:
    rest, found = values.copy(), []
    for _ in range(count):
        best = int(np.argmax(rest))
        if rest[best] <= 0:
            break
        found.append(best)
        rest[max(0, best - reach) : best + reach + 1] = 0
    return found


def _along(
    query: Sound, reference: Sound, line: _Line, free: npt.NDArray[np.bool_]
) -> Segment | None:
    """The stretch of a line where the two sound the same, None where they don't."""
    refined = _refined(query, reference, line, free)
    if refined is None:
        return None
    place = _stretch(query, reference, refined, free)
    if place is None or place.stop - place.start < _LEAST_MATCH:
        return None
    start_s, end_s = place.start / RATE_HZ, place.stop / RATE_HZ
    segment = _on_line(refined, start_s, end_s, 0.0)
    fits = _lay(query, reference, _middle_piece(segment))
    if fits is None or fits.height * fits.peak < _least_sureness(end_s - start_s):
        return None
    return _on_line(refined, start_s, end_s, _score(fits))


def _least_sureness(seconds: float) -> float:
    """What a stretch must reach: among all lags and speeds short ones often fit by chance.

    Other music by the same players fits for 2 s with 4.7, for 3 s with 3.3.
    """
    return 2.2 * max(1.0, 5.0 / seconds)


def _on_line(line: _Line, start_s: float, end_s: float, score: float) -> Segment:
    reach = (line.speed * start_s + line.offset_s, line.speed * end_s + line.offset_s)
    return Segment(start_s, end_s, reach[0], reach[1], line.speed, score)


def _middle_piece(segment: Segment) -> Segment:
    """At most the middle 30 s."""
    spare = max(0.0, segment.query_end_s - segment.query_start_s - _PIECE / RATE_HZ) / 2
    return Segment(
        segment.query_start_s + spare,
        segment.query_end_s - spare,
        segment.reference_start_s + spare * segment.speed,
        segment.reference_end_s - spare * segment.speed,
        segment.speed,
        segment.score,
    )


def _refined(
    query: Sound, reference: Sound, line: _Line, free: npt.NDArray[np.bool_]
) -> _Line | None:
    """The line with its speed to 0.5 % and its offset to a frame; None where little is free."""
    ends_s = len(query.bands) / RATE_HZ, len(reference.bands) / RATE_HZ
    low = max(0.0, -line.offset_s / line.speed)
    high = min(ends_s[0], (ends_s[1] - line.offset_s) / line.speed)
    if line.middle_s is not None:
        low, high = max(low, line.middle_s - 6.0), min(high, line.middle_s + 6.0)
    place = _span(query, low, high)
    if place.stop - place.start < _LEAST_MATCH or free[place].sum() < _LEAST_MATCH:
        return None
    piece = _on_line(line, low, high, 0.0)
    best: tuple[float, float, _Fit] | None = None
    for steps in (_MATCH_STEPS, _FINE_STEPS):
        centre = line.speed if best is None else best[1]
        for step in steps if line.middle_s is not None else (0.0,):
            speed = centre * (1 + step)
            fit = _fit(query, reference, piece, place, speed, line.pitch_shifted)
            if best is None or fit.height * fit.peak > best[0]:
                best = (fit.height * fit.peak, speed, fit)
    assert best is not None
    _, speed, fit = best
    middle_s = (piece.query_start_s + piece.query_end_s) / 2
    at_s = (piece.reference_start_s + piece.reference_end_s) / 2 + fit.lag * speed / RATE_HZ
    return _Line(speed, line.pitch_shifted, at_s - speed * middle_s, middle_s)


def _stretch(
    query: Sound, reference: Sound, line: _Line, free: npt.NDArray[np.bool_]
) -> slice | None:
    """The run of frames with the greatest sum of correlation above half its usual height."""
    count = len(query.bands)
    at_s: F64 = np.arange(-2.0, count + 2.0) * (line.speed / RATE_HZ) + line.offset_s
    theirs = laid(reference, at_s, line.speed if line.pitch_shifted else 1.0)
    ours = texture(query.bands)
    alike = np.full(count, -1.0, np.float32)
    for lag in range(5):
        alike = np.maximum(alike, _local_correlation(ours, theirs[lag : lag + count]))
    alike[~free] = -1.0
    inside = (at_s[2:-2] >= 0) & (at_s[2:-2] <= len(reference.bands) / RATE_HZ)
    alike[~inside] = -1.0
    core = alike[alike > 2 * _SAME_WINDOW]
    if len(core) < RATE_HZ / 2:
        return None
    gain = alike - max(1.2 * _SAME_WINDOW, float(np.median(core)) / 2)
    return _best_run(gain)


def _local_correlation(ours: F32, theirs: F32) -> F32:
    """float32[T]: correlation over 0.67 s around each frame."""
    parts = np.stack([(a * b).sum(axis=1) for a, b in _products(ours, theirs)], axis=1)
    dot, own, other = (local_mean(parts, 10) + np.array([0, 44.0, 44.0], np.float32)).T
    return (dot / np.sqrt(own * other)).astype(np.float32)


def _products(ours: F32, theirs: F32) -> list[tuple[F32, F32]]:
    return [(ours, theirs), (ours, ours), (theirs, theirs)]


def _best_run(gain: F32) -> slice | None:
    """The slice with the greatest sum (Kadane); None where nothing is positive."""
    sums = np.concatenate([[0.0], np.cumsum(gain, dtype=np.float64)])
    lowest = np.minimum.accumulate(sums)
    stop = int(np.argmax(sums - lowest))
    if sums[stop] - lowest[stop] <= 0:
        return None
    return slice(int(np.argmin(sums[: stop + 1])), stop)
