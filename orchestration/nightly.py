"""The night: what is listed, requested, retried, and when.

The schedule ``nightly`` runs ``list_source``, which cuts new videos into batches. The sensor
``batches`` sees what is registered and unfinished and requests a run for each batch, then one of
the library. The sensor ``arrivals`` asks for a listing as soon as files have arrived.

Why a sensor and not declarative automation: conditions are asked of every asset and partition by
itself, and what is wanted here is not a matter of single partitions. A failed batch is tried again
after a while, a few times, by the kind of its failure; the library runs once, after the last of
them; a queue is kept short so that the newest goes first; a batch that a person is backfilling
is left alone. ``AutomationCondition`` knows none of these, and would run each asset by itself.

Retries are here and nowhere else. A step has no retry policy and runs are not retried by the
instance, because three mechanisms multiply. What fails:

- one video: a row in ``videos``. *permanent* is never tried again. *retryable* (network, server,
  memory) leaves its batch good; a listing that comes at least six hours later asks for another run
  of the batch. What is the same in ``KADR_BATCH_ATTEMPTS`` nights becomes permanent
  (``assets/media/retries.py``), whoever ran the batch.
- a batch: this sensor requests it again after 5, then 20, then 80 minutes, until it has run
  ``KADR_BATCH_ATTEMPTS`` times since it was last good or its videos changed; then it is left, and
  the check ``no_batch_is_left_failed`` names it every morning. One that failed for a permanent
  reason (a model that is not there) or that a person stopped is left at once.
- the listing, the library: likewise. An emptied source is refused and not tried again.

``kadr ingest`` runs what is unfinished once each time, however often it failed: a person asks.

A request's key names the run that it comes after, so the same request is never made twice, whatever
dies in between.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from itertools import takewhile

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from assets.source.errors import SourceError
from assets.source.health import (
    AT_WORK,
    PERMANENT,
    at_work,
    ended_at,
    failure_kind,
    finished,
    histories,
    registered,
)
from assets.source.listing import SETTLE_S, WHY_TAG, is_fresh, last_listing
from assets.source.order import began_after, elapsed_s
from assets.source.videos import list_source
from assets.stores.scratch import remove_dead
from orchestration.jobs import (
    BATCH_JOB,
    LIBRARY_JOB,
    SOURCE_JOB,
    Priority,
    library_job,
    source_job,
)
from orchestration.liveness import end_dead_runs
from orchestration.pending import since_library
from orchestration.settings import Settings

NEW, RETRY, BEHIND = "new", "retry", "batches were loaded since"
_TICK_S = 30
# Batches' lists, read once each to know their weight, may lie in an object store.
_READERS = 16
_DAY_S = 24 * 3600.0
# Beyond what runs at once, so that no slot waits for a tick, and as many where there is no limit.
_QUEUED_AHEAD, _UNLIMITED = 2, 100
_BACKFILLS = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]
# Of the minute that Dagster gives a tick.
_LISTING_LIMIT_S = 40.0


@dataclass(frozen=True)
class Patience:
    """How often something is run before it is left, and how long it rests in between."""

    attempts: int = 3
    first_wait_s: float = 300.0
    growth: float = 4.0

    def wait_s(self, failures: int) -> float:
        """Seconds after so many failures in a row."""
        return self.first_wait_s * self.growth ** (failures - 1)


class Due(Enum):
    """Whether something that is not done is to be run."""

    NOW = "now"
    LATER = "later"
    LEFT = "left"


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Lists the source every night; off where there is none."""
    on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name="nightly",
        job=source_job,
        cron_schedule=settings.nightly_cron,
        default_status=on if settings.source else off,
        description="Lists KADR_SOURCE by KADR_NIGHTLY_CRON (UTC); the sensor `batches` runs what "
        "it finds.",
    )


# Batches ------------------------------------------------------------------------------------------


def batches_sensor(
    settings: Settings,
    batch_job: UnresolvedAssetJobDefinition,
    priority: Priority,
    patience: Patience,
) -> dg.SensorDefinition:
    """Requests what is unfinished; on by default where there is a source."""

    @dg.sensor(
        name="batches",
        jobs=[batch_job, library_job, source_job],
        minimum_interval_seconds=_TICK_S,
        default_status=_status(on=bool(settings.source)),
        description="Runs every batch that is unfinished, then the library; what failed again "
        "after a while, KADR_BATCH_ATTEMPTS times at most.",
    )
    def batches(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        end_dead_runs(context.instance)
        remove_dead(settings.state_dir / "scratch")
        plan = plan_requests(context.instance, priority, patience, time.time())
        if plan.requests:
            context.log.info(plan.in_words())
        return dg.SensorResult(
            run_requests=plan.requests, skip_reason=None if plan.requests else plan.in_words()
        )

    return batches


@dataclass
class Plan:
    """What to request now, and how many batches are not requested, and why."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    at_work: int = 0
    queued_later: int = 0
    resting: int = 0
    left: int = 0

    @property
    def is_quiet(self) -> bool:
        """Whether no batch is at work or will be."""
        return not (self.requests or self.at_work or self.queued_later or self.resting)

    def in_words(self) -> str:
        """For the sensor's page."""
        return (
            f"{len(self.requests)} runs requested; batches: {self.at_work} at work or being "
            f"backfilled, {self.queued_later} wait for their turn, {self.resting} for another try, "
            f"{self.left} left failed"
        )


def plan_requests(
    instance: dg.DagsterInstance, priority: Priority, patience: Patience, now_s: float
) -> Plan:
    """The runs to request at this moment."""
    working, backfilled = at_work(instance), _backfilled(instance)
    plan = Plan(at_work=len(working | backfilled))
    room = _room(instance) - len(working)
    for batch, why, runs in _candidates(instance, working | backfilled, priority):
        due = when(instance, runs, patience, now_s)
        if due is Due.NOW and len(plan.requests) < room:
            plan.requests.append(_request(BATCH_JOB, batch, runs, why, partition_key=batch))
        else:
            plan.queued_later += due is Due.NOW
            plan.resting += due is Due.LATER
            plan.left += due is Due.LEFT
    plan.requests += _library_request(instance, plan, patience, now_s)
    plan.requests += _listing_request(instance, patience, now_s)
    return plan


def when(
    instance: dg.DagsterInstance,
    runs: Sequence[dg.RunRecord],
    patience: Patience,
    now_s: float,
) -> Due:
    """When to run what its last runs, the newest first, did not finish."""
    if not runs:
        return Due.NOW
    if runs[0].dagster_run.status == dg.DagsterRunStatus.CANCELED:
        return Due.LEFT
    tried = list(takewhile(lambda run: _counts(run, now_s), runs))
    if not tried:
        return Due.NOW
    if len(tried) >= patience.attempts or failure_kind(instance, tried[0]) == PERMANENT:
        return Due.LEFT
    rested = elapsed_s(now_s, ended_at(tried[0])) >= patience.wait_s(len(tried))
    return Due.NOW if rested else Due.LATER


def _counts(record: dg.RunRecord, now_s: float) -> bool:
    """Whether a run is an attempt in vain: it failed, or ended well today without finishing."""
    if record.dagster_run.status == dg.DagsterRunStatus.CANCELED:
        return False
    failed = record.dagster_run.status == dg.DagsterRunStatus.FAILURE
    return failed or elapsed_s(now_s, ended_at(record)) < _DAY_S


def _candidates(
    instance: dg.DagsterInstance, taken: set[str], priority: Priority
) -> Iterator[tuple[str, str, list[dg.RunRecord]]]:
    """Batches to run, the first in the queue first: why, and the runs that count."""
    names, listing = registered(instance), last_listing(instance)
    since = began_after(instance, listing.number) if listing.wanted else set()
    done = finished(instance, names)
    todo = sorted({n for n in names if n not in done or n in listing.wanted} - taken)
    with ThreadPoolExecutor(_READERS) as readers:
        ranks = dict(zip(todo, readers.map(priority, todo), strict=True))
    for batch, runs in histories(instance, sorted(todo, key=ranks.__getitem__, reverse=True)):
        why = listing.wanted.get(batch, "")
        if why:
            runs = [run for run in runs if run.dagster_run.run_id in since]
        if batch not in done or not runs:
            yield batch, why or (RETRY if runs else NEW), runs


def _room(instance: dg.DagsterInstance) -> int:
    """Batches that may be queued or at work at once: a short queue keeps the order right."""
    queue = instance.get_concurrency_config().run_queue_config
    limit = queue.max_concurrent_runs if queue else -1
    return limit + _QUEUED_AHEAD if limit >= 0 else _UNLIMITED


def _backfilled(instance: dg.DagsterInstance) -> set[str]:
    """Batches of backfills that have not ended: theirs until then."""
    active = instance.get_backfills(filters=BulkActionsFilter(statuses=_BACKFILLS))
    return {batch for backfill in active for batch in _batches_of(backfill)}


def _batches_of(backfill: PartitionBackfill) -> set[str]:
    if backfill.asset_backfill_data is None:
        return set(backfill.partition_names or ())
    target = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    return {batch for subset in target.values() for batch in subset.get_partition_keys()}


def _request(
    job: str, what: str, runs: Sequence[dg.RunRecord], why: str, partition_key: str | None = None
) -> dg.RunRequest:
    after = runs[0].dagster_run.run_id if runs else "nothing"
    return dg.RunRequest(
        run_key=f"{what} after {after}",
        job_name=job,
        partition_key=partition_key,
        tags={WHY_TAG: why},
    )


# The library and the listing ----------------------------------------------------------------------


def _library_request(
    instance: dg.DagsterInstance, plan: Plan, patience: Patience, now_s: float
) -> Iterator[dg.RunRequest]:
    """Once after all batches; where they never end, once a day."""
    if _is_active(instance, LIBRARY_JOB):
        return
    runs = since_library(instance)
    if runs and (plan.is_quiet or _is_a_day_behind(instance, now_s)):
        own = list(takewhile(lambda run: run.dagster_run.job_name == LIBRARY_JOB, runs))
        if when(instance, own, patience, now_s) is Due.NOW:
            yield _request(LIBRARY_JOB, LIBRARY_JOB, runs, RETRY if own else BEHIND)


def _is_a_day_behind(instance: dg.DagsterInstance, now_s: float) -> bool:
    """Since the last library run, or the first run of all."""
    runs = instance.get_run_records(dg.RunsFilter(job_name=LIBRARY_JOB), limit=1)
    runs = runs or instance.get_run_records(limit=1, ascending=True)
    return bool(runs) and elapsed_s(now_s, ended_at(runs[0])) > _DAY_S


def _listing_request(
    instance: dg.DagsterInstance, patience: Patience, now_s: float
) -> Iterator[dg.RunRequest]:
    """A listing that failed, with the attempts since it was last asked for."""
    if _is_active(instance, SOURCE_JOB):
        return
    runs = instance.get_run_records(dg.RunsFilter(job_name=SOURCE_JOB), limit=patience.attempts)
    retries = list(takewhile(lambda run: run.dagster_run.tags.get(WHY_TAG) == RETRY, runs))
    tried = runs[: len(retries) + 1]
    failed = bool(tried) and tried[0].dagster_run.status == dg.DagsterRunStatus.FAILURE
    if failed and when(instance, tried, patience, now_s) is Due.NOW:
        yield _request(SOURCE_JOB, SOURCE_JOB, tried, RETRY)


def _is_active(instance: dg.DagsterInstance, job: str) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=AT_WORK), limit=1))


# Arriving files -----------------------------------------------------------------------------------


def arrivals_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks for a listing when files have arrived; off unless ``KADR_ARRIVALS_EVERY_S`` is set."""
    interval_s = settings.arrivals_every_s or SETTLE_S

    @dg.sensor(
        name="arrivals",
        job=source_job,
        minimum_interval_seconds=interval_s,
        default_status=_status(on=bool(settings.source and settings.arrivals_every_s)),
        description="Looks at KADR_SOURCE every KADR_ARRIVALS_EVERY_S seconds and lists it when "
        "files have arrived or changed. A file that is still being written waits.",
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not settings.source:
            return dg.SkipReason("KADR_SOURCE is not set")
        seen = fingerprint(settings, settle_s=interval_s)
        if seen == context.cursor:
            return dg.SkipReason("nothing new")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"arrivals {seen}")], cursor=seen
        )

    return arrivals


def fingerprint(settings: Settings, settle_s: float, clock: Callable[[], float] = time.time) -> str:
    """What the source holds, but for files that were written to in the last ``settle_s`` seconds.

    Raises:
        SourceError: it cannot be listed, or not within a tick.
    """
    began_s, digest = clock(), blake2b(digest_size=16)
    for video in list_source(settings.source, settings.storage_options, settings.limits):
        if clock() - began_s > _LISTING_LIMIT_S:
            raise SourceError(
                f"{settings.source} cannot be listed in {_LISTING_LIMIT_S:.0f} s, so it cannot be "
                "watched: set KADR_ARRIVALS_EVERY_S=0 and let it be listed every night"
            )
        if not is_fresh(video, began_s, settle_s):
            digest.update(f"{video.uri}\0{video.version}\0".encode())
    return digest.hexdigest()


def _status(*, on: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED
