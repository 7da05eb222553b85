"""Run a job here and now, in child processes, as the UI would run it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

from assets.clustering.clustered import RECLUSTER_TAG
from assets.source.health import PARTITION_TAG, cause
from assets.stores.clickhouse import CannotConnect
from assets.stores.progress import FORCE_TAG
from orchestration.definitions import build_defs
from orchestration.jobs import BATCH_JOB, LIBRARY_JOB
from orchestration.liveness import driving

_INTERRUPTED = "DagsterExecutionInterruptedError"


class RunFailed(Exception):
    """A run ended badly; the message names the steps and their errors."""


def batch_job() -> dg.JobDefinition:
    """The batch job, for processes that rebuild it from the environment."""
    return build_defs().resolve_job_def(BATCH_JOB)


def library_job() -> dg.JobDefinition:
    """The library job, likewise."""
    return build_defs().resolve_job_def(LIBRARY_JOB)


def run_batch(instance: dg.DagsterInstance, batch: str, *, force: bool = False) -> None:
    """Run the batch job for one batch.

    Raises:
        RunFailed: a step or a blocking check failed.
        CannotConnect: for want of ClickHouse; the next batch would fail like this one.
        KeyboardInterrupt: the run was interrupted.
    """
    tags = {PARTITION_TAG: batch} | _force(force)
    _run(instance, dg.reconstructable(batch_job), tags)


def run_library(
    instance: dg.DagsterInstance, *, force: bool = False, recluster: bool = False
) -> None:
    """Run the library job; ``recluster`` finds topics and people anew, under their old ids.

    Raises:
        RunFailed: a step failed.
        CannotConnect: for want of ClickHouse.
    """
    asked = {RECLUSTER_TAG: "1"} if recluster else {}
    _run(instance, dg.reconstructable(library_job), _force(force) | asked)


def _force(force: bool) -> dict[str, str]:
    return {FORCE_TAG: "1"} if force else {}


def _run(instance: dg.DagsterInstance, job: ReconstructableJob, tags: Mapping[str, str]) -> None:
    # Named, because a run without a logger in its configuration gets Dagster's own console.
    where = tags.get(PARTITION_TAG, LIBRARY_JOB)
    logger = {"loggers": {"console": {"config": {"where": where}}}}
    with (
        driving(instance) as ours,
        dg.execute_job(job, instance=instance, run_config=logger, tags={**tags, **ours}) as result,
    ):
        if not result.success:
            _raise_if_interrupted(result)
            _raise_if_without_tables(result)
            raise RunFailed(_reasons(result))


def _raise_if_interrupted(result: dg.JobExecutionResult) -> None:
    """Dagster turns Ctrl-C into a failed run; to whoever started it, it is still Ctrl-C."""
    endings = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    endings += [e.job_failure_data.error for e in result.all_events if e.is_job_failure]
    if any(error and error.cls_name == _INTERRUPTED for error in endings):
        raise KeyboardInterrupt


def _raise_if_without_tables(result: dg.JobExecutionResult) -> None:
    """ClickHouse that is away is one error, however many steps met it."""
    failures = [e for e in result.all_events if e.is_step_failure]
    causes = [cause(e.step_failure_data.error) for e in failures if e.step_failure_data.error]
    if causes and all(error.cls_name == CannotConnect.__name__ for error in causes):
        raise CannotConnect(causes[0].message.partition(": ")[2].strip())


def _reasons(result: dg.JobExecutionResult) -> str:
    """What failed in each step; of a run that failed beside its steps, why that was."""
    steps = [
        (e.step_key, e.step_failure_data.error) for e in result.all_events if e.is_step_failure
    ]
    runs = [("run", e.job_failure_data.error) for e in result.all_events if e.is_job_failure]
    lines = [f"{what}: {cause(error).message.strip()}" for what, error in steps or runs if error]
    return "\n".join(lines) or f"run {result.run_id} failed"
