"""The assets ``clickhouse/topics`` and ``clickhouse/video_topics``: what the library is about.

Topics are computed from the tables and put in their place whole; a library that did not change
keeps its tables untouched.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

import sql
from assets.catalog import row_count, table_spec
from assets.datasets import key_of
from assets.resources import Tables
from assets.tables import LoadReport, loaded, replace_table
from ml.library_schemas import TOPICS, VIDEO_TOPICS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.clusters import Topics

_OUTPUTS = (TOPICS, VIDEO_TOPICS)
_INPUTS = ("video_embeddings", "video_texts")
# A title names its theme better than a transcript with recognition errors does, and the packaged
# picture descriptor knows colours and edges, not things. See BENCHMARKS.md, topics.
CHANNEL_WEIGHTS: Mapping[str, float] = {
    "title": 1.0,
    "description": 1.0,
    "asr": 0.5,
    "ocr": 0.5,
    "visual": 0.25,
}
# Raise when the clustering or the weights change, so that unchanged libraries are clustered anew.
VERSION = "1"


@dg.multi_asset(
    name="topics",
    specs=[
        table_spec(d.name, d, "library", [["clickhouse", name] for name in _INPUTS])
        for d in _OUTPUTS
    ],
)
def topics(context: dg.AssetExecutionContext, tables: Tables) -> Iterator[dg.MaterializeResult]:
    """Cluster the library's videos and name the clusters, when its vectors changed."""
    with tables.session("reading vectors for topics", context.log.info) as client:
        fingerprint = _fingerprint(client)
        held = {d.name: loaded(client, d.name) for d in _OUTPUTS}
        if all(table and table.fingerprint == fingerprint for table in held.values()):
            for name, table in held.items():
                yield _result(name, table.rows if table else 0, "unchanged")
            return
        context.log.info("topics: reading vectors")
        channels, model, documents = _vectors(client), _model(client), _documents(client)
    found = _cluster(channels, model, documents)
    context.log.info(f"topics: {found.message}")
    with tables.session("writing topics", context.log.info) as client:
        for report, name in _replace(client, found, fingerprint):
            yield _result(name, report.rows, found.message)


def _cluster(
    channels: Mapping[str, tuple[list[str], np.ndarray]],
    model: str,
    documents: Mapping[str, str],
) -> "Topics":
    from ml.clusters import cluster_topics
    from ml.vectors import joint_vectors

    ids, vectors = joint_vectors(channels, CHANNEL_WEIGHTS)
    return cluster_topics(vectors, ids, [documents.get(v, "") for v in ids], model=model)


def _fingerprint(client: "Client") -> str:
    rows = client.query(
        sql.statement("load/loaded_state"), parameters={"tables": list(_INPUTS)}
    ).result_rows
    return key_of(VERSION, *("=".join(map(str, row)) for row in rows))


def _vectors(client: "Client") -> dict[str, tuple[list[str], np.ndarray]]:
    from ml.vectors import list_matrix

    by_channel: dict[str, tuple[list[str], np.ndarray]] = {}
    for channel in sorted(_models(client)):
        found = client.query_arrow(
            sql.statement("load/channel_vectors"), parameters={"channel": channel}
        ).combine_chunks()
        matrix = list_matrix(found.column("embedding").combine_chunks())
        by_channel[channel] = (found.column("video_id").to_pylist(), matrix)
    return by_channel


def _models(client: "Client") -> dict[str, str]:
    """The model of each channel.

    Raises:
        ModelMismatch: a channel holds vectors of two models.
    """
    from ml.vectors import ModelMismatch

    models: dict[str, list[str]] = defaultdict(list)
    for channel, model in client.query(sql.statement("load/channel_models")).result_rows:
        models[channel].append(model)
    for channel, names in models.items():
        if len(names) > 1:
            raise ModelMismatch(
                f"{channel} vectors were made by {' and by '.join(names)}: "
                "run the older batches again (kadr ingest SOURCE --all)"
            )
    return {channel: names[0] for channel, names in models.items()}


def _model(client: "Client") -> str:
    return ", ".join(sorted(set(_models(client).values())))


def _documents(client: "Client") -> dict[str, str]:
    rows = client.query(sql.statement("load/documents")).result_rows
    return {str(video): str(text) for video, text in rows}


def _replace(
    client: "Client", found: "Topics", fingerprint: str
) -> Iterator[tuple[LoadReport, str]]:
    for name, table in ((TOPICS.name, found.topics), (VIDEO_TOPICS.name, found.video_topics)):
        yield replace_table(client, name, table.to_batches(), fingerprint), name


def _result(name: str, rows: int, message: str) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=["clickhouse", name], metadata={**row_count(rows), "message": message}
    )
