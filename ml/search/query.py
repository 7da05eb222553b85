"""What a person types into search, made ready for every channel.

Order: cleaning, quoted phrases, correction of words that the library does not know, slang. What
stands in quotes is never changed, nor is a word that the library or the slang table knows. A sign
such as ``-`` or ``'`` between words, SQL included, is text like any other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ml.search.slang import Entry, SlangTable, folded
from ml.text.words import tokenise

# A long question has some 200 characters; a pasted page is a mistake, which models would cut.
MOST_CHARACTERS = 1000

SLANG = "slang"

# As in `ml.text.words.tokenise`, which gives no places.
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_QUOTED = re.compile(r"[\"“”„]([^\"“”„]*)[\"“”]|«([^«»]*)»")
_QUOTES = re.compile(r"[\"“”„«»]")
# Six Russian letters are signs on the English keyboard: "hj,kjrc" is "роблокс".
_LAYOUT = re.compile(r"(?<!\S)(?=[a-z]*[\[\];',.`]+[a-z])[a-z\[\];',.`]+(?!\S)", re.IGNORECASE)
_UNTIL_NEXT = ",.;"


class QueryError(ValueError):
    """Nothing can be looked up: says why and what to type instead."""


class Correction(NamedTuple):
    """A word as typed, what stands in its place, and why: "typo", "keyboard layout", ..."""

    typed: str
    replaced: str
    why: str


class VocabularyLike(Protocol):
    """The words of a library, lower case with е for ё."""

    def knows(self, word: str) -> bool:
        """Whether a word is among them."""
        ...

    def correct(self, word: str) -> Correction | None:
        """The word that was probably meant, if there is one."""
        ...


@dataclass(frozen=True)
class Query:
    """A query in the forms that search needs.

    Attributes:
        original: as typed.
        text: cleaned and corrected, without quotation marks; dense models embed it.
        variants: the text with slang replaced, one for each meaning; none without slang.
        words: every word of the text as in passages, stop words too.
        phrases: the words of each quoted part, which stand in this order in what is found.
        corrections: what was changed in ``text``.
        slang: what was looked up for ``variants``, the foremost meaning.
    """

    original: str
    text: str
    variants: tuple[str, ...]
    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    corrections: tuple[Correction, ...]
    slang: tuple[Correction, ...]

    @property
    def said(self) -> str:
        """What was done to the query, for people; empty where nothing was."""
        parts = [
            f"showing results for “{c.replaced}” instead of “{c.typed}”" for c in self.corrections
        ]
        parts += [f"“{s.typed}” is looked up as “{s.replaced}”, too" for s in self.slang]
        return "; ".join(parts)


def parse_query(
    text: str,
    slang: SlangTable,
    vocabulary: VocabularyLike | None,
) -> Query:
    """A typed query as a `Query`.

    Args:
        text: as typed.
        slang: of `ml.search.slang.load_slang`.
        vocabulary: of the library; None corrects nothing.

    Raises:
        QueryError: the query is empty, too long, no text, or has neither letter nor digit.
    """
    parts = list(_parts(cleaned(text)))
    corrections: list[Correction] = []
    if vocabulary is not None:
        parts = [_corrected(part, slang, vocabulary, corrections) for part in parts]
    whole = _joined(part.text for part in parts)
    variants, looked_up = _variants(parts, slang)
    return Query(
        original=text,
        text=whole,
        variants=tuple(variant for variant in variants if variant != whole),
        words=tuple(query_words(whole)),
        phrases=tuple(
            words for p in parts if p.is_quoted and (words := tuple(query_words(p.text)))
        ),
        corrections=tuple(dict.fromkeys(corrections)),
        slang=tuple(dict.fromkeys(looked_up)),
    )


def cleaned(text: str) -> str:
    """A query in composed letters and single spaces, without invisible signs or stress marks.

    Raises:
        QueryError: see `parse_query`.
    """
    if "\0" in text or any(unicodedata.category(c) == "Cs" for c in text):
        raise QueryError("the query holds bytes that are no text; type it in words")
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"the query has {len(text):,} characters, {MOST_CHARACTERS:,} are the most: shorten it "
            "to what the video is about"
        )
    composed = unicodedata.normalize("NFKC", text)[:MOST_CHARACTERS]
    shown = " ".join("".join(map(_shown, composed)).split())
    if not shown:
        raise QueryError("the query is empty: type words to look for, such as “white cat asleep”")
    if not query_words(shown):
        raise QueryError(
            f"nothing to look for in {shown[:40]!r}: words and numbers can be searched, in any "
            "script; emoji and punctuation alone can't"
        )
    return shown


def query_words(text: str) -> list[str]:
    """The words of a text as passages hold them; runs of underscores are none."""
    return [folded(word) for word in tokenise(text) if any(map(str.isalnum, word))]


class _Part(NamedTuple):
    text: str
    is_quoted: bool


def _shown(character: str) -> str:
    """A character as it is kept: controls are spaces; marks of format and of stress go."""
    if unicodedata.category(character) == "Cc":
        return " "
    # NFKC has composed the marks that belong to a letter, as in й and é.
    return (
        "" if unicodedata.category(character) == "Cf" or character in "\u0300\u0301" else character
    )


def _parts(text: str) -> Iterator[_Part]:
    """The text's quoted and other parts in order; a mark without its partner is dropped."""
    end = 0
    for match in _QUOTED.finditer(text):
        yield _Part(_QUOTES.sub(" ", text[end : match.start()]), False)
        yield _Part(match.group(1) or match.group(2) or "", True)
        end = match.end()
    yield _Part(_QUOTES.sub(" ", text[end:]), False)


def _joined(texts: Iterator[str] | Sequence[str]) -> str:
    return " ".join(" ".join(texts).split())


def _corrected(
    part: _Part, slang: SlangTable, vocabulary: VocabularyLike, corrections: list[Correction]
) -> _Part:
    """The part with words replaced that neither library nor slang table knows."""
    if part.is_quoted:
        return part

    def replaced(match: re.Match[str]) -> str:
        correction = _correction(match.group(), slang, vocabulary)
        if correction is None:
            return match.group()
        corrections.append(correction)
        return correction.replaced

    text = _LAYOUT.sub(replaced, part.text)
    return _Part(_WORD.sub(replaced, text), False)


def _correction(typed: str, slang: SlangTable, vocabulary: VocabularyLike) -> Correction | None:
    """What was meant by a word, or by one with signs in it, that nobody knows."""
    words = query_words(typed)
    if not words or all(vocabulary.knows(word) or slang.knows(word) for word in words):
        return None
    # A comma at the end may be the letter б, or a comma.
    for tried in dict.fromkeys((folded(typed), folded(typed).rstrip(_UNTIL_NEXT))):
        if correction := vocabulary.correct(tried):
            return Correction(typed[: len(tried)], correction.replaced, correction.why)
    return None


def _variants(parts: Sequence[_Part], slang: SlangTable) -> tuple[list[str], list[Correction]]:
    """The text once for each meaning of the entry that has most, and what was looked up."""
    found = [[] if part.is_quoted else slang.find(part.text) for part in parts]
    looked_up = [
        Correction(part.text[start:end], entry.meant[0], SLANG)
        for part, entries in zip(parts, found, strict=True)
        for start, end, entry in entries
    ]
    most = max((len(entry.meant) for entries in found for *_, entry in entries), default=0)
    texts = []
    for number in range(most):
        replaced = [
            _replaced(
                part.text, [(start, end, _meaning(entry, number)) for start, end, entry in of]
            )
            for part, of in zip(parts, found, strict=True)
        ]
        texts.append(_joined(replaced))
    return list(dict.fromkeys(texts)), looked_up


def _meaning(entry: Entry, number: int) -> str:
    """A meaning by number, the foremost where an entry has fewer."""
    return entry.meant[number] if number < len(entry.meant) else entry.meant[0]


def _replaced(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    """The text with the spans' characters replaced."""
    for start, end, instead in reversed(spans):
        text = text[:start] + instead + text[end:]
    return text
