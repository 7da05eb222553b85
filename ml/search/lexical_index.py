"""Passages by their words: an inverted index (tantivy) that grows batch by batch.

A document is a passage, found by its words as they stand (with positions, for exact phrases), by
their dictionary forms, and by their sound in Latin letters, so that "роблоксе" meets "Roblox". How
the index lies in a folder stands in ``ml/search/lexical_files.py``, how words meet in
``ml/search/lexical_matching.py``.

In 3,000,000 passages a query of two to four words takes a fifth of its time to search; the rest is
reading and matching the passages found, so that 50 of them take less than half of what 200 take.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from math import log
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.indexes.changes import Changes
from ml.indexes.files import IndexDamaged
from ml.indexes.verified import Verify
from ml.search.lexical_files import (
    FORMAT,
    LexicalManifest,
    files_of,
    find_manifest,
    new_version,
    publish,
    read_manifest,
    readable,
    told_as_damage,
)
from ml.search.lexical_matching import (
    LONGEST_WORD,
    QueryWord,
    as_term,
    lemma_of,
    lexical_words_model,
    match,
    sound_of,
    weights_of,
)
from ml.text.passages import moment_of

__all__ = [
    "IndexDamaged",
    "LexicalHit",
    "LexicalIndex",
    "LexicalQuery",
    "LexicalReport",
    "StoredPassage",
    "lexical_words_model",
    "sound_of",
    "update_lexical",
]

_MOST_WORDS = 20
# Such words name nothing where the query has a rarer one, and take most of the time.
_COMMON_SHARE, _COMMON_COUNT = 0.05, 10_000
_HEAP_BYTES = 128_000_000
# Deleted passages take disk and skew document frequencies until their segment is merged.
_MOST_DELETED_SHARE = 0.5

Read = Callable[[str], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class LexicalReport:
    """What an update did, in batches; what is inside now, in passages."""

    added: int
    replaced: int
    removed: int
    unchanged: int
    count: int
    seconds: float


@dataclass(frozen=True)
class LexicalQuery:
    """Words to look for, as `ml.text.passages.words_and_lemmas` makes them.

    Attributes:
        words: any of them; a passage with more and rarer ones is better.
        phrases: each must stand in the passage exactly, word after word.
        lemmas: dictionary forms of `words`; looked up where empty, and loading the Russian list
            takes a second.
    """

    words: Sequence[str] = ()
    phrases: Sequence[Sequence[str]] = ()
    lemmas: Sequence[str] = ()


@dataclass(frozen=True)
class StoredPassage:
    """A passage as the index keeps it."""

    video_id: str
    channel: str
    passage_no: int
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class LexicalHit(StoredPassage):
    """A passage that was found.

    Attributes:
        bm25: score of the whole query; comparable within one search only.
        share: 0 to 1, how much of the query's words, weighed by rarity, stands in the passage.
        place: of the first word of the shortest stretch with all the words that were found.
        moment_s: about when that word is said or shown.
    """

    bm25: float
    share: float
    place: int
    moment_s: float


class LexicalIndex:
    """An index that is open for reading. Use `open`; threads may share it.

    Attributes:
        count: passages inside.
    """

    def __init__(self, folder: Path, searcher: Any, schema: Any) -> None:
        self._folder = folder
        self._searcher = searcher
        self._schema = schema
        self.count = int(searcher.num_docs)

    @classmethod
    def open(cls, folder: Path | str, *, verify: Verify = False) -> LexicalIndex:
        """The index in a folder, mapped, so that processes share one copy.

        An update does not disturb it: it goes on answering from its version.

        Args:
            folder: where `update_lexical` wrote it; it may be read-only.
            verify: compare checksums, about 1 s per GB, or only those of files that are not known
                to be whole. Sizes are always compared.

        Raises:
            IndexDamaged: a file is missing or not what the manifest says, or the words are of
                another version than this one's.
        """
        import tantivy

        folder = Path(folder)
        manifest = read_manifest(folder, verify=verify)
        if manifest.model != lexical_words_model():
            found = f"its words are of {manifest.model!r}, not of {lexical_words_model()!r}"
            raise IndexDamaged(folder, found)
        path, view = readable(folder, manifest)
        with told_as_damage(folder):
            index = tantivy.Index.open(str(path))
            # The default watches the folder for commits from a thread of its own.
            index.config_reader(reload_policy="manual")
            made = cls(folder, index.searcher(), index.schema)
        if view is not None:
            weakref.finalize(made, view.cleanup)
        return made

    def search(
        self,
        query: LexicalQuery,
        limit: int = 200,
        channels: Sequence[str] | None = None,
        among: Sequence[str] | None = None,
    ) -> list[LexicalHit]:
        """The passages that fit best, by falling BM25; equal ones by video, channel and number.

        A word of more than 5 % of all passages finds nothing by itself where the query has a rarer
        one; it counts in `share` all the same.

        Args:
            query: nothing is found for one without words.
            limit: at most so many.
            channels: only passages of these.
            among: only passages of these videos; 100,000 ids take some .15 s and
                500,000 some .7 s.
        """
        words = self._weighed(query)
        phrases = [list(phrase) for phrase in query.phrases if phrase]
        if not (words or phrases) or limit < 1:
            return []
        given = (("channel", channels), ("video_id", among))
        filters = [(name, list(of)) for name, of in given if of is not None]
        rare = [word for word in words if self._is_rare(word)]
        with told_as_damage(self._folder):
            hits = self._hits(
                self._matching(rare or words, phrases, rare=bool(rare)), filters, limit
            )
            if not hits and len(rare) < len(words):
                # The rare words stand elsewhere: outside of the channel, or of the filter.
                hits = self._hits(self._matching(words, phrases, rare=False), filters, limit)
            made = [self._hit(score, address, words, phrases) for score, address in hits]
        return sorted(made, key=lambda h: (-h.bm25, h.video_id, h.channel, h.passage_no))

    def has(self, word: str) -> bool:
        """Whether a word stands in any passage as it is."""
        return self._documents("words", word) > 0

    def _hits(
        self, query: Any, filters: Sequence[tuple[str, list[str]]], limit: int
    ) -> list[tuple[float, Any]]:
        hits = self._searcher.search(self._filtered(query, filters), limit, count=False).hits
        return list(hits)

    def passages(self, video_id: str, channel: str) -> list[StoredPassage]:
        """The passages of a video's channel in order; none for a video that is not inside."""
        import tantivy

        fields = (("video_id", video_id), ("channel", channel))
        terms = [self._term(name, value, "basic") for name, value in fields]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, term) for term in terms])
        count = self._searcher.search(query, 1).count
        hits = self._searcher.search(query, max(1, count), count=False).hits
        found = [self._stored(self._searcher.doc(address)) for _, address in hits]
        return sorted(found, key=lambda passage: passage.passage_no)

    def passage(self, video_id: str, channel: str, passage_no: int) -> StoredPassage | None:
        """One passage, None when it is not inside."""
        numbered = {p.passage_no: p for p in self.passages(video_id, channel)}
        return numbered.get(passage_no)

    def rarity(self, word: str, lemma: str) -> float:
        """BM25's inverse document frequency of a word in any of its forms; by sound if unknown."""
        count = self._documents("lemmas", lemma) or self._documents("words", word)
        if not count and (sound := sound_of(word)):
            count = self._documents("sounds", sound)
        return log(1 + (self.count - min(count, self.count) + 0.5) / (count + 0.5))

    def _documents(self, field: str, value: str) -> int:
        return int(self._searcher.doc_freq(field, as_term(value)))

    def _weighed(self, query: LexicalQuery) -> list[QueryWord]:
        """The query's words and those of its phrases once each, at most 20, the rarest first."""
        given = len(query.lemmas) == len(query.words)
        lemmas = dict(zip(query.words, query.lemmas, strict=True)) if given else {}
        phrased = [word for phrase in query.phrases for word in phrase]
        made = []
        for word in filter(as_term, dict.fromkeys((*query.words, *phrased))):
            lemma = lemmas.get(word) or lemma_of(as_term(word))
            made.append(QueryWord(word, lemma, sound_of(word), self.rarity(word, lemma)))
        return sorted(made, key=lambda w: -w.rarity)[:_MOST_WORDS]

    def _matching(
        self, words: Sequence[QueryWord], phrases: Sequence[list[str]], *, rare: bool
    ) -> Any:
        """What finds passages with all of the phrases, and with any of the words if none; rare
        words in any form, common ones as they stand."""
        import tantivy

        clauses = [(tantivy.Occur.Must, self._phrase(phrase)) for phrase in phrases]
        for word in words if rare else ():
            for field, value, weight in weights_of(word):
                term = self._term(field, value, "freq")
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(term, weight)))
        for word in words if not rare else ():
            clauses.append((tantivy.Occur.Should, self._term("words", as_term(word.word), "freq")))
        return tantivy.Query.boolean_query(clauses)

    def _is_rare(self, word: QueryWord) -> bool:
        """Whether the word stands somewhere in any form, but not in too many passages."""
        terms = ((field, value) for field, value, _ in weights_of(word))
        if not any(self._documents(field, value) for field, value in terms):
            return False
        common = max(_COMMON_COUNT, _COMMON_SHARE * self.count)
        return self._documents("lemmas", word.lemma) <= common

    def _filtered(self, query: Any, filters: Sequence[tuple[str, list[str]]]) -> Any:
        """The query among documents with one of the values in each of the fields."""
        import tantivy

        if not filters:
            return query
        clauses = [(tantivy.Occur.Must, query)]
        for field, values in filters:
            wanted = tantivy.Query.term_set_query(self._schema, field, values)
            unscored = tantivy.Query.const_score_query(wanted, 0.0)
            clauses.append((tantivy.Occur.Must, unscored))
        return tantivy.Query.boolean_query(clauses)

    def _phrase(self, phrase: Sequence[str]) -> Any:
        import tantivy

        # tantivy panics at a phrase of one word.
        if len(phrase) == 1:
            return self._term("words", as_term(phrase[0]), "freq")
        return tantivy.Query.phrase_query(self._schema, "words", list(map(as_term, phrase)))

    def _term(self, field: str, value: str, option: str) -> Any:
        import tantivy

        return tantivy.Query.term_query(self._schema, field, value, option)

    def _stored(self, document: Any) -> StoredPassage:
        return StoredPassage(
            video_id=document.get_first("video_id"),
            channel=document.get_first("channel"),
            passage_no=document.get_first("passage_no"),
            start_s=document.get_first("start_s"),
            end_s=document.get_first("end_s"),
            text=bytes(document.get_first("text")).decode(),
        )

    def _hit(
        self,
        score: float,
        address: Any,
        wanted: Sequence[QueryWord],
        phrases: Sequence[Sequence[str]],
    ) -> LexicalHit:
        document = self._searcher.doc(address)
        stored = self._stored(document)
        lemmas = (document.get_first("lemmas") or "").split()
        share, place, words = match(stored.text, lemmas, wanted, phrases)
        moment_s = moment_of(stored.start_s, stored.end_s, words, place, stored.channel)
        return LexicalHit(**vars(stored), bm25=score, share=share, place=place, moment_s=moment_s)


def update_lexical(
    folder: Path | str,
    wanted: Mapping[str, str],
    read: Read,
    *,
    rebuild: bool = False,
) -> LexicalReport:
    """Makes the lexical index in a folder hold the wanted batches, and no others.

    Only batches that are new or have another fingerprint are read; all of them are when the words
    are of another version, or when most of what the index holds was deleted since. When nothing
    changed, no file is written; checksums are compared, about 1 s per GB.

    Args:
        folder: local folder of the index; made when missing.
        wanted: batch to the fingerprint of what its passages are made from.
        read: batch to its rows of the dataset `passages`.
        rebuild: build from nothing, whatever is there.

    Raises:
        IndexDamaged: the folder's index can't be read.
    """
    started = time.monotonic()
    folder = Path(folder)
    old = None if rebuild else find_manifest(folder, verify=True)
    if old is not None and old.model != lexical_words_model():
        old = None
    changes = Changes.between({} if old is None else old.batches, wanted)
    if changes or old is None:
        gone, touched = changes.gone, changes.touched
        if old is not None and old.deleted > _MOST_DELETED_SHARE * old.count:
            old, gone, touched = None, [], sorted(wanted)
        old = _write(folder, old, [*gone, *touched], touched, wanted, read)
    return LexicalReport(**changes.counts, count=old.count, seconds=time.monotonic() - started)


def _write(
    folder: Path,
    old: LexicalManifest | None,
    dropped: Sequence[str],
    added: Sequence[str],
    wanted: Mapping[str, str],
    read: Read,
) -> LexicalManifest:
    """A new version of the index; what was there stays whole if this is interrupted."""
    import tantivy

    version, path = new_version(folder, old)
    index = tantivy.Index(_schema(), path=str(path)) if old is None else _opened(folder, path)
    # One thread makes segments in the order of the batches.
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    for batch in dropped if old is not None else ():
        writer.delete_documents_by_term("batch", batch)
    for batch in added:
        for rows in read(batch):
            for document in _documents(batch, rows):
                writer.add_document(document)
    writer.commit()
    writer.garbage_collect_files()
    writer.wait_merging_threads()
    count, deleted = _counts(path)
    made = LexicalManifest(
        format=FORMAT,
        version=version,
        model=lexical_words_model(),
        tantivy=package_version("tantivy"),
        count=count,
        deleted=deleted,
        batches={name: wanted[name] for name in sorted(wanted)},
        files=files_of(path, old),
    )
    publish(folder, made, old)
    return made


def _opened(folder: Path, path: Path) -> Any:
    import tantivy

    with told_as_damage(folder):
        return tantivy.Index.open(str(path))


def _counts(path: Path) -> tuple[int, int]:
    """Documents of a version that are there, and deleted ones that still take place."""
    segments = json.loads((path / "meta.json").read_text(encoding="utf-8"))["segments"]
    deleted = sum((s["deletes"] or {"num_deleted_docs": 0})["num_deleted_docs"] for s in segments)
    return sum(segment["max_doc"] for segment in segments) - deleted, deleted


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    for name in ("batch", "video_id", "channel"):
        stored = name != "batch"
        builder.add_text_field(name, stored=stored, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("passage_no", stored=True)
    builder.add_float_field("start_s", stored=True)
    builder.add_float_field("end_s", stored=True)
    # As bytes, because a text field is always indexed.
    builder.add_bytes_field("text", stored=True)
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("lemmas", stored=True, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("sounds", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _documents(batch: str, rows: pa.RecordBatch) -> Iterator[Any]:
    import tantivy

    for row in rows.to_pylist():
        words = [word[:LONGEST_WORD] for word in row["words"]]
        document = tantivy.Document()
        document.add_text("batch", batch)
        document.add_text("video_id", row["video_id"])
        document.add_text("channel", row["channel"])
        document.add_integer("passage_no", row["passage_no"])
        document.add_float("start_s", row["start_s"])
        document.add_float("end_s", row["end_s"])
        document.add_bytes("text", row["text"].encode())
        document.add_text("words", " ".join(words))
        document.add_text("lemmas", " ".join(lemma[:LONGEST_WORD] for lemma in row["lemmas"]))
        document.add_text("sounds", " ".join(filter(None, map(sound_of, words))))
        yield document
