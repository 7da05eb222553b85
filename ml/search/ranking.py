"""One list of answers from what the channels of search found.

Each hit is turned into evidence from 0 to 1. What speaks for a video in several channels, or by
meaning (dense) and by words (lexical) alike, adds up as independent causes do (noisy-or, Pearl
1988): one sure hit is enough, several faint ones help each other, and a channel that a video does
not have takes nothing away. `benchmarks.search`, nDCG@10 of 528 queries on a library that nothing
was chosen on: .853; summed evidence .844, the largest .796, z-scores .665, scores by the best of
their list .566, reciprocal ranks .523, and .414 for the best list alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = ("dense", "lexical")


@dataclass(frozen=True)
class Retrieved:
    """What one channel found in one way, best first.

    Attributes:
        channel: visual, speech, screen or title.
        kind: dense (by vectors) or lexical (by words).
        videos: the owner of each hit; a video may come several times.
        items: what matched, opaque here: a passage, a frame number.
        scores: float32[n]: the cosine of a dense hit; of a lexical one the share of the query's
            words that it holds, weighted by idf, 0 to 1.
        bm25: float32[n] of lexical hits.
        background: of dense hits the mean and the standard deviation of the query's cosines with
            a random sample of the channel.
    """

    channel: str
    kind: str
    videos: Sequence[str]
    items: Sequence[Any]
    scores: np.ndarray
    bm25: np.ndarray | None = None
    background: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        name = f"{self.kind} hits of channel {self.channel!r}"
        if self.kind not in KINDS:
            raise ValueError(f"{name}: hits are {' or '.join(KINDS)}")
        if not len(self.videos) == len(self.items) == len(self.scores):
            raise ValueError(
                f"{name}: {len(self.videos)} videos, {len(self.items)} items and "
                f"{len(self.scores)} scores"
            )
        if self.kind == "dense" and self.background is None:
            raise ValueError(f"{name} need the background of their cosines")
        if self.kind == "lexical" and (self.bm25 is None or len(self.bm25) != len(self.scores)):
            raise ValueError(f"{name} need a bm25 each")
        if not np.isfinite(self.scores).all():
            raise ValueError(f"{name}: a score is not a number")


@dataclass(frozen=True)
class Answer:
    """A video that answers a query.

    Attributes:
        video_id: of the video.
        score: 0 to 1, falling from answer to answer.
        channels: what each channel says for it, 0 to 1; one that says nothing is absent.
        channel: the one that says most.
        item: its best moment, as `Retrieved.items` gave it.
        items: the best of each channel that speaks for it.
        copies: other videos of its group that answer as well, best first.
    """

    video_id: str
    score: float
    channels: Mapping[str, float]
    channel: str
    item: Any
    items: Mapping[str, Any]
    copies: tuple[str, ...] = ()


# Cosines are told in standard deviations from those with a random sample, which makes models of a
# narrow range (e5) and of a wide one (MiniLM) alike. A list whose best hit is faint knows next to
# nothing (names that nobody knows reach 3.6 among pictures), one whose best is clear everything.
# Measured on the tuning library, nDCG and its mean over kinds less what is lost on the best list,
# .80: evidence of each hit by itself, whatever the best, loses .007. Faint at 2 gains .003, but
# loses .05 on rare names. Clear at 12 is the same, at 8 loses .04; for pictures 5.5 is the same, on
# vectors that only stand in for a model's.
_FAINT, _CLEAR, _CLEAR_PICTURE = 3.0, 14.0, 5.0
# Where nothing else is found, vague likeness still has an order.
_LEAST_CLEAR = 0.05
# Evidence falls with the distance from the best hit: of texts squarely (1 loses .007, 1.5 .002 and
# 3 .001), of pictures in proportion (2 loses .007).
_TEXT_POWER, _PICTURE_POWER = 2, 1
# Standard deviation of cosines among hardly any vectors, or the same ones again and again.
_LEAST_SPREAD = 0.01
# A hit with all of the query's words that no hit surpasses; .6 loses .005, 1 .008 and 1.2 .02. The
# share of words squared loses .01.
_LEXICAL_WEIGHT = 0.8
# Nothing is certain, so that two sure channels are surer than one.
_MOST_SURE = 0.98


def rank(
    retrieved: Sequence[Retrieved],
    k: int,
    *,
    group_of: Mapping[str, str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Answer]:
    """The k best answers, best first; equal ones by video id.

    Args:
        retrieved: what each channel found; a channel and kind may be missing.
        k: at most so many answers; a video that nothing speaks for is none.
        group_of: group of near-copies of each video that has any; a group is one answer.
        weights: of channels, 0 to 1; 1 where absent, and 0 leaves a channel out.

    Raises:
        ValueError: a weight is not between 0 and 1.
    """
    weights = weights or {}
    for channel, weight in weights.items():
        if not 0 <= weight <= 1:
            raise ValueError(f"the weight of channel {channel!r} is {weight}, not 0 to 1")
    used = [hits for hits in retrieved if len(hits.videos) and weights.get(hits.channel, 1) > 0]
    videos = sorted({video for hits in used for video in hits.videos})
    place = {video: row for row, video in enumerate(videos)}
    best = [_Best.of(hits, place, weights.get(hits.channel, 1)) for hits in used]
    doubt = np.ones(len(videos))
    for one in best:
        doubt *= 1 - one.evidence
    # Videos are in the order of their ids, which a stable sort keeps among equals.
    order = np.argsort(doubt, kind="stable")
    order = order[doubt[order] < 1]
    return [
        _answer(rows[0], videos, 1 - float(doubt[rows[0]]), best, [videos[r] for r in rows[1:]])
        for rows in _folded(order, videos, group_of or {}, k)
    ]


def evidence(hits: Retrieved) -> np.ndarray:
    """How surely each hit answers the query, float64[n], 0 to 1, beside the best of its list."""
    scores = np.asarray(hits.scores, np.float64)
    if not len(scores):
        return scores
    if hits.bm25 is not None:
        bm25 = np.asarray(hits.bm25, np.float64)
        return _LEXICAL_WEIGHT * scores * bm25 / max(bm25.max(), 1e-9)
    mean, spread = hits.background or (0.0, 1.0)
    z = (scores - mean) / max(spread, _LEAST_SPREAD)
    is_picture = hits.channel == "visual"
    clear = _CLEAR_PICTURE if is_picture else _CLEAR
    power = _PICTURE_POWER if is_picture else _TEXT_POWER
    clearness = np.clip((z.max() - _FAINT) / (clear - _FAINT), _LEAST_CLEAR, _MOST_SURE)
    return np.asarray(clearness * np.clip(z / max(z.max(), 1e-9), 0, 1) ** power)


@dataclass(frozen=True)
class _Best:
    """The best hit of each video, by row of the videos: its evidence, 0 without, and its place."""

    hits: Retrieved
    evidence: np.ndarray
    hit: np.ndarray

    @classmethod
    def of(cls, hits: Retrieved, place: Mapping[str, int], weight: float) -> _Best:
        rows = np.fromiter((place[video] for video in hits.videos), np.int64, len(hits.videos))
        sure = weight * evidence(hits)
        # The surest comes last, and of equal ones the first, so that it stays.
        order = np.argsort(-sure, kind="stable")[::-1]
        made = cls(hits, np.zeros(len(place)), np.zeros(len(place), np.int64))
        made.evidence[rows[order]], made.hit[rows[order]] = sure[order], order
        return made


def _folded(
    order: np.ndarray, videos: Sequence[str], group_of: Mapping[str, str], k: int
) -> list[list[int]]:
    """Rows of the first k answers, each with those of its copies behind it."""
    answers: dict[tuple[bool, str], list[int]] = {}
    for row in order.tolist():
        video = videos[row]
        key = (video in group_of, group_of.get(video, video))
        if key in answers:
            answers[key].append(row)
        elif len(answers) < k:
            answers[key] = [row]
    return list(answers.values())


def _answer(
    row: int, videos: Sequence[str], score: float, best: Sequence[_Best], copies: Sequence[str]
) -> Answer:
    speaking = [one for one in best if one.evidence[row] > 0]
    doubt: dict[str, float] = {}
    for one in speaking:
        doubt[one.hits.channel] = doubt.get(one.hits.channel, 1.0) * (1 - one.evidence[row])
    channels = {channel: 1 - float(left) for channel, left in doubt.items()}
    speaking.sort(key=lambda one: float(one.evidence[row]))
    items = {one.hits.channel: one.hits.items[one.hit[row]] for one in speaking}
    clearest = max(items, key=lambda channel: channels[channel])
    return Answer(videos[row], score, channels, clearest, items[clearest], items, tuple(copies))
