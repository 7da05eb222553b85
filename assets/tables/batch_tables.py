"""The assets ``clickhouse/...`` that are filled by batch, and the checks on them.

One step loads all of a batch's tables, so the embedded engine is taken once.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from assets.stores.batches import BATCHES
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import ledger_of
from assets.stores.needs import SMALL
from assets.stores.resources import Library, Tables
from assets.stores.tables import TABLES, Table
from assets.tables.checks import asset_key, batch_check, check_batch, check_specs
from assets.tables.load import count_rows, load_batch, loaded
from ml.schemas import TEXT, VISUAL

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# What is loaded with a batch.
BY_BATCH = tuple(table for table in TABLES.values() if table.by_batch and table.with_batch)
_POOLED = "video_embeddings"
_COUNT_CHECK = "rows_match_parquet"
_COUNTED = "The table holds as many rows of the batch as its Parquet file."


def sources(table: Table) -> tuple[str, ...]:
    """The datasets whose rows the table holds."""
    return ("visual", "text") if table.name == _POOLED else (table.dataset.name,)


@dg.multi_asset(
    name="load_tables",
    specs=[table_spec(t.name, t.dataset, "tables", sources(t)) for t in BY_BATCH],
    partitions_def=BATCHES,
    op_tags=SMALL.op_tags,
    can_subset=True,
    check_specs=[
        spec
        for table in BY_BATCH
        for spec in (batch_check(_COUNT_CHECK, table, _COUNTED), *check_specs(table))
    ],
    description="Puts the batch's rows in place in every table, each by one atomic swap.",
)
def load_tables(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Load what changed, then count it and look at it. Checks that are run alone load nothing."""
    batch, wanted = context.partition_key, context.selected_asset_keys
    looked_at = wanted | {check.asset_key for check in context.selected_asset_check_keys}
    loads = [load_of(library.datasets, t, batch) for t in BY_BATCH if asset_key(t) in looked_at]
    context.log.info(f"tables: loading {len(wanted)}")
    checks: list[dg.AssetCheckResult] = []
    with tables.session(f"loading batch {batch}", context.log.info) as client:
        for load in loads:
            if asset_key(load.table) in wanted:
                yield _loaded(context, client, load)
            checks += _checks(context, client, load)
    # Dagster takes some 50 ms to write each down: by now others may have the engine.
    yield from checks


@dataclass(frozen=True)
class Load:
    """What a table should hold of a batch, and from what it is made."""

    table: Table
    fingerprint: str
    expected: int | None
    rows: Callable[[], Iterator[pa.RecordBatch]]


def load_of(store: DatasetStore, table: Table, batch: str) -> Load:
    """What to load; ``expected`` rows is the Parquet file's count, where the rows are its own."""
    ledgers = [ledger_of(store, name, batch) for name in sources(table)]
    fingerprint = key_of(table.name, *(ledger.fingerprint() for ledger in ledgers))
    if table.name == _POOLED:
        return Load(table, fingerprint, None, lambda: _video_vectors(store, batch))
    expected = store.row_count(table.dataset.name, batch)
    return Load(
        table,
        fingerprint,
        expected,
        lambda: store.rows(table.dataset, batch, columns=table.columns),
    )


def _video_vectors(store: DatasetStore, batch: str) -> Iterator[pa.RecordBatch]:
    from ml.vectors import pool_frames, text_rows

    yield from pool_frames(store.rows(VISUAL, batch))
    yield from text_rows(store.rows(TEXT, batch))


def _loaded(
    context: dg.AssetExecutionContext, client: "Client", load: Load
) -> dg.MaterializeResult:
    name, batch = load.table.name, context.partition_key
    report = load_batch(client, name, batch, load.rows(), load.fingerprint)
    held = count_rows(client, name, batch)
    context.log.info(f"{name}: {held} rows" + ", unchanged" * report.skipped)
    seconds = round(report.seconds, 3)
    return dg.MaterializeResult(
        asset_key=asset_key(load.table),
        metadata={**row_count(held), "seconds": seconds, "unchanged": report.skipped},
    )


def _checks(
    context: dg.AssetExecutionContext, client: "Client", load: Load
) -> list[dg.AssetCheckResult]:
    """What the checks say that are asked for."""
    batch = context.partition_key
    made = [_same_count(client, load, batch), *check_batch(client, load.table, batch)]
    asked = {c.name for c in context.selected_asset_check_keys if c.asset_key == made[0].asset_key}
    return [result for result in made if result.check_name in asked]


def _same_count(client: "Client", load: Load, batch: str) -> dg.AssetCheckResult:
    held, expected = count_rows(client, load.table.name, batch), load.expected
    if expected is None:
        journal = loaded(client, load.table.name, batch)
        expected = journal.rows if journal else 0
    return dg.AssetCheckResult(
        check_name=_COUNT_CHECK,
        asset_key=asset_key(load.table),
        passed=held == expected,
        metadata={"in_table": held, "in_parquet": expected},
    )
