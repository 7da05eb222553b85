"""The two jobs, a batch from file to tables and what is computed over the whole library, and the
schedule on which the library is clustered anew."""

from __future__ import annotations

import dagster as dg

from assets.batches import BATCHES
from assets.clustered import RECLUSTER_TAG

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
    description="Indexes, topics, people and copies over all batches, brought up to date; the tag "
    "kadr/recluster clusters topics and people anew.",
)
# Between full clusterings new videos only join what there is. Once a week is often enough for new
# themes to get topics of their own, and a sudden flood of them asks for a clustering by itself.
recluster_schedule = dg.ScheduleDefinition(
    name="recluster",
    job=library_job,
    cron_schedule="0 3 * * 0",
    tags={RECLUSTER_TAG: "1"},
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Clusters topics and people anew every Sunday at 03:00 UTC; they keep their ids.",
)
