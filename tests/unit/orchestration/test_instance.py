"""The Dagster instance: which storage, who may edit its file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._utils.tags import TagConcurrencyLimitsCounter

from assets.source.health import PARTITION_TAG
from orchestration.instance import CONFIG, open_here, prepare
from orchestration.launcher import WatchingRunLauncher
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

SECRET = "p4ss-w0rd"
# Nobody listens on port 1 of loopback.
POSTGRES = f"postgresql://kadr:{SECRET}@127.0.0.1:1/kadr"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``prepare`` sets is undone."""
    for name in ("DAGSTER_HOME", "OMP_THREAD_LIMIT"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path))


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    prepare(settings)
    with open_here(settings) as opened:
        yield opened


def _file(settings: Settings) -> Path:
    return settings.dagster_home / CONFIG.name


def _with_postgres(settings: Settings, url: str = POSTGRES) -> Settings:
    return Settings(data=settings.data, postgres_url=url)


def _started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    run = instance.create_run_for_job(_job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    return stored


@dg.job
def _job() -> None: ...


def test_without_a_server_everything_lies_in_sqlite_below_the_state(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert (settings.dagster_home / "history" / "runs.db").exists()
    assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert isinstance(instance.run_launcher, WatchingRunLauncher)


def test_slots_are_freed_and_runs_are_repeated_in_one_place_only(
    instance: dg.DagsterInstance,
) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] > 0
    assert not instance.run_retries_enabled
    assert not instance.telemetry_enabled


def test_two_runs_never_work_on_one_batch_at_once(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    limits = TagConcurrencyLimitsCounter(
        queue.tag_concurrency_limits, [_started(instance, {PARTITION_TAG: "2026-11-20-001"})]
    )
    assert limits.is_blocked(_started(instance, {PARTITION_TAG: "2026-11-20-001"}))
    assert not limits.is_blocked(_started(instance, {PARTITION_TAG: "2026-11-20-002"}))
    assert not limits.is_blocked(_started(instance, {}))


def test_the_password_stays_in_the_environment(settings: Settings) -> None:
    prepare(_with_postgres(settings))
    text = _file(settings).read_text()
    assert "env: KADR_POSTGRES_URL" in text
    assert SECRET not in text


def test_an_unedited_file_follows_the_settings_and_later_versions(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(settings)
    prepare(_with_postgres(settings))
    assert "KADR_POSTGRES_URL" in _file(settings).read_text().split("storage:")[-1]
    prepare(settings)
    assert "storage:" not in _file(settings).read_text().split("retention:")[-1]
    later = tmp_path / "later.yaml"
    later.write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setattr("orchestration.instance.CONFIG", later.rename(tmp_path / "dagster.yaml"))
    prepare(settings)
    assert _file(settings).read_text().endswith("telemetry:\n  enabled: false\n")


def test_an_edited_file_is_left_alone(settings: Settings) -> None:
    prepare(settings)
    edited = _file(settings).read_text().replace("max_concurrent_runs: 2", "max_concurrent_runs: 9")
    _file(settings).write_text(edited)
    prepare(settings)
    assert _file(settings).read_text() == edited


def test_an_edited_file_that_would_ignore_the_server_is_refused(settings: Settings) -> None:
    prepare(settings)
    _file(settings).write_text("telemetry: {enabled: false}\n")
    with pytest.raises(ValueError, match="was edited and has no storage section"):
        prepare(_with_postgres(settings))


@pytest.mark.parametrize("url", [f"postgres://kadr:{SECRET}@db/kadr", f"db:{SECRET}"])
def test_an_address_that_sqlalchemy_does_not_know_is_refused_without_its_password(
    settings: Settings, url: str
) -> None:
    with pytest.raises(ValueError, match="must start with postgresql://") as raised:
        prepare(_with_postgres(settings, url))
    assert SECRET not in str(raised.value)


def test_a_server_that_does_not_answer_is_one_clear_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_POSTGRES_URL", POSTGRES)
    monkeypatch.setattr("time.sleep", lambda _: None)  # Dagster waits 12 s in between
    prepare(_with_postgres(settings))
    with (
        pytest.raises(ConnectionError, match="can't be reached") as raised,
        open_here(_with_postgres(settings)),
    ):
        pass
    assert SECRET not in str(raised.value)
