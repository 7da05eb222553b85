"""The assets ``clickhouse/duplicate_pairs``, ``duplicate_groups`` and ``copyright_hits``.

Batches keep the pairs that they found when they were compared. Which of these still hold is decided
here, over the whole library: a pair goes when one of its videos is gone, was replaced or failed, or
is described anew and not yet compared again.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.copies.pairs import DESCRIBED, Comparable, comparables
from assets.copies.strips import pair_strips
from assets.stores.batches import BatchRegistry
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, key_of, layout_of
from assets.stores.needs import LIBRARY
from assets.stores.resources import Library, Tables
from assets.tables.load import replace_table
from ml.library_schemas import COPYRIGHT_HITS, DUPLICATE_GROUPS, DUPLICATE_PAIRS
from ml.schemas import FOUND_PAIRS, VERDICTS, VIDEOS, Dataset

_OUTPUTS = (DUPLICATE_PAIRS, DUPLICATE_GROUPS, COPYRIGHT_HITS)
_DIRECTION_CHECK = "no_pair_points_backwards"
_ALL_COMPARED_CHECK = "every_batch_is_compared"
_SHOWN = 20
_STRIPS = 6  # pictures in the event log, about 40 kB each
# Raise when the same pairs would give other tables.
VERSION = "1"


@dataclass(frozen=True)
class CopyTables:
    """What the three tables hold; ``backwards`` are pairs whose copy is the earlier video,
    ``not_compared`` batches without pairs of their own, ``batch_of`` says where a video lies."""

    pairs: pa.Table
    groups: pa.Table
    hits: pa.Table
    backwards: tuple[tuple[str, str], ...] = ()
    not_compared: tuple[str, ...] = ()
    batch_of: Mapping[str, str] = field(default_factory=dict)

    def of(self, dataset: Dataset) -> pa.Table:
        """The rows of one of the tables."""
        return dict(zip(_OUTPUTS_NAMES, (self.pairs, self.groups, self.hits), strict=True))[
            dataset.name
        ]


_OUTPUTS_NAMES = tuple(dataset.name for dataset in _OUTPUTS)


@dg.multi_asset(
    name="copies",
    op_tags=LIBRARY.op_tags,
    pool="copies",
    specs=[table_spec(d.name, d, "library", ["videos", FOUND_PAIRS.name]) for d in _OUTPUTS],
    check_specs=[
        dg.AssetCheckSpec(
            _DIRECTION_CHECK,
            asset=["clickhouse", DUPLICATE_PAIRS.name],
            description="No copy is earlier than its original.",
        ),
        dg.AssetCheckSpec(
            _ALL_COMPARED_CHECK,
            asset=["clickhouse", DUPLICATE_PAIRS.name],
            description="Every batch was compared; kadr ingest SOURCE --all compares the others.",
        ),
    ],
)
def copies(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Gather the pairs that hold, group them, and look for licensed videos in them."""
    context.log.info("copies: gathering pairs")
    names = library.batches.names()
    fingerprint = _fingerprint(library.datasets, library.batches, names)
    found = copy_tables(library.datasets, library.batches, names)
    context.log.info(f"copies: {_in_words(found)}")
    with tables.session("writing copies", context.log.info) as client:
        for dataset in _OUTPUTS:
            rows = found.of(dataset).to_batches()
            report = replace_table(client, dataset.name, rows, fingerprint)
            yield _result(library.datasets, dataset, found, report.rows)


def copy_tables(store: DatasetStore, registry: BatchRegistry, names: Sequence[str]) -> CopyTables:
    """The three tables from the Parquet files of all batches, as these are now."""
    found, not_compared = _found(store, names)
    ids = {*found["copy_id"].to_list(), *found["original_id"].to_list()}
    current = {
        video.video_id: video
        for batch in names
        for video in comparables(store, registry, batch).values()
        if video.video_id in ids
    }
    pairs = _that_hold(found, current)
    backwards = [
        ids
        for ids in pairs.select("copy_id", "original_id").iter_rows()
        if current[ids[0]].place < current[ids[1]].place
    ]
    return CopyTables(
        pairs.select(DUPLICATE_PAIRS.schema.names).to_arrow().cast(DUPLICATE_PAIRS.schema),
        _groups(pairs, current),
        _hits(pairs, current),
        tuple(backwards),
        tuple(not_compared),
        {video.video_id: video.batch for video in current.values()},
    )


def _found(store: DatasetStore, names: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """The pairs of all batches, with the batch and the key of the video that found each; and the
    batches that have no file of pairs."""
    pieces = [_with_keys(FOUND_PAIRS.schema.empty_table(), "", {})]
    missing = []
    makers = {batch: _makers(store, batch) for batch in names}
    for batch in names:
        ledger = store.ledger(FOUND_PAIRS.name, batch)
        is_there = ledger is not None and ledger.layout == layout_of(FOUND_PAIRS)
        # The indexes hold what was described by one version: others are not compared with it.
        if not is_there or makers[batch] != makers[names[-1]]:
            missing.append(batch)
        if is_there and ledger is not None:
            pieces.append(_with_keys(store.table(FOUND_PAIRS, batch), batch, ledger.keys))
    return pl.concat(pieces), missing


def _makers(store: DatasetStore, batch: str) -> tuple[str, ...]:
    """What described the batch's pictures and sound."""
    ledgers = [store.ledger(dataset.name, batch) for dataset in DESCRIBED]
    return tuple(ledger.maker for ledger in ledgers if ledger is not None)


def _with_keys(rows: pa.Table, batch: str, keys: Mapping[str, str]) -> pl.DataFrame:
    # A video that is not finished has no key, and its rows don't hold.
    own = [keys.get(video, "") for video in rows.column("video_id").to_pylist()]
    found = pl.DataFrame(rows)
    return found.with_columns(pl.lit(batch).alias("batch"), pl.Series("key", own, dtype=pl.String))


def _that_hold(found: pl.DataFrame, current: Mapping[str, Comparable]) -> pl.DataFrame:
    """Pairs of two videos that are still as they were when they were compared, each once."""
    now = pl.DataFrame(
        [(v.video_id, v.batch, v.key) for v in current.values()],
        {"video_id": pl.String, "batch": pl.String, "key": pl.String},
        orient="row",
    )
    found_it, other = pl.col("copy_id") == pl.col("video_id"), pl.col("original_id")
    others = found.with_columns(
        pl.when(found_it).then(other).otherwise(pl.col("copy_id")).alias("other_id")
    )
    held = others.join(now, ["video_id", "batch", "key"], how="semi").join(
        now, left_on=["other_id", "other_key"], right_on=["video_id", "key"], how="semi"
    )
    ids = ["copy_id", "original_id"]
    return held.sort(*ids, "batch").unique(ids, keep="first", maintain_order=True)


def _groups(pairs: pl.DataFrame, current: Mapping[str, Comparable]) -> pa.Table:
    from ml.copies.groups import Edge, group

    in_time = sorted(current.values(), key=lambda video: video.place)
    rank = {video.video_id: place for place, video in enumerate(in_time)}
    columns = ("copy_id", "original_id", "verdict", "score", "copy_share", "original_share")
    edges = [Edge(*row) for row in pairs.select(columns).iter_rows()]
    rows = [asdict(member) for member in group(edges, rank)]
    return pa.Table.from_pylist(rows, DUPLICATE_GROUPS.schema)


def _hits(pairs: pl.DataFrame, current: Mapping[str, Comparable]) -> pa.Table:
    """Pairs of a licensed video with one that is not, whichever is the earlier."""
    rows = [
        _hit(pair, licensed=[current[pair[side]].licensed for side in ("copy_id", "original_id")])
        for pair in pairs.iter_rows(named=True)
        if current[pair["copy_id"]].licensed != current[pair["original_id"]].licensed
    ]
    rows.sort(key=lambda row: (row["video_id"], row["licence_id"]))
    return pa.Table.from_pylist(rows, COPYRIGHT_HITS.schema)


def _hit(pair: Mapping[str, Any], licensed: Sequence[bool]) -> dict[str, Any]:
    from ml.copies.verdicts import covered_s

    video, licence = ("original", "copy") if licensed[0] else ("copy", "original")
    starts, ends = pair[f"{video}_starts_s"], pair[f"{video}_ends_s"]
    return {name: pair[name] for name in ("verdict", "score", "reason")} | {
        "video_id": pair[f"{video}_id"],
        "licence_id": pair[f"{licence}_id"],
        "starts_s": starts,
        "ends_s": ends,
        "licence_starts_s": pair[f"{licence}_starts_s"],
        "licence_ends_s": pair[f"{licence}_ends_s"],
        "matched_s": covered_s(list(zip(starts, ends, strict=True))),
    }


def _fingerprint(store: DatasetStore, registry: BatchRegistry, names: Sequence[str]) -> str:
    """Changes when any file does that the tables are made from."""
    versions = [store.versions(d.name) for d in (VIDEOS, FOUND_PAIRS, *DESCRIBED)]
    files = [of.get(batch, "") for batch in names for of in versions]
    return key_of(
        VERSION, *names, *files, *sorted(f.key for f in registry.storage.scan("superseded"))
    )


# For Dagster's pages ------------------------------------------------------------------------------


def _in_words(found: CopyTables) -> str:
    counts = _counts(found)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{found.pairs.num_rows} pairs" + (f" ({said})" if said else "")


def _counts(found: CopyTables) -> Counter[str]:
    return Counter(found.pairs.column("verdict").to_pylist())


def _result(
    store: DatasetStore, dataset: Dataset, found: CopyTables, rows: int
) -> dg.MaterializeResult:
    metadata: dict[str, Any] = dict(row_count(rows))
    checks = []
    if dataset is DUPLICATE_PAIRS:
        counts = _counts(found)
        metadata |= {verdict: counts[verdict] for verdict in VERDICTS}
        metadata["strongest"] = dg.MetadataValue.md(_strongest(found.pairs))
        strips = pair_strips(store, found.pairs, found.batch_of, _STRIPS)
        metadata["strips"] = dg.MetadataValue.md(strips)
        checks = [
            _check(_DIRECTION_CHECK, [" of ".join(ids) for ids in found.backwards]),
            _check(_ALL_COMPARED_CHECK, list(found.not_compared)),
        ]
    return dg.MaterializeResult(
        asset_key=["clickhouse", dataset.name], metadata=metadata, check_results=checks
    )


def _check(name: str, wrong: Sequence[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=["clickhouse", DUPLICATE_PAIRS.name],
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"count": len(wrong), "examples": dg.MetadataValue.json(list(wrong[:_SHOWN]))},
    )


def _strongest(pairs: pa.Table) -> str:
    """The surest pairs as a Markdown table."""
    order = [("score", "descending"), ("copy_id", "ascending"), ("original_id", "ascending")]
    lines = ["| copy | original | verdict | score | why |", "| --- | --- | --- | --- | --- |"]
    for row in pairs.sort_by(order).slice(0, _SHOWN).to_pylist():
        cells = [row["copy_id"], row["original_id"], row["verdict"]]
        cells += [f"{row['score']:.2f}", row["reason"]]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
