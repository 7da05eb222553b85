"""A model over one batch of a dataset: what ``asr``, ``visual``, ``copy_descriptors``, ... share.

The model's identity is known before it is loaded, so a batch that is done loads nothing.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator, Mapping

import dagster as dg
import pyarrow as pa

from assets.batches import BATCHES
from assets.catalog import dataset_spec, row_count
from assets.datasets import DatasetStore, Ledger, key_of
from assets.incremental import Report, Rows, plan, update
from assets.models import OFF, Model
from assets.needs import MODEL, Needs
from assets.progress import Progress, is_forced, timing_metadata
from assets.resources import Library, Models
from ml.schemas import FRAMES, VIDEOS, Dataset


def ledger_of(store: DatasetStore, name: str, batch: str) -> Ledger:
    """The ledger of a dataset this step reads.

    Raises:
        dg.Failure: the dataset has no file for the batch, saying what to materialise.
    """
    ledger = store.ledger(name, batch)
    if ledger is None:
        raise dg.Failure(
            f"batch {batch} has no {name} yet: materialise {name} first", allow_retries=False
        )
    return ledger


def run_model(
    context: dg.AssetExecutionContext,
    library: Library,
    dataset: Dataset,
    inputs: Mapping[str, str],
    read: Callable[[list[str]], Iterator[pa.RecordBatch]],
    model: Model,
    *,
    of_frames: bool = False,
) -> dg.MaterializeResult:
    """Bring the dataset's file for the batch up to date; ``inputs`` is the input key by video."""
    store, batch = library.datasets, context.partition_key
    is_off = model.identity == OFF
    wanted = {} if is_off else {v: key_of(key, model.identity) for v, key in inputs.items()}
    todo = plan(store, dataset, batch, model.identity, wanted, force=is_forced(context))
    progress = Progress(context, dataset.name, len(todo.todo))

    def compute(rows: Rows) -> Rows:
        return model.load()(progress.watch(rows))

    report = update(store, dataset, batch, todo, read, compute)
    kept = f", {report.kept} videos unchanged" if report.kept else ""
    context.log.info(f"{dataset.name}: {report.rows} rows{kept}")
    saved = _saved_by_sampling(store, batch, report.timings.compute_s) if of_frames else {}
    return dg.MaterializeResult(
        asset_key=dataset.name, metadata={**_metadata(report, model.identity), **saved}
    )


def model_asset(
    dataset: Dataset,
    source: Dataset,
    choose: Callable[[Models], Model],
    *,
    group: str = "models",
    needs: Needs = MODEL,
) -> dg.AssetsDefinition:
    """The asset of a dataset that one model makes from the rows of one other dataset."""

    @dg.multi_asset(
        name=dataset.name,
        specs=[dataset_spec(dataset, group=group, deps=[source.name])],
        partitions_def=BATCHES,
        op_tags=needs.op_tags,
    )
    def asset(
        context: dg.AssetExecutionContext, library: Library, models: Models
    ) -> dg.MaterializeResult:
        store, batch = library.datasets, context.partition_key
        return run_model(
            context,
            library,
            dataset,
            ledger_of(store, source.name, batch).keys,
            lambda todo: store.rows(source, batch, video_ids=todo),
            choose(models),
            of_frames=source is FRAMES,
        )

    return asset


def _saved_by_sampling(store: DatasetStore, batch: str, compute_s: float) -> dict[str, float]:
    """The model's seconds that sampling by content saved against a plain frame a second.

    Negative where cuts made more frames than a plain second grid has.
    """
    rows = store.table(VIDEOS, batch, ["kept_frame_count", "plain_1fps_frame_count"]).to_pylist()
    kept = sum(row["kept_frame_count"] for row in rows)
    plain = sum(row["plain_1fps_frame_count"] for row in rows)
    saved_s = compute_s * (plain / kept - 1) if kept else 0.0
    return {"compute_s_saved_against_1fps": round(saved_s, 3)}


def _metadata(report: Report, model: str) -> dict[str, float | str]:
    done_per_s = report.computed / report.timings.wall_s if report.timings.wall_s else 0.0
    return {
        **row_count(report.rows),
        **timing_metadata(report.timings),
        "computed": report.computed,
        "kept": report.kept,
        "videos_per_s": round(done_per_s, 3),
        "model": model,
    }
