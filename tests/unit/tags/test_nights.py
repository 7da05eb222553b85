"""Tags and keywords from night to night, in the tables that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.stores.batches import Batch, SourceVideo
from assets.stores.datasets import Ledger
from assets.stores.kept import problems_of
from assets.stores.resources import Library, Models, Tables
from assets.tags.keywords import keywords
from assets.tags.model import tag_model
from assets.tags.problems import kept_for_tags
from assets.tags.video_tags import tags
from ml.schemas import VIDEOS
from ml.taxonomy import TaxonomyError
from tests.unit.stores.engine import opened_copy
from tests.unit.tables.small_library import record_batch

pytestmark = pytest.mark.slow

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
TAXONOMY = (
    "level 1,level 2,level 3,aliases\nAnimals,,,\nAnimals,Cats,,kitten|кошка\nCars,,,engine\n"
)
CATS = {f"cat-{n}": f"My kitten and the ball, part {n}" for n in range(8)}
CARS = {f"car-{n}": f"A new engine for the racing car {n}" for n in range(8)}
FILED = dict.fromkeys(CATS, "Animals: Cats") | dict.fromkeys(CARS, "Cars")


@dataclass
class Nights:
    """A library of titles, on which the steps of tags are run as Dagster runs them."""

    folder: Path
    taxonomy: str = ""

    @property
    def library(self) -> Library:
        state = str(self.folder / "state")
        return Library(root=str(self.folder / "data"), state=state, taxonomy=self.taxonomy)

    @property
    def tables(self) -> Tables:
        return Tables(url=f"chdb://{self.folder / 'state' / 'clickhouse'}")

    def videos(
        self, batch: str, titles: dict[str, str], filed: dict[str, str] | None = None
    ) -> None:
        """Write a batch of the dataset ``videos``: id to title, and id to the catalogue's tags."""
        library, filed = self.library, filed or {}
        listed = tuple(SourceVideo(v, f"/{v}.mp4", "1") for v in titles)
        if not library.batches.exists(batch):
            library.batches.write(Batch(batch, listed))
        rows = [
            {"video_id": v, "status": "ok", "title": t, "tags": filed.get(v, "")}
            for v, t in titles.items()
        ]
        with library.datasets.replace(VIDEOS, batch) as new:
            new.write(record_batch("videos", rows))
            new.publish(Ledger("decoder", {v: f"{t} {filed.get(v)}" for v, t in titles.items()}))

    def run(self) -> dict[str, dict[str, Any]]:
        """Metadata by asset."""
        resources = {"library": self.library, "tables": self.tables, "models": Models(device="cpu")}
        result = dg.materialize([tag_model, tags, keywords], resources=resources)
        self.checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
        return {
            e.asset_key.path[-1]: {
                name: value.value
                for name, value in e.step_materialization_data.materialization.metadata.items()
            }
            for e in result.get_asset_materialization_events()
            if e.asset_key
        }

    def problems(self) -> list[str]:
        """What is wrong with what tags keep."""
        return [p.what for p in problems_of(self.library, kept_for_tags(self.library))]

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.tables.session("asking", lambda _: None) as client:
            return [tuple(row) for row in client.query(text).result_rows]

    def tags_of(self) -> dict[str, tuple[str, str]]:
        rows = self.query("SELECT video_id, path, source FROM video_tags WHERE rank = 1")
        return {video: (path, source) for video, path, source in rows}


@pytest.fixture
def nights(library_folder: Path) -> Nights:
    return with_taxonomy(library_folder)


def with_taxonomy(folder: Path) -> Nights:
    path = folder / "taxonomy.csv"
    path.write_text(TAXONOMY, encoding="utf-8")
    return Nights(folder, str(path))


@pytest.fixture(scope="module")
def with_model(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library after a night that had labels to learn from, to be copied."""
    with opened_copy(migrated, tmp_path_factory.mktemp("with-model")) as folder:
        nights = with_taxonomy(folder)
        nights.videos(FIRST, CATS | CARS, FILED)
        nights.run()
    return folder


@pytest.fixture
def trained(with_model: Path, tmp_path: Path) -> Iterator[Nights]:
    with opened_copy(with_model, tmp_path) as folder:
        yield Nights(folder, str(folder / "taxonomy.csv"))


def test_videos_are_filed_by_their_words_where_nothing_is_to_learn_from(nights: Nights) -> None:
    nights.videos(FIRST, {"a": "Кормим кошку", "b": "Тихий вечер", "c": ""})
    made = nights.run()
    assert nights.tags_of() == {"a": ("Animals: Cats", "zero_shot")}
    assert made["video_tags"]["of_these_without_a_tag"] == 2
    assert "no model: 0 videos have tags" in made["tag_model"]["message"]
    assert nights.query("SELECT path, level FROM tags ORDER BY path") == [
        ("Animals", 1), ("Animals: Cats", 2), ("Cars", 1),
    ]  # fmt: skip


def test_only_new_videos_are_filed(nights: Nights) -> None:
    nights.videos(FIRST, CATS)
    nights.run()
    nights.videos(SECOND, CARS)
    made = nights.run()["video_tags"]
    assert (made["batches_made"], made["batches_unchanged"]) == (1, 1)
    again = nights.run()
    assert again["video_tags"]["batches_made"] == 0
    assert again["video_keywords"]["batches_made"] == 0


def test_changed_taxonomy_files_all_anew(nights: Nights) -> None:
    nights.videos(FIRST, CARS)
    nights.run()
    before = nights.query("SELECT tag_id FROM tags WHERE path = 'Cars'")
    Path(nights.taxonomy).write_text(TAXONOMY + "Cars,Racing,,racing car\n", encoding="utf-8")
    nights.run()
    assert set(nights.tags_of().values()) == {("Cars: Racing", "zero_shot")}
    assert nights.query("SELECT tag_id FROM tags WHERE path = 'Cars'") == before


def test_videos_are_filed_as_the_catalogue_files_others(nights: Nights) -> None:
    filed = dict.fromkeys(CATS, "animals:cats") | dict.fromkeys(CARS, "Cars")
    nights.videos(FIRST, CATS | CARS, filed)
    nights.videos(SECOND, {"new": "The ball of my kitten", "other": "racing car engine"})
    made = nights.run()
    found = nights.tags_of()
    assert found["new"] == ("Animals: Cats", "trained")
    assert found["other"] == ("Cars", "trained")
    assert found["cat-0"] == ("Animals: Cats", "catalogue")
    assert "trained on 16 videos" in made["tag_model"]["message"]
    scores = dict(
        nights.query(
            "SELECT method, iou FROM tag_evaluation WHERE split = 'random' AND scope = 'all'"
        )
    )
    assert scores["trained"] > scores["constant"]
    assert nights.query("SELECT count() FROM tag_evaluation WHERE method = 'zero_shot'") != [(0,)]


def test_model_is_trained_again_only_when_labels_change(trained: Nights) -> None:
    model = trained.library.storage.url("indexes/tag_model")
    was = {p.name: p.stat().st_mtime_ns for p in Path(model).iterdir()}
    trained.videos(SECOND, {"new": "kitten"})
    trained.run()
    assert {p.name: p.stat().st_mtime_ns for p in Path(model).iterdir()} == was


def test_a_few_more_labels_change_nobodys_tags(trained: Nights) -> None:
    trained.videos(SECOND, {"new": "kitten"}, {"new": "Animals: Cats"})
    made = trained.run()
    assert (made["video_tags"]["batches_made"], made["video_tags"]["batches_unchanged"]) == (1, 1)
    assert "trained on 16 videos" in made["tag_model"]["message"]


def test_taxonomy_in_another_order_is_learnt_anew(nights: Nights) -> None:
    nights.videos(FIRST, CATS | CARS, FILED)
    nights.videos(SECOND, {"new": "kitten and ball"})
    nights.run()
    head, *rows = TAXONOMY.strip().splitlines()
    Path(nights.taxonomy).write_text("\n".join([head, *reversed(rows)]), encoding="utf-8")
    nights.run()
    assert nights.tags_of()["new"] == ("Animals: Cats", "trained")


@pytest.mark.parametrize("file", ["tag_model/about.json", "tag_model/tag_model.npz"])
def test_damaged_model_is_trained_anew(trained: Nights, file: str) -> None:
    assert trained.problems() == []
    Path(trained.library.storage.url(f"indexes/{file}")).write_bytes(b"{")
    (told,) = trained.problems()
    assert told.startswith("tag_model is damaged: ") and Path(file).name in told
    trained.videos(SECOND, {"new": "kitten and ball"})
    trained.run()
    assert trained.tags_of()["new"] == ("Animals: Cats", "trained")
    assert trained.problems() == []


def test_damaged_counts_and_vectors_are_made_again(nights: Nights) -> None:
    nights.videos(FIRST, CATS)
    nights.run()
    assert nights.problems() == []
    indexes = Path(nights.library.storage.url("indexes"))
    counts = bytearray((indexes / "keywords/frequencies.npz").read_bytes())
    counts[len(counts) // 2] ^= 1
    (indexes / "keywords/frequencies.npz").write_bytes(counts)
    (indexes / "tags/vectors.npz").write_bytes(b"PK")
    vectors, words = nights.problems()
    assert vectors.startswith("tags is damaged: vectors.npz can't be read")
    assert words == "keywords is damaged: frequencies.npz was altered: its checksum is another"
    nights.videos(SECOND, CARS)
    nights.run()
    assert (len(nights.tags_of()), nights.problems()) == (16, [])


def test_labelled_videos_without_a_word_are_filed_by_the_catalogue_alone(nights: Nights) -> None:
    filed = {f"v{n}": "Cars" if n % 2 else "Animals" for n in range(12)}
    nights.videos(FIRST, dict.fromkeys(filed, ""), filed)
    assert "no model: " in nights.run()["tag_model"]["message"]
    assert nights.tags_of()["v1"] == ("Cars", "catalogue")


def test_training_that_was_killed_is_not_taken_for_the_one_before(
    trained: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = dict.fromkeys(CATS, "Cars") | dict.fromkeys(CARS, "Animals: Cats")
    trained.videos(FIRST, CATS | CARS, swapped)
    with monkeypatch.context() as killed:
        killed.setattr("assets.tags.model._kept", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trained.run()
    trained.videos(FIRST, CATS | CARS, FILED)
    trained.videos(SECOND, {"new": "kitten and ball"})
    trained.run()
    assert trained.tags_of()["new"] == ("Animals: Cats", "trained")


def test_one_tag_for_all_teaches_nothing(nights: Nights) -> None:
    nights.videos(
        FIRST, CATS | {"c9": "kitten", "c8": "ball"}, dict.fromkeys([*CATS, "c9", "c8"], "Cars")
    )
    nights.videos(SECOND, {"new": "A kitten"})
    made = nights.run()
    assert "all 10 have the same tags" in made["tag_model"]["message"]
    assert nights.tags_of()["new"] == ("Animals: Cats", "zero_shot")


def test_zero_byte_in_a_title_stops_nobody(nights: Nights) -> None:
    nights.videos(FIRST, CATS | CARS | {"cat-0": "My kitten\0 and the ball"}, FILED)
    nights.videos(SECOND, {"new": "kitten\0 and ball"})
    nights.run()
    assert nights.tags_of()["new"] == ("Animals: Cats", "trained")


def test_tag_below_the_catalogues_own_is_not_told_beside_it(nights: Nights) -> None:
    nights.videos(FIRST, {"a": "kitten"}, {"a": "Animals"})
    nights.run()
    assert nights.query("SELECT path, source FROM video_tags") == [("Animals", "catalogue")]


def test_tag_that_the_taxonomy_lacks_is_told(nights: Nights) -> None:
    nights.videos(FIRST, CATS, dict.fromkeys(CATS, "Animals: Cats: Persian"))
    nights.run()
    check = nights.checks["catalogue_tags_are_in_the_taxonomy"]
    assert not check.passed
    assert "Animals: Cats: Persian" in str(check.metadata["problems"].value)
    assert set(nights.tags_of().values()) == {("Animals: Cats", "catalogue")}


def test_file_that_is_no_taxonomy_is_an_error_in_words(nights: Nights) -> None:
    Path(nights.taxonomy).write_text("", encoding="utf-8")
    nights.videos(FIRST, CATS)
    with pytest.raises(TaxonomyError, match="no entries"):
        nights.run()


def test_empty_library_has_empty_tables(nights: Nights) -> None:
    nights.run()
    assert nights.query("SELECT count() FROM video_tags") == [(0,)]
    assert nights.query("SELECT count() FROM video_keywords") == [(0,)]


def test_keywords_tell_videos_apart(nights: Nights) -> None:
    nights.videos(FIRST, CATS | CARS | {"x": "Шахматы: ферзь против ладьи"})
    nights.run()
    found = nights.query("SELECT keyword, language FROM video_keywords WHERE video_id = 'x'")
    assert {"ферзь", "ладья"} <= {word for word, _ in found}
    assert {language for _, language in found} <= {"ru", ""}
