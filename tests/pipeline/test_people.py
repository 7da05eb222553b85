"""Who appears in clips of the sample library, over two nights and a full clustering."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.clustering.clustered import RECLUSTER_TAG
from assets.clustering.given_names import PERSON, Given, write
from assets.people.clustering import people
from assets.source.cutting import ingest
from ml.people.evaluate import Appearance, evaluate
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from samples.make import make_library

FIRST_NIGHT = ("space-02", "space-04", "cars-01", "money-04", "pets-03", "cooking-04")
SECOND_NIGHT = ("travel-03", "cooking-03", "travel-02")
STEPS = [dg.AssetKey(name) for name in ("videos", "frames", "motion", "audio", "faces", "persons")]
DAY = date(2026, 6, 9)
WHO = """
SELECT video_id, person_id, name FROM video_people LEFT JOIN people USING person_id
ORDER BY video_id
"""
APPEARANCES = "SELECT video_id, person_id, starts_s, ends_s FROM video_people"


@dataclass
class Nights:
    """A library of which only the steps of people are run, in this process."""

    source: Path
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def resource(self, name: str) -> Any:
        return (self.defs.resources or {})[name]

    def night(self, videos: tuple[str, ...]) -> None:
        batches = ingest(self._catalogue(videos), self.resource("library").batches, DAY, 100)
        for batch in batches.batches:
            self.instance.add_dynamic_partitions("batches", [batch])
            self.defs.resolve_job_def("batch").execute_in_process(
                partition_key=batch, instance=self.instance, asset_selection=STEPS
            )
        self.find_people()

    def find_people(self, **tags: str) -> None:
        dg.materialize([people], instance=self.instance, resources=self.defs.resources, tags=tags)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.resource("tables").session("asking", lambda _: None) as client:
            return [tuple(row) for row in client.query(text).result_rows]

    def name(self, video: str, name: str) -> None:
        who = {row[0]: row[1] for row in self.query(WHO)}
        with self.resource("tables").session("naming", lambda _: None) as client:
            write(client, PERSON, who[video], Given(name))

    def _catalogue(self, videos: tuple[str, ...]) -> str:
        rows = [row for row in rows_of(self.source / "catalogue.csv") if row["video_id"] in videos]
        path = self.source / f"{videos[0]}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return str(path)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """After the first night somebody unknown is given a name by hand."""
    folder = tmp_path_factory.mktemp("people")
    source = make_library(folder / "source", only=(*FIRST_NIGHT, *SECOND_NIGHT))
    defs = build_defs(Settings(data=str(folder / "data"), workers=1))
    shutil.copytree(source / "known_people", folder / "data" / "known_people")
    with dg.instance_for_test() as instance:
        nights = Nights(source, defs, instance)
        nights.night(FIRST_NIGHT)
        nights.name("cars-01", "Tom Harlan")
        nights.night(SECOND_NIGHT)
        yield nights


def test_everybody_is_recognised_in_later_videos_and_by_picture(two_nights: Nights) -> None:
    assert {video: name for video, _, name in two_nights.query(WHO)} == {
        "cars-01": "Tom Harlan",
        "cooking-03": "Nadia Okoro",
        "cooking-04": "",
        "money-04": "Tom Harlan",
        "pets-03": "",
        "space-02": "Nadia Okoro",
        "space-04": "Eileen Collins",
        "travel-02": "",
        "travel-03": "Tom Harlan",
    }


def test_nobody_is_taken_for_somebody_else(two_nights: Nights) -> None:
    known = [
        Appearance(row["video_id"], row["person"], [float(row["start_s"])], [float(row["end_s"])])
        for row in rows_of(two_nights.source / "truth" / "people.csv")
    ]
    found = [
        Appearance(video, str(person) if person >= 0 else "", starts, ends)
        for video, person, starts, ends in two_nights.query(APPEARANCES)
    ]
    result = evaluate(found, known, {})
    assert (result.pairs.precision, result.pairs.recall) == (1, 1)
    assert (result.not_found, result.strangers) == (0, 0)


def test_ids_and_names_survive_a_full_clustering(two_nights: Nights) -> None:
    before = two_nights.query(WHO)
    two_nights.find_people(**{RECLUSTER_TAG: "1"})
    assert two_nights.query(WHO) == before
    assert two_nights.query("SELECT DISTINCT change FROM people_changes") == [("appeared",)]
