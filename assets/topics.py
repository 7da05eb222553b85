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
from assets.progress import is_forced
from assets.resources import Tables
from assets.tables import LoadReport, loaded, replace_table
from ml.library_schemas import TOPICS, VIDEO_TOPICS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.clusters import Topics

Channel = tuple[list[str], np.ndarray]
Texts = Mapping[str, str]

_OUTPUTS = (TOPICS, VIDEO_TOPICS)
_INPUTS = ("video_embeddings", "video_texts")
_TEXT_CHANNELS = ("title", "description", "asr", "ocr")
# A title names its theme better than a transcript with recognition errors does. The words
# themselves weigh as much as a title; 1 to 3 did about as well. See `benchmarks.topics`.
CHANNEL_WEIGHTS: Mapping[str, float] = {
    "title": 1.0,
    "description": 1.0,
    "asr": 0.5,
    "ocr": 0.5,
    "lexical": 1.0,
    "visual": 0.25,
}
# The packaged picture descriptor knows colours and edges, not things: from 0 to .1 nothing
# changes, .25 and .5 take ARI from .58 to .57 and .50. Above 0, so that a video without text has
# a vector.
_LAYOUT, _LAYOUT_WEIGHT = "layout-descriptor@", 0.05
# The packaged text model knows English only: what it makes of other alphabets counts little, and
# the words themselves stand in. ARI on the libraries of `benchmarks.topics`, sample and tuning: .18
# and .08 with neither, .59 and .20 without the words, .61 and .59 with both; earlier variants of
# the words alone gave .18-.31 and .02-.08. Above 0, so that a video without a shared word has a
# vector.
_ENGLISH_ONLY, _LEAST_TRUST = "all-MiniLM-L6-v2@", 0.05
# Raise when the clustering or the weights change, so that unchanged libraries are clustered anew.
VERSION = "2"


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
        unchanged = all(table and table.fingerprint == fingerprint for table in held.values())
        if unchanged and not is_forced(context):
            for name, table in held.items():
                yield _result(name, table.rows if table else 0, "unchanged")
            return
        context.log.info("topics: reading vectors")
        channels, models, texts = _vectors(client), _models(client), _texts(client)
    found = _cluster(channels, models, texts)
    context.log.info(f"topics: {found.message}")
    with tables.session("writing topics", context.log.info) as client:
        for report, name in _replace(client, found, fingerprint):
            yield _result(name, report.rows, found.message)


def _cluster(
    channels: Mapping[str, Channel], models: Mapping[str, str], texts: Mapping[str, Texts]
) -> "Topics":
    from ml.clusters import cluster_topics
    from ml.lexical import MODEL

    ids, vectors = topic_vectors(channels, models, texts)
    names = set(models.values()) | ({MODEL} if knows_english_only(models) else set())
    documents = documents_of(texts)
    model = ", ".join(sorted(names))
    return cluster_topics(vectors, ids, [documents.get(v, "") for v in ids], model=model)


def topic_vectors(
    channels: Mapping[str, Channel], models: Mapping[str, str], texts: Mapping[str, Texts]
) -> tuple[list[str], np.ndarray]:
    """The vectors that are clustered: all channels joined, and with a text model that knows
    English only, the words themselves too.

    Args:
        channels: name to video ids and float32[len(ids), d].
        models: name of a channel to its model.
        texts: text channel to video id to text.

    Returns:
        Video ids, sorted, and float32[len(ids), d].
    """
    from ml.lexical import lexical_vectors
    from ml.vectors import joint_vectors

    weights = dict(CHANNEL_WEIGHTS)
    if models.get("visual", "").startswith(_LAYOUT):
        weights["visual"] = _LAYOUT_WEIGHT
    if not knows_english_only(models):
        return joint_vectors(channels, weights)
    levelled, trust = _levelled(channels, texts)
    levelled["lexical"] = lexical_vectors(documents_of(texts))
    return joint_vectors(levelled, weights, trust=trust, whole={"lexical"})


def knows_english_only(models: Mapping[str, str]) -> bool:
    """Whether the text channels were embedded by the packaged English model."""
    return any(models.get(c, "").startswith(_ENGLISH_ONLY) for c in _TEXT_CHANNELS)


def documents_of(texts: Mapping[str, Texts]) -> dict[str, str]:
    """Video id to all of its text, the title first."""
    lines: dict[str, list[str]] = defaultdict(list)
    for channel in _TEXT_CHANNELS:
        for video, text in texts.get(channel, {}).items():
            lines[video].append(text)
    return {video: "\n".join(found) for video, found in lines.items()}


def _levelled(
    channels: Mapping[str, Channel], texts: Mapping[str, Texts]
) -> tuple[dict[str, Channel], dict[str, np.ndarray]]:
    """The channels less what sets other alphabets apart, and how far each text is known."""
    from ml.lexical import foreign_share
    from ml.vectors import without_trend

    levelled, trust = dict(channels), {}
    for name in texts.keys() & channels.keys():
        ids, matrix = channels[name]
        foreign = np.array([foreign_share(texts[name].get(v, "")) for v in ids])
        levelled[name] = ids, without_trend(matrix, foreign)
        trust[name] = np.maximum(_LEAST_TRUST, 1 - foreign)
    return levelled, trust


def _fingerprint(client: "Client") -> str:
    rows = client.query(
        sql.statement("load/loaded_state"), parameters={"tables": list(_INPUTS)}
    ).result_rows
    return key_of(VERSION, *("=".join(map(str, row)) for row in rows))


def _vectors(client: "Client") -> dict[str, Channel]:
    from ml.vectors import list_matrix

    by_channel: dict[str, Channel] = {}
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


def _texts(client: "Client") -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    rows = client.query("SELECT channel, video_id, text FROM video_texts").result_rows
    for channel, video, text in rows:
        texts[channel][video] = text
    return texts


def _replace(
    client: "Client", found: "Topics", fingerprint: str
) -> Iterator[tuple[LoadReport, str]]:
    for name, table in ((TOPICS.name, found.topics), (VIDEO_TOPICS.name, found.video_topics)):
        yield replace_table(client, name, table.to_batches(), fingerprint), name


def _result(name: str, rows: int, message: str) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=["clickhouse", name], metadata={**row_count(rows), "message": message}
    )
