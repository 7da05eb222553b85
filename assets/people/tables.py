"""The rows of ``people``, ``video_people``, ``people_changes``: clustering and datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

import sql
from assets.clustering import given_names
from assets.clustering.clustered import changes_table, lazily, source_of
from assets.clustering.given_names import PERSON, Given
from assets.clustering.store import StoredClustering
from assets.stores.datasets import DatasetStore
from assets.stores.resources import Library, Tables
from assets.stores.scratch import scratch_folder
from assets.tables.load import count_rows, loaded, replace_table
from ml.library_schemas import PEOPLE, PEOPLE_CHANGES, VIDEO_PEOPLE
from ml.schemas import PERSONS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OUTPUTS = (PEOPLE, VIDEO_PEOPLE, PEOPLE_CHANGES)
NOBODY = -1
SHOWN = 60  # faces on the contact sheet
_SEEN = [
    *("video_id", "person_no", "screen_share", "screen_s", "face_count", "first_s", "best_s"),
    *("starts_s", "ends_s", "quality"),
]
# Rows of ``people`` in memory at once, 6 kB of crop each.
_ROWS = 1024
_UNNAMED = pa.schema([f for f in PEOPLE.schema if f.name not in {"name", "hidden"}])


@dataclass(frozen=True)
class Shown:
    """What the tables hold.

    Attributes:
        rows: by table.
        people: person_id, name, hidden, size and crop of everybody, who appears in most videos
            first; only the first ``SHOWN`` who are not hidden have their crop, others ``b""``.
    """

    rows: Mapping[str, int]
    people: list[dict[str, Any]]


@dataclass(frozen=True)
class Prepared:
    """What the datasets tell of a clustering.

    Attributes:
        video_people: the rows of that table.
        people: an Arrow stream of the rows of ``people``, without what is given by hand.
    """

    video_people: pa.Table
    people: Path


def person_key(video_id: str, person_no: int) -> str:
    """The key of a person of a video among the members of the clustering."""
    return f"{video_id} {person_no}"


def video_of(key: str) -> str:
    """The video of a key."""
    return key.rpartition(" ")[0]


def bring_up(
    library: Library,
    tables: Tables,
    stored: StoredClustering,
    fingerprint: str,
    say: Callable[[str], None],
) -> Shown:
    """``publish`` with the names that were kept, reading datasets while no session is open.

    The embedded engine serves one program at a time: nobody waits for an object store.
    """
    with tables.session("looking at people", say) as client:
        given_names.keep(client, PERSON, library.storage)
        current = is_current(client, fingerprint)
    with ExitStack() as stack:
        prepared = None if current else stack.enter_context(prepare(library, stored))
        client = stack.enter_context(tables.session("writing people", say))
        return publish(client, library, stored, fingerprint, prepared)


def publish(
    client: Client,
    library: Library,
    stored: StoredClustering,
    fingerprint: str,
    prepared: Prepared | None = None,
) -> Shown:
    """Make the tables from the clustering, the batches and the names given by hand.

    Tables that are of this clustering are left as they are; names make ``people`` anew, from its
    own rows. Only other tables need the datasets.
    """
    if prepared is None and not is_current(client, fingerprint):
        with prepare(library, stored) as made:
            return publish(client, library, stored, fingerprint, made)
    given = given_names.read(client, PERSON)
    unnamed = _rows_of_table(client) if prepared is None else _rows_of_file(prepared.people)
    rows = {
        PEOPLE.name: replace_table(
            client,
            PEOPLE.name,
            (_named(part, stored, given) for part in unnamed),
            f"{fingerprint} {given_names.digest(given)}",
        ).rows,
        VIDEO_PEOPLE.name: replace_table(
            client,
            VIDEO_PEOPLE.name,
            prepared.video_people.to_batches() if prepared else (),
            fingerprint,
        ).rows,
        PEOPLE_CHANGES.name: replace_table(
            client,
            PEOPLE_CHANGES.name,
            lazily(lambda: changes_table(stored, PEOPLE_CHANGES)),
            fingerprint,
        ).rows,
    }
    return Shown(rows, _shown(client))


def is_current(client: Client, fingerprint: str) -> bool:
    """Whether the tables are of this clustering, under whatever names, and whole."""
    for table in (d.name for d in OUTPUTS):
        held = loaded(client, table)
        if held is None or count_rows(client, table) != held.rows:
            return False
        of = held.fingerprint
        if (of.rpartition(" ")[0] if table == PEOPLE.name else of) != fingerprint:
            return False
    return True


@contextmanager
def prepare(library: Library, stored: StoredClustering) -> Iterator[Prepared]:
    """Read the datasets. The crops go through a file: 20,000 people have 120 MB of them."""
    seen = _seen(library.datasets, stored)
    with scratch_folder(library.scratch, "people") as folder:
        path = folder / "people.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, _UNNAMED) as stream:
            for part in _people(library.datasets, stored, seen):
                stream.write_batch(part)
        yield Prepared(_video_rows(seen), path)


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


def _video_rows(seen: pl.DataFrame) -> pa.Table:
    return seen.select(VIDEO_PEOPLE.schema.names).to_arrow().cast(VIDEO_PEOPLE.schema)


def _people(
    store: DatasetStore, stored: StoredClustering, seen: pl.DataFrame
) -> Iterator[pa.RecordBatch]:
    """Rows of ``people``, a few at a time; one whose videos are gone has none."""
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
    for (batch,), of_batch in summed.group_by("batch", maintain_order=True):
        for rows, crops in _with_crops(store, str(batch), of_batch):
            yield _record_batch(of_batch[rows], crops, stored)


def _with_crops(
    store: DatasetStore, batch: str, chosen: pl.DataFrame
) -> Iterator[tuple[list[int], list[bytes]]]:
    """The rows of a batch's people with their pictures, in the order they are read."""
    faces = zip(chosen["best_video_id"], chosen["person_no"], strict=True)
    waiting = {face: row for row, face in enumerate(faces)}
    columns, videos = ["video_id", "person_no", "crop"], chosen["best_video_id"].to_list()
    for part in store.rows(PERSONS, batch, columns=columns, video_ids=videos):
        keys = zip(part["video_id"].to_pylist(), part["person_no"].to_pylist(), strict=True)
        found = {at: waiting.pop(face) for at, face in enumerate(keys) if face in waiting}
        if found:
            yield list(found.values()), part["crop"].take(list(found)).to_pylist()
    # The batch was run again between two looks at it: the next night has the picture.
    left = list(waiting.values())
    for start in range(0, len(left), _ROWS):
        some = left[start : start + _ROWS]
        yield some, [b""] * len(some)


def _record_batch(
    rows: pl.DataFrame, crops: list[bytes], stored: StoredClustering
) -> pa.RecordBatch:
    clustering, people = stored.clustering, rows["person_id"].to_list()
    order = np.argsort(clustering.ids)
    at = order[np.searchsorted(clustering.ids, people, sorter=order)]
    made: dict[str, Any] = {
        **{name: rows[name] for name in rows.columns},
        "is_known": [bool(_known(stored, person)) for person in people],
        "centroid": list(_unit(clustering.centroids[at])),
        "reach": clustering.reach[at],
        "crop": crops,
        "model": [stored.extra["model"]] * len(people),
    }
    arrays = [pa.array(made[field.name], field.type) for field in _UNNAMED]
    return pa.RecordBatch.from_arrays(arrays, schema=_UNNAMED)


def _rows_of_file(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def _rows_of_table(client: Client) -> Iterator[pa.RecordBatch]:
    ids = [row[0] for row in client.query("SELECT person_id FROM people ORDER BY 1").result_rows]
    for start in range(0, len(ids), _ROWS):
        some = ids[start : start + _ROWS]
        between = {"first": some[0], "last": some[-1]}
        rows = client.query_arrow(
            sql.statement("load/people_between"), parameters=between, use_strings=False
        )
        yield from rows.select(_UNNAMED.names).cast(_UNNAMED).to_batches()


def _named(
    rows: pa.RecordBatch, stored: StoredClustering, given: Mapping[int, Given]
) -> pa.RecordBatch:
    people = rows["person_id"].to_pylist()
    said = [given.get(person, Given()) for person in people]
    names = [of.name or _known(stored, person) for of, person in zip(said, people, strict=True)]
    named = rows.append_column("name", pa.array(names, pa.string()))
    return named.append_column("hidden", pa.array([of.hidden for of in said], pa.bool_()))


def _known(stored: StoredClustering, person: int) -> str:
    """The name that a picture gave."""
    return str(stored.facts.get(person, {}).get("name", ""))


def _shown(client: Client) -> list[dict[str, Any]]:
    people = list(client.query(sql.statement("load/shown_people")).named_results())
    first = [row["person_id"] for row in people if not row["hidden"]][:SHOWN]
    rows = client.query_arrow(
        "SELECT person_id, crop FROM people WHERE has({ids:Array(Int32)}, person_id)",
        parameters={"ids": first},
        use_strings=False,
    )
    crops = dict(zip(*(rows[name].to_pylist() for name in ("person_id", "crop")), strict=True))
    return [row | {"crop": crops.get(row["person_id"], b"")} for row in people]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
