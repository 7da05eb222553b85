"""Free keywords of each video: what its own texts say more often than the library's do.

TF-IDF over words and pairs of words by lemma, against document frequencies of the whole library,
then maximal marginal relevance (Carbonell and Goldstein 1998), so that a list does not repeat
itself. Frequencies are counts of fixed size that can be added to, taken from and merged, so that a
night's videos change them without reading the others again.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from math import log
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np

from ml.text.words import Word, lemmatiser, words

# Frequencies are kept for the hashes of terms: 16 MB whatever the library's size, 0.01 MB on
# disk for 800 videos. At a million different terms one in five shares its place with a rare one.
HASH_BITS = 22
# A title is chosen to say what a video is about; speech says much else.
CHANNEL_WEIGHTS = {"title": 3.0, "description": 1.5, "ocr": 1.0, "caption": 1.0, "asr": 1.0}
# A pair that stands in a title and once more, or in speech again and again, is a term; others are
# words that met by chance: of five keywords of made-up videos 63 % are their theme's with the pairs
# of titles too, 72 % with these alone, and 76 % without pairs, which reads worse ("final", "lap").
_LEAST_PAIR_WEIGHT = 3.5
# So much more than its words, which it then stands for.
_PAIR_WEIGHT = 1.2
# Of maximal marginal relevance: how much a keyword's own weight counts beside its likeness to those
# chosen before it. .4 to .8 choose the same but for one word in a hundred.
_RELEVANCE = 0.6
# Alike beyond that, a keyword repeats another: "guitar" and "guitars", "гитара" and "гитарный".
# Five keywords hold 4.5 different words with it, 3.6 without.
_MOST_ALIKE = 0.6
# Keywords looked at for each one that is wanted.
_CANDIDATES = 6

# Addresses and names of accounts.
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|@\w+|\b\w+\.(?:com|ru|org|net|me|tv)\b\S*")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_CYRILLIC_LANGUAGES = frozenset(("ru", "uk", "be", "bg", "kk", "ky", "mk", "mn", "sr", "tg"))
# What channels say of themselves whatever the video; beyond the stop words, which hold "subscribe".
# Lemmas and forms that the lemma lists do not know.
_BOILERPLATE_WORDS = """
bell click comments download follow hashtag instagram facebook twitter telegram tiktok vk vkontakte
youtube like likes link notification patreon donate promo promocode reupload share shorts sponsor
subscribed subscriber subscribers subscription viewer
бусти вк вконтакте вступать вступить дзен донат инстаграм инстаграмм колокольчик лайк лайка лайкать
нажать нажимать нажми нравиться поддержать подписка подписчик подпишись подпишитесь подписываться
подписывайся поставить промокод репост рутуб соцсеть спонсор ссылка ставить ставь ставьте телеграм
телеграмм тикток ютуб уведомление скачать
"""
_BOILERPLATE = frozenset(_BOILERPLATE_WORDS.split())
# Words of any theme, which say something beside another only: "new york", "best man".
_WEAK_WORDS = """
across again along another around bad beginner best better big completely different easy fast full
good great guide help high honest important know little long low make need new often old part quick
real short simple small together top truth work
большой важный вопрос второй главный гид делать дело день последний хватить легкий лёгкий лучший
маленький начинающий новый обзор ошибка плохой полный понять почему правда простой работа работать
разный сделать сколько способ старый топ хороший часть честный человек
"""
_NEVER_ALONE = frozenset(_WEAK_WORDS.split())


class Keyword(NamedTuple):
    """A keyword of a video.

    Attributes:
        text: as shown; a Russian word by its lemma, all else as it mostly stands in the texts.
        lemma: its words' lemmas, by which keywords of different videos are the same.
        weight: TF-IDF, above 0.
        language: ISO 639-1 of the texts it stands in; ``ru`` or empty by the alphabet where the
            texts have none.
    """

    text: str
    lemma: str
    weight: float
    language: str


@dataclass(eq=False)
class DocumentFrequencies:
    """In how many videos each term stands.

    Attributes:
        documents: videos counted.
        counts: int32[2 ** HASH_BITS], by the hash of the term. Terms that share a place are counted
            together, which makes them pass for commoner than they are.
    """

    documents: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(1 << HASH_BITS, np.int32))

    def add(self, terms: Iterable[str]) -> None:
        """Counts a video's terms, `keyword_terms`, each once."""
        self.documents += 1
        self.counts[_places(terms)] += 1

    def remove(self, terms: Iterable[str]) -> None:
        """Takes back what `add` counted for a video.

        Raises:
            ValueError: more than was added; nothing is changed.
        """
        places = _places(terms)
        if not self.documents or (self.counts[places] < 1).any():
            raise ValueError("these terms were not counted: recount the library's texts")
        self.documents -= 1
        self.counts[places] -= 1

    def merge(self, other: DocumentFrequencies) -> DocumentFrequencies:
        """The frequencies of two libraries without a video in common."""
        return DocumentFrequencies(self.documents + other.documents, self.counts + other.counts)

    def idf(self, term: str) -> float:
        """log((N + 1) / (n + 1)) + 1; of a term never met that of one new among N videos."""
        count = int(self.counts[_place(term)])
        return log((self.documents + 1) / (min(count, self.documents) + 1)) + 1

    def to_bytes(self) -> bytes:
        """An npz file of the places in use."""
        used = np.flatnonzero(self.counts).astype(np.int32)
        file = BytesIO()
        np.savez_compressed(
            file, documents=self.documents, bits=HASH_BITS, used=used, counts=self.counts[used]
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is something else, or of another version.
        """
        try:
            with np.load(BytesIO(data), allow_pickle=False) as file:
                documents, bits = int(file["documents"]), int(file["bits"])
                used, counts = file["used"], file["counts"]
        except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
            raise ValueError(f"no document frequencies: {error}; recount them") from error
        if bits != HASH_BITS:
            raise ValueError(f"document frequencies of {bits} bits, not {HASH_BITS}; recount them")
        made = cls(documents)
        made.counts[used] = counts
        return made


def keyword_terms(texts: Iterable[str], lemma: Callable[[str], str] | None = None) -> set[str]:
    """The terms by lemma that a video is counted for: words, and pairs side by side."""
    lemma = lemma or lemmatiser()
    return {term for text in texts for term, _ in _terms(text, lemma)}


def document_frequencies(texts_by_video: Iterable[Iterable[str]]) -> DocumentFrequencies:
    """The frequencies of a whole library, each video's texts given once."""
    df, lemma = DocumentFrequencies(), lemmatiser()
    for texts in texts_by_video:
        df.add(keyword_terms(texts, lemma))
    return df


def video_keywords(
    documents: Mapping[str, Mapping[str, str]],
    languages: Mapping[str, Mapping[str, str]],
    df: DocumentFrequencies,
    count: int = 10,
) -> dict[str, list[Keyword]]:
    """Each video's keywords, foremost first; a video without words has none.

    Args:
        documents: video id to channel to text.
        languages: video id to channel to ISO 639-1 code; what is missing is told by the alphabet.
        df: frequencies of the library that the videos belong to.
        count: keywords at most.
    """
    lemma = lemmatiser()
    return {
        video: _keywords(texts, languages.get(video, {}), df, count, lemma)
        for video, texts in documents.items()
    }


def _keywords(
    texts: Mapping[str, str],
    languages: Mapping[str, str],
    df: DocumentFrequencies,
    count: int,
    lemma: Callable[[str], str],
) -> list[Keyword]:
    weights: dict[str, float] = defaultdict(float)
    forms: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for channel, text in sorted(texts.items()):
        terms = _terms(text, lemma)
        for term, surface in terms:
            forms[term][surface, languages.get(channel, "")] += 1
        for term, times in Counter(term for term, _ in terms).items():
            # A word said a hundred times in a long talk is not a hundred times the theme.
            weights[term] += CHANNEL_WEIGHTS.get(channel, 1.0) * (1 + log(times))
    found = [
        _keyword(term, weight * df.idf(term) * (_PAIR_WEIGHT if " " in term else 1), forms[term])
        for term, weight in weights.items()
        if (weight >= _LEAST_PAIR_WEIGHT if " " in term else term not in _NEVER_ALONE)
    ]
    best = sorted(found, key=lambda keyword: (-keyword.weight, keyword.lemma))
    return _distinct(best[: _CANDIDATES * count], count)


def _terms(text: str, lemma: Callable[[str], str]) -> list[tuple[str, str]]:
    """(by lemma, as it stands) of each word and of each pair side by side."""
    found = [word for word in words(_ADDRESS.sub(" . ", text), lemma) if _is_content(word)]
    pairs = [
        (f"{a.lemma} {b.lemma}", f"{a.surface} {b.surface}")
        for a, b in pairwise(found)
        if b.place == a.place + 1 and a.lemma != b.lemma
    ]
    return [(word.lemma, word.surface) for word in found] + pairs


def _is_content(word: Word) -> bool:
    """Whether a word may stand in a keyword: no boilerplate, no number with its unit."""
    digits = sum(character.isdigit() for character in word.surface)
    # "4k" and "3d" are words; "1080p" and what is misread on screen, "2oixsl", are not.
    is_long = len(word.surface) > 3 and word.surface[0].isdigit()
    return (
        not is_long
        and 2 * digits <= len(word.surface)
        and not ({word.lemma, word.surface} & _BOILERPLATE)
    )


def _keyword(term: str, weight: float, forms: Counter[tuple[str, str]]) -> Keyword:
    is_cyrillic = bool(_CYRILLIC.search(term))
    surface, _ = min(forms, key=lambda form: (-forms[form], form))
    languages = Counter[str]()
    for (_, language), times in forms.items():
        # The language of a text that holds two is that of one of them.
        if language and is_cyrillic == (language in _CYRILLIC_LANGUAGES):
            languages[language] += times
    language = min(languages, key=lambda code: (-languages[code], code), default="")
    # An oblique case reads badly as a keyword; English plurals and names read better as they stand.
    text = term if is_cyrillic and " " not in term else surface
    return Keyword(text, term, weight, language or ("ru" if is_cyrillic else "en"))


def _distinct(keywords: Sequence[Keyword], count: int) -> list[Keyword]:
    """So many of the keywords by maximal marginal relevance, the foremost first."""
    rest, chosen = list(keywords), list[Keyword]()
    alike = dict.fromkeys(rest, 0.0)
    while rest and len(chosen) < count:
        most = keywords[0].weight
        best = max(rest, key=lambda k: _RELEVANCE * k.weight / most - (1 - _RELEVANCE) * alike[k])
        chosen.append(best)
        for keyword in rest:
            alike[keyword] = max(alike[keyword], _likeness(keyword.lemma, best.lemma))
        rest = [keyword for keyword in rest if alike[keyword] <= _MOST_ALIKE]
    return chosen


def _likeness(one: str, other: str) -> float:
    """0 to 1: the larger share of the shorter one's words, or of its letter trigrams, in both."""
    return max(_overlap(set(one.split()), set(other.split())), _overlap(_grams(one), _grams(other)))


def _overlap(some: set[str], others: set[str]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))


def _grams(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(max(1, len(text) - 2))}


def _place(term: str) -> int:
    return zlib.crc32(term.encode()) & ((1 << HASH_BITS) - 1)


def _places(terms: Iterable[str]) -> np.ndarray:
    """int64 places of the terms, each once: two that share one are counted as one."""
    return np.unique(np.array([_place(term) for term in terms], np.int64))
