"""The assets ``text``, ``passages`` and ``passage_embeddings``: texts, whole and in pieces.

One step, so that the text model is loaded once for whole texts and for their passages.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import dagster as dg
import pyarrow as pa

from assets.senses.model_step import run_model
from assets.senses.passages import SOURCES, cut_passages, embed_passages
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import ledger_of
from assets.stores.models import Model
from assets.stores.needs import MODEL
from assets.stores.resources import Library, Models
from ml.schemas import ASR, OCR, PASSAGE_EMBEDDINGS, PASSAGES, TEXT, VIDEOS
from ml.text.channels import CHANNEL_TEXT, channel_texts


@dg.multi_asset(
    name="text",
    specs=[
        dataset_spec(TEXT, group="models", deps=["videos", "asr", "ocr"]),
        dataset_spec(PASSAGES, group="models", deps=[source.name for source in SOURCES]),
        dataset_spec(PASSAGE_EMBEDDINGS, group="models", deps=[PASSAGES.name]),
    ],
    partitions_def=BATCHES,
    can_subset=True,
    op_tags=MODEL.op_tags,
    pool=MODEL.pool,
)
def text(
    context: dg.AssetExecutionContext, library: Library, models: Models
) -> Iterator[dg.MaterializeResult]:
    """Gather the text of each channel and embed it, whole and in passages."""
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    model = models.text_embedder()
    embedder = replace(model, load=cache(model.load))
    if TEXT.name in wanted:
        yield _whole_texts(context, library, embedder)
    if PASSAGES.name in wanted:
        yield cut_passages(context, library)
    if PASSAGE_EMBEDDINGS.name in wanted:
        yield embed_passages(context, library, embedder)


def _whole_texts(
    context: dg.AssetExecutionContext, library: Library, embedder: Model
) -> dg.MaterializeResult:
    store, batch = library.datasets, context.partition_key
    texts = _texts(store, batch)
    keys = {video: key_of(*(f"{c}={t}" for c, t in of.items())) for video, of in texts.items()}
    return run_model(context, library, TEXT, keys, lambda todo: _rows(texts, todo), embedder)


def _texts(store: DatasetStore, batch: str) -> dict[str, dict[str, str]]:
    for name in ("videos", "asr", "ocr"):
        ledger_of(store, name, batch)
    return channel_texts(
        store.table(VIDEOS, batch, ["video_id", "status", "title", "description"]),
        store.table(ASR, batch, ["video_id", "text"]),
        store.table(OCR, batch, ["video_id", "text"]),
    )


def _rows(texts: dict[str, dict[str, str]], todo: list[str]) -> Iterator[pa.RecordBatch]:
    for video in todo:
        rows = [{"video_id": video, "channel": c, "text": t} for c, t in texts[video].items()]
        yield pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)
