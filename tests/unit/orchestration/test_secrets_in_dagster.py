"""What Dagster stores of runs, and what its pages answer, holds no password and no signature.

Its pages ask nobody who they are. So a library is given secrets wherever there may be one, runs
fail on it, and everything that Dagster wrote and answers is searched for them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import CodeLocationOrigin, InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster_graphql.schema import create_schema

from assets.source.listing import cut_new
from orchestration.definitions import build_defs, resources
from orchestration.instance import open_here, prepare
from orchestration.settings import from_environment, settled

pytestmark = pytest.mark.slow

CANARY = "c4n4ry"
# Nobody listens on port 1 of loopback.
NOWHERE = f"http://me:{CANARY}1@127.0.0.1:1"
SIGNED = f"X-Amz-Credential={CANARY}2%2Fs3&X-Amz-Signature={CANARY}3"
ENVIRONMENT = {
    "KADR_CLICKHOUSE_URL": f"clickhouse://me:{CANARY}4@127.0.0.1:1/kadr?client_name={CANARY}5",
    "KADR_POSTGRES_URL": f"postgresql://me:{CANARY}6@127.0.0.1:1/kadr",
    "KADR_SOURCE": f"{NOWHERE}/catalogue.csv?{SIGNED}",
    "KADR_STORAGE_OPTIONS": json.dumps(
        {
            "aws_secret_access_key": f"{CANARY}7",
            "aws_session_token": f"{CANARY}8",
            "proxy_url": f"http://me:{CANARY}9@127.0.0.1:1",
            "max_retries": "0",
        }
    ),
    "KADR_WORKERS": "1",
}
VIDEOS = (
    f"{NOWHERE}/away.mp4?{SIGNED}",
    f"http://me:{CANARY}/no/port/away.mp4",
    f"s3://key:{CANARY}@bucket/away.mp4",
    f"https://me:{CANARY}#/?@127.0.0.1:1/{SIGNED}",
)
BATCH_STEPS = ("videos", "frames", "motion", "audio")


def definitions() -> dg.Definitions:
    """What the code location serves."""
    return build_defs(from_environment())


class _Here(WorkspaceLoadTarget):
    def create_origins(self) -> list[CodeLocationOrigin]:
        here = LoadableTargetOrigin(
            executable_path=sys.executable, module_name=__name__, attribute="definitions"
        )
        return [InProcessCodeLocationOrigin(here, location_name="kadr")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in SQLite in which a listing, a batch and a step of the library have run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("KADR_", "DAGSTER_HOME"))]:
            patch.delenv(name)
        for name, value in {**ENVIRONMENT, "KADR_DATA": str(folder)}.items():
            patch.setenv(name, value)
        patch.setenv("OMP_THREAD_LIMIT", "1")
        patch.setattr("assets.stores.clickhouse.RECONNECT_S", ())
        settings = settled()
        prepare(settings)  # dagster.yaml as it is with PostgreSQL
        written = (settings.dagster_home / "dagster.yaml").read_text()
        (folder / "dagster.yaml").write_text(written)
        patch.delenv("KADR_POSTGRES_URL")
        prepare(settled())
        with open_here(settled()) as opened:
            _run_all(folder, opened)
            yield opened


def _run_all(folder: Path, instance: dg.DagsterInstance) -> None:
    catalogue = folder / "catalogue.csv"
    catalogue.write_text("\n".join(["video_id,uri", *(f"v{i},{u}" for i, u in enumerate(VIDEOS))]))
    settings = settled()
    _, (batch,) = cut_new(resources(settings)["library"], instance, str(catalogue), 10)
    steps = [dg.AssetKey(step) for step in BATCH_STEPS]
    for job, selection, partition in (
        ("list_source", None, None),
        ("batch", steps, batch),
        ("library", [dg.AssetKey("search_cards")], None),
    ):
        definitions().resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=selection,
            partition_key=partition,
        )


def _written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file's text, and each cell of each database, unpacked where it is packed."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".db":
            yield from ((path, cell) for cell in _cells(path))


def _cells(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield from (_as_text(cell) for cell in row)


def _as_text(cell: object) -> str:
    if not isinstance(cell, bytes):
        return str(cell)
    try:
        return zlib.decompress(cell).decode()
    except zlib.error:
        return cell.decode("utf-8", "replace")


def test_nothing_that_dagster_wrote_holds_a_secret(
    instance: dg.DagsterInstance, folder: Path
) -> None:
    home = from_environment().dagster_home
    written = list(_written(home))
    everything = "\n".join(text for _, text in written)
    # It is read whole: snapshots of jobs, which are packed, and errors of all three runs.
    for part in (
        '"PipelineSnapshot"',
        "cannot read the catalogue",
        "the server cannot be read",
        "cannot conn",
    ):
        assert part in everything, part
    assert [(path, text[:300]) for path, text in written if CANARY in text] == []
    assert CANARY not in (folder / "dagster.yaml").read_text()
    assert "env: KADR_POSTGRES_URL" in (folder / "dagster.yaml").read_text()


def test_an_instance_travels_to_its_processes_without_a_secret(folder: Path) -> None:
    from dagster._core.instance.ref import InstanceRef
    from dagster._serdes import serialize_value

    ref = serialize_value(InstanceRef.from_dir(str(folder)))
    assert "KADR_POSTGRES_URL" in ref
    assert CANARY not in ref


def test_no_answer_of_dagsters_pages_holds_a_secret(instance: dg.DagsterInstance) -> None:
    with WorkspaceProcessContext(instance, _Here(), version="") as process:
        context, schema = process.create_request_context(), create_schema()

        def ask(query: str, **variables: Any) -> dict[str, Any]:
            asked = schema.execute_async(query, variables=variables, context=context)
            answer = asyncio.run(asked)
            assert not answer.errors, answer.errors
            assert CANARY not in json.dumps(answer.data)
            return dict(answer.data)

        nodes = ask(_REPOSITORY)["repositoriesOrError"]["nodes"]
        (repository,) = nodes
        shown = {r["name"]: r for r in repository["allTopLevelResourceDetails"]}
        assert set(shown) == set(resources(from_environment()))
        for job in ("batch", "library", "list_source", "morning_checks"):
            where = {
                "repositoryLocationName": "kadr",
                "repositoryName": repository["name"],
                "pipelineName": job,
            }
            answer = ask(_JOB, job=where)
            assert answer["runConfigSchemaOrError"]["__typename"] == "RunConfigSchema"
            assert answer["pipelineSnapshotOrError"]["__typename"] == "PipelineSnapshot"
        runs = ask(_RUNS)["runsOrError"]["results"]
        failures = [
            e["error"] for run in runs for e in run["eventConnection"]["events"] if "error" in e
        ]
        assert len(runs) == 3
        assert any(error and error["causes"] for error in failures)


_REPOSITORY = """{
  version
  instance { id info runQueuingSupported }
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
    ... on PythonError { message } ... on RepositoryLocation { name }
  } displayMetadata { key value } } } }
  repositoriesOrError { ... on RepositoryConnection { nodes {
    name
    displayMetadata { key value }
    allTopLevelResourceDetails {
      name description resourceType configuredValues { key value type }
      configFields { name description configTypeKey defaultValueAsJson }
      nestedResources { name type }
    }
    schedules { name description cronSchedule } sensors { name description }
    assetNodes { assetKey { path } description metadataEntries { label description
      ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } } }
  } } }
}"""
_JOB = """query ($job: PipelineSelector!) {
  runConfigSchemaOrError(selector: $job) { __typename ... on RunConfigSchema {
    rootDefaultYaml
    allConfigTypes { key description
      ... on CompositeConfigType { fields { name description defaultValueAsJson } }
      ... on EnumConfigType { values { value } } } } }
  pipelineSnapshotOrError(activePipelineSelector: $job) { __typename ... on PipelineSnapshot {
    metadataEntries { label } tags { key value }
    modes { resources { name configField { defaultValueAsJson configType { key } } } } } }
}"""
_RUNS = """{ runsOrError { ... on Runs { results {
  runConfigYaml tags { key value }
  eventConnection(limit: 1000) { events { __typename
    ... on MessageEvent { message }
    ... on ErrorEvent { error { message stack causes { message stack } errorChain {
      isExplicitLink error { message stack } } } }
    ... on AssetCheckEvaluationEvent { evaluation { metadataEntries { label
      ... on JsonMetadataEntry { jsonString } ... on TextMetadataEntry { text } } } }
    ... on MaterializationEvent { metadataEntries { label
      ... on JsonMetadataEntry { jsonString } ... on TextMetadataEntry { text } } }
  } } } } } }"""
