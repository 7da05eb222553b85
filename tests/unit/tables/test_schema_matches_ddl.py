"""The tables hold what the datasets promise: the same columns, types and meanings."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from assets.stores.clickhouse import ClickHouse
from assets.stores.tables import TABLES, Table

STRINGS = {"String", "LowCardinality(String)"}
TYPES = {
    pa.string(): STRINGS,
    pa.binary(): {"String"},
    pa.bool_(): {"Bool"},
    pa.int32(): {"Int32"},
    pa.int64(): {"Int64"},
    pa.float32(): {"Float32"},
    pa.float64(): {"Float64"},
    pa.date32(): {"Date32"},
    pa.timestamp("ms", tz="UTC"): {"DateTime64(3, 'UTC')"},
    pa.list_(pa.field("item", pa.int32(), nullable=False)): {"Array(Int32)"},
    pa.list_(pa.field("item", pa.float32(), nullable=False)): {"Array(Float32)"},
    pa.list_(pa.field("item", pa.float64(), nullable=False)): {"Array(Float64)"},
    pa.list_(pa.field("item", pa.string(), nullable=False)): {"Array(String)"},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("schema") / "clickhouse"
    with ClickHouse(f"chdb://{directory}").session("reading the schema") as client:
        yield client


def columns(client: Client, table: str) -> dict[str, dict[str, str]]:
    found = client.query(
        "SELECT name, type, comment, compression_codec FROM system.columns"
        " WHERE database = currentDatabase() AND table = {table:String} ORDER BY position",
        parameters={"table": table},
    )
    return {row["name"]: row for row in found.named_results()}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_columns_are_those_of_the_dataset(client: Client, table: Table) -> None:
    expected = [*table.columns, *(["batch"] if table.by_batch else [])]
    assert list(columns(client, table.name)) == expected


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_types_and_comments_are_those_of_the_dataset(client: Client, table: Table) -> None:
    found = columns(client, table.name)
    for field in table.schema:
        allowed = TYPES[field.type]
        if field.nullable:
            allowed = {f"Nullable({kind})" for kind in allowed}
        assert found[field.name]["type"] in allowed, field.name
        assert found[field.name]["comment"] == table.dataset.descriptions[field.name]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_vectors_are_stored_uncompressed(client: Client, table: Table) -> None:
    vectors = [c for c in columns(client, table.name).values() if c["type"] == "Array(Float32)"]
    assert {c["compression_codec"] for c in vectors} <= {"CODEC(NONE)"}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table_is_cut_by_batch_and_sorted_by_key(client: Client, table: Table) -> None:
    found = client.query(
        "SELECT partition_key, sorting_key, comment FROM system.tables"
        " WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": table.name},
    )
    ((partition, order, comment),) = found.result_rows
    assert partition == ("batch" if table.by_batch else "")
    assert set(table.dataset.key) <= set(order.split(", "))
    if not table.left_out:
        assert comment == table.dataset.row_is


def test_every_column_of_every_table_says_what_it_means(client: Client) -> None:
    silent = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
        " AND comment = '' AND table IN"
        " (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View')"
    )
    assert silent.result_rows == []


def test_only_pictures_and_text_vectors_are_left_out() -> None:
    assert {t.name: t.left_out for t in TABLES.values() if t.left_out} == {
        "frames": ("jpeg",),
        "faces": ("crop",),
        "video_texts": ("embedding",),
    }
