"""How the words of a query stand in a passage: exactly, in another form, or by their sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version as package_version
from typing import NamedTuple

from ml.text.lexical import folded
from ml.text.passages import words_and_lemmas
from ml.text.words import lemmatiser, tokenise

__all__ = ["Match", "QueryWord", "as_term", "match", "sound_of", "weights_of"]

# What a query's word counts for by how it stands in the passage. Of 121 pairs such as роблоксе and
# roblox 68 % sound alike, and a word of a dictionary sounds like .14 others of another meaning.
EXACT, OTHER_FORM, SAME_SOUND = 1.0, 0.9, 0.7
# tantivy drops terms of more than 65,530 bytes; a word of so many letters is none.
LONGEST_WORD = 64
# A sound of two letters is met by chance.
_SHORTEST_SOUND = 3
_VOWELS = "aeiou"
_LETTERS = "abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюя"


@dataclass(frozen=True)
class QueryWord:
    """A word of a query: as it stands, its dictionary form, its sound, and its rarity (idf)."""

    word: str
    lemma: str
    sound: str
    rarity: float


class Match(NamedTuple):
    """What of a query stands in a passage.

    Attributes:
        share: 0 to 1, weighed by rarity.
        place: of the first word of the first phrase, or else of the shortest stretch with all the
            words that were found.
        words: of the passage.
    """

    share: float
    place: int
    words: list[str]


def match(
    text: str, lemmas: Sequence[str], wanted: Sequence[QueryWord], phrases: Sequence[Sequence[str]]
) -> Match:
    """How the wanted words and phrases stand in a passage's text, with its words' lemmas."""
    words = " ".join(tokenise(text)).replace("ё", "е").split(" ")
    found = [_found(word, words, lemmas) for word in wanted]
    total = sum(word.rarity for word in wanted)
    weighed = sum(w.rarity * strength for w, (strength, _) in zip(wanted, found, strict=True))
    place = _place(words, phrases, [places for _, places in found if places])
    return Match(weighed / total if total else 0.0, place, words)


def as_term(word: str) -> str:
    """As much of a word as the index keeps, and as tantivy can take (no half surrogate pairs)."""
    return word[:LONGEST_WORD].encode("utf-8", "ignore").decode()


@lru_cache(maxsize=200_000)
def sound_of(word: str) -> str:
    """How a word sounds, in Latin letters without the vowels at its end; empty if too short.

    Whole words less final vowels, because of 121 pairs such as "роблоксе" and "roblox" 68 % meet
    this way and a word sounds like .14 other dictionary words; by their first six letters 60 %
    meet, and a word sounds like 5.4 others.
    """
    # Double letters become single, which would turn 1000 into 10.
    if any(character.isdigit() for character in word):
        return ""
    whole = folded(word)[:LONGEST_WORD]
    stem = whole.rstrip(_VOWELS)
    sound = stem if len(stem) >= _SHORTEST_SOUND else whole
    return sound if len(sound) >= _SHORTEST_SOUND else ""


@cache
def lexical_words_model() -> str:
    """Version of what the words of the index are made by."""
    return f"passages@1+simplemma@{package_version('simplemma')}"


@cache
def _lemmatiser() -> Callable[[str], str]:
    return lemmatiser()


def lemma_of(word: str) -> str:
    """The dictionary form of a query's word; the first one of a process takes a second."""
    lemmas = words_and_lemmas(word, _lemmatiser())[1]
    return lemmas[0] if len(lemmas) == 1 else word


def weights_of(word: QueryWord) -> list[tuple[str, str, float]]:
    """The fields that a word is looked for in, as what, and what its BM25 counts for there.

    BM25 is summed over the fields, so that another form has about .9 of an exact word's.
    """
    exact = ("words", as_term(word.word), EXACT - OTHER_FORM)
    if not word.sound:
        return [exact, ("lemmas", as_term(word.lemma), OTHER_FORM)]
    lemma = ("lemmas", as_term(word.lemma), OTHER_FORM - SAME_SOUND)
    return [exact, lemma, ("sounds", word.sound, SAME_SOUND)]


def _found(word: QueryWord, words: Sequence[str], lemmas: Sequence[str]) -> tuple[float, list[int]]:
    """How a query's word stands in a passage (0 if not at all), and at which places."""
    if word.word in words:
        return EXACT, [i for i, w in enumerate(words) if w == word.word]
    if word.lemma in lemmas:
        return OTHER_FORM, [i for i, lemma in enumerate(lemmas) if lemma == word.lemma]
    if not word.sound:
        return 0.0, []
    # Few words begin with such a letter: to fold all words of 200 passages takes 10 ms.
    initials = _initials(word.sound[0])
    places = [i for i, w in enumerate(words) if w[:1] in initials and sound_of(w) == word.sound]
    return (SAME_SOUND if places else 0.0), places


@cache
def _initials(sound: str) -> frozenset[str]:
    """What words may begin with whose sound begins with this letter."""
    # "ph" and "oo" sound like another letter than their first.
    pairs = {"f": "pп", "u": "oо"}.get(sound, "")
    return frozenset([sound, *pairs, *(c for c in _LETTERS if folded(c)[:1] in (sound, ""))])


def _place(
    words: Sequence[str], phrases: Sequence[Sequence[str]], found: Sequence[Sequence[int]]
) -> int:
    """Where the first phrase starts, or else the shortest stretch with all words found."""
    for phrase in phrases:
        starts = range(len(words) - len(phrase) + 1)
        if (
            start := next((i for i in starts if words[i : i + len(phrase)] == phrase), None)
        ) is not None:
            return start
    places = sorted((place, number) for number, of in enumerate(found) for place in of)
    last: dict[int, int] = {}
    best = (len(words), 0)
    for place, number in places:
        last[number] = place
        if len(last) == len(found):
            first = min(last.values())
            best = min(best, (place - first, first))
    return best[1]
