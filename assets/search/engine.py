"""A library that is open for searching: its indexes, the models of its vectors, its words.

Everything is read from ``indexes/``, mapped, so that ten processes hold one copy and a search waits
for no ingestion; only filters by topic and person ask the tables. An index in an object store is
brought to the state folder once for each of its versions.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import sql
from assets.search.cards import FOLDER as CARDS
from assets.search.indexes import INDEXES, verified_notes
from assets.search.lexical import LEXICAL, VOCABULARY, VOCABULARY_FILE
from assets.search.query_vectors import Encoder, kind_of, load_encoder, model_of
from assets.stores.index_copies import kept_here
from assets.stores.kept import fetch_folder
from assets.stores.models import OFF
from assets.stores.resources import Library, Models, Tables
from assets.stores.seen import read_seen
from ml.schemas import PASSAGES
from ml.search.cards import FILE as CARDS_FILE

if TYPE_CHECKING:
    from ml.indexes.verified import Verified
    from ml.neighbours import VectorIndex
    from ml.search.engine import Engine, Found
    from ml.search.lexical_index import LexicalIndex, LexicalQuery
    from ml.search.query import Correction, Query
    from ml.search.slang import SlangTable
    from ml.search.translation import Translator
    from ml.search.vocabulary import Vocabulary

# The index of each channel's vectors.
DENSE = {
    "title": "title_index",
    "speech": "speech_index",
    "screen": "screen_index",
    "visual": "frame_index",
}
_MEND = "kadr index brings it up to the library"


class NotSearchable(Exception):
    """There is nothing to search in; says which command mends it."""


@dataclass(frozen=True)
class Filters:
    """Which videos may answer.

    Attributes:
        channels: of search; all where empty.
        since: published then or later.
        topic: id or name, in any case of letters.
        person: likewise.
    """

    channels: Sequence[str] = ()
    since: datetime | None = None
    topic: str = ""
    person: str = ""


@dataclass(frozen=True)
class Result:
    """What a search gave. ``notes`` say, for people, what was not searched and why."""

    query: Query
    found: list[Found]
    notes: list[str]


@dataclass
class Search:
    """A library to search in; opened at the first search and kept open.

    Args:
        library, models, tables: as the assets have them.
        cache: local folder for indexes that lie in an object store.
        slang: a person's own table of slang; none where it does not exist.
        translation_model: hub id or path; empty for none.
    """

    library: Library
    models: Models
    tables: Tables
    cache: Path
    slang: Path | None = None
    translation_model: str = ""
    _notes: list[str] = field(default_factory=list)
    _opened_versions: dict[str, str] = field(default_factory=dict)
    _encoders: dict[str, Encoder | None] = field(default_factory=dict)

    def open(self) -> None:
        """Open everything now, models too, so that the first search does not wait.

        Raises:
            NotSearchable: there is no library, or no index that can be read.
        """
        self.refresh()
        for part in ("_engine", "_vocabulary"):
            getattr(self, part)
        for channel in self._engine.dense:
            self._encoder(channel)

    def refresh(self) -> None:
        """Open anew what an ingestion has replaced since; models stay."""
        now = self._versions()
        if now != self._opened_versions:
            for part in ("_engine", "_vocabulary"):
                self.__dict__.pop(part, None)
            self._notes, self._opened_versions = [], now

    def run(self, text: str, k: int = 10, filters: Filters | None = None) -> Result:
        """Search.

        Raises:
            NotSearchable: see ``open``.
            QueryError: there is nothing to look up in the text.
        """
        from ml.indexes.files import IndexDamaged
        from ml.search.engine import CHANNELS, Asked

        filters, engine = filters or Filters(), self._engine
        query = self._parsed(text)
        notes = [*self._notes, *self._words_only(filters.channels)]
        channels = tuple(filters.channels) or tuple(CHANNELS)
        vectors = self._vectors(query, channels, notes)
        among = self._among(filters, notes)
        asked = Asked(_lexical(query, self._vocabulary), vectors, channels, among)
        try:
            return Result(query, engine.search(asked, k), notes)
        except IndexDamaged as error:
            raise NotSearchable(
                f"{error.folder.name} can't be used: {error.found}. {_MEND}"
            ) from error

    def suggest(self, text: str, k: int = 10) -> list[Any]:
        """How a text may go on, as `ml.search.vocabulary.Suggestion`s."""
        return self._vocabulary.suggest(text, k)

    def _parsed(self, text: str) -> Query:
        from ml.search.query import parse_query

        return parse_query(text, self._slang, _Words(self._vocabulary, self._engine.lexical))

    def _among(self, filters: Filters, notes: list[str]) -> pa.Array | None:
        """Ids of the videos that pass the filters; None where there is none."""
        sets: list[pa.Array] = []
        if filters.since is not None:
            sets.append(self._engine.cards.since(filters.since))
        for kind, asked in (("topic", filters.topic), ("person", filters.person)):
            if asked:
                of_kind = self._videos_of(kind, asked, notes.append)
                sets.append(pa.array(sorted(of_kind), pa.large_string()))
        if not sets:
            return None
        return reduce(lambda one, other: one.filter(pc.is_in(one, value_set=other)), sets)

    def _videos_of(self, kind: str, asked: str, say: Callable[[str], None]) -> set[str]:
        """Videos of a topic or with a person.

        Raises:
            NotSearchable: there is no such topic or person.
        """
        names = f"load/{'topics' if kind == 'topic' else 'people'}_named"
        with self.tables.session(f"looking for a {kind}", say) as client:
            asked_for = {"asked": asked}
            ids = [row[0] for row in client.query(sql.statement(names), asked_for).result_rows]
            if not ids:
                listing = "kadr topics" if kind == "topic" else "kadr people"
                raise NotSearchable(f"there is no {kind} {asked!r}: {listing} lists them")
            rows = client.query(sql.statement(f"load/videos_of_{kind}"), {"ids": ids}).result_rows
        return {row[0] for row in rows}

    def _words_only(self, channels: Sequence[str]) -> Iterator[str]:
        """Notes on the channels that were asked for and have no vectors to compare."""
        for channel in channels:
            if self._encoder(channel) is None:
                why = "has no image-text model" if channel == "visual" else "has no text model"
                where = "captions" if channel == "visual" else "words"
                yield f"{channel} is searched by {where} only: the profile {why}, or no index of it"

    # Vectors of the query ------------------------------------------------------------------------

    def _vectors(
        self, query: Query, channels: Sequence[str], notes: list[str]
    ) -> dict[str, np.ndarray]:
        """Channel to the query's vectors, of the channels that can be asked by vectors."""
        made: dict[str, np.ndarray] = {}
        of_kind: dict[str, np.ndarray | None] = {}
        for channel in channels:
            kind, encoder = kind_of(channel), self._encoder(channel)
            if encoder is None:
                continue
            if kind not in of_kind:
                of_kind[kind] = encoder.encode(query, notes)
            if (vectors := of_kind[kind]) is not None:
                made[channel] = vectors
        return made

    def _encoder(self, channel: str) -> Encoder | None:
        """What turns a query into vectors of the channel, loaded when it is first asked for; None
        where there is no index or no model for it."""
        if channel not in self._engine.dense:
            return None
        kind = kind_of(channel)
        if kind not in self._encoders:
            self._encoders[kind] = load_encoder(self.models, kind, self._translator)
        return self._encoders[kind]

    @cached_property
    def _translator(self) -> Translator | None:
        from ml.search.translation import load_translator

        if not self.translation_model:
            return None
        return load_translator(self.translation_model, profile=self.models.profile_name)

    @cached_property
    def _slang(self) -> SlangTable:
        from ml.search.slang import load_slang

        return load_slang(self.slang if self.slang and self.slang.exists() else None)

    # What is opened ------------------------------------------------------------------------------

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from ml.search.vocabulary import Vocabulary

        def opened(folder: Path, verify: Verified) -> Vocabulary:
            return Vocabulary.open(folder / VOCABULARY_FILE, verify=verify)

        return self._opened(VOCABULARY, opened)

    @cached_property
    def _engine(self) -> Engine:
        from ml.search.cards import Cards
        from ml.search.engine import Engine
        from ml.search.lexical_index import LexicalIndex

        if not any(self.library.storage.scan("batches")):
            root = self.library.storage.root
            raise NotSearchable(f"there is no library at {root}: kadr ingest PATH makes it")
        lexical = self._opened(LEXICAL, lambda at, verify: LexicalIndex.open(at, verify=verify))
        cards = self._opened(CARDS, lambda at, verify: Cards.open(at, verify=verify))
        dense = dict(self._dense_indexes())
        self._note_behind()
        return Engine(lexical, dense, cards)

    def _dense_indexes(self) -> Iterator[tuple[str, VectorIndex]]:
        """The channels whose vectors the settings' models can be compared with."""
        from ml.neighbours import VectorIndex

        def load(folder: Path, verify: Verified) -> VectorIndex:
            return VectorIndex.load(folder, mmap=True, verify=verify)

        for channel, name in DENSE.items():
            model = model_of(self.models, kind_of(channel))
            if model.identity == OFF:
                continue
            if not self._has_index(name):
                found = f"{channel} is searched by words only: {name} is missing"
                self._notes.append(f"{found}; {_MEND}")
                continue
            index = self._opened(name, load)
            if index.model == model.identity and index.count:
                yield channel, index
            elif index.model not in (model.identity, OFF):
                self._notes.append(
                    f"{channel} is searched by words only: its vectors were made by "
                    f"{index.model}, the settings ask for {model.identity}; set the model back, or "
                    "kadr ingest SOURCE --all makes them anew"
                )

    def _has_index(self, name: str) -> bool:
        return self.library.storage.exists(f"indexes/{name}/manifest.json")

    def _opened(self, name: str, open_it: Callable[[Path, Verified], Any]) -> Any:
        """Open an index; once more where an ingestion replaced its files meanwhile.

        Files that were not found whole before are read in full first.

        Raises:
            NotSearchable: it is missing or damaged.
        """
        from ml.indexes.files import IndexDamaged
        from ml.indexes.verified import known_files

        for tries_left in (1, 0):
            try:
                with known_files(verified_notes(self.cache, name)) as verified:
                    return open_it(self._folder(name), verified)
            except (IndexDamaged, FileNotFoundError) as error:
                if not tries_left:
                    found = error.found if isinstance(error, IndexDamaged) else error
                    raise NotSearchable(f"{name} can't be used: {found}. {_MEND}") from error
                if not self.library.storage.is_local:
                    shutil.rmtree(self.cache / name, ignore_errors=True)
        raise AssertionError("unreachable")

    def _folder(self, name: str) -> Path:
        """The local folder of an index."""
        storage, prefix = self.library.storage, f"indexes/{name}"
        if storage.is_local:
            return Path(storage.url(prefix))
        files = {file.key: file.etag for file in storage.list(prefix)}
        return kept_here(self.cache / name, files, partial(fetch_folder, storage, prefix))

    def _note_behind(self) -> None:
        """Note the batches that the indexes do not hold as they are now."""
        sources = {INDEXES[name].source.name: name for name in DENSE.values()}
        sources[PASSAGES.name] = LEXICAL
        self._note_without_passages()
        behind: set[str] = set()
        for source, name in sources.items():
            if name == LEXICAL or self._has_index(name):
                seen, now = read_seen(self._folder(name)), self.library.datasets.versions(source)
                behind |= {b for b in {*now, *(seen or {})} if now.get(b) != (seen or {}).get(b)}
        if behind:
            self._notes.append(
                f"{len(behind)} batches changed since the indexes were made, such as "
                f"{min(behind)}; {_MEND}"
            )

    def _note_without_passages(self) -> None:
        """Note batches of an earlier version of the project, whose texts were not cut yet."""
        cut = self.library.datasets.versions(PASSAGES.name)
        without = [batch for batch in self.library.batches.names() if batch not in cut]
        if without:
            self._notes.append(
                f"{len(without)} batches are not searched, because they have no passages yet, "
                f"such as {without[0]}: kadr ingest SOURCE --all makes them"
            )

    def _versions(self) -> dict[str, str]:
        """What changes with each index."""
        files = self.library.storage.scan("indexes")
        wanted = {f"indexes/{name}/manifest.json" for name in (*DENSE.values(), LEXICAL)}
        wanted |= {f"indexes/{CARDS}/{CARDS_FILE}", f"indexes/{VOCABULARY}/{VOCABULARY_FILE}"}
        return {file.key: file.etag for file in files if file.key in wanted}


def _lexical(query: Query, vocabulary: Vocabulary) -> list[LexicalQuery]:
    """The query and its variants as words; what is quoted stands in all of them.

    Dictionary forms come from the vocabulary: loading the Russian dictionary takes a second.
    """
    from ml.search.lexical_index import LexicalQuery
    from ml.search.query import query_words

    words = [query.words, *(query_words(variant) for variant in query.variants)]
    lemmas = [[vocabulary.lemma_of(word) or "" for word in of] for of in words]
    pairs = zip(words, lemmas, strict=True)
    return [LexicalQuery(of, query.phrases, forms) for of, forms in pairs]


@dataclass(frozen=True)
class _Words:
    """The library's words: the vocabulary, and those of one video only, which it leaves out."""

    vocabulary: Vocabulary
    lexical: LexicalIndex

    def knows(self, word: str) -> bool:
        return self.vocabulary.knows(word) or self.lexical.has(word)

    def correct(self, word: str) -> Correction | None:
        return self.vocabulary.correct(word)
