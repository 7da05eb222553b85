"""Which videos of the library have sound in common with one: an inverted index of landmarks.

A search maps the files that ``ml/copies/sound_growth.py`` writes, a set for each batch.

A query's landmarks vote for (video, reference minus query time), at 19 speeds with the pitch kept
or shifted. Words in many videos weigh little, and so do the query's seconds that many videos share:
jingles, intros, end cards.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64, I32, Candidate, Sound
from ml.copies.sound.bands import MAKER, RATE_HZ
from ml.copies.sound.landmarks import BIN, CHANGES, expanded, landmarks, peaks_of
from ml.copies.sound_growth import SoundBatch, batches_inside, paths_of
from ml.indexes.files import MANIFEST, IndexDamaged
from ml.indexes.verified import Verify

MOST_CANDIDATES = 64
# Postings read for a second of the query at one speed, and at most: the rarest words first, so that
# a query doesn't grow with the library.
_POSTINGS_PER_S, _MOST_POSTINGS = 2_500, 400_000
# Beyond what falls on a line by chance, in votes of words that no other video has.
_LEAST_VOTES = 4.0
_LEAST_WEIGHT = 0.05
# A second counts for so many votes at most, and there must be so many seconds, unless the query is
# shorter: a word that two videos have in common, or one note, is not a sound track.
_VOTES_PER_S = 6.0
_LEAST_SECONDS = 3
# What a candidate must score: 3.5 for a query of 3 s to 8 from 12 s on, where chance has more room.
_LEAST_SCORE, _SCORE_PER_S, _MOST_NEEDED = 2.0, 0.5, 8.0
# A second is shared by the videos that have so many votes in it.
_SHARED_VOTES = 4.0
_OFFSETS = 3  # lines named for a video

Int64 = npt.NDArray[np.int64]


class SoundIndex:
    """An index that is open for search."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts
        self.video_count = sum(len(part.video_ids) for part in parts)

    @classmethod
    def open(cls, folder: Path, *, verify: Verify = False) -> SoundIndex:
        """The index in a folder.

        Args:
            folder: where `update_sound_index` wrote it.
            verify: compare checksums, about 1 s per GB, or only those of files that are not known
                to be whole. Sizes are always compared.

        Raises:
            IndexDamaged: there is none, it is of other fingerprints, or files are missing.
        """
        batches = batches_inside(folder)
        if batches is None:
            raise IndexDamaged(folder, f"there is no {MANIFEST} of {MAKER}")
        try:
            return cls([_Part.open(folder, batches[name], verify) for name in sorted(batches)])
        except (OSError, ValueError, KeyError) as error:
            raise IndexDamaged(folder, str(error)) from error

    def search(self, sound: Sound, *, exclude: str = "") -> list[Candidate]:
        """At most 64 videos that share sound, the best first; equal ones by video id.

        ``score`` counts landmarks beyond chance, each second weighed by how few videos share it.
        ``offsets_s`` are reference minus query time in the middle of what agrees.

        Args:
            sound: the query's.
            exclude: a video that is not to be named, the query itself.
        """
        seconds = int(len(sound.bands) / RATE_HZ) + 1
        peaks = peaks_of(sound)
        asked = [landmarks(peaks.changed(*change), both_sides=True) for change in CHANGES]
        words = np.unique(np.concatenate([found for found, _ in asked]))
        postings, in_videos = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
        for part in self._parts:
            part.count(words, postings, in_videos)
        weights = _rarity(in_videos, self.video_count)
        budget = min(seconds * _POSTINGS_PER_S, _MOST_POSTINGS)
        lines: list[_Line] = []
        for (speed, _), (found, frames) in zip(CHANGES, asked, strict=True):
            at = np.searchsorted(words, found)
            kept = _affordable(at, frames, postings, budget)
            query = _Query(found[kept], frames[kept], weights[at[kept]], speed, seconds)
            for part in self._parts:
                lines += part.lines(query)
        lines = [line for line in lines if line.video_id != exclude]
        return _candidates(_best_lines(lines), seconds, self.video_count)


def _affordable(at: Int64, frames: F32, postings: Int64, budget: int) -> Int64:
    """Positions of the landmarks whose words are inside, the rarest first, within a budget."""
    inside = np.flatnonzero(postings[at])
    order = inside[np.lexsort((frames[inside], at[inside], postings[at[inside]]))]
    return order[np.cumsum(postings[at[order]]) <= budget]


@dataclass(frozen=True)
class _Query:
    words: I32
    frames: F32  # of the query, at the reference's speed
    weights: F32
    speed: float
    seconds: int


@dataclass(frozen=True)
class _Line:
    """Votes of one video at one offset and speed, by second of the query."""

    video_id: str
    votes: F32
    share_by_chance: float
    offset_s: float

    @property
    def total(self) -> float:
        return self.weighted(np.ones(1, np.float32))

    @property
    def seconds(self) -> int:
        return int((self.votes > 0).sum())

    def weighted(self, weight: F32) -> float:
        """Votes beyond chance, each second's times its weight."""
        counted = np.minimum(self.votes * (1 - self.share_by_chance), _VOTES_PER_S)
        return float((counted * weight).sum())


class _Part:
    """The mapped files of one batch."""

    def __init__(self, video_ids: list[str], frames: Int64, words: I32, postings: I32) -> None:
        self.video_ids = video_ids
        self._frames = frames
        self._words, self._starts, self._in_videos = words[0, :-1], words[1], words[2, :-1]
        self._video, self._frame = postings

    @classmethod
    def open(cls, folder: Path, batch: SoundBatch, verify: Verify) -> _Part:
        batch.check(folder, verify=verify)
        paths = paths_of(folder, batch.stem)
        videos = json.loads(paths["videos"].read_text(encoding="utf-8"))
        words = np.load(paths["words"], mmap_mode="r")
        postings = np.load(paths["postings"], mmap_mode="r")
        if words.shape[0] != 3 or postings.shape != (2, batch.postings):
            raise ValueError(f"{paths['words'].name} and {paths['postings'].name} don't fit")
        return cls(videos["ids"], np.array(videos["frames"], np.int64), words, postings)

    def count(self, words: I32, postings: Int64, in_videos: Int64) -> None:
        """Adds this batch's counts of each of the words, which are in order and distinct."""
        at, known = self._find(words)
        postings[known] += self._starts[at + 1] - self._starts[at]
        in_videos[known] += self._in_videos[at]

    def _find(self, words: I32) -> tuple[Int64, Int64]:
        """Places among this batch's words, and which of the given words they are."""
        at = np.searchsorted(self._words, words)
        at_most = np.minimum(at, max(len(self._words) - 1, 0))
        known = np.flatnonzero(self._words[at_most] == words) if len(self._words) else at[:0]
        return at[known], known

    def lines(self, query: _Query) -> list[_Line]:
        """The lines that more landmarks agree on than fall there by chance, by video."""
        at, known = self._find(query.words)
        which, place = expanded(
            self._starts[at].astype(np.int64), self._starts[at + 1].astype(np.int64)
        )
        if not len(which):
            return []
        which = known[which]
        return self._voted(query, which, self._video[place], self._frame[place])

    def _voted(self, query: _Query, which: Int64, video: I32, frame: I32) -> list[_Line]:
        offset = frame - query.frames[which]
        # A few bins more than can be hit, so that neighbours never belong to another video.
        before = math.ceil(float(query.frames.max()) / BIN) + 2
        sizes = self._frames // BIN + before + 4
        ends = np.cumsum(sizes)
        origin = ends - sizes + before
        bins = origin[video] + np.rint(offset * np.float32(1 / BIN)).astype(np.int64)
        order = np.argsort(bins, kind="stable")
        which, offset, bins = which[order], offset[order], bins[order]
        weights = query.weights[which]
        taken, starts = np.unique(bins, return_index=True)
        votes = np.add.reduceat(weights, starts).astype(np.float64)
        near = _with_neighbours(taken, votes)
        usual: F64 = 3 * np.bincount(video[order], weights, minlength=len(sizes)) / sizes
        owner = np.searchsorted(ends, taken, "right")
        limit = usual + 3 * np.sqrt(usual) + _LEAST_VOTES
        chosen = np.flatnonzero(near > limit[owner])
        lines = []
        for i in chosen[_fullest(taken[chosen], near[chosen])]:
            mine = slice(*np.searchsorted(bins, [taken[i] - 1, taken[i] + 2]))
            at_s = query.frames[which[mine]] / (query.speed * RATE_HZ)
            second = np.clip(at_s.astype(np.int64), 0, query.seconds - 1)
            by_second = np.bincount(second, weights[mine], minlength=query.seconds)
            offset_s = float(np.median(offset[mine])) / RATE_HZ
            offset_s += (query.speed - 1) * float(np.median(at_s))
            chance = float(usual[owner[i]] / near[i])
            video_id = self.video_ids[owner[i]]
            lines.append(_Line(video_id, by_second.astype(np.float32), chance, offset_s))
        return lines


def _with_neighbours(taken: Int64, votes: F64) -> F64:
    """The votes of each taken bin and of the two beside it."""
    near = votes.copy()
    beside = np.flatnonzero(np.diff(taken) == 1)
    near[beside] += votes[beside + 1]
    near[beside + 1] += votes[beside]
    return near


def _fullest(taken: Int64, near: F64) -> npt.NDArray[np.bool_]:
    """Which bins are no emptier than those right beside them."""
    beside = np.diff(taken) == 1
    kept = np.ones(len(taken), np.bool_)
    kept[:-1] &= ~(beside & (near[1:] > near[:-1]))
    kept[1:] &= ~(beside & (near[:-1] > near[1:]))
    return kept


def _best_lines(lines: list[_Line]) -> dict[str, list[_Line]]:
    """By video, its three best lines that lie more than a second apart."""
    by_video: dict[str, list[_Line]] = {}
    for line in sorted(lines, key=lambda line: (-line.total, line.video_id, line.offset_s)):
        kept = by_video.setdefault(line.video_id, [])
        apart = all(abs(line.offset_s - other.offset_s) > 1.0 for other in kept)
        if apart and len(kept) < _OFFSETS:
            kept.append(line)
    return by_video


def _candidates(
    by_video: dict[str, list[_Line]], seconds: int, video_count: int
) -> list[Candidate]:
    shared = np.zeros(seconds, np.int64)
    for lines in by_video.values():
        shared += lines[0].votes >= _SHARED_VOTES
    weight = _rarity(shared, max(video_count, len(by_video)))
    # A landmark begins a second before it ends.
    least_seconds = min(_LEAST_SECONDS, max(1, seconds - 2))
    least_score = min(_LEAST_SCORE + _SCORE_PER_S * seconds, _MOST_NEEDED)
    found = []
    for video_id, lines in by_video.items():
        score = lines[0].weighted(weight)
        if score < least_score or lines[0].seconds < least_seconds:
            continue
        offsets = tuple(round(line.offset_s, 3) for line in lines)
        found.append(Candidate(video_id, round(score, 4), "sound", offsets_s=offsets))
    found.sort(key=lambda c: (-c.score, c.video_id))
    return found[:MOST_CANDIDATES]


def _rarity(in_videos: npt.NDArray[Any], video_count: int) -> F32:
    """1 for what one video has, near 0 for what all have: log(N / df) / log N."""
    if video_count < 2:
        return np.ones(len(in_videos), np.float32)
    # Counted as if there were a hundred videos: in a library of three nothing is common yet.
    scale = max(video_count, 100)
    share = np.maximum(in_videos, 1) / scale
    return np.maximum(-np.log(share) / math.log(scale), _LEAST_WEIGHT).astype(np.float32)
