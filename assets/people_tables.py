"""The rows of ``people``, ``video_people``, ``people_changes``: clustering and datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from assets import given_names
from assets.cluster_store import StoredClustering
from assets.clustered import changes_table, source_of
from assets.datasets import DatasetStore, key_of
from assets.given_names import PERSON, Given
from assets.resources import Library
from assets.tables import replace_table
from ml.library_schemas import PEOPLE, PEOPLE_CHANGES, VIDEO_PEOPLE
from ml.schemas import PERSONS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OUTPUTS = (PEOPLE, VIDEO_PEOPLE, PEOPLE_CHANGES)
NOBODY = -1
_SEEN = [
    *("video_id", "person_no", "screen_share", "screen_s", "face_count", "first_s", "best_s"),
    *("starts_s", "ends_s", "quality"),
]


@dataclass(frozen=True)
class Shown:
    """What was written: rows by table, and the rows of ``people``."""

    rows: Mapping[str, int]
    people: list[dict[str, Any]]


def person_key(video_id: str, person_no: int) -> str:
    """The key of a person of a video among the members of the clustering."""
    return f"{video_id} {person_no}"


def video_of(key: str) -> str:
    """The video of a key."""
    return key.rpartition(" ")[0]


def publish(client: Client, library: Library, stored: StoredClustering, fingerprint: str) -> Shown:
    """Make the tables from the clustering, the batches and the names given by hand."""
    given = given_names.read(client, PERSON)
    seen = _seen(library.datasets, stored)
    people = people_rows(library.datasets, stored, seen, given)
    made = (
        pa.Table.from_pylist(people, PEOPLE.schema),
        video_rows(seen),
        changes_table(stored, PEOPLE_CHANGES),
    )
    version = key_of(fingerprint, given_names.digest(given))
    rows = {
        d.name: replace_table(client, d.name, table.to_batches(), version).rows
        for d, table in zip(OUTPUTS, made, strict=True)
    }
    return Shown(rows, people)


def _seen(store: DatasetStore, stored: StoredClustering) -> pl.DataFrame:
    """Every person of every video: times on screen, and who it is."""
    members = stored.clustering.members
    who = pl.DataFrame(
        {
            "key": list(members.keys),
            "batch": list(stored.batch_of),
            "person_id": members.ids,
            "distance": members.distance,
            "probability": members.probability,
            "source": source_of(members),
        },
        schema_overrides={"key": pl.String, "batch": pl.String, "source": pl.String},
    )
    of_batch = [_times(store, batch) for batch in stored.inputs]
    times = pl.concat(
        [
            pl.DataFrame(PERSONS.schema.empty_table().select(_SEEN)).with_columns(
                pl.lit("").alias("batch")
            ),
            *of_batch,
        ]
    )
    keys = pl.concat_str("video_id", pl.lit(" "), pl.col("person_no").cast(pl.String))
    seen = times.with_columns(keys.alias("key")).join(who, ["key", "batch"])
    by_screen = pl.col("screen_s").rank("ordinal", descending=True).over("video_id")
    return seen.sort("video_id", "person_no").with_columns(by_screen.cast(pl.Int32).alias("rank"))


def _times(store: DatasetStore, batch: str) -> pl.DataFrame:
    rows = pl.DataFrame(store.table(PERSONS, batch, _SEEN))
    return rows.with_columns(pl.lit(batch).alias("batch"))


def video_rows(seen: pl.DataFrame) -> pa.Table:
    """Rows of ``video_people``."""
    return seen.select(VIDEO_PEOPLE.schema.names).to_arrow().cast(VIDEO_PEOPLE.schema)


def people_rows(
    store: DatasetStore,
    stored: StoredClustering,
    seen: pl.DataFrame,
    given: Mapping[int, Given],
) -> list[dict[str, Any]]:
    """Rows of ``people``, who appears in most videos first; one whose videos are gone has none."""
    somebody = seen.filter(pl.col("person_id") != NOBODY).sort("person_id", "distance", "key")
    summed = somebody.group_by("person_id", maintain_order=True).agg(
        pl.col("video_id").n_unique().alias("size"),
        pl.col("face_count").cast(pl.Int64).sum(),
        pl.col("screen_s").sum(),
        pl.col("video_id").first().alias("best_video_id"),
        pl.col("person_no").first(),
        pl.col("batch").first(),
        pl.col("best_s").first(),
    )
    at = {int(i): row for row, i in enumerate(stored.clustering.ids)}
    crops = _crops(store, summed)
    rows = []
    for row in summed.iter_rows(named=True):
        person = row.pop("person_id")
        crop = crops[person_key(row["best_video_id"], row.pop("person_no")), row.pop("batch")]
        known = str(stored.facts.get(person, {}).get("name", ""))
        said = given.get(person, Given())
        rows.append(
            row
            | {
                "person_id": person,
                "name": said.name or known,
                "is_known": bool(known),
                "hidden": said.hidden,
                "centroid": _unit(stored.clustering.centroids[at[person]]),
                "reach": stored.clustering.reach[at[person]],
                "crop": crop,
                "model": stored.extra["model"],
            }
        )
    return sorted(rows, key=lambda row: (-row["size"], -row["screen_s"], row["person_id"]))


def _crops(store: DatasetStore, chosen: pl.DataFrame) -> dict[tuple[str, str], bytes]:
    """The picture of each chosen person, by key and batch."""
    found = {}
    for (batch,), rows in chosen.group_by("batch"):
        videos = rows["best_video_id"].to_list()
        columns = ["video_id", "person_no", "crop"]
        for part in store.rows(PERSONS, str(batch), columns=columns, video_ids=videos):
            for row in part.to_pylist():
                key = person_key(row["video_id"], row["person_no"])
                found[key, str(batch)] = row["crop"]
    return found


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
