"""The checks on what a batch's tables hold once it is loaded: keys, vectors, and what is missing.

Each is a query or two over the batch's partition, also where the load found nothing to change.
None stops the batch: what is wrong came from the Parquet file, which another try would load again.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any

import dagster as dg

import sql
from assets.stores.batches import BATCHES
from assets.stores.tables import Table

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

KEYS_CHECK = "keys_are_unique"
VECTORS_CHECK = "vectors_are_normed"
NULLS_CHECK = "nulls_are_few"
VECTOR_COLUMN = "embedding"
# Every vector is brought to length 1 in float32, which leaves some 1e-7. What this lets through
# changes a cosine in its third decimal place.
NORM_TOLERANCE = 1e-3
_EXAMPLES = 5

_NEVER, _SHOWN = 0.0, 1.0


def _never(*columns: str) -> dict[str, float]:
    return dict.fromkeys(columns, _NEVER)


# The greatest share of rows in which a column may hold nothing: null; where it can't be null, '', 0
# or []. 1 is for what may well be unknown, such as the date of a file: the share is only shown.
MISSING_AT_MOST: dict[str, dict[str, float]] = {
    "videos": {
        **_never("uri", "title", "content_hash", "source_version", "source_bytes", "container"),
        **_never("video_codec", "pixel_format", "width", "height", "fps", "duration_s"),
        **_never("frame_count", "kept_frame_count", "decoder"),
        **dict.fromkeys(("published_at", "description"), _SHOWN),
    },
    "frames": _never("width", "height"),
    "asr_segments": {**_never("text", "model"), "language": _SHOWN},
    "ocr_lines": _never("text", "model"),
    "frame_embeddings": _never("model"),
    "video_texts": {**_never("text", "model"), "language": _SHOWN},
    "video_embeddings": _never("model"),
    "faces": _never("size_px", "model"),
    "captions": _never("caption", "language", "frame_count", "model"),
    # A passage of signs alone has no words.
    "passages": {**_never("text"), "words": 0.1, "language": _SHOWN},
    "passage_embeddings": _never("model"),
}


@dataclass(frozen=True)
class _Facts:
    """``missing`` counts, by column, among ``looked_at`` rows."""

    rows: int
    keys: int
    looked_at: int
    missing: dict[str, int]


def asset_key(table: Table) -> dg.AssetKey:
    """The table's asset."""
    return dg.AssetKey(["clickhouse", table.name])


def batch_check(name: str, table: Table, description: str) -> dg.AssetCheckSpec:
    """A check of a table with a result for every batch.

    Without partitions the last batch's result would stand for all: a fault in one would be hidden
    by the next. They are a preview in Dagster 1.13, which says so at every start.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name, asset=asset_key(table), description=description, partitions_def=BATCHES
        )


def check_specs(table: Table) -> Iterator[dg.AssetCheckSpec]:
    """The checks of what a table holds of a batch."""
    key = ", ".join(table.dataset.key)
    yield batch_check(KEYS_CHECK, table, f"No two rows of the batch have the same {key}.")
    yield batch_check(NULLS_CHECK, table, _of_missing(table))
    if VECTOR_COLUMN in table.columns:
        yield batch_check(
            VECTORS_CHECK,
            table,
            f"Every vector is finite and of length 1 (within {NORM_TOLERANCE:g}), and all of a "
            "model have one dimension.",
        )


def check_batch(client: "Client", table: Table, batch: str) -> Iterator[dg.AssetCheckResult]:
    """Look at the rows that a table has of a batch."""
    facts = _facts(client, table, batch)
    yield _unique_keys(client, table, batch, facts)
    yield _few_nulls(table, facts)
    if VECTOR_COLUMN in table.columns:
        yield _normed_vectors(client, table, batch)


def _of_missing(table: Table) -> str:
    limits = MISSING_AT_MOST[table.name]
    rows = "of the videos that are ok" if table.name == "videos" else "of the batch's rows"
    never = ", ".join(name for name, limit in limits.items() if limit == _NEVER)
    some = [f"{c} up to {limit:.0%}" for c, limit in limits.items() if _NEVER < limit < _SHOWN]
    shown = [name for name, limit in limits.items() if limit == _SHOWN]
    return (
        f"The share {rows} in which a column holds nothing (null, empty or 0). None may: {never}."
        + f" A few may: {', '.join(some)}." * bool(some)
        + f" Only shown: {', '.join(shown)}." * bool(shown)
    )


def _facts(client: "Client", table: Table, batch: str) -> _Facts:
    name = "table_facts_of_videos" if table.name == "videos" else "table_facts"
    columns = list(MISSING_AT_MOST[table.name])
    query = _statement(name, table, columns=columns)
    ((rows, keys, looked_at, missing),) = client.query(
        query, parameters={"batch": batch}
    ).result_rows
    return _Facts(rows, keys, looked_at, dict(zip(columns, missing, strict=True)))


def _unique_keys(client: "Client", table: Table, batch: str, facts: _Facts) -> dg.AssetCheckResult:
    repeated = facts.rows - facts.keys
    metadata: dict[str, Any] = {"rows": facts.rows, "repeated": repeated}
    if repeated:
        found = client.query(
            _statement("repeated_keys", table), parameters={"batch": batch, "limit": _EXAMPLES}
        )
        metadata["examples"] = dg.MetadataValue.json(list(found.named_results()))
    return dg.AssetCheckResult(
        check_name=KEYS_CHECK,
        asset_key=asset_key(table),
        passed=not repeated,
        description=f"{repeated} rows repeat another's key" if repeated else None,
        metadata=metadata,
    )


def _few_nulls(table: Table, facts: _Facts) -> dg.AssetCheckResult:
    shares = {c: n / facts.looked_at if n else 0.0 for c, n in facts.missing.items()}
    limits = MISSING_AT_MOST[table.name]
    wrong = [f"{c} in {share:.1%} of rows" for c, share in shares.items() if share > limits[c]]
    return dg.AssetCheckResult(
        check_name=NULLS_CHECK,
        asset_key=asset_key(table),
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"missing: {', '.join(wrong)}" if wrong else None,
        metadata={"looked_at": facts.looked_at, **{c: round(s, 4) for c, s in shares.items()}},
    )


def _normed_vectors(client: "Client", table: Table, batch: str) -> dg.AssetCheckResult:
    asked = {"batch": batch, "tolerance": NORM_TOLERANCE}
    found = client.query(sql.statement("load/vector_facts", table=table.name), parameters=asked)
    groups = list(found.named_results())
    wrong = {
        "not_finite": sum(group["not_finite"] for group in groups),
        "not_unit": sum(group["not_unit"] for group in groups),
        "of_another_dimension": _of_another_dimension(groups),
    }
    ends = [group[end] for group in groups for end in ("least_norm", "greatest_norm")]
    norms = [round(norm, 7) for norm in ends if norm is not None]
    return dg.AssetCheckResult(
        check_name=VECTORS_CHECK,
        asset_key=asset_key(table),
        passed=not any(wrong.values()),
        metadata={
            "vectors": sum(group["vectors"] for group in groups),
            "least_norm": min(norms, default=None),
            "greatest_norm": max(norms, default=None),
            **wrong,
            "by_model": dg.MetadataValue.json(groups),
        },
    )


def _of_another_dimension(groups: Sequence[dict[str, Any]]) -> int:
    """Vectors that have not the dimension which most of their model's have."""
    counts: dict[str, list[int]] = defaultdict(list)
    for group in groups:
        counts[group["model"]].append(group["vectors"])
    return sum(sum(of_model) - max(of_model) for of_model in counts.values())


def _statement(name: str, table: Table, columns: Sequence[str] = ()) -> str:
    """A statement of ``sql/load`` that names the table's key, and columns of it."""
    return Template(sql.statement(f"load/{name}")).substitute(
        table=sql.quote(table.name),
        key=", ".join(map(sql.quote, table.dataset.key)),
        columns=", ".join(map(sql.quote, columns)),
    )
