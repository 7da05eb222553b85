"""What a topic is about: its terms, its name, and the nearest entry of a taxonomy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ml.taxonomy import Entry
from ml.text.lexical import EntryPhrases
from ml.text.words import class_tf_idf, distinct_terms
from ml.topics.clustering import NO_TOPIC

TERMS = 10
NAME_TERMS = 3
# Texts that a topic's terms are taken from: those nearest the centroid say as much as all do, and
# a thousand topics stay readable.
DOCUMENTS_PER_TOPIC = 200
# A term counts less the farther down it stands, a title as much as the fourth.
_TERM_DECAY = 0.8
_TITLE_WEIGHT = 0.5
# An entry's vector counts as much as a foremost term that names it, at a cosine this much above
# the mean of all entries; in standard deviations.
_COSINE_SPREAD = 4.0
# A single word may mean something else: made-up topics of greetings became "Charity" by "добро".
_FEWEST_PHRASES = 2
# What is found below an entry decides for one of its children if so much of it agrees.
_AGREEING = 0.5
# Evidence, all of it for one entry, at which the score is a half: two terms that name it are more.
_HALF_ENOUGH = 0.75
# Below this score entries are wrong too often: with phrases of 6 letters 84 % of those with any
# score were right, from .35 on 94 %, from .6 on 100 % but less than half as many.
LEAST_SCORE = 0.35


@dataclass(frozen=True)
class TopicWords:
    """What is known of a topic in words.

    Attributes:
        terms: foremost first.
        titles: of its exemplars.
        vector: float32[d], mean of its videos' vectors by the library's text model; None where
            entries have no vectors.
    """

    terms: Sequence[str]
    titles: Sequence[str] = ()
    vector: np.ndarray | None = None


@dataclass(frozen=True)
class NearestEntry:
    """An entry of the taxonomy; an empty path where none is near enough.

    Attributes:
        path: names of its levels, from the top.
        score: 0 to 1, how much of what names any entry names this one, and how much that is.
    """

    path: tuple[str, ...] = ()
    score: float = 0.0


@dataclass(frozen=True)
class _Evidence:
    """That a text names an entry by a phrase, or lies nearest to it (no phrase)."""

    entry: int
    phrase: tuple[str, ...]
    weight: float


def naming_rows(
    labels: np.ndarray, distances: np.ndarray, limit: int = DOCUMENTS_PER_TOPIC
) -> dict[int, np.ndarray]:
    """Topic (-1 too) to the rows whose texts name it, int64, at most ``limit``, nearest first.

    Args:
        labels: int[n], -1 for none.
        distances: float[n], to the topic's centroid.
    """
    order = np.lexsort((distances, labels))
    found, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    return {
        int(topic): order[start : start + min(count, limit)]
        for topic, start, count in zip(found, starts, counts, strict=True)
    }


def topic_terms(
    documents_by_topic: Mapping[int, Sequence[str]], count: int = TERMS
) -> dict[int, list[str]]:
    """Each topic's terms, foremost first: class TF-IDF, with the unassigned videos as one class.

    Equal weights, the rule among a few short titles, go to the text that stands first.

    Args:
        documents_by_topic: topic to texts, those of the videos nearest its centroid first; -1 to
            texts of videos without a topic, which help to tell what is usual.
        count: terms at most.
    """
    terms = class_tf_idf(documents_by_topic, top=count)
    return {topic: distinct_terms(of, count) for topic, of in terms.items() if topic != NO_TOPIC}


def topic_name(terms: Sequence[str], topic_id: int) -> str:
    """A name for people: the foremost terms, or the number where there is no word."""
    return ", ".join(terms[:NAME_TERMS]) or f"topic {topic_id}"


def nearest_entries(
    topics: Sequence[TopicWords],
    entries: Sequence[Entry],
    entry_vectors: np.ndarray | None = None,
) -> list[NearestEntry]:
    """Where topics belong in a taxonomy, by their words; one answer per topic.

    Every entry that a term or a title names by its names or aliases, in any of their languages, is
    evidence for it and for the entries above it. From the top the path goes down as long as half
    of the evidence agrees on one child.

    Args:
        topics: their words.
        entries: of the taxonomy.
        entry_vectors: float32[len(entries), d] of unit length, by the model behind the topics'
            vectors; None to go by words alone.
    """
    phrases = _phrases(tuple(entries))
    found = []
    for topic in topics:
        evidence = _evidence(topic, phrases)
        if entry_vectors is not None and topic.vector is not None:
            evidence.append(_by_vector(topic.vector, entry_vectors))
        found.append(_descended(evidence, entries))
    return found


@lru_cache(maxsize=1)
def _phrases(entries: tuple[Entry, ...]) -> EntryPhrases:
    """Kept, because those of the default taxonomy take longer than to name the topics by them."""
    return EntryPhrases(entries)


def _evidence(topic: TopicWords, phrases: EntryPhrases) -> list[_Evidence]:
    """What speaks for entries: each text gives its weight to those that it names."""
    weighted = [(term, _TERM_DECAY**place) for place, term in enumerate(topic.terms)]
    weighted += [(title, _TITLE_WEIGHT) for title in topic.titles]
    evidence = []
    for text, weight in weighted:
        named = phrases.named(text)
        # Of "electric car" the entry that is called so counts twice as much as that of cars.
        words = sum(len(phrase) for _, phrase in named)
        evidence += [_Evidence(e, phrase, weight * len(phrase) / words) for e, phrase in named]
    return evidence


def _by_vector(vector: np.ndarray, entry_vectors: np.ndarray) -> _Evidence:
    """The entry with the nearest vector."""
    cosines = entry_vectors @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
    nearest = int(cosines.argmax())
    above = float(cosines[nearest] - cosines.mean()) / max(float(cosines.std()), 1e-12)
    return _Evidence(nearest, (), min(1.0, above / _COSINE_SPREAD))


def _descended(evidence: Sequence[_Evidence], entries: Sequence[Entry]) -> NearestEntry:
    totals: dict[tuple[str, ...], float] = defaultdict(float)
    kinds: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for found in evidence:
        path = entries[found.entry].path
        for level in range(len(path) + 1):
            totals[path[:level]] += found.weight
            kinds[path[:level]].add(found.phrase)
    path = ()
    while children := [p for p in totals if len(p) == len(path) + 1 and p[:-1] == path]:
        best = max(children, key=lambda p: (totals[p], p))
        if totals[best] < _AGREEING * totals[path] or len(kinds[best]) < _FEWEST_PHRASES:
            break
        path = best
    score = totals[path] / (totals[()] + _HALF_ENOUGH)
    if not path or score < LEAST_SCORE:
        return NearestEntry()
    return NearestEntry(path, score)
