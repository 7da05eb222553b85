"""How rows get into a table: whole batches, swapped in at once.

A batch is written into a staging table, counted, and put in place of the batch's partition by one
statement, so a reader sees the old rows or the new ones and a repeated load changes nothing. A
library-wide table is built beside the old one and exchanged with it. The journal
(``batch_loads``, seen through the view ``loaded_batches``) is written last: what it says is
loaded is there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import pyarrow as pa

import sql
from assets.stores.tables import TABLES, Table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# One insert is one part on disk. 30,000 vectors of 512 in inserts of 16 MB took a process to 530 MB
# and of 64 MB to 790; the difference in speed was lost in the noise.
INSERT_BYTES = 16 << 20
# A missing value is an error, not the type's default.
_INSERT_SETTINGS = {"input_format_null_as_default": 0}
_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class LoadError(RuntimeError):
    """The rows in the staging table are not those that were sent. The table is as it was."""


@dataclass(frozen=True)
class LoadReport:
    """What a load did; ``skipped`` when the table held the same already."""

    rows: int
    seconds: float
    skipped: bool


@dataclass(frozen=True)
class Loaded:
    """What a table holds of a batch, as the journal says."""

    fingerprint: str
    rows: int


def load_batch(
    client: Client,
    table: str,
    batch: str,
    rows: Iterable[pa.RecordBatch],
    fingerprint: str,
) -> LoadReport:
    """Put a batch's rows in the place of those the table has of it.

    Args:
        client: of a session that may write.
        table: one of ``TABLES`` that is filled by batch.
        batch: the partition.
        rows: RecordBatches with at least the table's columns; not read when there is nothing to
            do. Memory holds ``INSERT_BYTES`` of them.
        fingerprint: what the rows are made from, such as ``Ledger.fingerprint()``. A table that
            holds the batch with the same fingerprint is left as it is.

    Raises:
        LoadError: the table received another number of rows than was sent.
        ValueError: no such table or batch name, or rows without the table's columns.
    """
    target = _table(table, by_batch=True)
    _check_batch(batch)

    def swap_in(beside: str, count: int) -> None:
        if count:
            replace = sql.statement("load/replace_batch", table=table, staging=beside)
            client.command(replace, parameters={"batch": batch})
        else:  # an empty partition can't be put in place
            _drop_partition(client, table, batch)

    return _load(client, target, batch, rows, fingerprint, swap_in)


def replace_table(
    client: Client, table: str, rows: Iterable[pa.RecordBatch], fingerprint: str
) -> LoadReport:
    """Rebuild a library-wide table beside the old one and exchange the two. See ``load_batch``."""
    target = _table(table, by_batch=False)

    def swap_in(beside: str, count: int) -> None:
        client.command(sql.statement("load/exchange", table=table, beside=beside))

    return _load(client, target, "", rows, fingerprint, swap_in)


def delete_batch(client: Client, batch: str) -> None:
    """Take a batch out of every table that is filled by batch."""
    _check_batch(batch)
    for table in (t.name for t in TABLES.values() if t.by_batch):
        _drop(client, _staging_name(table, batch))
        if loaded(client, table, batch) or count_rows(client, table, batch):
            _drop_partition(client, table, batch)
            _record(client, table, batch, "deleted")


def count_rows(client: Client, table: str, batch: str = "") -> int:
    """Rows of one batch, or of the whole table."""
    if not batch:
        return _count(client, _table(table).name)
    count = sql.statement("load/count_batch", table=_table(table, by_batch=True).name)
    return int(client.query(count, parameters={"batch": batch}).result_rows[0][0])


def loaded(client: Client, table: str, batch: str = "") -> Loaded | None:
    """What the journal says the table holds of the batch; None for nothing, or half a load."""
    names = {"table": table, "batch": batch}
    found = client.query(sql.statement("load/loaded"), parameters=names).result_rows
    return Loaded(str(found[0][0]), int(found[0][1])) if found else None


def _load(
    client: Client,
    table: Table,
    batch: str,
    rows: Iterable[pa.RecordBatch],
    fingerprint: str,
    swap_in: Callable[[str, int], None],
) -> LoadReport:
    start = time.monotonic()
    held = loaded(client, table.name, batch)
    if held and held.fingerprint == fingerprint and _is_whole(client, table.name, batch, held):
        return LoadReport(held.rows, time.monotonic() - start, skipped=True)
    beside = _staging_name(table.name, batch)
    _drop(client, beside)  # what a killed load left
    client.command(sql.statement("load/create_beside", table=table.name, beside=beside))
    try:
        count = _insert(client, beside, table, batch, rows)
        # From here until "loaded" the journal vouches for nothing: were this process killed after
        # the swap, the old fingerprint must not stand for the new rows.
        _record(client, table.name, batch, "started")
        swap_in(beside, count)
    finally:
        _drop(client, beside)
    _record(client, table.name, batch, "loaded", fingerprint, count)
    return LoadReport(count, time.monotonic() - start, skipped=False)


def _is_whole(client: Client, table: str, batch: str, held: Loaded) -> bool:
    """Whether the rows the journal speaks of are there: a table may be emptied by hand."""
    return count_rows(client, table, batch) == held.rows


def _insert(
    client: Client, beside: str, table: Table, batch: str, rows: Iterable[pa.RecordBatch]
) -> int:
    sent = 0
    for chunk in _chunks(_fitted(table, rows)):
        sent += chunk.num_rows
        if table.by_batch:
            chunk = chunk.append_column("batch", _repeated(batch, chunk.num_rows))
        client.insert_arrow(beside, chunk, settings=_INSERT_SETTINGS)
    arrived = _count(client, beside)
    if arrived != sent:
        raise LoadError(f"{table.name} {batch}: {sent} rows were sent and {arrived} arrived")
    return sent


def _fitted(table: Table, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The table's columns in its types; what else a RecordBatch carries is left out."""
    schema = table.schema
    for part in rows:
        missing = set(schema.names) - set(part.schema.names)
        if missing:
            raise ValueError(f"rows for {table.name} lack {', '.join(sorted(missing))}")
        yield part.select(schema.names).cast(schema)


def _chunks(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    size = 0
    for part in (piece for whole in rows for piece in _pieces(whole)):
        if pending and size + part.nbytes > INSERT_BYTES:
            yield pa.Table.from_batches(pending)
            pending, size = [], 0
        pending.append(part)
        size += part.nbytes
    if pending:
        yield pa.Table.from_batches(pending)


def _pieces(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a RecordBatch so that no piece is much larger than an insert; none has no rows."""
    step = max(1, rows.num_rows * INSERT_BYTES // max(1, rows.nbytes))
    for start in range(0, rows.num_rows, step):
        yield rows.slice(start, step)


def _repeated(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), count), [text])


def _staging_name(table: str, batch: str) -> str:
    """One name a table and batch, so that a re-run finds what a killed load left."""
    digest = blake2b(batch.encode(), digest_size=4).hexdigest()
    return f"staging_{table}_{re.sub('[^A-Za-z0-9]', '_', batch)}_{digest}"


def _record(
    client: Client, table: str, batch: str, event: str, fingerprint: str = "", rows: int = 0
) -> None:
    line = {"table": table, "batch": batch, "event": event}
    line |= {"fingerprint": fingerprint, "rows": str(rows)}
    client.command(sql.statement("load/record"), parameters=line)


def _drop(client: Client, table: str) -> None:
    client.command(sql.statement("load/drop", table=table))


def _drop_partition(client: Client, table: str, batch: str) -> None:
    client.command(sql.statement("load/drop_batch", table=table), parameters={"batch": batch})


def _count(client: Client, table: str) -> int:
    return int(client.query(sql.statement("load/count_table", table=table)).result_rows[0][0])


def _table(name: str, by_batch: bool | None = None) -> Table:
    fitting = [t for t in TABLES.values() if by_batch in (None, t.by_batch)]
    for table in fitting:
        if table.name == name:
            return table
    raise ValueError(f"no such table {name!r}; there are: {', '.join(t.name for t in fitting)}")


def _check_batch(batch: str) -> None:
    if not _BATCH_NAME.fullmatch(batch):
        raise ValueError(f"not a batch name: {batch!r}")
