"""Run a job here and now, in child processes, as the UI would run it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

from assets.clustered import RECLUSTER_TAG
from assets.progress import FORCE_TAG
from orchestration.instance import run_tags
from orchestration.jobs import BATCH_JOB, LAST_STEPS, LIBRARY_JOB

_INTERRUPTED = "DagsterExecutionInterruptedError"
_RUNS_LOOKED_AT = 20
_PARTITION_TAG = "dagster/partition"


class RunFailed(Exception):
    """A run ended badly; the message names the steps and their errors."""


def batch_job() -> dg.JobDefinition:
    """The batch job, for processes that rebuild it from the environment."""
    from orchestration.definitions import build_defs

    return build_defs().resolve_job_def(BATCH_JOB)


def library_job() -> dg.JobDefinition:
    """The library job, likewise."""
    from orchestration.definitions import build_defs

    return build_defs().resolve_job_def(LIBRARY_JOB)


def run_batch(instance: dg.DagsterInstance, batch: str, *, force: bool = False) -> None:
    """Run the batch job for one batch.

    Raises:
        RunFailed: a step or a blocking check failed.
        KeyboardInterrupt: the run was interrupted.
    """
    tags = {_PARTITION_TAG: batch} | _force(force)
    _run(instance, dg.reconstructable(batch_job), tags)


def run_library(
    instance: dg.DagsterInstance, *, force: bool = False, recluster: bool = False
) -> None:
    """Run the library job; ``recluster`` finds topics and people anew, under their old ids.

    Raises:
        RunFailed: a step failed.
    """
    asked = {RECLUSTER_TAG: "1"} if recluster else {}
    _run(instance, dg.reconstructable(library_job), _force(force) | asked)


def _force(force: bool) -> dict[str, str]:
    return {FORCE_TAG: "1"} if force else {}


def _run(instance: dg.DagsterInstance, job: ReconstructableJob, tags: Mapping[str, str]) -> None:
    # Named, because a run without a logger in its configuration gets Dagster's own console.
    where = tags.get(_PARTITION_TAG, LIBRARY_JOB)
    logger = {"loggers": {"console": {"config": {"where": where}}}}
    tags = {**tags, **run_tags()}
    with dg.execute_job(job, instance=instance, run_config=logger, tags=tags) as result:
        if not result.success:
            _raise_if_interrupted(result)
            raise RunFailed(_reasons(result))


def _raise_if_interrupted(result: dg.JobExecutionResult) -> None:
    """Dagster turns Ctrl-C into a failed run; to whoever started it, it is still Ctrl-C."""
    endings = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    endings += [e.job_failure_data.error for e in result.all_events if e.is_job_failure]
    if any(error and error.cls_name == _INTERRUPTED for error in endings):
        raise KeyboardInterrupt


def _reasons(result: dg.JobExecutionResult) -> str:
    failures = [e for e in result.all_events if e.is_step_failure]
    lines = [f"{e.step_key}: {_cause(e)}" for e in failures]
    return "\n".join(lines) or f"run {result.run_id} failed"


def _cause(event: dg.DagsterEvent) -> str:
    """The step's own error: below Dagster's wrapping, above what it was raised from."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None and _is_wrapping(error.cls_name):
        error = error.cause
    return "" if error is None else error.message.strip()


def _is_wrapping(cls_name: str | None) -> bool:
    return bool(cls_name) and str(cls_name).startswith("Dagster")


def unfinished(instance: dg.DagsterInstance, batches: list[str]) -> list[str]:
    """The batches whose last run did not succeed, or that never ran, in the given order."""
    return [batch for batch in batches if not _succeeded(instance, batch)]


def library_is_behind(instance: dg.DagsterInstance) -> bool:
    """Whether anything ran, here or from the UI, after the last library run that succeeded."""
    last = instance.get_runs(limit=1)
    if not last:
        return False
    run = last[0]
    return not (run.job_name == LIBRARY_JOB and run.status == dg.DagsterRunStatus.SUCCESS)


def _succeeded(instance: dg.DagsterInstance, batch: str) -> bool:
    """Whether, for each of the last steps, the last run that was to do it ended well."""
    of_batch = dg.RunsFilter(job_name=BATCH_JOB, tags={_PARTITION_TAG: batch})
    runs = instance.get_runs(of_batch, limit=_RUNS_LOOKED_AT)
    last = (next((run for run in runs if _does(run, step)), None) for step in LAST_STEPS)
    return all(run is not None and run.status == dg.DagsterRunStatus.SUCCESS for run in last)


def _does(run: dg.DagsterRun, step: str) -> bool:
    steps = run.step_keys_to_execute
    return not run.asset_selection and (not steps or step in steps)
