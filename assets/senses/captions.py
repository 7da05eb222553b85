"""The asset ``captions``: what each video shows, in words, from some of its kept frames."""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import dagster as dg

from assets.senses.model_step import run_model
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec
from assets.stores.incremental import ledger_of
from assets.stores.needs import MODEL
from assets.stores.resources import Library, Models
from ml.schemas import CAPTIONS, FRAMES


@dg.multi_asset(
    name="captions",
    specs=[dataset_spec(CAPTIONS, group="models", deps=["frames"])],
    partitions_def=BATCHES,
    op_tags=MODEL.op_tags,
    pool=MODEL.pool,
)
def captions(
    context: dg.AssetExecutionContext, library: Library, models: Models
) -> dg.MaterializeResult:
    """Describe videos, several in one step of the model."""
    store, batch = library.datasets, context.partition_key
    # Not `of_frames`: the model looks at eight frames however many are kept.
    return run_model(
        context,
        library,
        CAPTIONS,
        ledger_of(store, FRAMES.name, batch).keys,
        lambda todo: store.rows(FRAMES, batch, video_ids=todo),
        models.captioner(),
    )
