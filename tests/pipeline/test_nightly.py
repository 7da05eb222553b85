"""A night on the real definitions: listed, cut, run, and what is left of a batch that is broken.

What the schedule and the sensors request is run here and now, in this process.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.source.health import registered
from orchestration.definitions import build_defs
from orchestration.jobs import newest_first
from orchestration.nightly import Patience, plan_requests
from orchestration.settings import Settings
from tests.pipeline.conftest import FEW_TAGS

CLIPS = ("space-01.mp4", "pets-01.mp4")
OFF = {f"{model}_model": "off" for model in ("speech", "ocr", "text", "faces")}
LATER_S = 6000.0  # beyond every rest between two tries


@dataclass(frozen=True)
class Night:
    """A library whose source is listed every night."""

    settings: Settings
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def listed(self) -> bool:
        """Run what the schedule requests; whether it went well."""
        (schedule,) = (s for s in self.defs.schedules or () if s.name == "nightly")
        assert isinstance(schedule, dg.ScheduleDefinition)
        context = dg.build_schedule_context(instance=self.instance)
        (request,) = schedule.evaluate_tick(context).run_requests or ()
        return self._run(schedule.job_name, request)

    def tick(self) -> list[str]:
        """Run what the sensor requests; the jobs or batches, with ! where they failed."""
        (sensor,) = (s for s in self.defs.sensors or () if s.name == "batches")
        context = dg.SensorEvaluationContext(
            instance_ref=self.instance.get_ref(),
            instance=self.instance,
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            repository_name=None,
            repository_def=self.defs.get_repository_def(),
        )
        return self._run_all(list(sensor.evaluate_tick(context).run_requests or ()))

    def later(self) -> list[str]:
        """What the sensor would request when everything has rested."""
        now_s = time.time() + LATER_S
        plan = plan_requests(self.instance, newest_first, Patience(attempts=3), now_s)
        return self._run_all(plan.requests)

    def left_failed(self) -> dict[str, str]:
        """What the check of the morning names, empty where it passes."""
        done = self.defs.resolve_job_def("morning_checks").execute_in_process(
            instance=self.instance
        )
        (found,) = (
            e
            for e in done.get_asset_check_evaluations()
            if e.check_name == "no_batch_is_left_failed"
        )
        left = found.metadata["last_errors"].value
        assert isinstance(left, dict)
        assert found.passed == (not left)
        return left

    def _run_all(self, requests: list[dg.RunRequest]) -> list[str]:
        done = [(r, self._run(str(r.job_name), r)) for r in requests]
        return [(r.partition_key or str(r.job_name)) + "!" * (not ok) for r, ok in done]

    def _run(self, job: str, request: dg.RunRequest) -> bool:
        done = self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )
        return done.success


def _arrive(sample: Path, folder: Path, name: str) -> None:
    shutil.copy(sample / "clips" / name, folder / name)
    an_hour_ago = time.time() - 3600
    os.utime(folder / name, (an_hour_ago, an_hour_ago))


@pytest.fixture(scope="module")
def night(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """The first night, listed."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "clips").mkdir()
    (folder / "dagster").mkdir()
    _arrive(sample, folder / "clips", CLIPS[0])
    settings = Settings(
        data=str(folder / "data"),
        source=str(folder / "clips"),
        workers=1,
        device="cpu",
        taxonomy=FEW_TAGS,
        **OFF,
    )
    instance = dg.DagsterInstance.local_temp(str(folder / "dagster"))
    night = Night(settings, build_defs(settings), instance)
    assert night.listed()
    return night


def test_a_night_ends_with_tables_and_the_next_has_nothing_to_do(night: Night) -> None:
    (batch,) = registered(night.instance)
    assert [night.tick() for _ in range(3)] == [[batch], ["library"], []]
    assert night.listed()
    assert night.tick() == []
    assert night.left_failed() == {}


def test_an_emptied_source_is_refused_and_changes_nothing(night: Night) -> None:
    before = registered(night.instance)
    clips = Path(night.settings.source)
    clips.rename(clips.with_name("elsewhere"))
    clips.mkdir()
    assert not night.listed()
    assert night.later() == []
    clips.rmdir()
    clips.with_name("elsewhere").rename(clips)
    assert registered(night.instance) == before


def test_a_broken_batch_is_tried_three_times_left_and_named(night: Night, sample: Path) -> None:
    _arrive(sample, Path(night.settings.source), CLIPS[1])
    assert night.listed()
    batch = registered(night.instance)[-1]
    path = Path(night.settings.data, "batches", f"{batch}.parquet")
    intact = path.read_bytes()
    path.write_bytes(b"damaged")
    assert night.tick() == [f"{batch}!"]
    assert [night.later() for _ in range(3)] == [
        [f"{batch}!"],
        [f"{batch}!"],
        ["library"],
    ]
    assert night.later() == []
    assert f"{batch}.parquet is damaged" in night.left_failed()[batch]
    path.write_bytes(intact)
