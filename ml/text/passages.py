"""Pieces of a video's texts, each short enough to name a moment.

What is said is joined from recognised segments, what is written from lines on screen, and a
description is cut at sentences, all to at most `MOST_WORDS` words. A passage keeps its words in
order, so that a quoted phrase can be told from the same words elsewhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any, NamedTuple

from ml.schemas import PASSAGE_CHANNELS
from ml.text.words import lemmatiser, tokenise

__all__ = ["MOST_WORDS", "Passage", "TimedText", "moment_of", "passages_of", "words_and_lemmas"]

# A text model reads 256 to 512 tokens, and 60 words of Russian are some 150 of them.
MOST_WORDS = 60
# Scripts without spaces have no words to count: ten characters count for one.
_WORD_CHARACTERS = 10
_MOST_CHARACTERS = MOST_WORDS * _WORD_CHARACTERS
_MOST_S = 30.0
# After a longer silence the next words are another moment, and a word's place in the passage
# would no longer tell its time.
_LONGEST_PAUSE_S = 3.0
# Lines that appear within so many seconds of one another are one screen, or subtitles in a row.
_SCREEN_S = 10.0
_SCREEN_GAP_S = 1.0
# A line that comes back sooner never left: a logo, a flickering recognition.
_SAME_LINE_S = 30.0
# Letters of a word with a dictionary form; see ml/text/words.py.
_LONGEST_WORD = 40
_JOINTS = {"asr": " ", "ocr": " / ", "tags": ", "}
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[。！？])|\s*\n\s*")


class TimedText(NamedTuple):
    """A text of a channel: a spoken segment, a line on screen; 0 and 0 where there is no time."""

    start_s: float
    end_s: float
    text: str
    language: str = ""


@dataclass(frozen=True)
class Passage:
    """A row of the dataset `passages`, less its video_id; the columns are described there."""

    channel: str
    passage_no: int
    start_s: float
    end_s: float
    text: str
    words: list[str]
    lemmas: list[str]
    language: str

    def row(self, video_id: str) -> dict[str, Any]:
        """The row of that dataset."""
        return {"video_id": video_id, **vars(self)}


def passages_of(
    texts: Mapping[str, Iterable[TimedText | tuple[float, float, str, str]]],
    lemma: Callable[[str], str] | None = None,
) -> list[Passage]:
    """The passages of one video, by channel in the order of `PASSAGE_CHANNELS` and by time.

    Args:
        texts: channel to its (start_s, end_s, text, language) in any order; a channel may be
            absent or empty.
        lemma: word to dictionary form; `ml.text.words.lemmatiser()` where absent. Give one when
            there are many videos, so that words met before are not looked up again.

    Raises:
        ValueError: a channel that `PASSAGE_CHANNELS` does not name.
    """
    if unknown := sorted(set(texts) - set(PASSAGE_CHANNELS)):
        raise ValueError(f"channels {unknown}: passages are of {', '.join(PASSAGE_CHANNELS)}")
    lemma, found = lemma or lemmatiser(), []
    for channel in PASSAGE_CHANNELS:
        given = [TimedText(*t) for t in texts.get(channel, ())]
        for number, piece in enumerate(_pieces(channel, [t for t in given if t.text.strip()])):
            words, lemmas = words_and_lemmas(piece.text, lemma)
            found.append(Passage(channel, number, *piece[:3], words, lemmas, piece.language))
    return found


def words_and_lemmas(text: str, lemma: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """Every word of a text in order, stop words too, and beside it the dictionary form of each.

    Words are NFKC in lower case, with е for ё; "cat's" has the lemma "cat". A query's words are
    made by this function as well, so that they meet.
    """
    found = tokenise(text)
    lemmas = [lemma(w.split("'")[0]) if len(w) <= _LONGEST_WORD else w for w in found]
    return [_without_yo(w) for w in found], [_without_yo(w) for w in lemmas]


def moment_of(
    start_s: float, end_s: float, words: Sequence[str], place: int, channel: str = "asr"
) -> float:
    """About when word number `place` of a passage is said or shown, in seconds.

    The passage's time is shared out by letters: recognisers give the times of segments, not of
    words, so that a time for every word would be the same guess, stored. Lines on screen appear
    within 10 s of the passage's start, however long they stay.
    """
    length_s = max(0.0, end_s - start_s)
    if channel == "ocr":
        length_s = min(length_s, _SCREEN_S)
    letters = [len(word) + 1 for word in words]
    return start_s + length_s * sum(letters[:place]) / max(1, sum(letters))


def _pieces(channel: str, texts: list[TimedText]) -> Iterator[TimedText]:
    """What stands in the passages of a channel."""
    if channel == "asr":
        cut = [piece for text in texts for piece in _cut_segment(text)]
        yield from _joined(sorted(cut, key=lambda t: t.start_s), channel, _follows_in_speech)
    elif channel == "ocr":
        cut = [piece for text in texts for piece in _cut_text(text)]
        lines = _without_repeats(sorted(cut, key=lambda t: t.start_s))
        yield from _joined(lines, channel, _follows_on_screen)
    else:
        untimed = [text._replace(start_s=0.0, end_s=0.0) for text in texts]
        cut = [piece for text in untimed for piece in _cut_text(text)]
        yield from _joined(cut, channel, lambda window, text: True)


@dataclass(frozen=True)
class _Window:
    """Texts that are joined so far."""

    texts: tuple[TimedText, ...]
    size: int
    end_s: float

    @property
    def start_s(self) -> float:
        return self.texts[0].start_s


def _joined(
    texts: Iterable[TimedText], channel: str, follows: Callable[[_Window, TimedText], bool]
) -> Iterator[TimedText]:
    """Neighbours in one language joined, as long as they follow each other and fit."""
    window: _Window | None = None
    for text in texts:
        size = _size(text.text)
        if (
            window is not None
            and window.size + size <= _MOST_CHARACTERS
            and window.texts[0].language == text.language
            and follows(window, text)
        ):
            end_s = max(window.end_s, text.end_s)
            window = replace(
                window, texts=(*window.texts, text), size=window.size + size, end_s=end_s
            )
            continue
        if window is not None:
            yield _text_of(window, channel)
        window = _Window((text,), size, text.end_s)
    if window is not None:
        yield _text_of(window, channel)


def _text_of(window: _Window, channel: str) -> TimedText:
    lines = [" ".join(text.text.split()) for text in window.texts]
    text = _JOINTS.get(channel, " ").join(dict.fromkeys(lines) if channel == "ocr" else lines)
    return TimedText(window.start_s, window.end_s, text, window.texts[0].language)


def _follows_in_speech(window: _Window, text: TimedText) -> bool:
    return (
        text.start_s - window.end_s <= _LONGEST_PAUSE_S and text.end_s - window.start_s <= _MOST_S
    )


def _follows_on_screen(window: _Window, text: TimedText) -> bool:
    return (
        text.start_s - window.start_s <= _SCREEN_S and text.start_s - window.end_s <= _SCREEN_GAP_S
    )


def _without_repeats(lines: Iterable[TimedText]) -> Iterator[TimedText]:
    """Lines without those that were on screen within the last 30 s."""
    gone_s: dict[str, float] = {}
    for line in lines:
        key = " ".join(line.text.lower().split())
        if line.start_s - gone_s.get(key, -_SAME_LINE_S - 1) > _SAME_LINE_S:
            yield line
        gone_s[key] = max(line.end_s, gone_s.get(key, 0.0))


def _cut_segment(segment: TimedText) -> list[TimedText]:
    """A segment as it is, or in equal parts when it is too long; parts share its time by words."""
    length_s = segment.end_s - segment.start_s
    count = ceil(max(_size(segment.text) / _MOST_CHARACTERS, length_s / _MOST_S))
    if count <= 1:
        return [segment]
    atoms = list(_atoms(segment.text))
    count = min(count, len(atoms))
    bounds = [len(atoms) * n // count for n in range(count + 1)]
    times = [segment.start_s + length_s * bound / len(atoms) for bound in bounds]
    return [
        TimedText(times[n], times[n + 1], " ".join(atoms[a:b]), segment.language)
        for n, (a, b) in enumerate(pairwise(bounds))
    ]


def _cut_text(text: TimedText) -> Iterator[TimedText]:
    """A text in sentences, and longer sentences in parts that fit."""
    for sentence in filter(None, _SENTENCE_END.split(text.text.strip())):
        part: list[str] = []
        size = 0
        for atom in _atoms(sentence):
            if part and size + _size(atom) > _MOST_CHARACTERS:
                yield text._replace(text=" ".join(part))
                part, size = [], 0
            part.append(atom)
            size += _size(atom)
        if part:
            yield text._replace(text=" ".join(part))


def _atoms(text: str) -> Iterator[str]:
    """What stands between spaces, cut where it would fill a passage by itself."""
    for atom in text.split():
        for start in range(0, len(atom), _MOST_CHARACTERS):
            yield atom[start : start + _MOST_CHARACTERS]


def _size(text: str) -> int:
    """How much of a passage's 600 characters a text fills: 10 for a word, more for long ones."""
    return max(len(text.split()) * _WORD_CHARACTERS, len(text))


def _without_yo(word: str) -> str:
    return word.replace("ё", "е")
