"""A model over one batch of a dataset: what ``asr``, ``visual``, ``copy_descriptors``, ... share.

The model's identity is known before it is loaded, so a batch that is done loads nothing.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator, Mapping

import dagster as dg
import pyarrow as pa

from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec, row_count
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import Report, Rows, ledger_of, plan, update
from assets.stores.models import OFF, Model
from assets.stores.needs import MODEL, Needs
from assets.stores.progress import Progress, is_forced, timing_metadata
from assets.stores.resources import Library, Models
from ml.models.gpu_use import GpuUse, gpu_use, video_hours_per_day
from ml.schemas import FRAMES, VIDEOS, Dataset


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
    work = _Work(model, Progress(context, dataset.name, len(todo.todo)))
    report = update(store, dataset, batch, todo, read, work)
    kept = f", {report.kept} videos unchanged" if report.kept else ""
    context.log.info(f"{dataset.name}: {report.rows} rows{kept}")
    saved = _saved_by_sampling(store, batch, report.timings.compute_s) if of_frames else {}
    pace = _pace_of_gpu(store, batch, todo.todo, report.timings.wall_s) if work.on_gpu else {}
    return dg.MaterializeResult(
        asset_key=dataset.name,
        metadata={**_metadata(report, model.identity), **saved, **pace, **work.metadata()},
    )


class _Work:
    """A model's work on the rows of a batch, and how busy its GPU was meanwhile."""

    def __init__(self, model: Model, progress: Progress) -> None:
        self._model, self._progress = model, progress
        self._use = GpuUse()
        self.on_gpu = False

    def __call__(self, rows: Rows) -> Rows:
        """Load the model, and start once rows are asked for."""
        return self._watched(self._model.load(), rows)

    def _watched(self, compute: Callable[[Rows], Rows], rows: Rows) -> Rows:
        device = self._model.device()
        self.on_gpu = device.startswith("cuda")
        with gpu_use(device) as self._use:
            yield from compute(self._progress.watch(rows))

    def metadata(self) -> dict[str, float]:
        """The share of time that the GPU computed, from when the model was loaded; or nothing."""
        share = self._use.busy_share
        return {} if share is None else {"gpu_busy_share": round(share, 3)}


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
        pool=needs.pool,
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


def _pace_of_gpu(
    store: DatasetStore, batch: str, videos: list[str], wall_s: float
) -> dict[str, float]:
    rows = store.table(VIDEOS, batch, ["video_id", "duration_s"]).to_pylist()
    durations_s = {row["video_id"]: row["duration_s"] for row in rows}
    hours = video_hours_per_day((durations_s[video] or 0.0 for video in videos), wall_s)
    return {"video_hours_per_day_per_gpu": round(hours, 1)}


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
