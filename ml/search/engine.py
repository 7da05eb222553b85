"""From a query's words and vectors to answers: what every channel finds, fused, with the moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ml.search.cards import Card, Cards
from ml.search.lexical_index import LexicalHit, LexicalIndex, LexicalQuery
from ml.search.ranking import Answer, Retrieved, rank

if TYPE_CHECKING:
    from ml.neighbours import VectorIndex

# What people search in, and where its words stand.
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "description", "tags"),
    "speech": ("asr",),
    "screen": ("ocr",),
    "visual": ("caption",),
}
# Hits asked of each channel; a video whose frames look alike may fill them, hence the second.
_HITS, _MOST_HITS = 200, 12_800
# Answers that a channel shall name, where it has so many.
_FEWEST_ANSWERS = 30
# Of so many videos a filter is handed to the index, 20 ms; of more, hits are dropped.
_MOST_LISTED = 10_000
# Passages found by words are taken apart in Python: of a million, 200 take 11 ms and 50 take 3.
_LEXICAL_HITS = 50
_LEAST_SPREAD = 0.01
# The spread of so many cosines is known to 7 %.
_FEWEST_SAMPLED = 100


@dataclass(frozen=True)
class Moment:
    """Where in a video the query is answered.

    Attributes:
        channel: title, speech, screen or visual.
        start_s: about when; 0 for what has no time, such as a title.
        text: the text that matched; empty for a frame.
        frame_no: the frame that matched, as in `frames`; None for a text.
        place: number of the word of the text at which the query's words begin.
    """

    channel: str
    start_s: float
    text: str
    frame_no: int | None = None
    place: int = 0


@dataclass(frozen=True)
class Found:
    """An answer with what is known of its video.

    Attributes:
        score: 0 to 1, of all channels; `channels` has that of each that speaks for it.
        best: what matched best.
        moment_s: when to start watching: the best match that has a time, else 0.
        copies: near-copies of the video that answer as well.
    """

    video_id: str
    score: float
    channels: Mapping[str, float]
    best: Moment
    moment_s: float
    card: Card | None
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What to search with.

    Attributes:
        words: the query and its variants, as words.
        vectors: channel to unit-length float32[q, d], a row a variant; channels without one are
            searched by words alone.
        channels: only these.
        among: ids of the only videos that may answer; None for all.
    """

    words: Sequence[LexicalQuery]
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    channels: Sequence[str] = tuple(CHANNELS)
    among: pa.Array | None = None


class Engine:
    """Indexes that are open for reading; threads may share it.

    Attributes:
        dense: channel to the index of its vectors; a channel may be missing.
        lexical: of all passages.
        cards: of all videos.
    """

    def __init__(
        self, lexical: LexicalIndex, dense: Mapping[str, VectorIndex], cards: Cards
    ) -> None:
        self.lexical, self.dense, self.cards = lexical, dense, cards
        self._backgrounds: dict[str, np.ndarray] = {}
        # FAISS and tantivy let go of the interpreter: two cores search two channels.
        self._pool = ThreadPoolExecutor(2 * len(CHANNELS), "kadr-search")

    def search(self, asked: Asked, k: int = 10) -> list[Found]:
        """The k best answers.

        Quoted phrases must stand in one passage of an answer; other channels then only rank.

        Raises:
            ModelMismatch: a vector of another dimension than its index.
        """
        enough = max(k, _FEWEST_ANSWERS)
        among = None if asked.among is None else frozenset(asked.among.to_pylist())
        by_words: Iterable[list[Retrieved]] = self._pool.map(
            lambda channel: self._by_words(channel, asked.words, among, enough), asked.channels
        )
        holders = None
        if any(query.phrases for query in asked.words):
            by_words = list(by_words)
            holders = {video for hits in by_words for one in hits for video in one.videos}
        by_vectors = self._pool.map(
            lambda channel: self._by_vectors(channel, asked, holders, enough),
            [channel for channel in asked.channels if self._has(channel, asked)],
        )
        retrieved = [*(one for hits in by_words for one in hits), *by_vectors]
        videos = sorted({video for hits in retrieved for video in hits.videos})
        answers = rank(retrieved, k, group_of=self.cards.groups(videos))
        cards = self.cards.of([answer.video_id for answer in answers])
        return [self._found(answer, cards.get(answer.video_id)) for answer in answers]

    def _by_words(
        self,
        channel: str,
        words: Sequence[LexicalQuery],
        among: frozenset[str] | None,
        enough: int,
    ) -> list[Retrieved]:
        """The channel's passages with the words of any variant; none where there is no such."""
        hits: list[LexicalHit] = []
        bm25: list[float] = []
        for query in words:
            found = self._passages(query, CHANNELS[channel], among, enough)
            # BM25 compares within one search, so that each variant is measured by its best.
            hits += found
            bm25 += [hit.bm25 / found[0].bm25 for hit in found]
        if not hits:
            return []
        return [
            Retrieved(
                channel,
                "lexical",
                [hit.video_id for hit in hits],
                hits,
                np.array([hit.share for hit in hits], np.float32),
                bm25=np.array(bm25, np.float32),
            )
        ]

    def _passages(
        self,
        query: LexicalQuery,
        channels: Sequence[str],
        among: frozenset[str] | None,
        enough: int,
    ) -> list[LexicalHit]:
        """So many that they are of enough videos, if there are."""
        wide = among is not None and len(among) > _MOST_LISTED
        listed = None if among is None or wide else sorted(among)
        hits = max(_LEXICAL_HITS, enough)
        while True:
            found = self.lexical.search(query, hits, channels, listed)
            kept = [h for h in found if h.video_id in among] if wide and among else found
            is_all = len(found) < hits or hits >= _MOST_HITS
            if is_all or self._are_enough([hit.video_id for hit in kept], enough):
                return kept
            hits *= 4

    def _are_enough(self, videos: Sequence[str], enough: int) -> bool:
        """Whether the videos make so many answers: copies are one."""
        different = list(dict.fromkeys(videos))
        for some in (different[: 2 * enough], different):
            groups = self.cards.groups(some)
            if len({groups.get(video, video) for video in some}) >= enough:
                return True
        return False

    def _has(self, channel: str, asked: Asked) -> bool:
        return channel in self.dense and channel in asked.vectors and self.dense[channel].count > 0

    def _by_vectors(
        self, channel: str, asked: Asked, holders: set[str] | None, enough: int
    ) -> Retrieved:
        """The channel's nearest vectors, each told in deviations from a random sample's cosines."""
        index, queries = self.dense[channel], asked.vectors[channel]
        among = asked.among if holders is None else pa.array(sorted(holders), pa.large_string())
        mask = None if among is None else index.mask_of_videos(among)
        mean, spread = self._background(channel, queries)
        scores, ids = self._nearest(index, queries, mask, enough)
        z = (scores - mean[:, None]) / spread[:, None]
        found = ids >= 0
        items = index.items_of(ids[found])
        return Retrieved(
            channel,
            "dense",
            index.videos_of(ids[found]),
            [_Vector(channel, item) for item in items],
            z[found].astype(np.float32),
            background=(0.0, 1.0),
        )

    def _nearest(
        self, index: VectorIndex, queries: np.ndarray, mask: np.ndarray | None, enough: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """So many that they are of enough videos, if the index has them."""
        hits = max(_HITS, enough)
        while True:
            scores, ids = index.search_ids(queries, hits, mask)
            is_all = bool((ids < 0).any()) or hits >= _MOST_HITS
            if is_all or all(self._are_enough(index.videos_of(row), enough) for row in ids):
                return scores, ids
            hits *= 4

    def _background(self, channel: str, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each query's cosines with a random sample."""
        if channel not in self._backgrounds:
            self._backgrounds[channel] = self._sample(channel)
        cosines = queries @ self._backgrounds[channel].T
        # Of hardly any vectors, or the same ones, the spread says nothing.
        return cosines.mean(axis=1), np.maximum(cosines.std(axis=1), _LEAST_SPREAD)

    def _sample(self, channel: str) -> np.ndarray:
        """Vectors of the channel; of few, with those of the other channels by the same model."""
        index = self.dense[channel]
        if index.count >= _FEWEST_SAMPLED:
            return index.background()
        alike = [other for other in self.dense.values() if other.model == index.model]
        return np.concatenate([other.background() for other in alike if other.count])

    def _found(self, answer: Answer, card: Card | None) -> Found:
        best = self._moment(answer.video_id, answer.items[answer.channel])
        timed = [channel for channel, item in answer.items.items() if _has_time(item)]
        start_s = best.start_s
        if not _has_time(answer.items[answer.channel]) and timed:
            second = max(timed, key=lambda channel: answer.channels[channel])
            start_s = self._moment(answer.video_id, answer.items[second]).start_s
        return Found(
            answer.video_id, answer.score, answer.channels, best, start_s, card, answer.copies
        )

    def _moment(self, video_id: str, item: LexicalHit | _Vector) -> Moment:
        if isinstance(item, LexicalHit):
            return Moment(_channel_of(item.channel), item.moment_s, item.text, place=item.place)
        if item.channel == "visual":
            frame_no, _, start_s = item.item.partition("@")
            return Moment("visual", float(start_s), "", int(frame_no))
        channel, _, number = item.item.partition("/")
        passage = self.lexical.passage(video_id, channel, int(number))
        if passage is None:
            return Moment(item.channel, 0.0, "")
        return Moment(item.channel, passage.start_s, passage.text)


@dataclass(frozen=True)
class _Vector:
    """A hit by its vector: the channel, and the item as the index's key has it."""

    channel: str
    item: str


def _has_time(item: LexicalHit | _Vector) -> bool:
    """Whether what matched has a place in the video."""
    if isinstance(item, LexicalHit):
        return item.channel in ("asr", "ocr")
    return item.channel != "title"


def _channel_of(part: str) -> str:
    """The channel of search that a channel of passages belongs to."""
    return next(name for name, parts in CHANNELS.items() if part in parts)
