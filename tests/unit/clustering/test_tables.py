"""Tables of people and topics are made when something changed, and hide who is hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

import sql
from assets.clustering import given_names
from assets.clustering.given_names import PERSON, TOPIC, Given
from assets.clustering.store import StoredClustering
from assets.people import tables as people_tables
from assets.people.tables import SHOWN, bring_up, prepare, publish
from assets.stores.datasets import READ_ROWS, DatasetStore
from assets.tables.load import replace_table
from assets.topics import tables as topic_tables
from ml.clustering.stable import recluster
from orchestration.commands.sql_output import ask
from tests.unit.clustering.nights import Nights, seen
from tests.unit.stores.engine import copied
from tests.unit.tables.small_library import record_batch, small_library

pytestmark = pytest.mark.slow

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
# Somebody in two videos each; Eileen (0) is known by a picture.
PEOPLE_COUNT = 3
BATCHES = {FIRST: "a", SECOND: "b"}


def crop(video: str) -> bytes:
    """Bytes that are no text."""
    return b"\xff\xd8\x00" + video.encode()


def made_up(nights: Nights, people: int = PEOPLE_COUNT) -> StoredClustering:
    """A clustering of people who are in one video of either batch, and the dataset behind it."""
    for batch, letter in BATCHES.items():
        videos = [f"{letter}{n:04}" for n in range(people)]
        nights.persons(batch, [seen(v, n % 100, crop=crop(v)) for n, v in enumerate(videos)])
    keys = [f"{letter}{n:04} 0" for letter in "ab" for n in range(people)]
    labels = np.tile(np.arange(people), 2)
    z = np.eye(128, dtype=np.float32)[labels % 100]
    return StoredClustering(
        recluster(keys, z, labels, np.ones(len(keys))),
        [FIRST] * people + [SECOND] * people,
        dict(BATCHES),
        made_by="m",
        facts={0: {"name": "Eileen"}},
        history=[],
        extra={"model": "m"},
    )


@pytest.fixture
def nights(library_folder: Path) -> Nights:
    return Nights(library_folder)


@pytest.fixture
def client(nights: Nights) -> Iterator[Client]:
    with nights.tables.session("testing", lambda _: None) as client:
        yield client


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The batches that are read, as it happens."""
    read: list[str] = []
    rows = DatasetStore.rows

    def noting(self: DatasetStore, dataset: Any, batch: str, **how: Any) -> Any:
        read.append(batch)
        return rows(self, dataset, batch, **how)

    monkeypatch.setattr(DatasetStore, "rows", noting)
    return read


def names(client: Client) -> dict[int, str]:
    return dict(client.query("SELECT person_id, name FROM people").result_rows)


def crops(client: Client) -> dict[str, bytes]:
    rows = client.query_arrow("SELECT best_video_id, crop FROM people", use_strings=False)
    return {row["best_video_id"].decode(): row["crop"] for row in rows.to_pylist()}


def loads(client: Client, table: str) -> int:
    asked = f"SELECT count() FROM batch_loads WHERE table = '{table}' AND event = 'loaded'"
    return int(client.query(asked).result_rows[0][0])


def test_everybody_has_a_row_with_their_own_picture(nights: Nights, client: Client) -> None:
    shown = publish(client, nights.library, made_up(nights), "1")
    assert shown.rows == {"people": 3, "video_people": 6, "people_changes": 0}
    assert names(client) == {0: "Eileen", 1: "", 2: ""}
    found = crops(client)
    assert len(found) == 3 and all(data == crop(video) for video, data in found.items())
    assert [row["crop"] for row in shown.people] == [crop(f"a{n:04}") for n in range(3)]
    lengths = "SELECT arraySum(x -> x * x, centroid) FROM people"
    assert client.query(lengths).result_columns[0] == pytest.approx([1, 1, 1], abs=1e-6)


def test_night_on_which_nothing_changed_reads_no_dataset(
    nights: Nights, client: Client, reads: list[str]
) -> None:
    stored = made_up(nights)
    first = publish(client, nights.library, stored, "1")
    assert set(reads) == set(BATCHES)
    reads.clear()
    assert publish(client, nights.library, stored, "1") == first
    assert reads == [] and loads(client, "people") == loads(client, "video_people") == 1


def test_naming_somebody_reads_no_dataset_and_makes_one_table_anew(
    nights: Nights, client: Client, reads: list[str]
) -> None:
    stored = made_up(nights)
    publish(client, nights.library, stored, "1")
    before, _ = crops(client), reads.clear()
    for said, expected in ((Given("Анна"), "Анна"), (Given("", hidden=True), "Eileen")):
        given_names.write(client, PERSON, 0, said)
        publish(client, nights.library, stored, "1")
        assert names(client) == {0: expected, 1: "", 2: ""}
    assert crops(client) == before
    assert client.query("SELECT person_id FROM people WHERE hidden").result_rows == [(0,)]
    assert reads == [] and (loads(client, "people"), loads(client, "video_people")) == (3, 1)


def test_next_clustering_and_emptied_table_are_written_again(
    nights: Nights, client: Client
) -> None:
    stored = made_up(nights)
    publish(client, nights.library, stored, "1")
    client.command("TRUNCATE TABLE video_people")
    assert publish(client, nights.library, stored, "1").rows["video_people"] == 6
    assert client.query("SELECT count() FROM video_people").result_rows == [(6,)]
    publish(client, nights.library, stored, "1 nobody")
    publish(client, nights.library, stored, "1")
    assert loads(client, "people") == 3, "a longer version is another one"


def test_datasets_are_read_while_the_tables_are_free(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, read = made_up(nights), DatasetStore.rows

    def asking(self: DatasetStore, *what: Any, **how: Any) -> Any:
        nights.query("SELECT 1")  # raises where this thread has a session open
        return read(self, *what, **how)

    monkeypatch.setattr(DatasetStore, "rows", asking)
    shown = bring_up(nights.library, nights.tables, stored, "1", lambda _: None)
    assert shown.rows["people"] == 3 and nights.query("SELECT count() FROM people") == [(3,)]


def test_crops_are_held_a_few_at_a_time_and_only_shown_ones_come_back(nights: Nights) -> None:
    count = 3 * READ_ROWS
    stored = made_up(nights, count)
    with prepare(nights.library, stored) as prepared:
        with pa.OSFile(str(prepared.people)) as source, pa.ipc.open_stream(source) as stream:
            sizes = [part.num_rows for part in stream]
        assert sum(sizes) == count and max(sizes) <= READ_ROWS
        with nights.tables.session("testing", lambda _: None) as client:
            given_names.write(client, PERSON, 1, Given(hidden=True))
            shown = publish(client, nights.library, stored, "1", prepared)
    assert not prepared.people.exists()
    assert len(shown.people) == count
    with_crop = [row["person_id"] for row in shown.people if row["crop"]]
    assert len(with_crop) == SHOWN and 1 not in with_crop


def test_person_whose_batch_changes_meanwhile_has_no_picture_and_stays(
    nights: Nights, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, times = made_up(nights), people_tables._times

    def run_again(store: DatasetStore, batch: str) -> Any:
        rows = times(store, batch)
        nights.persons(batch, [seen("a0001", 1, crop=crop("a0001"))])
        return rows

    monkeypatch.setattr(people_tables, "_times", run_again)
    publish(client, nights.library, stored, "1")
    assert crops(client) == {"a0000": b"", "a0001": crop("a0001"), "a0002": b""}


def test_naming_a_topic_makes_one_table_anew_and_nothing_new_makes_none(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = topics_of(["cats", "cars"])
    topic_tables.publish(client, stored, "1")
    made: list[str] = []
    for name in ("topic_rows", "_video_rows", "changes_table"):
        monkeypatch.setattr(topic_tables, name, noting(made, getattr(topic_tables, name)))
    assert topic_tables.publish(client, stored, "1")["topics"] == 2 and made == []
    given_names.write(client, TOPIC, 0, Given("Кошки"))
    topic_tables.publish(client, stored, "1")
    assert made == ["topic_rows"]
    named = "SELECT name FROM topics ORDER BY topic_id"
    assert client.query(named).result_columns == [["Кошки", "cars"]]


def noting(made: list[str], call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*what: Any) -> Any:
        made.append(call.__name__)
        return call(*what)

    return called


def topics_of(themes: list[str]) -> StoredClustering:
    keys = sorted(f"{theme}-{n}" for theme in themes for n in range(2))
    labels = np.array([themes.index(key.split("-")[0]) for key in keys])
    z = np.eye(len(themes), dtype=np.float32)[labels]
    said = {"terms": [], "exemplars": [], "taxonomy_path": "", "taxonomy_score": 0.0}
    facts = {
        n: said | {"name": theme, "found_name": theme, "map_x": 0.5, "map_y": 0.5}
        for n, theme in enumerate(themes)
    }
    clustering = recluster(keys, z, labels, np.ones(len(keys)))
    extra = {"model": "m"}
    return StoredClustering(clustering, [FIRST] * len(keys), {}, "m", facts, [], extra=extra)


SECRET = "do not show"
LOOKING = {
    **{file.name: sql.split(file.text)[0] for file in sql.queries()},
    **{f: f"SELECT * FROM {f.removeprefix('views/')}" for f in (v.name for v in sql.views())},
}


def where_it_shows(client: Client, hidden: bool) -> set[str]:
    """The queries and views that show the first person or the first topic."""
    rows = small_library()
    for table, key in (("people", "person_id"), ("topics", "topic_id"), ("topic_changes", "")):
        rows[table][0] |= {"name": SECRET} | ({"hidden": hidden} if key else {})
        parts = [record_batch(table, rows[table])]
        replace_table(client, table, parts, f"{hidden}")
    given_names.write(client, TOPIC, 0, Given(SECRET, hidden))
    given_names.write(client, PERSON, 0, Given(SECRET, hidden))
    found = set()
    for name, statement in LOOKING.items():
        with ask(client, statement) as answer:
            if any(SECRET in str(row) for row in answer.rows):
                found.add(name)
    return found


@pytest.fixture
def loaded(small: Path, tmp_path: Path) -> Iterator[Client]:
    """A library with rows in every table."""
    with Nights(copied(small, tmp_path)).tables.session("testing", lambda _: None) as client:
        yield client


def test_hidden_people_and_topics_are_in_no_query_and_no_view(loaded: Client) -> None:
    shown = where_it_shows(loaded, hidden=False)
    assert shown >= {
        *("views/timeline", "views/video_summary", "queries/people", "queries/people_together"),
        *("queries/topics", "queries/topic_videos", "queries/topic_changes"),
    }
    assert where_it_shows(loaded, hidden=True) == set()


def test_hiding_a_topic_leaves_its_videos_in_the_summary(loaded: Client) -> None:
    where_it_shows(loaded, hidden=True)
    asked = "SELECT topic FROM video_summary WHERE video_id IN ('v00', 'v01', 'v02') ORDER BY topic"
    assert loaded.query(asked).result_columns == [["", "", "topic 1"]]
