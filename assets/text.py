"""The asset ``text``: an embedding of a video's title, description, speech and screen text."""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from assets.batches import BATCHES
from assets.catalog import dataset_spec
from assets.datasets import DatasetStore, key_of
from assets.model_step import ledger_of, run_model
from assets.resources import Library, Models
from ml.channels import CHANNEL_TEXT, channel_texts
from ml.schemas import ASR, OCR, TEXT, VIDEOS

SPEC = dataset_spec(TEXT, group="models", deps=["videos", "asr", "ocr"])


@dg.multi_asset(name="text", specs=[SPEC], partitions_def=BATCHES)
def text(
    context: dg.AssetExecutionContext, library: Library, models: Models
) -> dg.MaterializeResult:
    """Gather the text of each channel and embed it."""
    store, batch = library.datasets, context.partition_key
    texts = _texts(store, batch)
    keys = {video: key_of(*(f"{c}={t}" for c, t in of.items())) for video, of in texts.items()}
    return run_model(
        context, library, TEXT, keys, lambda todo: _rows(texts, todo), models.text_embedder()
    )


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
