"""Seconds in which two videos sound the same, whatever they show.

Lines come from offsets that are known, from landmarks that agree and, of short sounds, from all
lags at all speeds; along each, the run of frames that correlate is taken while it is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, Segment, Sound
from ml.copies.sound.audibility import audible, is_silent
from ml.copies.sound.bands import RATE_HZ, local_mean, span, texture
from ml.copies.sound.correlation import (
    FINE_STEPS,
    PIECE,
    SAME_WINDOW,
    Fit,
    curves_of,
    fit_at,
    lay,
    score_of,
    texture_at,
)
from ml.copies.sound.landmarks import CHANGES, peaks_of, voted_lines

_LEAST_MATCH = round(1.5 * RATE_HZ)
_MOST_SEGMENTS = 8
_MOST_LINES = 24
_DENSE = round(60 * RATE_HZ)
_MATCH_STEPS = (-0.024, -0.012, 0.0, 0.012, 0.024)


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
            free[span(query, segment.query_start_s, segment.query_end_s)] = False
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
        theirs = _coarse(texture_at(reference, at_s, speed if shifted else 1.0))
        curves = curves_of(ours, theirs, round(3 * rate), round(rate))
        gain = np.maximum(curves - SAME_WINDOW, 0)
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
    fits = lay(query, reference, _middle_piece(segment))
    if fits is None or fits.sureness < _least_sureness(end_s - start_s):
        return None
    return _on_line(refined, start_s, end_s, score_of(fits))


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
    spare = max(0.0, segment.query_end_s - segment.query_start_s - PIECE / RATE_HZ) / 2
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
    place = span(query, low, high)
    if place.stop - place.start < _LEAST_MATCH or free[place].sum() < _LEAST_MATCH:
        return None
    piece = _on_line(line, low, high, 0.0)
    best: tuple[float, float, Fit] | None = None
    for steps in (_MATCH_STEPS, FINE_STEPS):
        centre = line.speed if best is None else best[1]
        for step in steps if line.middle_s is not None else (0.0,):
            speed = centre * (1 + step)
            fit = fit_at(query, reference, piece, place, speed, line.pitch_shifted)
            if best is None or fit.sureness > best[0]:
                best = (fit.sureness, speed, fit)
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
    theirs = texture_at(reference, at_s, line.speed if line.pitch_shifted else 1.0)
    ours = texture(query.bands)
    alike = np.full(count, -1.0, np.float32)
    for lag in range(5):
        alike = np.maximum(alike, _local_correlation(ours, theirs[lag : lag + count]))
    alike[~free] = -1.0
    inside = (at_s[2:-2] >= 0) & (at_s[2:-2] <= len(reference.bands) / RATE_HZ)
    alike[~inside] = -1.0
    core = alike[alike > 2 * SAME_WINDOW]
    if len(core) < RATE_HZ / 2:
        return None
    gain = alike - max(1.2 * SAME_WINDOW, float(np.median(core)) / 2)
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
