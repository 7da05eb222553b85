"""The assets ``video_index`` and ``text_index``: FAISS indexes, brought up to the batches.

A batch whose vectors did not change is not read; one that was re-run replaces its own vectors.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pyarrow as pa

from assets.catalog import row_count
from assets.datasets import DatasetStore, Ledger
from assets.models import OFF
from assets.progress import is_forced
from assets.resources import Library
from ml.schemas import TEXT, VISUAL, Dataset

if TYPE_CHECKING:
    from ml.neighbours import IndexReport

Vectors = tuple[list[str], np.ndarray]
LEAST_RECALL = 0.95
_RECALL_CHECK = "recall_at_10"
_MANIFEST = "manifest.json"


def index_asset(
    name: str, source: Dataset, read: Callable[[DatasetStore, str], Vectors], entry: str
) -> dg.AssetsDefinition:
    """The asset of an index over the vectors that ``read`` takes from a dataset's batches."""

    @dg.asset(
        name=name,
        deps=[source.name],
        group_name="library",
        kinds={"faiss"},
        description=f"FAISS index of {entry}. Exact while small, IVF-SQ8 as it grows.",
        check_specs=[
            dg.AssetCheckSpec(
                _RECALL_CHECK,
                asset=name,
                description=f"Of the exact ten nearest, at least {LEAST_RECALL} are found.",
            )
        ],
    )
    def asset(context: dg.AssetExecutionContext, library: Library) -> dg.MaterializeResult:
        from ml.neighbours import update_index

        store = library.datasets
        made, model = made_by_one_model(store, source, library.batches.names())
        context.log.info(f"{name}: {len(made)} batches")
        with index_folder(library, name) as folder:
            report = update_index(
                folder,
                {batch: ledger.fingerprint() for batch, ledger in made.items()},
                lambda batch: read(store, batch),
                model,
                rebuild=is_forced(context) or _holds_other_model(folder, model),
            )
        context.log.info(f"{name}: {report.count} vectors, {report.unchanged} batches unchanged")
        return _result(report, model)

    return asset


def frame_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per video: its frames' mean, weighted by how long they stand."""
    from ml.vectors import pool_frames

    return _collect(pool_frames(store.rows(VISUAL, batch)), lambda video, _: video)


def text_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per video and text channel."""
    from ml.neighbours import item_key

    columns = ["video_id", "channel", "embedding"]
    return _collect(store.rows(TEXT, batch, columns=columns), item_key)


video_index = index_asset("video_index", VISUAL, frame_vectors, "videos by their pictures")
text_index = index_asset("text_index", TEXT, text_vectors, "the texts of videos, by channel")


def _collect(rows: Iterator[pa.RecordBatch], key: Callable[[str, str], str]) -> Vectors:
    from ml.vectors import list_matrix

    keys: list[str] = []
    parts: list[np.ndarray] = []
    for batch in rows:
        names = (batch.column("video_id").to_pylist(), batch.column("channel").to_pylist())
        keys += [key(video, channel) for video, channel in zip(*names, strict=True)]
        parts.append(list_matrix(batch.column("embedding")))
    return keys, np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def made_by_one_model(
    store: DatasetStore, source: Dataset, batches: list[str]
) -> tuple[dict[str, Ledger], str]:
    """The ledgers of the batches that hold vectors, and the identity of the model behind them.

    Raises:
        ModelMismatch: two models; vectors of different models never meet.
    """
    made = _made(store, source, batches)
    return made, _one_model(source, made)


def _made(store: DatasetStore, source: Dataset, batches: list[str]) -> dict[str, Ledger]:
    """The ledgers of the batches with videos in the dataset, made with the model on."""
    ledgers = {batch: store.ledger(source.name, batch) for batch in batches}
    return {
        batch: ledger
        for batch, ledger in ledgers.items()
        if ledger and ledger.keys and ledger.maker != OFF
    }


def _one_model(source: Dataset, made: Mapping[str, Ledger]) -> str:
    """The identity of the model behind all vectors.

    Raises:
        ModelMismatch: two models; vectors of different models never meet in one index.
    """
    from ml.vectors import ModelMismatch

    models = sorted({ledger.maker for ledger in made.values()})
    if len(models) > 1:
        raise ModelMismatch(
            f"{source.name} vectors were made by {' and by '.join(models)}: "
            "run the older batches again (kadr ingest SOURCE --all)"
        )
    return models[0] if models else OFF


def _holds_other_model(folder: Path, model: str) -> bool:
    from ml.index_files import read_manifest

    return (folder / _MANIFEST).exists() and read_manifest(folder).model != model


def _result(report: "IndexReport", model: str) -> dg.MaterializeResult:
    recall = report.recall_at_10
    return dg.MaterializeResult(
        metadata={
            **row_count(report.count),
            **{k: v for k, v in asdict(report).items() if v is not None and k != "count"},
            "model": model,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_RECALL_CHECK,
                passed=recall is None or recall >= LEAST_RECALL,
                metadata={"recall_at_10": "no vectors yet" if recall is None else recall},
            )
        ],
    )


@contextmanager
def index_folder(library: Library, name: str) -> Iterator[Path]:
    """The index's local folder; one in an object store is brought here and taken back."""
    storage, prefix = library.storage, f"indexes/{name}"
    library.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # One writer at a time; on one machine, which is where the index is built.
        lock = stack.enter_context((library.scratch.parent / f"{name}.lock").open("a"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if storage.is_local:
            yield Path(storage.url(prefix))
            return
        scratch = stack.enter_context(TemporaryDirectory(prefix=f"{name}-", dir=library.scratch))
        folder = Path(scratch)
        before = {Path(file.key).name for file in storage.list(prefix)}
        for file in before:
            (folder / file).write_bytes(storage.read_bytes(f"{prefix}/{file}"))
        seen = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        yield folder
        after = [path for path in folder.iterdir() if path.is_file()]
        # The manifest last: until then it names the old files, which are still there.
        for path in sorted(after, key=lambda path: path.name == _MANIFEST):
            if seen.get(path.name) != path.stat().st_mtime_ns:
                storage.put_file(path, f"{prefix}/{path.name}")
        for gone in before - {path.name for path in after}:
            storage.delete(f"{prefix}/{gone}")
