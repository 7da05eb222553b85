"""What the runs so far have left to do, told from Dagster's records."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from assets.source.health import ENDED, SOURCE, ended_at, finished
from orchestration.jobs import HEALTH_JOB, LIBRARY_JOB, SOURCE_JOB

# Of those that end after a library run all but a few change the library.
_RUNS_LOOKED_AT = 50


def unfinished(instance: dg.DagsterInstance, batches: list[str]) -> list[str]:
    """The batches that were not brought into the tables, or whose last try failed, in order."""
    done = finished(instance, batches)
    return [batch for batch in batches if batch not in done]


def library_is_behind(instance: dg.DagsterInstance) -> bool:
    """Whether anything ran, here or from the UI, since the last good library run began."""
    return bool(since_library(instance))


def since_library(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """The last runs that ended since the last good library run began, the newest first; those that
    change nothing of the library are left out."""
    good = dg.RunsFilter(job_name=LIBRARY_JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
    last = next(iter(instance.get_run_records(good, limit=1)), None)
    began_s = (last.start_time or 0.0) if last else 0.0
    ended = dg.RunsFilter(statuses=ENDED, updated_after=datetime.fromtimestamp(began_s, UTC))
    return [
        record
        for record in instance.get_run_records(ended, limit=_RUNS_LOOKED_AT)
        if ended_at(record) > began_s
        and _changes_library(record.dagster_run)
        and not (last and record.dagster_run.run_id == last.dagster_run.run_id)
    ]


def _changes_library(run: dg.DagsterRun) -> bool:
    if run.job_name in (SOURCE_JOB, HEALTH_JOB):
        return False
    if run.asset_selection:
        return run.asset_selection != {SOURCE}
    return not run.asset_check_selection
