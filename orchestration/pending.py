"""What the runs so far have left to do, told from Dagster's records."""

from __future__ import annotations

from itertools import islice

import dagster as dg

from assets.source.health import SOURCE, finished
from assets.source.order import ENDINGS, changes_after, records_of
from orchestration.jobs import HEALTH_JOB, LIBRARY_JOB, SOURCE_JOB

# Of those that end after a library run all but a few change the library.
_RUNS_LOOKED_AT = 50
_BEGAN_TAG = "kadr/began"


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
    last = next(iter(instance.get_runs(good, limit=1)), None)
    began = _began(instance, last) if last else 0
    return [
        record
        for record in _ended_after(instance, began)
        if _changes_library(record.dagster_run)
        and not (last and record.dagster_run.run_id == last.run_id)
    ]


def _began(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """The number of the event with which the run started; noted in a tag of the run, because there
    may be a night's runs to look through. 0 where the event was cleared away."""
    if _BEGAN_TAG not in run.tags:
        starts = changes_after(instance, 0, dg.DagsterEventType.RUN_START)
        began = next((number for number, run_id in starts if run_id == run.run_id), 0)
        instance.add_run_tags(run.run_id, {_BEGAN_TAG: str(began)})
        return began
    return int(run.tags[_BEGAN_TAG])


def _ended_after(instance: dg.DagsterInstance, number: int) -> list[dg.RunRecord]:
    """The last runs that ended after an event, the newest first."""
    looked_at = (islice(changes_after(instance, number, k), _RUNS_LOOKED_AT) for k in ENDINGS)
    last = sorted((change for kind in looked_at for change in kind), reverse=True)
    places = {run_id: place for place, (_, run_id) in enumerate(last[:_RUNS_LOOKED_AT])}
    records = records_of(instance, list(places))
    return sorted(records, key=lambda record: places[record.dagster_run.run_id])


def _changes_library(run: dg.DagsterRun) -> bool:
    if run.job_name in (SOURCE_JOB, HEALTH_JOB):
        return False
    if run.asset_selection:
        return run.asset_selection != {SOURCE}
    return not run.asset_check_selection
