"""What the sensors request, on real Dagster instances and with runs of a graph of three steps.

Most instances keep their records in memory, where a run takes a seventh of the time.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.automation_tick_evaluation_context import (
    build_run_requests_with_backfill_policies,
)
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import freeze_time

from assets.source.errors import EmptySource, SourceError
from assets.source.health import FAILURE_TAG, batch_health
from assets.source.listing import AGAIN, CHANGED, WHY_TAG, is_fresh
from assets.stores.batches import BATCHES, Batch, BatchRegistry, SourceVideo
from assets.stores.storage import Storage
from ml.failures import ModelUnavailable, RetryableFailure
from orchestration.definitions import build_defs
from orchestration.instance import CONFIG
from orchestration.jobs import newest_first, priority_of
from orchestration.nightly import (
    Patience,
    Plan,
    arrivals_sensor,
    fingerprint,
    plan_requests,
)
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = "2026-11-20-001", "2026-11-20-002", "2026-11-21-001"
TABLES = [["clickhouse", t] for t in ("topics", "people", "video_tags", "duplicate_groups")]
MINUTE_S, HOUR_S, MONTH_S = 60.0, 3600.0, 30 * 24 * 3600.0
OFFLINE = RetryableFailure("the file server does not answer")


@dataclass
class Night:
    """An instance, jobs with the names and assets of ours, and what is to go wrong in them."""

    instance: dg.DagsterInstance
    wrong: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        @dg.multi_asset(
            name="load_tables",
            specs=[
                dg.AssetSpec(["clickhouse", "videos"]),
                dg.AssetSpec("duplicate_pairs"),
            ],
            partitions_def=BATCHES,
        )
        def load_tables(
            context: dg.AssetExecutionContext,
        ) -> Iterator[dg.MaterializeResult]:
            self._fail(context.partition_key)
            yield dg.MaterializeResult(asset_key=["clickhouse", "videos"])
            yield dg.MaterializeResult(asset_key="duplicate_pairs")

        @dg.multi_asset(name="library_tables", specs=[dg.AssetSpec(key) for key in TABLES])
        def library_tables() -> Iterator[dg.MaterializeResult]:
            self._fail("library")
            yield from (dg.MaterializeResult(asset_key=key) for key in TABLES)

        @dg.asset
        def source() -> None:
            self._fail("list_source")

        select = dg.AssetSelection.assets
        self.defs = dg.Definitions(
            assets=[load_tables, library_tables, source],
            jobs=[
                dg.define_asset_job("batch", select(load_tables), partitions_def=BATCHES),
                dg.define_asset_job("library", select(library_tables)),
                dg.define_asset_job("list_source", select(source)),
            ],
        )

    def _fail(self, what: str) -> None:
        if what in self.wrong:
            raise self.wrong[what].with_traceback(None)

    def register(self, *batches: str) -> None:
        self.instance.add_dynamic_partitions("batches", list(batches))

    def listed(self, wanted: dict[str, str]) -> None:
        """What a listing leaves."""
        metadata = {"wanted": dg.MetadataValue.json(wanted)}
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization("source", metadata=metadata)
        )

    def plan(self, later_s: float = 0.0) -> Plan:
        return plan_requests(self.instance, newest_first, Patience(), time.time() + later_s)

    def run(self, job: str, batch: str | None = None, **tags: str) -> None:
        self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=batch, tags=tags, raise_on_error=False
        )

    def tick(self, later_s: float = 0.0) -> list[str]:
        """Request what is due and run it; the jobs or batches in their order."""
        requests = self.plan(later_s).requests
        for request in requests:
            self.run(str(request.job_name), request.partition_key, **request.tags)
        return [request.partition_key or str(request.job_name) for request in requests]

    def add_run(self, job: str, batch: str, status: dg.DagsterRunStatus) -> None:
        tags = {"dagster/partition": batch}
        self.instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=tags))

    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The morning's checks."""
        defs = dg.Definitions(
            assets=self.defs.assets,
            asset_checks=[batch_health],
            jobs=[dg.define_asset_job("morning", dg.AssetSelection.checks_for_assets("source"))],
        )
        done = defs.resolve_job_def("morning").execute_in_process(instance=self.instance)
        return {e.check_name: e for e in done.get_asset_check_evaluations()}


@pytest.fixture
def night() -> Night:
    return Night(dg.DagsterInstance.ephemeral())


# Batches ------------------------------------------------------------------------------------------


def test_every_batch_runs_once_and_then_the_library(night: Night) -> None:
    night.register(FIRST, SECOND, THIRD)
    assert night.tick() == [THIRD, SECOND, FIRST]
    assert night.tick() == ["library"]
    assert night.tick() == []


def test_records_on_disk_give_the_same_requests(tmp_path: Path) -> None:
    night = Night(dg.DagsterInstance.local_temp(str(tmp_path)))
    night.register(FIRST, SECOND)
    night.wrong[FIRST] = OFFLINE
    assert [night.tick(HOUR_S) for _ in range(2)] == [[SECOND, FIRST], [FIRST]]
    del night.wrong[FIRST]
    assert [night.tick(HOUR_S) for _ in range(3)] == [[FIRST], ["library"], []]


def test_a_clock_that_was_set_back_by_a_month_holds_nothing_up(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.wrong[FIRST] = OFFLINE
    night.tick()
    with freeze_time(time.time() - MONTH_S):
        # Neither need rest for a month, which is how long ago they seem to have run.
        assert night.tick(-MONTH_S) == [FIRST, "library"]
        night.listed({SECOND: CHANGED})
        assert night.tick(-MONTH_S) == [SECOND]
        assert night.tick(-MONTH_S) == []
        del night.wrong[FIRST]
        assert [night.tick(HOUR_S - MONTH_S) for _ in range(3)] == [[FIRST], ["library"], []]


def test_the_same_request_is_never_made_twice(night: Night) -> None:
    night.register(FIRST)
    keys = [request.run_key for _ in range(2) for request in night.plan().requests]
    assert len(set(keys)) == 1
    night.wrong[FIRST] = OFFLINE
    night.tick()
    (retried,) = night.plan(HOUR_S).requests
    assert retried.run_key not in keys


def test_a_batch_that_a_run_works_on_is_left_to_it(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.add_run("batch", FIRST, dg.DagsterRunStatus.STARTING)
    night.add_run("__ASSET_JOB", SECOND, dg.DagsterRunStatus.STARTED)
    plan = night.plan()
    assert plan.requests == []
    assert plan.at_work == 2


def test_a_batch_that_is_being_backfilled_is_left_to_the_backfill(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.instance.add_backfill(
        PartitionBackfill(
            backfill_id="b",
            status=BulkActionStatus.REQUESTED,
            from_failure=False,
            tags={},
            backfill_timestamp=time.time(),
            partition_names=[FIRST],
        )
    )
    assert [request.partition_key for request in night.plan().requests] == [SECOND]


def test_the_queue_is_kept_short(tmp_path: Path) -> None:
    config = {"concurrency": {"runs": {"max_concurrent_runs": 1}}}
    queued = {"run_coordinator": {"module": "dagster", "class": "QueuedRunCoordinator"}}
    with dg.instance_for_test(overrides=config | queued, temp_dir=str(tmp_path)) as instance:
        night = Night(instance)
        night.register(*(f"2026-11-20-{i:03d}" for i in range(1, 9)))
        night.add_run("batch", "2026-11-20-008", dg.DagsterRunStatus.STARTING)
        plan = night.plan()
        assert [r.partition_key for r in plan.requests] == [
            "2026-11-20-007",
            "2026-11-20-006",
        ]
        assert plan.queued_later == 5


def test_a_run_from_the_asset_graph_finishes_a_batch_too(night: Night) -> None:
    night.register(FIRST)
    night.run("__ASSET_JOB", FIRST)
    assert night.tick() == ["library"]


# Retries ------------------------------------------------------------------------------------------


def test_a_failed_batch_is_tried_three_times_and_then_left(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.wrong[FIRST] = OFFLINE
    assert night.tick() == [SECOND, FIRST]
    assert [night.tick(HOUR_S) for _ in range(4)] == [[FIRST], [FIRST], ["library"], []]
    assert night.plan(HOUR_S).left == 1
    assert night.instance.get_runs_count(dg.RunsFilter(tags={"dagster/partition": FIRST})) == 3


def test_another_try_waits_longer_each_time(night: Night) -> None:
    night.register(FIRST)
    night.wrong[FIRST] = OFFLINE
    for wait_s in (5 * MINUTE_S, 20 * MINUTE_S):
        night.tick(HOUR_S)
        early = night.plan(wait_s - 10)
        assert (early.requests, early.resting) == ([], 1)
        assert len(night.plan(wait_s + 1).requests) == 1


def test_the_library_waits_for_a_batch_that_will_be_tried_again(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.wrong[FIRST] = OFFLINE
    night.tick()
    assert night.tick() == []
    del night.wrong[FIRST]
    assert [night.tick(HOUR_S) for _ in range(3)] == [[FIRST], ["library"], []]


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("siglip", "base", "no such file"),
        dg.Failure("materialise first"),
    ],
)
def test_a_permanent_failure_is_not_tried_again(night: Night, error: Exception) -> None:
    night.register(FIRST)
    night.wrong[FIRST] = error
    night.tick()
    assert night.tick(HOUR_S) == ["library"]
    (run,) = night.instance.get_runs(dg.RunsFilter(job_name="batch"))
    assert run.tags[FAILURE_TAG] == "permanent"


def test_a_batch_that_a_person_stopped_is_left(night: Night) -> None:
    night.register(FIRST)
    night.add_run("batch", FIRST, dg.DagsterRunStatus.CANCELED)
    plan = night.plan(HOUR_S)
    assert plan.left == 1
    assert FIRST not in [request.partition_key for request in plan.requests]


def test_what_was_given_up_is_tried_anew_when_its_videos_change(night: Night) -> None:
    night.register(FIRST)
    night.wrong[FIRST] = ModelUnavailable("siglip", "base", "no such file")
    assert [night.tick(HOUR_S) for _ in range(2)] == [[FIRST], ["library"]]
    night.listed({FIRST: CHANGED})
    night.wrong[FIRST] = OFFLINE
    assert [night.tick(HOUR_S) for _ in range(2)] == [[FIRST], [FIRST]]


def test_a_finished_batch_that_the_listing_asks_for_runs_once_more(
    night: Night,
) -> None:
    night.register(FIRST)
    night.tick()
    night.listed({FIRST: AGAIN})
    assert [night.tick() for _ in range(3)] == [[FIRST], ["library"], []]
    last = night.instance.get_runs(dg.RunsFilter(job_name="batch"), limit=1)[0]
    assert last.tags[WHY_TAG] == AGAIN


def test_a_library_run_that_fails_is_tried_three_times(night: Night) -> None:
    night.register(FIRST)
    night.wrong["library"] = OFFLINE
    ticks = [night.tick(HOUR_S) for _ in range(5)]
    assert ticks == [[FIRST], ["library"], ["library"], ["library"], []]


def test_a_library_that_never_rests_is_brought_up_once_a_day(night: Night) -> None:
    night.register(FIRST, SECOND)
    night.run("batch", FIRST)
    night.add_run("batch", SECOND, dg.DagsterRunStatus.STARTED)
    assert night.plan(23 * HOUR_S).requests == []
    assert [r.job_name for r in night.plan(25 * HOUR_S).requests] == ["library"]


def test_a_listing_that_failed_is_tried_again_but_not_an_emptied_source(
    night: Night,
) -> None:
    night.wrong["list_source"] = SourceError("cannot list s3://bucket: time-out")
    night.run("list_source")
    assert [night.tick(HOUR_S) for _ in range(3)] == [
        ["list_source"],
        ["list_source"],
        [],
    ]
    night.run("list_source")
    assert night.tick(HOUR_S) == ["list_source"]
    night.wrong["list_source"] = EmptySource("/videos lists no video at all")
    night.run("list_source")
    assert night.tick(HOUR_S) == []


def test_nothing_else_retries() -> None:
    for name in ("batch", "library", "list_source"):
        job = build_defs(Settings()).resolve_job_def(name)
        assert [n.name for n in job.all_node_defs if getattr(n, "retry_policy", None)] == []
    retries = yaml.safe_load(CONFIG.read_text()).get("run_retries", {"enabled": False})
    assert not retries["enabled"]


# The checks of the morning ------------------------------------------------------------------------


def test_the_morning_names_failed_batches_with_their_error(night: Night) -> None:
    night.register(FIRST, SECOND, THIRD)
    night.wrong[FIRST] = OFFLINE
    night.run("batch", FIRST)
    night.run("batch", SECOND)
    found = night.checks()["no_batch_is_left_failed"]
    assert not found.passed
    assert list(found.metadata["last_errors"].value) == [FIRST]
    assert str(OFFLINE) in found.metadata["last_errors"].value[FIRST]
    assert (found.metadata["left"].value, found.metadata["not_run_yet"].value) == (1, 1)
    del night.wrong[FIRST]
    night.run("batch", FIRST)
    assert night.checks()["no_batch_is_left_failed"].passed


def test_the_morning_tells_a_library_that_fell_behind(night: Night) -> None:
    assert night.checks()["library_keeps_up"].passed
    night.register(FIRST)
    night.run("batch", FIRST)
    assert night.checks()["library_keeps_up"].metadata["hours_behind"].value == 0.0
    night.run("library")
    assert night.checks()["library_keeps_up"].passed


# Order --------------------------------------------------------------------------------------------


def test_batches_are_queued_newest_or_heaviest_first(tmp_path: Path) -> None:
    batches = BatchRegistry(Storage(str(tmp_path)))
    for name, size in ((FIRST, 5_000_000), (SECOND, 90_000_000), (THIRD, 1_000_000)):
        batches.write(Batch(name, (SourceVideo(f"v{name}", f"/{name}.mp4", "1", size),)))
    names = [SECOND, FIRST, THIRD]
    assert sorted(names, key=priority_of("newest", batches)) == [FIRST, SECOND, THIRD]
    assert sorted(names, key=priority_of("heaviest", batches)) == [THIRD, FIRST, SECOND]
    assert all(priority_of(order, batches)(THIRD) < 0 for order in ("newest", "heaviest"))
    with pytest.raises(ValueError, match="KADR_BATCH_ORDER"):
        priority_of("oldest", batches)


def test_a_backfill_of_the_batch_job_is_queued_by_the_same_order(
    tmp_path: Path,
) -> None:
    job = build_defs(Settings(data=str(tmp_path))).resolve_job_def("batch")
    tags = job.get_tags_for_partition_key(THIRD, None)
    assert tags["dagster/priority"] == str(newest_first(THIRD))


def test_a_backfill_runs_one_batch_a_run_and_names_it(tmp_path: Path) -> None:
    graph = build_defs(Settings(data=str(tmp_path))).resolve_asset_graph()
    keys = {k for k in graph.get_all_asset_keys() if graph.get(k).partitions_def}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("batches", [FIRST, SECOND])
        wanted = [AssetKeyPartitionKey(k, batch) for k in keys for batch in (FIRST, SECOND)]
        requests = build_run_requests_with_backfill_policies(wanted, graph, instance)
    assert sorted(r.tags["dagster/partition"] for r in requests) == [FIRST, SECOND]
    assert all(set(r.asset_selection or ()) == keys for r in requests)


# Arriving files -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    (tmp_path / "clips").mkdir()
    _write(tmp_path / "clips" / "one.mp4", age_s=HOUR_S)
    return Settings(data=str(tmp_path), source=str(tmp_path / "clips"), arrivals_every_s=30)


def _write(path: Path, age_s: float) -> None:
    path.write_bytes(b"video")
    os.utime(path, (time.time() - age_s,) * 2)


def _looks(settings: Settings, cursor: str | None) -> tuple[list[str], str | None]:
    context = dg.build_sensor_context(cursor=cursor)
    looked = arrivals_sensor(settings).evaluate_tick(context)
    return [str(r.run_key) for r in looked.run_requests or ()], looked.cursor or cursor


def test_a_file_that_arrived_is_listed_once(folder: Settings) -> None:
    requested, cursor = _looks(folder, None)
    assert len(requested) == 1
    assert _looks(folder, cursor) == ([], cursor)
    _write(Path(folder.source, "two.mp4"), age_s=31)
    requested, cursor = _looks(folder, cursor)
    assert len(requested) == 1
    assert _looks(folder, cursor) == ([], cursor)


def test_a_file_that_is_still_being_written_waits(folder: Settings) -> None:
    _, cursor = _looks(folder, None)
    _write(Path(folder.source, "two.mp4"), age_s=2)
    assert _looks(folder, cursor) == ([], cursor)
    _write(Path(folder.source, "three.mp4"), age_s=31)
    assert len(_looks(folder, cursor)[0]) == 1


def test_an_object_or_a_clock_that_is_ahead_keeps_nothing_waiting() -> None:
    now_s = time.time()
    ahead = f"5-{int((now_s + HOUR_S) * 1e9)}"
    assert not is_fresh(SourceVideo("a", "/a.mp4", ahead), now_s, 60)
    assert not is_fresh(SourceVideo("a", "s3://b/a.mp4", f"5-{int(now_s * 1e9)}"), now_s, 60)
    assert is_fresh(SourceVideo("a", "/a.mp4", f"5-{int(now_s * 1e9)}"), now_s, 60)


def test_a_source_too_large_to_be_watched_says_so(folder: Settings) -> None:
    hours = iter(range(100))
    with pytest.raises(SourceError, match="KADR_ARRIVALS_EVERY_S=0"):
        fingerprint(folder, 30, clock=lambda: next(hours) * HOUR_S)


# What is on ---------------------------------------------------------------------------------------


def test_the_night_is_on_where_there_is_a_source(tmp_path: Path) -> None:
    def running(settings: Settings) -> set[str]:
        defs = build_defs(settings)
        parts = [*(defs.schedules or ()), *(defs.sensors or ())]
        return {p.name for p in parts if p.default_status.value == "RUNNING"}

    always, data = {"recluster", "morning"}, str(tmp_path)
    assert running(Settings(data=data)) == always
    assert running(Settings(data=data, source="/v")) == always | {"nightly", "batches"}
    watched = running(Settings(data=data, source="/v", arrivals_every_s=60))
    assert watched == always | {"nightly", "batches", "arrivals"}
