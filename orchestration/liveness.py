"""Which unfinished runs nobody will bring to an end, and who holds the batches of the others.

A run that `kadr` drives names its process (``orchestration.owners``). One that a server launched is
seen after by Dagster's own monitoring, which asks here too (``orchestration.launcher``); where no
daemon is left to do so, whoever comes next does.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from assets.source.health import AT_WORK, PARTITION_TAG
from orchestration.owners import OWNER_TAG, Owner, beating, daemon_lives, dead_among, owner_of

# The process that launched a server's run: it shares a machine with the server where that listens
# on a Unix socket.
LAUNCHER_TAG = "kadr/launcher"
_ANSWER_WITHIN_S = 10
# A server creates runs one moment and queues them the next; dagster.yaml gives starting as long.
_CREATED_FOR_S = 300.0
# Of a run that says nothing of who drives it: every step of ours writes a line every few seconds.
_SILENT_FOR_S = 24 * 3600.0
_UNFINISHED = [status for status in AT_WORK if status != dg.DagsterRunStatus.QUEUED]


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Report as failed the unfinished runs that nobody drives; return how many."""
    dead = dead_runs(instance, instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)))
    _end(instance, dead, "the process that drove this run was killed")
    return len(dead)


def _end(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun], why: str) -> None:
    for run in runs:
        instance.report_run_failed(run, why)
        # Its steps' slots in pools are nobody's now.
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


@contextmanager
def driving(instance: dg.DagsterInstance) -> Iterator[dict[str, str]]:
    """Tags of the run that this process drives in the block. However the block ends, by Ctrl-C or
    a full disk between the run's creation and its start too, the run does not stay unfinished."""
    with beating(instance) as me:
        tags = {OWNER_TAG: me.as_tag()}
        try:
            yield tags
        finally:
            # Where even this fails, the next start finds the process dead.
            with suppress(Exception):
                left = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED, tags=tags))
                _end(instance, left, "this run was broken off")


def dead_runs(
    instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]
) -> Sequence[dg.DagsterRun]:
    """Those of some unfinished runs whose process is gone, or that have none and get none."""
    owners = {run.run_id: _owner(run) for run in runs}
    gone = dead_among(instance, (owner for owner in owners.values() if owner))
    return [
        run
        for run in runs
        if (owners[run.run_id] in gone if owners[run.run_id] else _is_lost(instance, run))
    ]


def _owner(run: dg.DagsterRun) -> Owner | None:
    """Whose life tells the run's: of whoever drives it; for a server that can't be seen from here,
    of whoever launched it there."""
    # A run that is repeated from Dagster's pages bears the tags of the first one.
    if OWNER_TAG in run.tags and run.parent_run_id is None:
        return owner_of(run.tags[OWNER_TAG])
    launcher = owner_of(run.tags.get(LAUNCHER_TAG, ""))
    is_far = "socket" in _server(run) and launcher is not None and launcher.lives() is None
    return launcher if is_far else None


def _server(run: dg.DagsterRun) -> dict[str, Any]:
    """Where the code location listens that was given the run; empty if it was given to none."""
    return dict(json.loads(run.tags.get(GRPC_INFO_TAG, "{}")))


def _is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Of a run without an owner."""
    server = _server(run)
    if "socket" in server:
        # Of `kadr ui`. It serves through a proxy, which forgets runs when code is reloaded.
        return not _accepts(server["socket"])
    if server:
        knows = _knows(run, server)
        return not (daemon_lives(instance) if knows is None else knows)
    if run.status == dg.DagsterRunStatus.NOT_STARTED:
        record = instance.get_run_record_by_id(run.run_id)
        return record is not None and _is_past(record.create_timestamp.timestamp(), _CREATED_FOR_S)
    return _is_past(_last_event_at(instance, run), _SILENT_FOR_S)


def _is_past(then_s: float, for_s: float) -> bool:
    """Whether a time is so long ago. One in the future is of before the clock was set back."""
    return abs(time.time() - then_s) > for_s


def _last_event_at(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float:
    last = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    return last[0].timestamp if last else 0.0


def _knows(run: dg.DagsterRun, server: dict[str, Any]) -> bool | None:
    """Whether the code location has the run, or is still starting it; None where it does not
    answer: it may be starting again, and tells next time."""
    client = DagsterGrpcClient(**server)
    try:
        answer = client.can_cancel_execution(
            CanCancelExecutionRequest(run_id=run.run_id), _ANSWER_WITHIN_S
        )
    except DagsterUserCodeUnreachableError:
        return None
    has_it = deserialize_value(answer, CanCancelExecutionResult).can_cancel
    return has_it or run.status != dg.DagsterRunStatus.STARTED


def _accepts(path: str) -> bool:
    """Whether somebody listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


# Who holds what -----------------------------------------------------------------------------------


def held_batches(instance: dg.DagsterInstance) -> dict[str, str]:
    """Batches that others work on, or will: by whom and since when, in words.

    A run that waits in the queue holds its batch where a daemon empties the queue. Where none does
    it holds nobody up: should one start, it leaves a batch alone that another run works on, and
    finds it done afterwards.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=AT_WORK))
    queued = [r for r in records if r.dagster_run.status == dg.DagsterRunStatus.QUEUED]
    if queued and not daemon_lives(instance):
        records = [record for record in records if record not in queued]
    tagged = (record for record in records if PARTITION_TAG in record.dagster_run.tags)
    return {record.dagster_run.tags[PARTITION_TAG]: _in_words(record) for record in tagged}


def _in_words(record: dg.RunRecord) -> str:
    run = record.dagster_run
    owner = owner_of(run.tags.get(OWNER_TAG, ""))
    if run.status == dg.DagsterRunStatus.QUEUED:
        who = "queued in Dagster"
    else:
        who = f"at work in {owner or 'Dagster'}"
    since_s = record.start_time or record.create_timestamp.timestamp()
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since_s))
    return f"{who} since {since} (run {run.run_id})"
