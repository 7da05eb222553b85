"""The jobs and what runs them by the clock.

``batch`` takes one batch from file to tables and ``library`` computes what is computed over all of
them; ``list_source`` lists the source and cuts batches; ``morning_checks`` looks at what is left
undone. The sensors that request batches are in ``orchestration.nightly``.

A run works on one batch, also in a backfill: one batch that fails leaves the others alone, and a
batch is cut so large that loading a model does not count. That is what Dagster does with assets
without a backfill policy, so they have none: ``multi_run(1)`` makes as many runs, but names their
batch by a range (``dagster/asset_partition_range_start``), by which no limit can keep two runs off
one batch and the pages of runs don't show it.

A backfill of the job ``batch``, from its page in the UI, queues its runs by ``KADR_BATCH_ORDER``;
one launched from the asset graph runs the batches in their order, and a priority given in its
dialog (the tag ``dagster/priority``) puts all of them before or behind other runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.clustering.clustered import RECLUSTER_TAG
from assets.source.health import SOURCE
from assets.source.listing import GROUP as SOURCE_GROUP
from assets.stores.batches import BATCHES, BatchRegistry, name_key

BATCH_JOB = "batch"
LIBRARY_JOB = "library"
SOURCE_JOB = "list_source"
HEALTH_JOB = "morning_checks"
LIBRARY_GROUP = "library"
NEWEST, HEAVIEST = "newest", "heaviest"
_PRIORITY_TAG = "dagster/priority"
# Priorities of batches are below 0: what a person launches has 0 and goes first.
_LAST_DAY, _BATCHES_A_DAY, _HEAVIEST_MB = date(2100, 1, 1), 10_000, 1_000_000_000

Priority = Callable[[str], int]

_library_assets = dg.AssetSelection.groups(LIBRARY_GROUP)
_source_assets = dg.AssetSelection.groups(SOURCE_GROUP)


def batch_job(priority: Priority) -> UnresolvedAssetJobDefinition:
    """The batch job, its runs queued by the priority of their batch."""
    return dg.define_asset_job(
        BATCH_JOB,
        selection=dg.AssetSelection.all() - _library_assets - _source_assets,
        config=dg.PartitionedConfig(
            BATCHES,
            run_config_for_partition_key_fn=lambda _: {},
            tags_for_partition_key_fn=lambda batch: {_PRIORITY_TAG: str(priority(batch))},
        ),
        partitions_def=BATCHES,
        description="One batch: decode, models, tables, pairs of copies. Skips what is done; the "
        "tag kadr/force redoes it.",
    )


library_job = dg.define_asset_job(
    LIBRARY_JOB,
    selection=_library_assets,
    description="Indexes, topics, people and copies over all batches, brought up to date; the tag "
    "kadr/recluster clusters topics and people anew.",
)
source_job = dg.define_asset_job(
    SOURCE_JOB,
    selection=dg.AssetSelection.assets(SOURCE).without_checks(),
    executor_def=dg.in_process_executor,
    description="Lists KADR_SOURCE, cuts what is new into batches and registers them.",
)
health_job = dg.define_asset_job(
    HEALTH_JOB,
    selection=dg.AssetSelection.checks_for_assets(SOURCE),
    executor_def=dg.in_process_executor,
    description="Checks that no batch is left failed and that the library keeps up.",
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
health_schedule = dg.ScheduleDefinition(
    name="morning",
    job=health_job,
    cron_schedule="0 6 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Says every day at 06:00 UTC which batches are left failed.",
)


def priority_of(order: str, batches: BatchRegistry) -> Priority:
    """The priority of a batch's runs: a greater one leaves the queue first.

    Raises:
        ValueError: an order that there is not.
    """
    if order == NEWEST:
        return newest_first
    if order == HEAVIEST:
        # A list is written once, so its weight never changes.
        return cache(lambda batch: _weight(batches, batch))
    raise ValueError(f"KADR_BATCH_ORDER must be {NEWEST} or {HEAVIEST}, not {order!r}")


def newest_first(batch: str) -> int:
    """By the day a batch was cut, and its number that day."""
    day, number = name_key(batch)
    days_left = (_LAST_DAY - date.fromisoformat(day)).days
    return min(number, _BATCHES_A_DAY) - (days_left + 1) * _BATCHES_A_DAY


def _weight(batches: BatchRegistry, batch: str) -> int:
    total = sum(batches.table(batch).column("source_bytes").to_pylist())
    return min(0, total // 1_000_000 - _HEAVIEST_MB)
