"""What a batch's tables hold is looked at after every load: keys, vectors, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from assets.stores.batches import BATCHES
from assets.stores.clickhouse import ClickHouse
from assets.stores.tables import TABLES, Table
from assets.tables.batch_tables import load_tables
from assets.tables.checks import (
    KEYS_CHECK,
    MISSING_AT_MOST,
    NULLS_CHECK,
    VECTOR_COLUMN,
    VECTORS_CHECK,
    check_batch,
    check_specs,
)
from assets.tables.load import load_batch
from ml.schemas import VECTOR
from tests.unit.search.nights import SearchNights
from tests.unit.stores.clickhouse_shim import running
from tests.unit.stores.engine import opened_copy
from tests.unit.tables.small_library import record_batch, small_library

pytestmark = pytest.mark.slow

B1, B2 = "2026-11-20-001", "2026-11-20-002"
LOADED = {t.name: t for t in TABLES.values() if t.by_batch and t.with_batch}
WITH_VECTORS = [name for name, table in LOADED.items() if VECTOR_COLUMN in table.columns]
Row = dict[str, Any]


_batches = (f"2026-11-19-{number:03}" for number in count(1))


@pytest.fixture(scope="module")
def nights(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchNights]:
    with opened_copy(migrated, tmp_path_factory.mktemp("checks")) as folder:
        yield SearchNights(folder)


@pytest.fixture
def client(nights: SearchNights) -> Iterator[Client]:
    with nights.tables.session("testing", lambda _: None) as client:
        yield client


def good_rows(table: str) -> list[Row]:
    """Rows of the small library that say all that a row should say."""
    kinds = {f.name: f.type for f in LOADED[table].schema}
    said: Row = {name: "x" if kinds[name] == "string" else 1 for name in MISSING_AT_MOST[table]}
    if table == "videos":
        said |= {"published_at": None, "has_audio": True}
    if table == "passages":
        said |= {"words": ["x"]}
    return [{**said, **row} for row in small_library()[table]]


def results(client: Client, table: str, rows: Sequence[Row]) -> dict[str, dg.AssetCheckResult]:
    """Load the rows as a batch of their own and look at them."""
    batch = next(_batches)
    load_batch(client, table, batch, [record_batch(table, rows)], "made up")
    return {str(r.check_name): r for r in check_batch(client, LOADED[table], batch)}


def told(result: dg.AssetCheckResult) -> dict[str, Any]:
    return {name: value.value for name, value in result.metadata.items()}


def with_vector(*vectors: Sequence[float], model: str = "m") -> list[Row]:
    """Rows of frame_embeddings."""
    return [
        {"video_id": f"v-{model}", "frame_no": n, "embedding": list(vector), "model": model}
        for n, vector in enumerate(vectors)
    ]


# Good batches


@pytest.mark.parametrize("table", LOADED)
def test_checks_of_a_good_batch_pass(client: Client, table: str) -> None:
    found = results(client, table, good_rows(table))
    assert set(found) == {spec.name for spec in check_specs(LOADED[table])}
    assert {name: r.description for name, r in found.items() if not r.passed} == {}


@pytest.mark.parametrize("table", LOADED)
def test_checks_of_a_batch_without_rows_pass(client: Client, table: str) -> None:
    found = results(client, table, [])
    assert [name for name, result in found.items() if not result.passed] == []


# Keys


@pytest.mark.parametrize("table", LOADED)
def test_a_key_that_is_there_twice_fails_the_check(client: Client, table: str) -> None:
    rows = good_rows(table)
    found = results(client, table, [*rows, rows[0]])[KEYS_CHECK]
    key = {name: rows[0].get(name, 0) for name in LOADED[table].dataset.key}
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert told(found) == {
        "rows": len(rows) + 1,
        "repeated": 1,
        "examples": [{**key, "rows": 2}],
    }


def test_five_repeated_keys_are_named_the_most_frequent_first(client: Client) -> None:
    rows = [{"video_id": f"v{n}"} for n in range(8)]
    found = results(client, "captions", [*rows, *rows, rows[6]])[KEYS_CHECK]
    assert told(found)["repeated"] == 9
    assert [e["video_id"] for e in told(found)["examples"]] == ["v6", "v0", "v1", "v2", "v3"]


def test_a_key_that_another_batch_has_is_not_repeated(client: Client) -> None:
    rows = good_rows("frames")
    assert results(client, "frames", rows)[KEYS_CHECK].passed
    assert results(client, "frames", rows)[KEYS_CHECK].passed


# Vectors


@pytest.mark.parametrize("table", WITH_VECTORS)
def test_a_vector_that_is_not_normed_fails_the_check(client: Client, table: str) -> None:
    first, *rest = good_rows(table)
    first["embedding"] = [2 * value for value in first["embedding"]]
    found = results(client, table, [first, *rest])[VECTORS_CHECK]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert told(found)["not_unit"] == 1
    assert told(found)["least_norm"] == pytest.approx(1)
    assert told(found)["greatest_norm"] == pytest.approx(2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_vector_that_is_not_finite_fails_the_check(client: Client, value: float) -> None:
    found = results(client, "frame_embeddings", with_vector([1, 0], [value, 0]))[VECTORS_CHECK]
    assert not found.passed
    assert told(found)["not_finite"] == 1
    assert told(found)["not_unit"] == 0
    assert told(found)["greatest_norm"] == 1


@pytest.mark.parametrize("vector", [[0.0, 0.0], []])
def test_a_vector_of_nothing_fails_the_check(client: Client, vector: list[float]) -> None:
    found = results(client, "frame_embeddings", with_vector([1, 0], vector))[VECTORS_CHECK]
    assert not found.passed
    assert told(found)["not_unit"] == 1


def test_vectors_of_another_dimension_than_the_rest_fail_the_check(client: Client) -> None:
    rows = with_vector([1, 0], [0, 1], [0, 0, 1], [1])
    found = results(client, "frame_embeddings", rows)[VECTORS_CHECK]
    assert not found.passed
    assert told(found)["of_another_dimension"] == 2
    assert told(found)["not_unit"] == 0


def test_two_models_may_have_two_dimensions(client: Client) -> None:
    rows = [*with_vector([1, 0], model="pictures"), *with_vector([0, 0, 1], model="texts")]
    found = results(client, "frame_embeddings", rows)[VECTORS_CHECK]
    assert found.passed
    by_model = {group["model"]: group["dimension"] for group in told(found)["by_model"]}
    assert by_model == {"pictures": 2, "texts": 3}


def test_rounding_of_long_vectors_passes(client: Client) -> None:
    vectors = np.random.default_rng(3).normal(size=(50, 4096)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = vectors.astype(np.float16).astype(np.float32)
    rows = [*with_vector(*vectors.tolist()), *with_vector(*half.tolist(), model="half")]
    assert results(client, "frame_embeddings", rows)[VECTORS_CHECK].passed


@pytest.mark.parametrize("table", LOADED.values(), ids=LOADED)
def test_every_vector_of_a_table_is_looked_at(table: Table) -> None:
    vectors = [f.name for f in table.schema if f.type == VECTOR]
    assert vectors == [VECTOR_COLUMN] * (table.name in WITH_VECTORS)
    if vectors:
        assert table.dataset.descriptions[VECTOR_COLUMN].startswith("unit-length vector")


# What is missing


def test_segments_without_text_are_warned_of_with_their_share(client: Client) -> None:
    rows = good_rows("asr_segments")[:10]
    found = results(client, "asr_segments", [row | {"text": ""} for row in rows[:3]] + rows[3:])
    result = found[NULLS_CHECK]
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.description == "missing: text in 30.0% of rows"
    assert told(result) == {"looked_at": 10, "text": 0.3, "model": 0.0, "language": 0.3}


def test_dates_that_no_catalogue_gave_are_only_shown(client: Client) -> None:
    rows = [row | {"published_at": None} for row in good_rows("videos")]
    found = results(client, "videos", rows)[NULLS_CHECK]
    assert found.passed
    assert told(found)["published_at"] == 1


def test_only_videos_that_are_ok_must_say_how_long_they_are(client: Client) -> None:
    rows = good_rows("videos")
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed and {row["duration_s"] for row in failed} == {0}
    found = results(client, "videos", rows)[NULLS_CHECK]
    assert found.passed
    assert told(found)["looked_at"] == len(rows) - len(failed)
    silent = results(client, "videos", [row | {"duration_s": 0.0} for row in rows])[NULLS_CHECK]
    assert silent.description == "missing: duration_s in 100.0% of rows"


@pytest.mark.parametrize(("wordless", "passes"), [(1, True), (2, False)])
def test_a_few_passages_may_have_no_words(client: Client, wordless: int, passes: bool) -> None:
    rows = good_rows("passages")[:10]
    rows = [row | {"words": []} for row in rows[:wordless]] + rows[wordless:]
    assert results(client, "passages", rows)[NULLS_CHECK].passed == passes


@pytest.mark.parametrize("table", LOADED.values(), ids=LOADED)
def test_it_is_declared_of_every_nullable_column_how_much_may_be_missing(table: Table) -> None:
    limits = MISSING_AT_MOST[table.name]
    assert {f.name for f in table.schema if f.nullable} <= set(limits) <= set(table.columns)
    made_by_a_model = {"model"} & set(table.columns)
    assert made_by_a_model <= {name for name, limit in limits.items() if limit == 0}


def test_tables_that_are_filled_with_the_batch_are_those_looked_at() -> None:
    assert set(MISSING_AT_MOST) == set(LOADED)


def test_a_server_is_asked_the_same(client: Client, tmp_path: Path) -> None:
    rows = [*good_rows("faces"), good_rows("faces")[0]]
    here = results(client, "faces", rows)
    with running(tmp_path / "clickhouse") as url, ClickHouse(f"{url}/kadr").session("test") as far:
        there = results(far, "faces", rows)
    assert {name: told(result) for name, result in there.items()} == {
        name: told(result) for name, result in here.items()
    }


# Declarations


@pytest.mark.parametrize("table", LOADED.values(), ids=LOADED)
def test_the_key_is_what_the_table_is_sorted_by(client: Client, table: Table) -> None:
    found = client.query(
        "SELECT sorting_key FROM system.tables"
        " WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": table.name},
    )
    assert tuple(found.result_rows[0][0].split(", ")) == table.dataset.key


def test_every_check_says_what_it_means_and_has_a_result_for_each_batch() -> None:
    specs = list(load_tables.check_specs)
    assert len(specs) == 3 * len(LOADED) + len(WITH_VECTORS)
    assert all(spec.description and spec.partitions_def == BATCHES for spec in specs)
    assert not any(spec.blocking for spec in specs)


# In Dagster

VECTORS = dg.AssetKey(["clickhouse", "frame_embeddings"])
NORMED = dg.AssetCheckKey(VECTORS, VECTORS_CHECK)


class Loads:
    """A library of two batches, of which the first has a vector of length 2, and its loads."""

    def __init__(self, nights: SearchNights) -> None:
        nights.batch(B1, {"v1": {"title": "one", "visual": [[1.0, 0.0], [0.0, 2.0]]}})
        nights.batch(B2, {"v2": {"title": "two", "visual": [[1.0, 0.0], [0.0, 1.0]]}})
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions(str(BATCHES.name), [B1, B2])
        resources = {"library": nights.library, "tables": nights.tables}
        definitions = dg.Definitions([load_tables], resources=resources)
        self.job = definitions.resolve_implicit_global_asset_job_def()

    def run(
        self, batch: str, assets: set[dg.AssetKey], checks: set[dg.AssetCheckKey] | None = None
    ) -> dg.ExecuteInProcessResult:
        job = self.job.get_subset(asset_selection=assets, asset_check_selection=checks)
        return job.execute_in_process(instance=self.instance, partition_key=batch)

    def standing(self) -> dict[str | None, str]:
        """How the check on vectors stands, batch by batch."""
        found = self.instance.event_log_storage.get_asset_check_partition_info([NORMED])
        return {info.partition_key: info.latest_execution_status.value for info in found}


@pytest.fixture(scope="module")
def loads(nights: SearchNights) -> Loads:
    return Loads(nights)


def test_a_fault_in_one_batch_is_still_seen_when_the_next_batch_is_good(loads: Loads) -> None:
    assert loads.run(B1, {VECTORS}).success
    assert loads.run(B2, {VECTORS}).success
    assert loads.standing() == {B1: "FAILED", B2: "SUCCEEDED"}


def test_a_batch_that_is_loaded_already_is_looked_at_again(loads: Loads) -> None:
    first, again = loads.run(B1, {VECTORS}), loads.run(B1, {VECTORS})
    (event,) = again.asset_materializations_for_node("load_tables")
    assert event.metadata["unchanged"].value is True
    found = [
        {e.check_name: e.passed for e in run.get_asset_check_evaluations()}
        for run in (first, again)
    ]
    assert found[0] == found[1]
    assert found[0][VECTORS_CHECK] is False


def test_a_check_that_is_run_alone_loads_nothing(loads: Loads) -> None:
    done = loads.run(B1, set(), {NORMED})
    assert [e.asset_check_key for e in done.get_asset_check_evaluations()] == [NORMED]
    assert not done.asset_materializations_for_node("load_tables")


def test_checks_that_were_not_asked_for_are_left_out(loads: Loads) -> None:
    done = loads.run(B1, {VECTORS}, set())
    assert done.asset_materializations_for_node("load_tables")
    assert done.get_asset_check_evaluations() == []
