"""How ``passages`` and ``passage_embeddings`` are made: pieces of text that name a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assets.senses.model_step import run_model
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import by_video, ledger_of
from assets.stores.models import Model, Rows
from assets.stores.resources import Library
from ml.schemas import ASR, CAPTIONS, OCR, PASSAGE_EMBEDDINGS, PASSAGES, VIDEOS

# Raise when the same texts would give other passages.
VERSION = "1"
# These are embedded piece by piece; titles and descriptions have their vectors in `text`.
EMBEDDED = ("asr", "ocr")
SOURCES = (VIDEOS, ASR, OCR, CAPTIONS)
_UNTIMED = ("title", "description", "tags")
_TEXTS = pa.schema(
    [
        ("video_id", pa.string()),
        ("channel", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("text", pa.string()),
        ("language", pa.string()),
    ]
)
_Text = tuple[float, float, str, str]
_Texts = dict[str, dict[str, list[_Text]]]


def cut_passages(context: dg.AssetExecutionContext, library: Library) -> dg.MaterializeResult:
    """Gather each video's texts with their times, and cut them into passages."""
    texts = _gathered(library.datasets, context.partition_key)
    keys = {video: key_of(*map(str, of.items())) for video, of in texts.items()}
    maker = Model(_maker(), lambda: _cut)
    return run_model(context, library, PASSAGES, keys, lambda todo: _rows(texts, todo), maker)


def embed_passages(
    context: dg.AssetExecutionContext, library: Library, embedder: Model
) -> dg.MaterializeResult:
    """Embed what is said and what is on screen."""
    store, batch = library.datasets, context.partition_key
    keys = ledger_of(store, PASSAGES.name, batch).keys
    read = partial(_timed, store, batch)
    return run_model(context, library, PASSAGE_EMBEDDINGS, keys, read, _of_passages(embedder))


def _maker() -> str:
    """What passages are made by: dictionary forms are simplemma's."""
    return f"passages-{VERSION}+simplemma@{version('simplemma')}"


def _gathered(store: DatasetStore, batch: str) -> _Texts:
    """Video to channel to texts, of the videos that were decoded."""
    for source in SOURCES:
        ledger_of(store, source.name, batch)
    videos = store.table(VIDEOS, batch, ["video_id", "status", *_UNTIMED]).to_pylist()
    texts: _Texts = {
        row["video_id"]: {c: [(0.0, 0.0, row[c], "")] for c in _UNTIMED if row[c]}
        for row in videos
        if row["status"] == "ok"
    }
    _add(texts, "caption", store.table(CAPTIONS, batch), "caption")
    _add(texts, "asr", store.table(ASR, batch), "text")
    _add(texts, "ocr", store.table(OCR, batch), "text")
    return texts


def _add(texts: _Texts, channel: str, rows: pa.Table, column: str) -> None:
    """Add a channel's texts; those of videos that are no longer ok are left out."""
    for row in rows.to_pylist():
        if (of := texts.get(row["video_id"])) is not None:
            times = row.get("start_s", 0.0), row.get("end_s", 0.0)
            of.setdefault(channel, []).append((*times, row[column], row.get("language", "")))


def _rows(texts: _Texts, videos: list[str]) -> Iterator[pa.RecordBatch]:
    for video in videos:
        rows = [(video, channel, *text) for channel, of in texts[video].items() for text in of]
        named = [dict(zip(_TEXTS.names, row, strict=True)) for row in rows]
        yield pa.RecordBatch.from_pylist(named, _TEXTS)


def _cut(rows: Rows) -> Rows:
    """Texts, a record batch a video, to passages."""
    from ml.text.passages import TimedText, passages_of
    from ml.text.words import lemmatiser

    lemma = lemmatiser()
    for video, batch in by_video(rows):
        texts: dict[str, list[TimedText]] = {}
        for row in batch.to_pylist():
            text = TimedText(row["start_s"], row["end_s"], row["text"], row["language"])
            texts.setdefault(row["channel"], []).append(text)
        made = [passage.row(video) for passage in passages_of(texts, lemma)]
        yield pa.RecordBatch.from_pylist(made, PASSAGES.schema)


def _timed(store: DatasetStore, batch: str, videos: list[str]) -> Iterator[pa.RecordBatch]:
    columns = [*(n for n in PASSAGE_EMBEDDINGS.schema.names if n in PASSAGES.schema.names), "text"]
    wanted = pa.array(EMBEDDED)
    for rows in store.rows(PASSAGES, batch, columns=columns, video_ids=videos):
        yield rows.filter(pc.is_in(rows.column("channel"), value_set=wanted))


def _of_passages(model: Model) -> Model:
    """The text model, as one that embeds passages."""

    def load() -> Callable[[Rows], Rows]:
        embed = model.load()

        def embedded(rows: Rows) -> Rows:
            for batch in rows:
                yield from _with_vectors(batch, embed(iter([batch])))

        return embedded

    return replace(model, load=load)


def _with_vectors(batch: pa.RecordBatch, made: Rows) -> Rows:
    """The passages' columns beside the vectors, which come in the same order, some at a time."""
    done = 0
    for vectors in made:
        part = batch.slice(done, vectors.num_rows)
        done += vectors.num_rows
        arrays = [
            (part if name in part.schema.names else vectors).column(name)
            for name in PASSAGE_EMBEDDINGS.schema.names
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=PASSAGE_EMBEDDINGS.schema)
