"""A run that will never run holds nobody up, and one that is at work is left alone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import freeze_time
from dagster._daemon.types import DaemonHeartbeat

from assets.source.health import PARTITION_TAG
from orchestration import owners
from orchestration.instance import open_here, prepare
from orchestration.liveness import (
    LAUNCHER_TAG,
    dead_runs,
    driving,
    end_dead_runs,
    held_batches,
)
from orchestration.owners import (
    OWNER_TAG,
    Busy,
    Owner,
    alone,
    beating,
    dead_among,
    owner_of,
    this_process,
)
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

BATCH = "2026-11-20-001"
STATUSES = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
STATUSES += [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# In the place of half a minute.
WATCH_S = 1.0
HOUR_S = 3600.0
# Drives a run until it is killed, and says whose it is.
DRIVER = """
import sys, time
from orchestration import owners
from orchestration.instance import open_here, prepare
from orchestration.settings import Settings
owners.BEAT_S = 0.1
settings = Settings(data=sys.argv[1])
prepare(settings)
with open_here(settings) as instance, owners.beating(instance) as me:
    print(me.as_tag(), flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is told soon; and what ``prepare`` sets is undone."""
    monkeypatch.setattr(owners, "WATCH_S", WATCH_S)
    for name in ("DAGSTER_HOME", "OMP_THREAD_LIMIT"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """One that keeps its records in memory: it opens in no time."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    settings = Settings(data=str(tmp_path))
    prepare(settings)
    with open_here(settings) as opened:
        yield opened


def _run(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    parent: str | None = None,
) -> dg.DagsterRun:
    """A run in the instance's records, whose process has nothing to do with them."""
    location = RegisteredCodeLocationOrigin("kadr")
    run = dg.DagsterRun(
        job_name="batch",
        tags=tags,
        status=status,
        parent_run_id=parent,
        root_run_id=parent,
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "kadr"), "batch"),
    )
    return instance.add_run(run)


def _gone() -> Owner:
    """A process of this machine that ended."""
    return replace(this_process(), beat="gone", pid=2**22 + 1)


def _far(beat: str = "far") -> Owner:
    """A process that can't be seen from here."""
    return replace(this_process(), beat=beat, host="another-machine", boot="another-boot")


def _status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    return stored.status


@pytest.mark.parametrize("status", STATUSES)
def test_a_run_whose_process_was_killed_is_ended_in_every_state(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    dead = _run(instance, {OWNER_TAG: _gone().as_tag()}, status)
    alive = _run(instance, {OWNER_TAG: this_process().as_tag()}, status)
    assert end_dead_runs(instance) == 1
    assert _status(instance, dead) == dg.DagsterRunStatus.FAILURE
    assert _status(instance, alive) == status


def test_run_monitoring_is_told_of_a_run_that_died(on_disk: dg.DagsterInstance) -> None:
    launcher = on_disk.run_launcher
    dead = _run(on_disk, {OWNER_TAG: _gone().as_tag()})
    with beating(on_disk) as me:
        alive = _run(on_disk, {OWNER_TAG: me.as_tag()})
    assert launcher.check_run_worker_health(dead).status == WorkerStatus.FAILED
    assert launcher.check_run_worker_health(alive).status == WorkerStatus.RUNNING


def test_a_process_number_that_is_used_again_is_another_process() -> None:
    assert this_process().lives()
    assert replace(this_process(), started="1").lives() is False


def test_a_process_that_was_killed_and_not_asked_after_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    owner = replace(this_process(), pid=child.pid, started=owners._started(child.pid))
    assert owner.lives()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert owner.lives() is False
    child.wait()


def test_a_forked_child_is_another_process() -> None:
    ours = this_process().beat
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, this_process().beat.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode() != ours


def test_a_process_of_elsewhere_is_judged_by_its_silence_alone(
    instance: dg.DagsterInstance,
) -> None:
    quiet, loud = _far("quiet"), _far("loud")
    with _beating(instance, "loud"):
        assert dead_among(instance, [quiet, loud]) == {quiet}


@contextmanager
def _beating(instance: dg.DagsterInstance, beat: str) -> Iterator[None]:
    """Beats of a process that can't be seen from here."""
    done = threading.Event()

    def beat_on() -> None:
        while not done.wait(WATCH_S / 10):
            now = str(time.monotonic_ns())
            instance.run_storage.set_cursor_values({f"kadr/beat/{beat}": now})

    thread = threading.Thread(target=beat_on)
    thread.start()
    yield
    done.set()
    thread.join()


def _can_unshare() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command).returncode == 0


def test_the_copy_of_a_folder_whose_ingestion_runs_on_is_free(
    on_disk: dg.DagsterInstance, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy") / "data"
    with beating(on_disk) as me:
        run = _run(on_disk, {OWNER_TAG: me.as_tag()})
        assert dead_runs(on_disk, [run]) == []
        shutil.copytree(tmp_path, copy)
        with open_here(Settings(data=str(copy))) as copied:
            assert end_dead_runs(copied) == 1
    assert _status(on_disk, run) == dg.DagsterRunStatus.STARTED


def test_a_container_of_another_name_and_the_same_numbers_is_told_from_this_one(
    on_disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    if not _can_unshare():
        pytest.skip("no right to make a namespace of process numbers here")
    container = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child"]
    inside = f"hostname elsewhere; exec {sys.executable} -c '{DRIVER}' {tmp_path}"
    with subprocess.Popen(
        [*container, "sh", "-c", inside], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        owner = owner_of(driver.stdout.readline())
        assert owner is not None
        assert (owner.host, owner.pid) == ("elsewhere", 1)  # as in every container
        run = _run(on_disk, {OWNER_TAG: owner.as_tag()})
        assert dead_runs(on_disk, [run]) == []
        driver.kill()
    assert dead_runs(on_disk, [run]) == [run]


def test_a_run_broken_off_before_its_start_does_not_stay(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyboardInterrupt), driving(instance) as tags:
        broken_off = _run(instance, tags, dg.DagsterRunStatus.NOT_STARTED)
        raise KeyboardInterrupt
    assert _status(instance, broken_off) == dg.DagsterRunStatus.FAILURE


def test_a_run_repeated_from_the_pages_is_not_its_dead_parents(
    instance: dg.DagsterInstance,
) -> None:
    tags = {OWNER_TAG: _gone().as_tag()}
    parent = _run(instance, tags)
    again = _run(instance, tags, dg.DagsterRunStatus.NOT_STARTED, parent.run_id)
    assert dead_runs(instance, [parent, again]) == [parent]


@pytest.mark.parametrize("clock_moved_s", [HOUR_S, -30 * 24 * HOUR_S])
def test_a_run_that_a_server_created_and_never_queued_is_ended(
    instance: dg.DagsterInstance, clock_moved_s: float
) -> None:
    fresh = _run(instance, {}, dg.DagsterRunStatus.NOT_STARTED)
    with freeze_time(time.time() - clock_moved_s):
        old = _run(instance, {}, dg.DagsterRunStatus.NOT_STARTED)
    assert dead_runs(instance, [fresh, old]) == [old]


def test_a_run_that_says_nothing_of_itself_for_a_day_is_dead(instance: dg.DagsterInstance) -> None:
    assert dead_runs(instance, [_run(instance, {})]) != []  # no event at all
    at_work = _run(instance, {})
    instance.report_engine_event("a line", at_work)
    assert dead_runs(instance, [at_work]) == []


# Of servers ---------------------------------------------------------------------------------------


def _server(**where: object) -> dict[str, str]:
    return {GRPC_INFO_TAG: json.dumps({"host": "localhost", **where})}


def test_a_run_of_a_code_location_that_is_gone_from_this_machine_is_dead(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    path = tmp_path / "code.sock"
    run = _run(instance, _server(socket=str(path)))
    assert dead_runs(instance, [run]) == [run]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert dead_runs(instance, [run]) == []
    assert dead_runs(instance, [run]) == [run]


def test_a_code_location_on_another_machine_is_not_looked_for_on_this_one(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    there = _server(socket=str(tmp_path / "there.sock")) | {LAUNCHER_TAG: _far("far").as_tag()}
    run = _run(instance, there)
    with _beating(instance, "far"):
        assert dead_runs(instance, [run]) == []
    assert dead_runs(instance, [run]) == [run]


def test_a_code_location_that_does_not_answer_is_waited_for_while_a_daemon_lives(
    instance: dg.DagsterInstance,
) -> None:
    run = _run(instance, _server(host="127.0.0.1", port=1))
    _daemon_beats(instance)
    assert dead_runs(instance, [run]) == []
    _daemon_beats(instance, ago_s=HOUR_S)
    assert dead_runs(instance, [run]) == [run]


def _daemon_beats(instance: dg.DagsterInstance, ago_s: float = 0.0) -> None:
    beat = DaemonHeartbeat(time.time() - ago_s, "QUEUED_RUN_COORDINATOR", "an id", [])
    instance.add_daemon_heartbeat(beat)


# Who holds a batch --------------------------------------------------------------------------------


def test_who_holds_a_batch_is_told_with_since_when(instance: dg.DagsterInstance) -> None:
    run = _run(instance, {PARTITION_TAG: BATCH, OWNER_TAG: this_process().as_tag()})
    said = held_batches(instance)[BATCH]
    assert f"process {os.getpid()} on {socket.gethostname()}" in said
    assert time.strftime("since %Y-%m-%d") in said
    assert run.run_id in said


@pytest.mark.parametrize("ago_s", [HOUR_S, -30 * 24 * HOUR_S])
def test_a_queue_that_nobody_empties_holds_nobody_up(
    instance: dg.DagsterInstance, ago_s: float
) -> None:
    _run(instance, {PARTITION_TAG: BATCH}, dg.DagsterRunStatus.QUEUED)
    assert held_batches(instance) == {}
    _daemon_beats(instance, ago_s)  # long ago, or before the clock was set back
    assert held_batches(instance) == {}
    _daemon_beats(instance)
    assert "queued in Dagster since" in held_batches(instance)[BATCH]


def test_one_ingestion_at_a_time_from_whatever_machine(instance: dg.DagsterInstance) -> None:
    key = "kadr/alone/ingestion"
    with alone(instance, "ingestion"):
        other = replace(this_process(), beat="other", pid=os.getppid())
        alive = replace(other, started=owners._started(os.getppid()))
        instance.run_storage.set_cursor_values({key: alive.as_tag()})
        with pytest.raises(Busy, match=f"process {os.getppid()} on"), alone(instance, "ingestion"):
            pass
    instance.run_storage.set_cursor_values({key: _far().as_tag()})
    with alone(instance, "ingestion") as me:  # it is silent
        assert me.beat == this_process().beat
    assert instance.run_storage.get_cursor_values({key})[key] == ""
