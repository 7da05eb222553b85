"""The two jobs: a batch from file to tables, and what is computed over the whole library."""

from __future__ import annotations

import dagster as dg

from assets.batches import BATCHES

BATCH_JOB = "batch"
LIBRARY_JOB = "library"
LAST_STEP = "load_tables"  # of the batch job
LIBRARY_GROUP = "library"

_library_assets = dg.AssetSelection.groups(LIBRARY_GROUP)

batch_job = dg.define_asset_job(
    BATCH_JOB,
    selection=dg.AssetSelection.all() - _library_assets,
    partitions_def=BATCHES,
    description="One batch: decode, models, tables. Skips what is done; tag kadr/force redoes it.",
)
library_job = dg.define_asset_job(
    LIBRARY_JOB,
    selection=_library_assets,
    description="Indexes and topics over all batches, brought up to date.",
)
