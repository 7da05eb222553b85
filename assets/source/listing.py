"""The asset ``source``: the source as it was last listed, and the batches that were cut from it.

A listing is a run and not the tick of a schedule or a sensor, because a tick has a minute and a
million objects take longer. What it finds besides new videos, batches that are worth another run,
it leaves in its metadata (``wanted``) for the sensor ``batches`` to read.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

import sql
from assets.source.cutting import Ingested, ingest
from assets.source.errors import SourceError
from assets.source.health import SOURCE, ended_at, finished, histories, tries_of
from assets.source.order import elapsed_s, last_made
from assets.stores.addresses import VIDEO_SUFFIXES
from assets.stores.batches import BATCHES, SourceVideo
from assets.stores.clickhouse import ClickHouse
from assets.stores.datasets import DatasetDamaged, layout_of
from assets.stores.needs import SMALL
from assets.stores.resources import Library, Tables
from assets.stores.secrets import Secret, hidden
from assets.stores.storage import scheme_of
from ml.schemas import VIDEOS

GROUP = "source"
WHY_TAG = "kadr/why"
CHANGED, AGAIN = "its videos changed", "failures that may pass"
# A listing every minute must not try a dead web address every minute.
_AGAIN_AFTER_S = 6 * 3600.0
_WANTED = "wanted"
# Whoever writes a file for longer than this between two writes is not known by its time.
SETTLE_S = 60
_OVERDUE = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=26), warn_window=timedelta(hours=25)
)


class Source(dg.ConfigurableResource):
    """What is listed every night, and how it is cut.

    Attributes:
        location: a folder, an object-store prefix or a catalogue; empty for none.
        settle_s: a local file that was written to so recently waits for the next listing.
        attempts: how many runs for videos whose failure may pass may fail themselves.
    """

    location: Secret[str] = hidden("")
    batch_size: int = 500
    settle_s: float = SETTLE_S
    attempts: int = 3


@dataclass(frozen=True)
class Listing:
    """What the last listing left: the number of its event, and batches to run with the reason."""

    number: int
    wanted: Mapping[str, str]


@dg.asset(
    key=SOURCE,
    group_name=GROUP,
    kinds={"source"},
    freshness_policy=_OVERDUE,
    op_tags=SMALL.op_tags,
    description="What KADR_SOURCE held when it was last listed, cut into batches; a source that "
    "suddenly lists nothing is refused.",
)
def source(
    context: dg.AssetExecutionContext, library: Library, source: Source, tables: Tables
) -> dg.MaterializeResult:
    """List, cut what is new into batches, and register them as partitions."""
    if not source.location:
        raise dg.Failure(
            "nothing to list: set KADR_SOURCE to a folder, a prefix or a catalogue",
            allow_retries=False,
        )
    done, names = cut_new(
        library, context.instance, source.location, source.batch_size, settle_s=source.settle_s
    )
    wanted = _wanted(library, tables, context.instance, done.touched, source.attempts)
    context.log.info(f"source: {summary(done, names)}; {len(wanted)} batches are to be run again")
    counts = {k: getattr(done, k) for k in ("listed", "new", "changed", "moved", "licences")}
    return dg.MaterializeResult(
        metadata={
            **counts,
            "still_being_written": done.left_out,
            "batches": len(names),
            _WANTED: dg.MetadataValue.json(wanted),
        }
    )


def cut_new(
    library: Library,
    instance: dg.DagsterInstance,
    location: str,
    batch_size: int,
    *,
    licensed: bool = False,
    settle_s: float = 0.0,
) -> tuple[Ingested, list[str]]:
    """List, cut what is new, and bring Dagster's partitions up to the lists.

    Returns:
        What was done, and the names of all batches.

    Raises:
        SourceError: the source cannot be listed, lists nothing though videos of it are known
            (EmptySource), or lists nothing and there is no batch.
    """
    now_s = time.time()
    done = ingest(
        location,
        library.batches,
        datetime.now(UTC).date(),
        batch_size,
        dict(library.storage_options),
        library.limits,
        licensed=licensed,
        leave_out=lambda video: is_fresh(video, now_s, settle_s),
    )
    names = library.batches.names()
    if not done.listed and not names:
        raise SourceError(
            f"no video found in {location} (looked for {', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    instance.add_dynamic_partitions(str(BATCHES.name), names)
    return done, names


def is_fresh(video: SourceVideo, now_s: float, settle_s: float) -> bool:
    """Whether a local file was written to within so many seconds: perhaps it still is. An object
    appears whole."""
    size, _, written_ns = video.version.partition("-")
    is_local = scheme_of(video.uri) in ("", "file")
    if not (settle_s and is_local and size and written_ns.isdigit()):
        return False
    return 0 <= now_s - int(written_ns) / 1e9 < settle_s


def summary(done: Ingested, names: list[str]) -> str:
    """One line about a listing."""
    waiting = f"{done.left_out} still being written, " if done.left_out else ""
    return (
        f"{done.listed} videos listed: {waiting}{done.new} new, {done.changed} changed, "
        f"{done.moved} moved, {done.licences} with another licence; "
        f"{len(names)} batches in the library"
    )


def worth_another_try(tables: Tables, say: Callable[[str], None]) -> list[str]:
    """Batches with videos whose failure may pass: network, server, memory."""
    directory = ClickHouse(tables.url).directory
    if directory and not directory.exists():
        return []
    with tables.session("looking for failures that may pass", say) as client:
        rows = client.query(sql.statement("load/retryable_batches")).result_rows
    return [str(row[0]) for row in rows]


def outdated(library: Library) -> list[str]:
    """Batches whose tables do not know what later listings said of their videos."""
    return [n for n in library.batches.touched() if not knows_later_news(library, n)]


def last_listing(instance: dg.DagsterInstance) -> Listing:
    """What the asset ``source`` said last."""
    made = last_made(instance, SOURCE)
    entry = made.event.metadata.get(_WANTED) if made.event else None
    wanted = entry.data if isinstance(entry, dg.JsonMetadataValue) else None
    return Listing(made.number, dict(wanted) if isinstance(wanted, Mapping) else {})


def _wanted(
    library: Library,
    tables: Tables,
    instance: dg.DagsterInstance,
    touched: Iterable[str],
    attempts: int,
) -> dict[str, str]:
    """Batches to run though they are finished, or to try anew though they were given up."""
    old = outdated(library)
    # One that was given up before it knew the news would be tried anew every night.
    news = (set(old) & finished(instance, old)) | set(touched)
    again = _not_tried_enough(instance, worth_another_try(tables, lambda _: None), attempts)
    return dict.fromkeys(sorted(again), AGAIN) | dict.fromkeys(sorted(news), CHANGED)


def _not_tried_enough(
    instance: dg.DagsterInstance, batches: list[str], attempts: int
) -> Iterable[str]:
    """Runs that end well are bounded by what becomes of the videos (assets/media/retries.py)."""
    now_s = time.time()
    for batch, runs in histories(instance, batches):
        rested = not runs or elapsed_s(now_s, ended_at(runs[0])) > _AGAIN_AFTER_S
        failed = [run for run in runs if run.dagster_run.status == dg.DagsterRunStatus.FAILURE]
        if rested and tries_of(failed, WHY_TAG, AGAIN) < attempts:
            yield batch


def knows_later_news(library: Library, batch: str) -> bool:
    """Whether the batch's ``videos`` leave out what later batches took over, and say of licences
    what later listings said."""
    ledger = library.datasets.usable_ledger(VIDEOS.name, batch)  # damaged: it is made again
    if ledger is None or ledger.layout != layout_of(VIDEOS):
        return False
    columns = ["video_id", "status", "licensed"]
    try:
        rows = library.datasets.table(VIDEOS, batch, columns).to_pylist()
    except DatasetDamaged:
        return False
    left_out = {row["video_id"] for row in rows if row["status"] == "filtered"}
    licensed = {row["video_id"]: row["licensed"] for row in rows}
    known = library.batches.licences(batch)
    return set(library.batches.superseded(batch)) <= left_out and known == licensed
