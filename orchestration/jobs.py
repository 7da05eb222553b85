"""The two jobs: a batch from file to tables, and what is computed over the whole library."""

from __future__ import annotations

import dagster as dg

from assets.batches import BATCHES

BATCH_JOB = "batch"
LIBRARY_JOB = "library"
# Of the batch job, which is done when both are: neither waits for the other.
LAST_STEPS = ("load_tables", "duplicate_pairs")
LIBRARY_GROUP = "library"

_library_assets = dg.AssetSelection.groups(LIBRARY_GROUP)

batch_job = dg.define_asset_job(
    BATCH_JOB,
    selection=dg.AssetSelection.all() - _library_assets,
    partitions_def=BATCHES,
    description="One batch: decode, models, tables, pairs of copies. Skips what is done; the tag "
    "kadr/force redoes it.",
)
library_job = dg.define_asset_job(
    LIBRARY_JOB,
    selection=_library_assets,
    description="Indexes, topics and copies over all batches, brought up to date.",
)
