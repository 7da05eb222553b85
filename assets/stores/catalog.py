"""What Dagster's catalogue shows of a dataset: columns with their meaning, and row counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dagster as dg

from ml.schemas import Dataset


def columns(dataset: Dataset) -> dg.TableSchema:
    """The dataset's Arrow schema as Dagster's table schema."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                str(field.type),
                description=dataset.descriptions[field.name],
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in dataset.schema
        ]
    )


def dataset_spec(dataset: Dataset, group: str, deps: Sequence[str] = ()) -> dg.AssetSpec:
    """The asset of a Parquet dataset: a row is what, and its columns."""
    return dg.AssetSpec(
        dataset.name,
        deps=deps,
        description=f"One Parquet file per batch; a row is {dataset.row_is}.",
        group_name=group,
        kinds={"parquet"},
        metadata={"dagster/column_schema": columns(dataset)},
    )


def table_spec(
    name: str, dataset: Dataset, group: str, deps: Sequence[dg.CoercibleToAssetDep]
) -> dg.AssetSpec:
    """The asset of a ClickHouse table."""
    return dg.AssetSpec(
        ["clickhouse", name],
        deps=deps,
        description=f"ClickHouse table; a row is {dataset.row_is}.",
        group_name=group,
        kinds={"clickhouse"},
        metadata={"dagster/column_schema": columns(dataset)},
    )


def row_count(rows: int) -> dict[str, int]:
    """The metadata entry that the catalogue shows as the row count."""
    return {"dagster/row_count": rows}


def plain_line(text: str) -> str:
    """One line in which Markdown finds nothing to format."""
    return re.sub(r"([\\`*_\[\]<>()|#!~])", r"\\\1", " ".join(text.split()))
