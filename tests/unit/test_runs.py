"""Which batches an ingestion still has to run, told from Dagster's own records."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.runs import library_is_behind, unfinished

ALL_STEPS = ["extract", "asr", "ocr", "visual", "text", "load_tables", "duplicate_pairs"]
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def _ran(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    steps: list[str] | None = ALL_STEPS,
    job: str = "batch",
) -> None:
    instance.add_run(
        dg.DagsterRun(
            job_name=job,
            run_id=str(uuid.uuid4()),
            status=status,
            tags={"dagster/partition": "b"},
            step_keys_to_execute=steps,
        )
    )


def test_a_batch_that_never_ran_or_failed_last_is_unfinished(instance: dg.DagsterInstance) -> None:
    assert unfinished(instance, ["b"]) == ["b"]
    _ran(instance, SUCCESS)
    assert unfinished(instance, ["b"]) == []
    _ran(instance, FAILURE)
    assert unfinished(instance, ["b"]) == ["b"]


def test_a_single_step_that_was_run_again_finishes_nothing(instance: dg.DagsterInstance) -> None:
    _ran(instance, FAILURE)
    _ran(instance, SUCCESS, ["ocr"])
    assert unfinished(instance, ["b"]) == ["b"]
    _ran(instance, SUCCESS, ["text", "load_tables"])
    assert unfinished(instance, ["b"]) == ["b"]
    _ran(instance, SUCCESS, ["duplicate_pairs"])
    assert unfinished(instance, ["b"]) == []


def test_a_run_without_a_list_of_steps_is_one_of_all(instance: dg.DagsterInstance) -> None:
    _ran(instance, SUCCESS, None)
    assert unfinished(instance, ["b"]) == []


def test_the_library_is_behind_whatever_ran_after_it(instance: dg.DagsterInstance) -> None:
    assert not library_is_behind(instance)
    _ran(instance, SUCCESS)
    assert library_is_behind(instance)
    _ran(instance, SUCCESS, None, "library")
    assert not library_is_behind(instance)
    _ran(instance, SUCCESS, ["visual"], "__ASSET_JOB")
    assert library_is_behind(instance)
    _ran(instance, FAILURE, None, "library")
    assert library_is_behind(instance)
