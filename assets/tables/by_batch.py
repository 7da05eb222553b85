"""Tables that a step of the library fills batch by batch, doing again only what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

import sql
from assets.stores.resources import Tables
from assets.tables.load import count_rows, load_batch
from ml.schemas import Dataset


@dataclass(frozen=True)
class BatchReport:
    """What became of a table's batches.

    Attributes:
        rows: in the table.
        made: batches whose rows were made.
        unchanged: batches that were as they should be.
    """

    rows: int
    made: int
    unchanged: int


def fill_batches(
    tables: Tables,
    dataset: Dataset,
    wanted: Mapping[str, str],
    rows_of: Callable[[str], pa.Table],
    say: Callable[[str], None],
) -> BatchReport:
    """Bring a table up to date; rows are made while the engine is free for others.

    Args:
        dataset: of the table.
        wanted: batch to the fingerprint of what its rows are made from.
        rows_of: the rows of a batch.
        say: told what is done.
    """
    todo = _changed(tables, dataset.name, wanted, say)
    for number, batch in enumerate(todo, 1):
        rows = rows_of(batch)
        with tables.session(f"writing {dataset.name}", say) as client:
            load_batch(client, dataset.name, batch, rows.to_batches(), wanted[batch])
        say(f"{dataset.name}: {number} of {len(todo)} batches")
    with tables.session(f"counting {dataset.name}", say) as client:
        count = count_rows(client, dataset.name)
    return BatchReport(count, len(todo), len(wanted) - len(todo))


def _changed(
    tables: Tables, table: str, wanted: Mapping[str, str], say: Callable[[str], None]
) -> list[str]:
    """Batches that the table does not hold as wanted."""
    statement = sql.statement("load/loaded_state")
    with tables.session(f"looking at {table}", say) as client:
        rows = client.query(statement, parameters={"tables": [table]}).result_rows
    held = {batch: made for _, batch, made in rows}
    return [batch for batch, made in wanted.items() if held.get(batch) != made]
