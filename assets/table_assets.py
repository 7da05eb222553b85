"""The assets ``clickhouse/...`` that are filled by batch, and the checks that they hold the batch.

One step loads all of a batch's tables, so the embedded engine is taken once.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from assets.batches import BATCHES
from assets.catalog import row_count, table_spec
from assets.datasets import DatasetStore, key_of
from assets.model_step import ledger_of
from assets.needs import SMALL
from assets.resources import Library, Tables
from assets.tables import TABLES, LoadReport, Table, count_rows, load_batch
from ml.schemas import TEXT, VISUAL

_BY_BATCH = tuple(table for table in TABLES.values() if table.by_batch and table.with_batch)
_POOLED = "video_embeddings"
_COUNT_CHECK = "rows_match_parquet"


def _sources(table: Table) -> tuple[str, ...]:
    """The datasets whose rows the table holds."""
    return ("visual", "text") if table.name == _POOLED else (table.dataset.name,)


@dg.multi_asset(
    name="load_tables",
    specs=[table_spec(t.name, t.dataset, "tables", _sources(t)) for t in _BY_BATCH],
    partitions_def=BATCHES,
    op_tags=SMALL.op_tags,
    can_subset=True,
    check_specs=[
        dg.AssetCheckSpec(
            _COUNT_CHECK,
            asset=["clickhouse", table.name],
            description="The table holds as many rows of the batch as its Parquet file.",
        )
        for table in _BY_BATCH
    ],
    description="Puts the batch's rows in place in every table, each by one atomic swap.",
)
def load_tables(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Load what changed, then count it."""
    batch = context.partition_key
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    loads = [_load_of(library.datasets, t, batch) for t in _BY_BATCH if t.name in wanted]
    context.log.info(f"tables: loading {len(loads)}")
    with tables.session(f"loading batch {batch}", context.log.info) as client:
        for load in loads:
            report = load_batch(client, load.table, batch, load.rows(), load.fingerprint)
            held = count_rows(client, load.table, batch)
            context.log.info(f"{load.table}: {held} rows" + ", unchanged" * report.skipped)
            yield _result(load, report, held)


@dataclass(frozen=True)
class _Load:
    table: str
    fingerprint: str
    expected: int | None
    rows: Callable[[], Iterator[pa.RecordBatch]]


def _load_of(store: DatasetStore, table: Table, batch: str) -> _Load:
    """What to load; ``expected`` rows is the Parquet file's count, where the rows are its own."""
    ledgers = [ledger_of(store, name, batch) for name in _sources(table)]
    fingerprint = key_of(table.name, *(ledger.fingerprint() for ledger in ledgers))
    if table.name == _POOLED:
        return _Load(table.name, fingerprint, None, lambda: _video_vectors(store, batch))
    expected = store.row_count(table.dataset.name, batch)
    return _Load(
        table.name,
        fingerprint,
        expected,
        lambda: store.rows(table.dataset, batch, columns=table.columns),
    )


def _video_vectors(store: DatasetStore, batch: str) -> Iterator[pa.RecordBatch]:
    from ml.vectors import pool_frames, text_rows

    yield from pool_frames(store.rows(VISUAL, batch))
    yield from text_rows(store.rows(TEXT, batch))


def _result(load: _Load, report: LoadReport, held: int) -> dg.MaterializeResult:
    expected = report.rows if load.expected is None else load.expected
    return dg.MaterializeResult(
        asset_key=["clickhouse", load.table],
        metadata={
            **row_count(held),
            "seconds": round(report.seconds, 3),
            "unchanged": report.skipped,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_COUNT_CHECK,
                asset_key=["clickhouse", load.table],
                passed=held == expected,
                metadata={"in_table": held, "in_parquet": expected},
            )
        ],
    )
