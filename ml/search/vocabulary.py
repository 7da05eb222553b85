"""The words of a library: which are known, how a word goes on, which one a mistyped word meant.

A mapped Arrow file, sorted by word, with a second order by sound: words that begin alike stand
side by side in both, so that a completion is two binary searches.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ml.indexes.files import IndexDamaged
from ml.indexes.sealed import read_sealed_arrow, write_sealed_arrow
from ml.indexes.verified import Verify
from ml.search.lexical_matching import sound_of
from ml.search.query import Correction
from ml.text.lexical import folded
from ml.text.words import STOP_WORDS, lemmatiser

__all__ = [
    "COUNTS",
    "LAYOUT",
    "TYPO",
    "Suggestion",
    "Vocabulary",
    "count_words",
    "most_used",
    "other_layout",
    "write_vocabulary",
]

MOST_WORDS = 500_000
MOST_PAIRS = 200_000
LAYOUT, TYPO, ALPHABET = "keyboard layout", "typo", "alphabet"
# What is longer has lost its spaces, or has a script without them.
_LONGEST = 40
_FEWEST_VIDEOS = 2
# Letters below which a word has too many neighbours to tell a mistake, and from which it may have
# two mistakes.
_SHORTEST, _LONG = 4, 8
# Log probabilities: a mistake costs as much as a word that is e^4 = 55 times rarer, another first
# letter e^2 = 7 times.
_MISTAKE, _FIRST_LETTER = 4.0, 2.0
_VOWELS = "aeiou"
# One letter in the other alphabet goes on in too many ways.
_SHORTEST_SOUND = 2
# Bytes of a word that it is sorted by: 12 Cyrillic letters; what follows is compared in full.
_KEY_BYTES = 24
_KEY = pa.binary(_KEY_BYTES)
_MADE_FROM = b"made_from"
COUNTS = pa.schema(
    [
        ("word", pa.string()),
        ("lemma", pa.string()),
        ("words", pa.int32()),
        ("videos", pa.int64()),
        ("title_videos", pa.int64()),
    ]
)
_SCHEMA = pa.schema(
    [
        *COUNTS,
        pa.field("key", _KEY),
        pa.field("letters", pa.uint64()),
        pa.field("length", pa.int32()),
        pa.field("sound_key", _KEY),
        pa.field("sound_row", pa.int32()),
    ]
)
_ENGLISH_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_RUSSIAN_KEYS = "йцукенгшщзхъфывапролджэячсмитьбюё"
_LATIN_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_RUSSIAN_LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_TO_RUSSIAN = str.maketrans(_ENGLISH_KEYS, _RUSSIAN_KEYS)
_TO_ENGLISH = str.maketrans(_RUSSIAN_KEYS, _ENGLISH_KEYS)


class Suggestion(NamedTuple):
    """How a typed text may go on, in how many videos that stands, and what was mended for it.

    `why` is empty, "keyboard layout", "alphabet" or "typo".
    """

    text: str
    videos: int
    why: str


class Vocabulary:
    """The words of a library, mapped; processes share one copy. Use `open`.

    Attributes:
        count: words and pairs inside.
        made_from: what `write_vocabulary` was given.
    """

    def __init__(self, table: pa.Table) -> None:
        columns = table.combine_chunks()
        self._words = _chunk(columns, "word")
        self._lemmas = _chunk(columns, "lemma")
        self._keys, self._sounds = (_keys_of(columns, n) for n in ("key", "sound_key"))
        names = ("words", "videos", "letters", "length", "sound_row")
        self._sizes, self._videos, self._letters, self._lengths, self._sound_rows = (
            _chunk(columns, name).to_numpy() for name in names
        )
        self.count = len(self._words)
        self.made_from = (table.schema.metadata or {}).get(_MADE_FROM, b"").decode()

    @classmethod
    def open(cls, path: Path | str, *, verify: Verify = True) -> Vocabulary:
        """The vocabulary in a file that `write_vocabulary` wrote.

        Args:
            path: the file.
            verify: compare the checksum; or only that of a file not known to be whole.

        Raises:
            IndexDamaged: there is no such file, or another one.
        """
        path = Path(path)
        table = read_sealed_arrow(path, verify=verify)
        if not table.schema.equals(_SCHEMA):
            found = f"{path.name} has the columns {', '.join(table.column_names)}"
            raise IndexDamaged(path.parent, found)
        return cls(table)

    def knows(self, word: str) -> bool:
        """Whether the library has the word, or the pair of words."""
        return self._row(word) is not None

    def lemma_of(self, word: str) -> str | None:
        """The dictionary form of a word of the library; None for others."""
        row = self._row(word)
        return None if row is None else str(self._lemmas[row].as_py())

    def suggest(self, prefix: str, k: int = 10) -> list[Suggestion]:
        """How a text may go on, in most videos first; one form of a word only.

        The text as it is typed comes first, then as typed in the other keyboard layout, then in
        the other alphabet, and where all of that gives fewer than k, with one letter mended.

        Args:
            prefix: the beginning of a word, or words and the beginning of another; a space at the
                end asks for the next word.
            k: at most so many.
        """
        start, typed = _last_words(prefix)
        if not typed.strip() or k < 1:
            return []
        found: dict[tuple[bool, str], Suggestion] = {}
        for why, rows in self._ways_on(typed):
            for row in self._best(rows, 4 * k):
                word = self._words[row].as_py()
                form = _form(word, self._lemmas[row].as_py())
                found.setdefault(form, Suggestion(start + word, int(self._videos[row]), why))
            if len(found) >= k:
                break
        head, space, tail = typed.rpartition(" ")
        if not found and head and tail:
            # The two words never stand side by side: the last one goes on alone.
            return [s._replace(text=start + head + space + s.text) for s in self.suggest(tail, k)]
        return list(found.values())[:k]

    def correct(self, word: str) -> Correction | None:
        """The word of the library that an unknown one was meant to be, if there is one.

        A word typed in the other keyboard layout comes first. Otherwise the nearest by
        Damerau-Levenshtein distance, at most 1 from 4 letters and 2 from 8, weighed by the videos
        that have it. Nothing for words that Russian or English dictionaries know: they are spelt
        well, the library just lacks them.
        """
        word = _clean(word)
        if self.knows(word):
            return None
        swapped = other_layout(word)
        if len(swapped) >= _SHORTEST and self.knows(swapped) and not self._is_spelt_well(word):
            return Correction(word, swapped, LAYOUT)
        if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha() or self._hears(word):
            return None
        near = self._near(word, 1 if len(word) < _LONG else 2)
        if not near or self._is_spelt_well(word):
            return None
        best = max(near, key=lambda item: (_likelihood(word, *item), item[0]))
        return Correction(word, best[0], TYPO)

    def _row(self, word: str) -> int | None:
        key = np.array(_key(word), self._keys.dtype)
        first, end = (int(np.searchsorted(self._keys, key, side)) for side in ("left", "right"))
        return next((row for row in range(first, end) if self._words[row].as_py() == word), None)

    def _ways_on(self, typed: str) -> Iterator[tuple[str, np.ndarray]]:
        """What may have been meant, and the rows that go on from there."""
        yield "", self._starting([typed])
        yield LAYOUT, self._starting([_clean(other_layout(typed))])
        if len(sound := folded(typed)) >= _SHORTEST_SOUND:
            yield ALPHABET, self._sound_rows[_rows_of(self._sounds, [sound])]
        if _SHORTEST <= len(typed) <= 2 * _LONGEST:
            yield TYPO, self._starting(sorted(_mended(typed)))

    def _starting(self, prefixes: Sequence[str]) -> np.ndarray:
        """Rows of the words that begin with one of the prefixes."""
        rows = _rows_of(self._keys, prefixes)
        if all(len(prefix.encode()) <= _KEY_BYTES for prefix in prefixes):
            return rows
        begins = tuple(prefixes)
        return np.array([r for r in rows if self._words[r].as_py().startswith(begins)], np.int64)

    def _best(self, rows: np.ndarray, most: int) -> list[int]:
        """The rows with most videos; of equal ones the first by word."""
        videos = self._videos[rows]
        if len(rows) > most:
            least = np.partition(videos, len(rows) - most)[len(rows) - most]
            rows, videos = rows[videos >= least], videos[videos >= least]
        return [int(row) for row in rows[np.lexsort((rows, -videos))][:most]]

    def _near(self, word: str, most: int) -> list[tuple[str, int, int]]:
        """(word, distance, videos) of the single words at most so many mistakes away."""
        from rapidfuzz.distance import DamerauLevenshtein
        from rapidfuzz.process import cdist

        # A mistake changes the length by 1 at most, and the set of letters by 2.
        fits = np.bitwise_count(self._letters ^ np.uint64(_letter_set(word))) <= 2 * most
        fits &= (np.abs(self._lengths - len(word)) <= most) & (self._sizes == 1)
        rows = np.flatnonzero(fits)
        words = self._words.take(pa.array(rows)).to_pylist()
        if not words:
            return []
        distances = cdist(
            [word], words, scorer=DamerauLevenshtein.distance, score_cutoff=most, dtype=np.uint8
        )[0]
        close = np.flatnonzero(distances <= most)
        return [(words[i], int(distances[i]), int(self._videos[rows[i]])) for i in close]

    def _hears(self, word: str) -> bool:
        """Whether a word of the library sounds like it, up to two vowels at the end."""
        sound = sound_of(word)
        endings = ["", *_VOWELS, *(a + b for a in _VOWELS for b in _VOWELS)]
        keys = np.array([_key(sound + ending) for ending in endings], self._sounds.dtype)
        first, end = (np.searchsorted(self._sounds, keys, side) for side in ("left", "right"))
        return bool(sound) and bool((end > first).any())

    def _is_spelt_well(self, word: str) -> bool:
        """Whether dictionaries know the word, or the library another form of it."""
        from simplemma import is_known

        language = "en" if word.isascii() else "ru"
        return bool(is_known(word, lang=language)) or self.knows(_without_yo(lemmatiser()(word)))


def count_words(batches: Iterable[pa.RecordBatch | pa.Table]) -> pa.Table:
    """How many videos have each word and each pair of words side by side.

    Pairs of a stop word are left out. It holds all words in memory: a large library is counted by
    the database, from the table `passages`, with the same result before `most_used`.

    Args:
        batches: rows of the dataset `passages`.

    Returns:
        word, lemma, words (1 or 2), videos and title_videos, sorted by word.
    """
    seen: dict[str, set[str]] = {}
    in_titles: dict[str, set[str]] = {}
    lemmas: dict[str, str] = {}
    for batch in batches:
        for row in batch.select(["video_id", "channel", "words", "lemmas"]).to_pylist():
            for word, lemma in _words_and_pairs(row["words"], row["lemmas"]):
                lemmas[word] = min(lemma, lemmas.get(word, lemma))
                seen.setdefault(word, set()).add(row["video_id"])
                if row["channel"] == "title":
                    in_titles.setdefault(word, set()).add(row["video_id"])
    found = sorted(seen)
    columns = {
        "word": found,
        "lemma": [lemmas[word] for word in found],
        "words": [1 + word.count(" ") for word in found],
        "videos": [len(seen[word]) for word in found],
        "title_videos": [len(in_titles.get(word, ())) for word in found],
    }
    return pa.table(columns, schema=COUNTS)


def most_used(
    counts: pa.Table, most_words: int = MOST_WORDS, most_pairs: int = MOST_PAIRS
) -> pa.Table:
    """The rows that a vocabulary keeps: words and pairs of most videos, sorted by word.

    A word of one video only is kept when it stands in a title: elsewhere it is most often a
    mistake of recognition. Words of more than 40 letters, and those without a letter, are not.
    """
    import polars as pl

    frame = pl.DataFrame(counts.select(COUNTS.names))
    letters = pl.col("word").str.replace_all(" ", "")
    kept = frame.filter(
        (pl.col("videos") >= _FEWEST_VIDEOS)
        | ((pl.col("words") == 1) & (pl.col("title_videos") > 0)),
        letters.str.len_chars() <= _LONGEST,
        letters.str.contains(r"\p{L}"),
    )
    parts = [
        kept.filter(pl.col("words") == size).sort(["videos", "word"], descending=[True, False])
        for size in (1, 2)
    ]
    chosen = pl.concat([parts[0].head(most_words), parts[1].head(most_pairs)])
    return chosen.sort("word").to_arrow().cast(COUNTS)


def write_vocabulary(counts: pa.Table, path: Path | str, made_from: str = "") -> None:
    """Writes a vocabulary in one move; who has the old one open keeps it.

    Args:
        counts: rows as `most_used` gives them, in any order; each word once.
        path: the file; its folder exists.
        made_from: a fingerprint of the passages, to be told by `Vocabulary.made_from`.
    """
    path = Path(path)
    rows = sorted(counts.select(COUNTS.names).to_pylist(), key=lambda row: row["word"].encode())
    words = [row["word"] for row in rows]
    sounds = [_key(folded(word)) for word in words]
    by_sound = sorted(range(len(words)), key=lambda row: (sounds[row], row))
    columns = {name: [row[name] for row in rows] for name in COUNTS.names} | {
        "key": [_key(word).ljust(_KEY_BYTES, b"\0") for word in words],
        "letters": [_letter_set(word) for word in words],
        "length": [len(word) for word in words],
        "sound_key": [sounds[row].ljust(_KEY_BYTES, b"\0") for row in by_sound],
        "sound_row": by_sound,
    }
    table = pa.table(columns, schema=_SCHEMA).replace_schema_metadata({_MADE_FROM: made_from})
    write_sealed_arrow(table, path)


def other_layout(text: str) -> str:
    """A text as the same keys give it in the other layout (QWERTY and ЙЦУКЕН)."""
    text = unicodedata.normalize("NFKC", text).lower()
    cyrillic = sum("а" <= character <= "ё" for character in text)
    return _without_yo(text.translate(_TO_ENGLISH if 2 * cyrillic > len(text) else _TO_RUSSIAN))


def _chunk(table: pa.Table, name: str) -> pa.Array:
    """A column in one piece, as `write_vocabulary` wrote it."""
    column = table[name]
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _keys_of(table: pa.Table, name: str) -> np.ndarray:
    """Fixed-size bytes as numpy sees them, without copying."""
    column = _chunk(table, name)
    whole = np.frombuffer(column.buffers()[1] or b"", f"S{_KEY_BYTES}")
    return whole[column.offset : column.offset + len(column)]


def _key(word: str) -> bytes:
    return word.encode("utf-8", "ignore")[:_KEY_BYTES]


def _rows_of(keys: np.ndarray, prefixes: Sequence[str]) -> np.ndarray:
    """The rows of sorted keys that begin with one of the prefixes, each once."""
    low = [_key(prefix) for prefix in prefixes if prefix]
    high = [(key + b"\xff" * _KEY_BYTES)[:_KEY_BYTES] for key in low]
    first = np.searchsorted(keys, np.array(low, keys.dtype), "left")
    end = np.searchsorted(keys, np.array(high, keys.dtype), "right")
    ranges = [np.arange(a, b) for a, b in zip(first, end, strict=True) if b > a]
    return np.unique(np.concatenate(ranges)) if ranges else np.zeros(0, np.int64)


def _letter_set(word: str) -> int:
    """64 bits, one for each letter that occurs; Russian letters have a bit each, so have Latin."""
    return sum(1 << number for number in {ord(letter) % 64 for letter in word})


def _mended(typed: str) -> set[str]:
    """What is one mistake away in the last word, whose first letter is trusted."""
    at = typed.rfind(" ") + 2
    alphabet = _LATIN_LETTERS if typed[at - 1 :].isascii() else _RUSSIAN_LETTERS
    splits = [(typed[:i], typed[i:]) for i in range(at, len(typed) + 1)]
    mended = {a + b[1:] for a, b in splits if b}
    mended |= {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    mended |= {a + letter + b[1:] for a, b in splits if b for letter in alphabet}
    mended |= {a + letter + b for a, b in splits if b for letter in alphabet}
    return mended - {typed}


def _form(word: str, lemma: str) -> tuple[bool, str]:
    """The same for all forms of a word, also for names that dictionaries lack ("роблокса"), but
    not for the same name in two alphabets."""
    return word.isascii(), sound_of(lemma) or lemma


def _likelihood(word: str, known: str, distance: int, videos: int) -> float:
    """Log probability, up to a constant, that `known` was meant: how often it is used times how
    often a word is mistyped so (the noisy channel of Kernighan, Church and Gale 1990)."""
    return log(1 + videos) - _MISTAKE * distance - _FIRST_LETTER * (word[0] != known[0])


def _last_words(text: str) -> tuple[str, str]:
    """What comes before the last two words, and these; a space at the end begins a new word."""
    words = _clean(text).split(" ")
    head, last = words[:-2], words[-2:]
    return "".join(f"{word} " for word in head), " ".join(last)


def _clean(text: str) -> str:
    """In lower case and composed, with е for ё and single spaces; a space at the end stays."""
    text = _without_yo(unicodedata.normalize("NFKC", text).lower())
    text = text.encode("utf-8", "ignore").decode()
    return " ".join(text.split()) + (" " if text[-1:].isspace() and text.strip() else "")


def _words_and_pairs(words: Sequence[str], lemmas: Sequence[str]) -> Iterator[tuple[str, str]]:
    pairs = list(zip(words, lemmas, strict=True))
    yield from pairs
    for (a, of_a), (b, of_b) in pairwise(pairs):
        if a not in STOP_WORDS and b not in STOP_WORDS:
            yield f"{a} {b}", f"{of_a} {of_b}"


def _without_yo(text: str) -> str:
    return text.replace("ё", "е")
