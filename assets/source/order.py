"""What followed what, told by the numbers under which the instance stored the events.

Never by their times: a clock that was set back by a month would make the newest the oldest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.event_api import RunStatusChangeEventType

_AT_ONCE = 200
ENDINGS: tuple[RunStatusChangeEventType, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


@dataclass(frozen=True)
class Made:
    """The last materialisation of an asset; the number is 0 where there is none."""

    number: int = 0
    event: dg.AssetMaterialization | None = None


def last_made(instance: dg.DagsterInstance, key: dg.AssetKey) -> Made:
    """The last materialisation of an asset, whoever made it."""
    found = instance.fetch_materializations(key, limit=1).records
    return Made(found[0].storage_id, found[0].asset_materialization) if found else Made()


def changes_after(
    instance: dg.DagsterInstance, number: int, kind: RunStatusChangeEventType
) -> Iterator[tuple[int, str]]:
    """The changes of runs into a status that have a greater number, the newest first: each one's
    number and run."""
    wanted = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=number)
    cursor, more = None, True
    while more:
        found = instance.fetch_run_status_changes(wanted, limit=_AT_ONCE, cursor=cursor)
        yield from ((record.storage_id, record.run_id) for record in found.records)
        cursor, more = found.cursor, found.has_more


def began_after(instance: dg.DagsterInstance, number: int) -> set[str]:
    """The runs that started after an event, and those that ended after it without a start."""
    started = {run for _, run in changes_after(instance, number, dg.DagsterEventType.RUN_START)}
    ended = {run for kind in ENDINGS for _, run in changes_after(instance, number, kind)}
    never = (r for r in records_of(instance, sorted(ended - started)) if r.start_time is None)
    return started | {record.dagster_run.run_id for record in never}


def records_of(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> list[dg.RunRecord]:
    """The records of some runs, in no order."""
    pieces = (run_ids[i : i + _AT_ONCE] for i in range(0, len(run_ids), _AT_ONCE))
    return [
        record
        for piece in pieces
        for record in instance.get_run_records(dg.RunsFilter(run_ids=list(piece)))
    ]


def elapsed_s(now_s: float, then_s: float) -> float:
    """Seconds since then. What seems to come from the future is of before the clock was set back,
    and counts as long ago: whoever waits for time to pass must not wait for a month."""
    return now_s - then_s if now_s >= then_s else math.inf
