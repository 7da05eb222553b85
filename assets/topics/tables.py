"""The rows of ``topics``, ``video_topics`` and ``topic_changes``, from the clustering on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from assets.clustering import given_names
from assets.clustering.clustered import changes_table, lazily, members_by_id, source_of
from assets.clustering.given_names import TOPIC, Given
from assets.clustering.store import StoredClustering
from assets.tables.load import replace_table
from ml.library_schemas import TOPIC_CHANGES, TOPICS, VIDEO_TOPICS
from ml.schemas import Dataset

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OUTPUTS = (TOPICS, VIDEO_TOPICS, TOPIC_CHANGES)


def publish(client: Client, stored: StoredClustering, fingerprint: str) -> dict[str, int]:
    """Make the tables from the clustering and the names given by hand; rows by table.

    A table that is of this clustering is left as it is; names make ``topics`` anew and no other.
    """
    given = given_names.read(client, TOPIC)

    def put(dataset: Dataset, make: Callable[[], pa.Table], version: str) -> int:
        return replace_table(client, dataset.name, lazily(make), version).rows

    def topics() -> pa.Table:
        return pa.Table.from_pylist(topic_rows(stored, given), TOPICS.schema)

    return {
        TOPICS.name: put(TOPICS, topics, f"{fingerprint} {given_names.digest(given)}"),
        VIDEO_TOPICS.name: put(VIDEO_TOPICS, lambda: _video_rows(stored), fingerprint),
        TOPIC_CHANGES.name: put(
            TOPIC_CHANGES, lambda: changes_table(stored, TOPIC_CHANGES), fingerprint
        ),
    }


def topic_rows(stored: StoredClustering, given: Mapping[int, Given]) -> list[dict[str, Any]]:
    """Rows of ``topics``, the largest first; one whose videos are all gone has none."""
    clustering, members = stored.clustering, members_by_id(stored.clustering)
    rows = [
        _topic_row(int(i), at, members[int(i)], stored, given.get(int(i), Given()))
        for at, i in enumerate(clustering.ids)
        if len(members[int(i)])
    ]
    return sorted(rows, key=lambda row: (-row["size"], row["topic_id"]))


def _topic_row(
    topic: int, at: int, members: np.ndarray, stored: StoredClustering, given: Given
) -> dict[str, Any]:
    facts, clustering = stored.facts[topic], stored.clustering
    return {
        "topic_id": topic,
        "name": given.name or facts["name"],
        "terms": facts["terms"],
        "size": len(members),
        "centroid": clustering.centroids[at],
        "exemplar_video_ids": _exemplars(facts["exemplars"], members, clustering.members.keys),
        "model": stored.extra["model"],
        "found_name": facts["found_name"],
        "hidden": given.hidden,
        "taxonomy_path": facts["taxonomy_path"],
        "taxonomy_score": facts["taxonomy_score"],
        "reach": clustering.reach[at],
        "map_x": facts["map_x"],
        "map_y": facts["map_y"],
    }


def _exemplars(chosen: list[str], members: np.ndarray, keys: Any) -> list[str]:
    """The exemplars that are still in the topic; if none is, whichever video is."""
    own = {keys[row] for row in members}
    return [video for video in chosen if video in own] or [keys[members[0]]]


def _video_rows(stored: StoredClustering) -> pa.Table:
    members = stored.clustering.members
    columns = {
        "video_id": members.keys,
        "topic_id": members.ids,
        "probability": members.probability,
        "distance": members.distance,
        "source": source_of(members),
    }
    return pa.table(columns, schema=VIDEO_TOPICS.schema)
