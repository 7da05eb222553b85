"""Which batches an ingestion still has to run, told from Dagster's own records."""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.test_utils import freeze_time

from assets.stores.batches import BATCHES
from orchestration.pending import library_is_behind, unfinished

pytestmark = pytest.mark.slow

LAST = (["clickhouse", "videos"], ["clickhouse", "faces"], "duplicate_pairs")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("batches", ["b"])
    return instance


@dg.asset(partitions_def=BATCHES)
def ocr() -> None:
    """An early step."""


@dg.multi_asset(
    specs=[dg.AssetSpec(key, skippable=True) for key in LAST],
    partitions_def=BATCHES,
    can_subset=True,
)
def last(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """What the last steps make; the tag ``stop`` names the one before which they fail."""
    stop = context.run.tags.get("stop")
    for key in (dg.AssetKey(key) for key in LAST):
        if key.path[-1] == stop:
            raise RuntimeError("the engine went away")
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)


@dg.asset
def topics() -> None:
    """A step of the library."""


@dg.asset
def source() -> None:
    """The listing."""


DEFS = dg.Definitions(
    assets=[ocr, last, topics, source],
    jobs=[
        dg.define_asset_job("batch", [ocr, last], partitions_def=BATCHES),
        dg.define_asset_job("library", [topics]),
        dg.define_asset_job("list_source", [source]),
    ],
)


def _run(instance: dg.DagsterInstance, job: str = "batch", *assets: str, stop: str = "") -> None:
    DEFS.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key="b" if job == "batch" or assets else None,
        asset_selection=[dg.AssetKey(a.split("/")) for a in assets] or None,
        tags={"stop": stop},
        raise_on_error=False,
    )


def test_a_batch_that_never_ran_or_failed_last_is_unfinished(
    instance: dg.DagsterInstance,
) -> None:
    assert unfinished(instance, ["b"]) == ["b"]
    _run(instance)
    assert unfinished(instance, ["b"]) == []
    _run(instance, stop="videos")
    assert unfinished(instance, ["b"]) == ["b"]


def test_a_batch_is_unfinished_while_one_of_its_tables_is(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance, stop="faces")
    assert unfinished(instance, ["b"]) == ["b"]
    _run(instance, "batch", "duplicate_pairs")
    assert unfinished(instance, ["b"]) == ["b"]
    _run(instance, "batch", "clickhouse/faces")
    assert unfinished(instance, ["b"]) == []


def test_a_single_early_step_finishes_nothing(instance: dg.DagsterInstance) -> None:
    _run(instance, stop="videos")
    _run(instance, "batch", "ocr")
    assert unfinished(instance, ["b"]) == ["b"]


def test_a_table_that_is_newer_than_the_batch_leaves_it_finished(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance, "batch", "clickhouse/videos", "duplicate_pairs")
    assert unfinished(instance, ["b"]) == []


def test_the_library_is_behind_whatever_ran_after_it(
    instance: dg.DagsterInstance,
) -> None:
    assert not library_is_behind(instance)
    _run(instance)
    assert library_is_behind(instance)
    _run(instance, "library")
    assert not library_is_behind(instance)
    _run(instance, "__ASSET_JOB", "ocr")
    assert library_is_behind(instance)


def test_a_listing_puts_the_library_behind_nothing(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance)
    _run(instance, "library")
    _run(instance, "list_source")
    assert not library_is_behind(instance)


@contextmanager
def _set_back() -> Iterator[None]:
    """The clock of Dagster's records, a month in the past."""
    with freeze_time(time.time() - 30 * 24 * 3600):
        yield


def test_the_library_is_behind_what_ran_after_the_clock_was_set_back(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance)
    _run(instance, "library")
    with _set_back():
        _run(instance)
        assert library_is_behind(instance)
        _run(instance, "library")
        assert not library_is_behind(instance)
    assert not library_is_behind(instance)


def test_a_batch_that_ended_while_the_library_ran_puts_it_behind(
    instance: dg.DagsterInstance,
) -> None:
    library = DEFS.resolve_job_def("library")
    run = instance.create_run_for_job(library, status=dg.DagsterRunStatus.STARTING)
    instance.report_dagster_event(_start_of(run), run.run_id)
    _run(instance)
    instance.report_dagster_event(_success_of(run), run.run_id)
    assert library_is_behind(instance)


def _start_of(run: dg.DagsterRun) -> DagsterEvent:
    return DagsterEvent(DagsterEventType.RUN_START.value, run.job_name)


def _success_of(run: dg.DagsterRun) -> DagsterEvent:
    return DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name)
