"""What topics are made from, read out of the tables: vectors and texts of videos, by batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import sql
from assets.stores.datasets import key_of
from assets.stores.resources import Tables

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.topics.library import TopicLibrary

INPUTS = ("video_embeddings", "video_texts")
# A space is learnt from so many videos; reading a few more than it takes makes up for an uneven
# choice by hash.
_SAMPLE = 25_000
# Videos whose texts are asked for at a time: the ids travel in the statement.
_VIDEOS_ASKED = 1000
_SESSION_READS = 50


class TopicInputs:
    """The tables as topics see them. Each call holds the engine for as long as it reads."""

    def __init__(self, tables: Tables, say: Callable[[str], None]) -> None:
        self._tables, self._say = tables, say
        self._shared: _Shared | None = None

    @cached_property
    def of_batch(self) -> dict[str, str]:
        """Batch to a fingerprint of its vectors and texts, in the order of batches."""
        found: dict[str, list[str]] = defaultdict(list)
        with self._session() as client:
            rows = client.query(
                sql.statement("load/loaded_state"), parameters={"tables": list(INPUTS)}
            ).result_rows
        for table, batch, fingerprint in rows:
            found[batch].append(f"{table}={fingerprint}")
        return {batch: key_of(*found[batch]) for batch in sorted(found)}

    @cached_property
    def models(self) -> dict[str, str]:
        """The model of each channel.

        Raises:
            ModelMismatch: a channel holds vectors of two models.
        """
        with self._session() as client:
            rows = client.query(sql.statement("load/channel_models")).result_rows
        return one_model_each(rows)

    def library(self, batches: Sequence[str], part: int = 1) -> TopicLibrary:
        """The videos of some batches, or one in ``part`` of them, always the same ones."""
        from ml.topics.library import TopicLibrary

        asked = {"batches": list(batches), "part": part}
        with self._session() as client:
            rows = client.query_arrow(sql.statement("load/channel_vectors"), parameters=asked)
            texts = _by_channel(client, "load/channel_texts", asked)
        return TopicLibrary(_channels(rows), self.models, texts)

    def sample(self) -> TopicLibrary:
        """Videos of all batches, enough to learn a space from."""
        return self.library(list(self.of_batch), max(1, self.count // _SAMPLE))

    @cached_property
    def count(self) -> int:
        """Videos with a vector."""
        with self._session() as client:
            rows = client.query("SELECT uniqExact(video_id) FROM video_embeddings").result_rows
        return int(rows[0][0])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Calls within share sessions of at most `_SESSION_READS` reads each.

        Opening the embedded engine takes .1 s, which for 20,000 batches is half an hour; others
        who wait for it get their turn in between.
        """
        self._shared = _Shared(self._open)
        try:
            yield
        finally:
            self._shared.close()
            self._shared = None

    def documents(self, videos: Iterable[str]) -> dict[str, str]:
        """Video id to all of its text, the title first."""
        from ml.topics.library import DOCUMENT_CHARACTERS, documents_of

        wanted = sorted(videos)
        found: dict[str, str] = {}
        with self._session() as client:
            for start in range(0, len(wanted), _VIDEOS_ASKED):
                asked = {"videos": wanted[start : start + _VIDEOS_ASKED]}
                texts = _by_channel(client, "load/texts_of_videos", asked)
                found |= documents_of(texts, DOCUMENT_CHARACTERS)
        return found

    def _open(self) -> AbstractContextManager[Client]:
        return self._tables.session("reading vectors for topics", self._say)

    @contextmanager
    def _session(self) -> Iterator[Client]:
        if self._shared is not None:
            yield self._shared.client()
            return
        with self._open() as client:
            yield client


class _Shared:
    """A session that is closed and opened again after so many reads."""

    def __init__(self, open_session: Callable[[], AbstractContextManager[Client]]) -> None:
        self._open, self._stack, self._reads = open_session, ExitStack(), 0
        self._client: Client | None = None

    def client(self) -> Client:
        if self._reads == _SESSION_READS:
            self.close()
        if self._client is None:
            self._client = self._stack.enter_context(self._open())
        self._reads += 1
        return self._client

    def close(self) -> None:
        self._stack.close()
        self._client, self._reads = None, 0


def one_model_each(rows: Iterable[Sequence[str]]) -> dict[str, str]:
    """Channel to its model, from pairs of the two.

    Raises:
        ModelMismatch: a channel holds vectors of two models.
    """
    from ml.vectors import ModelMismatch

    models: dict[str, list[str]] = defaultdict(list)
    for channel, model in rows:
        models[channel].append(model)
    for channel, names in models.items():
        if len(names) > 1:
            raise ModelMismatch(
                f"{channel} vectors were made by {' and by '.join(names)}: "
                "run the older batches again (kadr ingest SOURCE --all)"
            )
    return {channel: names[0] for channel, names in models.items()}


def _channels(rows: pa.Table) -> dict[str, tuple[list[str], Any]]:
    """Channel to its videos and float32[videos, d]; a video in two batches counts once."""
    import pyarrow.compute as pc

    from ml.vectors import list_matrix

    found = {}
    for channel in sorted(set(rows.column("channel").to_pylist())):
        of = rows.filter(pc.equal(rows.column("channel"), channel)).combine_chunks()
        last = {video: row for row, video in enumerate(of.column("video_id").to_pylist())}
        of = of.take(list(last.values())).combine_chunks()
        vectors = pa.concat_arrays(of.column("embedding").chunks)
        found[channel] = list(last), list_matrix(vectors)
    return found


def _by_channel(
    client: Client, statement: str, parameters: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    rows = client.query(sql.statement(statement), parameters=dict(parameters)).result_rows
    for video, channel, text in rows:
        texts[channel][video] = text
    return dict(texts)
