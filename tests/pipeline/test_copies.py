"""Copies in a library that grows, batch by batch: found whatever the order, and gone with a file.

The clips are a part of the sample library: a copy without its sound, one shown left for right, one
that has the sound alone, and their originals.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.copies.tables import CopyTables, copy_tables
from assets.source.cutting import ingest
from assets.stores.resources import Library
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from samples.make import make_library
from tests.pipeline.conftest import Kadr as Command

COPIES = {
    ("copy-muted", "pets-01"): "duplicate",
    ("copy-mirrored", "space-04"): "duplicate",
    ("copy-soundtrack", "travel-05"): "hard_other_video_same_audio",
}
DAY = date(2026, 11, 20)
UP_TO_PAIRS = ("videos", "copy_descriptors", "audio_fingerprints", "duplicate_pairs")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    only = [video for pair in COPIES for video in pair]
    return make_library(tmp_path_factory.mktemp("copies"), only=only)


@dataclass
class Kadr:
    """A library without speech, text and topics, run in this process."""

    library: Library
    defs: dg.Definitions
    instance: dg.DagsterInstance
    source: Path

    def rows(self) -> list[dict[str, str]]:
        with (self.source / "catalogue.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def ingest(self, videos: list[str], **more: Any) -> tuple[str, ...]:
        """Cut the videos into batches in the order given, and say which are new."""
        rows = {row["video_id"]: row for row in self.rows()}
        path = self.source / "some.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[videos[0]]))
            writer.writeheader()
            writer.writerows(rows[video] for video in videos)
        return ingest(str(path), self.library.batches, DAY, 100, **more).batches

    def run(self, *batches: str) -> int:
        """Bring batches up to their pairs; how many comparisons that took."""
        compared = 0
        for batch in batches:
            self.instance.add_dynamic_partitions("batches", [batch])
            done = self.defs.resolve_job_def("batch").execute_in_process(
                partition_key=batch,
                instance=self.instance,
                asset_selection=[
                    dg.AssetKey(name) for name in (*UP_TO_PAIRS, "frames", "motion", "audio")
                ],
            )
            (event,) = done.asset_materializations_for_node("duplicate_pairs")
            compared += int(event.metadata["compared"].value)  # type: ignore[arg-type]
        return compared

    def tables(self) -> CopyTables:
        library = self.library
        return copy_tables(library.datasets, library.batches, library.batches.names())

    def pairs(self) -> dict[tuple[str, str], str]:
        rows = self.tables().pairs.to_pylist()
        return {(row["copy_id"], row["original_id"]): row["verdict"] for row in rows}


class Shop:
    """Makes libraries on copies of the sample's files, so that a test may change them."""

    def __init__(self, clips: Path, folder: Path, instance: dg.DagsterInstance) -> None:
        self.source = folder / "source"
        shutil.copytree(clips, self.source)
        self.folder, self.instance = folder, instance

    def new(self, name: str) -> Kadr:
        settings = Settings(data=str(self.folder / name), workers=1)
        defs = build_defs(settings)
        library: Library = (defs.resources or {})["library"]
        return Kadr(library, defs, self.instance, self.source)


@pytest.fixture
def shop(clips: Path, tmp_path: Path) -> Iterator[Shop]:
    with dg.instance_for_test() as instance:
        yield Shop(clips, tmp_path, instance)


def test_pairs_do_not_depend_on_the_order_of_batches(shop: Shop) -> None:
    names = [row["video_id"] for row in shop.new("any").rows()]
    found = []
    for order, size in ((names, 2), (names[::-1], 3)):
        kadr = shop.new("-".join(order))
        for start in range(0, len(order), size):
            kadr.run(*kadr.ingest(order[start : start + size]))
        found.append(kadr.tables())
    assert {(r["copy_id"], r["original_id"]): r["verdict"] for r in found[0].pairs.to_pylist()} == (
        COPIES
    )
    for other in found[1:]:
        assert other.pairs.equals(found[0].pairs)
        assert other.groups.equals(found[0].groups)
    assert all(not tables.backwards and not tables.not_compared for tables in found)


def test_only_what_is_new_is_compared(shop: Shop) -> None:
    kadr = shop.new("library")
    first = kadr.ingest(["pets-01", "copy-muted"])
    assert kadr.run(*first) == 1
    assert kadr.run(*first) == 0
    second = kadr.ingest(["space-04", "copy-mirrored"])
    assert kadr.run(*second) >= 1
    before = kadr.library.datasets.versions("duplicate_pairs")
    assert kadr.run(*first, *second) == 0
    assert kadr.library.datasets.versions("duplicate_pairs") == before


def test_a_file_that_is_replaced_takes_its_pairs_along_and_brings_its_own(shop: Shop) -> None:
    kadr = shop.new("library")
    older = kadr.ingest(["pets-01", "copy-muted", "space-04"])
    kadr.run(*older)
    assert kadr.pairs() == {("copy-muted", "pets-01"): "duplicate"}
    clips = shop.source / "clips"
    (muted,) = clips.glob("copy-muted.*")
    shutil.copyfile(next(clips.glob("copy-mirrored.*")), muted)
    newer = kadr.ingest(["pets-01", "copy-muted", "space-04"])
    assert kadr.pairs() == {}
    kadr.run(*kadr.library.batches.touched(), *newer)
    assert kadr.pairs() == {("copy-muted", "space-04"): "duplicate"}


def test_a_batch_that_is_deleted_takes_its_pairs_along(shop: Shop) -> None:
    kadr = shop.new("library")
    first, second = kadr.ingest(["pets-01"]), kadr.ingest(["copy-muted"])
    kadr.run(*first, *second)
    assert set(kadr.pairs()) == {("copy-muted", "pets-01")}
    kadr.library.storage.delete(f"batches/{first[0]}.parquet")
    assert kadr.pairs() == {}


def test_a_licence_that_comes_later_is_hit_without_a_new_comparison(shop: Shop) -> None:
    kadr = shop.new("library")
    batches = kadr.ingest(["pets-01", "copy-muted"])
    kadr.run(*batches)
    assert kadr.tables().hits.num_rows == 0
    assert kadr.ingest(["pets-01"], licensed=True) == ()
    assert kadr.run(*kadr.library.batches.touched()) == 0
    (hit,) = kadr.tables().hits.to_pylist()
    assert (hit["video_id"], hit["licence_id"]) == ("copy-muted", "pets-01")
    assert hit["matched_s"] == pytest.approx(6, abs=1)


def test_the_command_line_fills_the_tables(finished: Command) -> None:
    found = finished.query("SELECT copy_id, original_id, verdict FROM duplicate_pairs")
    assert ("copy-muted", "pets-01", "duplicate") in found
    in_group = finished.query("SELECT video_id FROM duplicate_groups WHERE group_id = 'pets-01'")
    assert {("pets-01",), ("copy-muted",)} <= set(in_group)
    assert finished.query("SELECT count() FROM copyright_hits") == [(0,)]


def test_the_command_line_evaluates_the_tables(finished: Command, sample: Path) -> None:
    truth = str(sample / "truth" / "pairs.csv")
    figures = json.loads(finished.run("evaluate", "copies", "--truth", truth, "--json").stdout)
    assert figures["final"]["f1"] == 1.0
    assert figures["copy_seconds"]["precision"] >= 0.95
    assert figures["copy_seconds"]["recall"] >= 0.9
