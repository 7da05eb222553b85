"""How batches stand, told from Dagster's own records, and the daily checks on them.

A batch is *finished* when its tables and its pairs of copies were made and no later attempt at them
failed, whoever ran it: the night, a backfill, a person, ``kadr ingest``. The state of partitions is
asked, not the runs, so it outlives old runs that were cleared away.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._utils.error import SerializableErrorInfo

from assets.source.errors import EmptySource
from assets.source.order import elapsed_s, last_made
from assets.stores.batches import BATCHES
from assets.stores.tables import TABLES
from ml.failures import ModelUnavailable, PermanentFailure, RetryableFailure

SOURCE = dg.AssetKey("source")
PARTITION_TAG = "dagster/partition"
_PAIRS, _VIDEOS = dg.AssetKey("duplicate_pairs"), dg.AssetKey(["clickhouse", "videos"])
# What the last steps of a batch make. A table that is newer than the library is missing for every
# old batch: whether that is worth a backfill is for people to say, so these two decide.
_ESSENTIAL = (_VIDEOS, _PAIRS)
LAST_ASSETS = (
    *(dg.AssetKey(["clickhouse", t.name]) for t in TABLES.values() if t.by_batch and t.with_batch),
    _PAIRS,
)
_LAST_STEPS = {"load_tables", "duplicate_pairs"}
# One of each family of tables that the library job makes.
_LIBRARY_TABLES = tuple(
    dg.AssetKey(["clickhouse", name])
    for name in ("topics", "people", "video_tags", "duplicate_groups")
)
# A night, and what it may be late.
_BEHIND_AT_MOST_S = 26 * 3600.0
AT_WORK = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
FAILURE_TAG, PERMANENT, RETRYABLE = "kadr/failure", PermanentFailure.kind, RetryableFailure.kind
# dg.Failure is raised where a person must act first, such as materialise something.
_PERMANENT_ERRORS = {
    error.__name__ for error in (PermanentFailure, ModelUnavailable, EmptySource, dg.Failure)
}
_NAMED = 20
# Records read with one query; run records are some kilobytes each.
_AT_ONCE = 200


def registered(instance: dg.DagsterInstance) -> list[str]:
    """The batches that Dagster knows, as its partitions."""
    return list(instance.get_dynamic_partitions(str(BATCHES.name)))


def finished(instance: dg.DagsterInstance, batches: Sequence[str]) -> set[str]:
    """Those of the batches whose tables and pairs were made, and not attempted in vain since."""
    made, failed = set(batches), set[str]()
    for key in LAST_ASSETS:
        status = instance.get_status_by_partition(key, batches, BATCHES) or {}
        failed |= {b for b in batches if status.get(b) == AssetPartitionStatus.FAILED}
        if key in _ESSENTIAL:
            made &= {b for b in batches if status.get(b) == AssetPartitionStatus.MATERIALIZED}
    return made - failed


def at_work(instance: dg.DagsterInstance) -> set[str]:
    """Batches that a run is queued for or works on."""
    runs = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def histories(
    instance: dg.DagsterInstance, batches: Sequence[str]
) -> Iterator[tuple[str, list[dg.RunRecord]]]:
    """Each batch with its runs that ended, the newest first; runs of single early steps left
    out."""
    for start in range(0, len(batches), _AT_ONCE):
        some = batches[start : start + _AT_ONCE]
        found: Mapping[str, list[dg.RunRecord]] = defaultdict(list)
        wanted = dg.RunsFilter(statuses=ENDED, tags={PARTITION_TAG: some})
        for record in instance.get_run_records(wanted):
            if _does_last_steps(record.dagster_run):
                found[record.dagster_run.tags[PARTITION_TAG]].append(record)
        yield from ((batch, found[batch]) for batch in some)


def _does_last_steps(run: dg.DagsterRun) -> bool:
    steps, assets = run.step_keys_to_execute, run.asset_selection
    return (not steps or not _LAST_STEPS.isdisjoint(steps)) and (
        not assets or not assets.isdisjoint(LAST_ASSETS)
    )


def ended_at(record: dg.RunRecord) -> float:
    """Unix time; of a run that never started, when it was asked for."""
    return record.end_time or record.create_timestamp.timestamp()


# Why a run failed ---------------------------------------------------------------------------------


def errors(instance: dg.DagsterInstance, run_id: str) -> list[SerializableErrorInfo]:
    """The errors of the steps that failed; of the run itself where none did."""
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        events = (entry.dagster_event for entry in instance.all_logs(run_id, of_type=kind))
        data = (event.event_specific_data for event in events if event is not None)
        found = [error for d in data if (error := getattr(d, "error", None)) is not None]
        if found:
            return found
    return []


def failure_kind(instance: dg.DagsterInstance, record: dg.RunRecord) -> str:
    """``permanent`` where another try cannot mend it, else ``retryable``; noted in the run's tag
    ``kadr/failure``, for people and for the next time."""
    run = record.dagster_run
    if FAILURE_TAG not in run.tags:
        kinds = {link.cls_name for error in errors(instance, run.run_id) for link in _chain(error)}
        kind = RETRYABLE if kinds.isdisjoint(_PERMANENT_ERRORS) else PERMANENT
        instance.add_run_tags(run.run_id, {FAILURE_TAG: kind})
        return kind
    return run.tags[FAILURE_TAG]


def last_error(instance: dg.DagsterInstance, run_id: str) -> str:
    """The first error of a run in one line, as its step raised it."""
    found = errors(instance, run_id)
    if not found:
        return f"see run {run_id}"
    return " ".join(cause(found[0]).message.split())[:300]


def cause(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """The step's own error: below Dagster's wrapping, above what it was raised from."""
    links = list(_chain(error))
    return next((e for e in links if not str(e.cls_name).startswith("Dagster")), links[-1])


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


# The checks ---------------------------------------------------------------------------------------

_LEFT_CHECK, _BEHIND_CHECK = "no_batch_is_left_failed", "library_keeps_up"


@dg.multi_asset_check(
    name="batch_health",
    specs=[
        dg.AssetCheckSpec(
            _LEFT_CHECK,
            asset=SOURCE,
            description="Every batch whose last run failed or was stopped has been run again. "
            "Names those that have not, with their last error.",
        ),
        dg.AssetCheckSpec(
            _BEHIND_CHECK,
            asset=SOURCE,
            description="The tables of the library hold every batch that was loaded more than "
            f"{_BEHIND_AT_MOST_S / 3600:.0f} hours ago.",
        ),
    ],
)
def batch_health(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Look at every batch and at the tables of the library."""
    yield _left_failed(context.instance)
    yield _keeps_up(context.instance, time.time())


def _left_failed(instance: dg.DagsterInstance) -> dg.AssetCheckResult:
    batches = registered(instance)
    open_ones = set(batches) - finished(instance, batches) - at_work(instance)
    last = {batch: runs[0] for batch, runs in histories(instance, sorted(open_ones)) if runs}
    left = {batch: _last_error(instance, last[batch]) for batch in sorted(last)[-_NAMED:]}
    return dg.AssetCheckResult(
        check_name=_LEFT_CHECK,
        asset_key=SOURCE,
        passed=not last,
        description=f"{len(last)} batches are left: mend the cause, then run them again"
        if last
        else "",
        metadata={
            "batches": len(batches),
            "left": len(last),
            "not_run_yet": len(open_ones) - len(last),
            "last_errors": dg.MetadataValue.json(left),
        },
    )


def _last_error(instance: dg.DagsterInstance, record: dg.RunRecord) -> str:
    run = record.dagster_run
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "stopped by a person"
    return last_error(instance, run.run_id)


def _keeps_up(instance: dg.DagsterInstance, now_s: float) -> dg.AssetCheckResult:
    made = min(last_made(instance, key).number for key in _LIBRARY_TABLES)
    since_s = _first_loaded_after(instance, made)
    behind_s = elapsed_s(now_s, since_s) if since_s else 0.0
    return dg.AssetCheckResult(
        check_name=_BEHIND_CHECK,
        asset_key=SOURCE,
        passed=behind_s <= _BEHIND_AT_MOST_S,
        metadata={"hours_behind": round(behind_s / 3600, 1)},
    )


def _first_loaded_after(instance: dg.DagsterInstance, number: int) -> float:
    """When the first batch was loaded after an event; 0 when none was."""
    after = dg.AssetRecordsFilter(asset_key=_VIDEOS, after_storage_id=number)
    found = instance.fetch_materializations(after, limit=1, ascending=True).records
    return found[0].timestamp if found else 0.0


def tries_of(records: Collection[dg.RunRecord], tag: str, value: str) -> int:
    """Runs that carry a tag."""
    return sum(record.dagster_run.tags.get(tag) == value for record in records)
