"""Topics stay themselves from night to night, in the tables that people read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from assets.clustering import given_names
from assets.clustering.given_names import TOPIC, Given
from assets.topics.clustering import republish
from assets.topics.facts import carried_name
from ml.vectors import ModelMismatch
from tests.unit.clustering.nights import DIMENSION, Nights, checks, figures, message, theme
from tests.unit.stores.engine import copied, opened_copy

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = "2026-11-20-001", "2026-11-21-001", "2026-11-22-001"
THEMES = (
    theme("cats", "kitten", 12, 0) | theme("cars", "engine", 10, 1) | theme("food", "soup", 8, 2)
)


@pytest.fixture(scope="module")
def loaded(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with three themes, to be copied."""
    with opened_copy(migrated, tmp_path_factory.mktemp("loaded")) as folder:
        Nights(folder).titles(FIRST, THEMES)
    return folder


@pytest.fixture(scope="module")
def with_topics(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after a night, to be copied."""
    with opened_copy(loaded, tmp_path_factory.mktemp("with-topics")) as folder:
        Nights(folder).run("topics")
    return folder


@pytest.fixture
def nights(loaded: Path, tmp_path: Path) -> Iterator[Nights]:
    with opened_copy(loaded, tmp_path) as folder:
        yield Nights(folder)


@pytest.fixture
def clustered(with_topics: Path, tmp_path: Path) -> Iterator[Nights]:
    with opened_copy(with_topics, tmp_path) as folder:
        yield Nights(folder)


def themes_of(nights: Nights) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for video, topic in nights.topic_of().items():
        found.setdefault(video.split("-")[0], set()).add(topic)
    return found


def test_themes_are_topics_with_names_and_exemplars(nights: Nights) -> None:
    result = nights.run("topics")
    assert themes_of(nights) == {"cats": {0}, "cars": {1}, "food": {2}}
    rows = nights.query("SELECT topic_id, name, size, length(exemplar_video_ids) FROM topics")
    assert [(i, size, shown) for i, _, size, shown in rows] == [(0, 12, 3), (1, 10, 3), (2, 8, 3)]
    assert "kitten" in rows[0][1]
    assert all(checks(result).values())
    assert nights.query("SELECT change, count() FROM topic_changes GROUP BY 1") == [("appeared", 3)]


def test_new_videos_join_their_topics_and_nobody_else_moves(clustered: Nights) -> None:
    before = clustered.topic_of()
    clustered.titles(SECOND, theme("cars", "engine", 3, 1, seed=1) | theme("odd", "zebra", 1, 9))
    said = message(clustered.run("topics"), "topics")
    after = clustered.topic_of()
    assert {v: after[v] for v in before} == before
    assert {after[f"cars-1-{i:03d}"] for i in range(3)} == {1}
    assert after["odd-0-000"] == -1
    assert "new videos joined" in said
    sources = "SELECT source, count() FROM video_topics GROUP BY 1 ORDER BY 1"
    assert clustered.query(sources) == [("clustered", 30), ("joined", 3), ("none", 1)]


def test_full_clustering_keeps_ids_and_finds_what_is_new(clustered: Nights) -> None:
    before = clustered.topic_of()
    clustered.titles(SECOND, theme("chess", "gambit", 9, 3))
    clustered.run("topics", recluster=True)
    after = clustered.topic_of()
    assert {v: after[v] for v in before} == before
    assert themes_of(clustered)["chess"] == {3}
    told = "SELECT change, topic_id FROM topic_changes WHERE clustering_no = 2"
    assert clustered.query(told) == [("appeared", 3)]


def test_flood_of_a_new_theme_asks_for_a_full_clustering_by_itself(clustered: Nights) -> None:
    clustered.titles(SECOND, theme("chess", "gambit", 9, 3))
    said = message(clustered.run("topics"), "topics")
    assert "belong to none where" in said
    assert themes_of(clustered)["chess"] == {3}


def test_unchanged_library_is_left_alone(clustered: Nights) -> None:
    files = {p: p.stat().st_mtime_ns for p in (clustered.folder / "data" / "indexes").rglob("*.*")}
    clustered.run("topics")
    assert {p: p.stat().st_mtime_ns for p in files} == files


def test_name_given_by_hand_and_hidden_flag_outlive_a_full_clustering(clustered: Nights) -> None:
    with clustered.tables.session("naming", lambda _: None) as client:
        given_names.write(client, TOPIC, 1, Given("Автомобили", hidden=True))
    republish(clustered.library, clustered.tables, lambda _: None)
    named = "SELECT topic_id, name, hidden FROM topics WHERE name = 'Автомобили'"
    assert clustered.query(named) == [(1, "Автомобили", True)]
    clustered.titles(SECOND, theme("cars", "engine", 9, 1, seed=1) | theme("chess", "gambit", 9, 3))
    clustered.run("topics", recluster=True)
    assert clustered.query(named) == [(1, "Автомобили", True)]


def test_deleted_videos_leave_and_a_topic_without_videos_has_no_row(clustered: Nights) -> None:
    clustered.titles(FIRST, {v: of for v, of in THEMES.items() if not v.startswith("food")})
    clustered.run("topics")
    assert themes_of(clustered) == {"cats": {0}, "cars": {1}}
    assert clustered.query("SELECT topic_id FROM topics ORDER BY 1") == [(0,), (1,)]
    clustered.titles(SECOND, theme("chess", "gambit", 9, 3))
    clustered.run("topics", recluster=True)
    assert themes_of(clustered)["chess"] == {3}, "the id of what vanished is never given again"


def test_tables_come_back_from_disk_when_clickhouse_was_lost(
    with_topics: Path, tmp_path: Path
) -> None:
    clustered = Nights(copied(with_topics, tmp_path))
    before = clustered.topic_of()
    shutil.rmtree(clustered.folder / "state" / "clickhouse")
    clustered.titles(FIRST, THEMES)
    said = message(clustered.run("topics"), "topics")
    assert clustered.topic_of() == before
    assert "a full clustering: these models' vectors were never clustered" in said


def test_other_model_starts_a_new_space_under_the_old_ids(clustered: Nights) -> None:
    before = clustered.topic_of()
    turned = {v: (z[::-1].copy(), title) for v, (z, title) in THEMES.items()}
    clustered.titles(FIRST, turned, model="multilingual@2")
    clustered.run("topics")
    assert clustered.topic_of() == before


def test_vectors_of_two_models_are_refused_with_what_mends_it(nights: Nights) -> None:
    nights.titles(SECOND, theme("more", "word", 3, 3), model="multilingual@2")
    with pytest.raises(ModelMismatch, match=r"title vectors were made by .*kadr ingest"):
        nights.run("topics")


def test_vectors_with_nan_are_refused_and_the_tables_stay(clustered: Nights) -> None:
    before = clustered.topic_of()
    clustered.titles(SECOND, {"bad": (np.full(DIMENSION, np.nan, np.float32), "bad")})
    with pytest.raises(ValueError, match="NaN"):
        clustered.run("topics")
    assert clustered.topic_of() == before


def test_empty_library_has_empty_tables_and_says_so(library_folder: Path) -> None:
    nights = Nights(library_folder)
    assert "no video with a vector" in message(nights.run("topics"), "topics")
    assert nights.query("SELECT count() FROM topics") == [(0,)]


def test_space_is_learnt_anew_when_the_library_has_outgrown_it(library_folder: Path) -> None:
    nights = Nights(library_folder)
    nights.titles(FIRST, theme("cats", "kitten", 6, 0) | theme("cars", "engine", 5, 1))
    nights.run("topics")
    many: dict = {}
    for place in range(2, 9):
        many |= theme(f"theme{place}", f"word{place}", 12, place)
    nights.titles(SECOND, many)
    nights.run("topics")
    groups = themes_of(nights)
    assert len({frozenset(ids) for name, ids in groups.items() if name.startswith("theme")}) == 7


def test_emptied_tables_are_refused_and_topics_are_back_when_they_are_loaded(
    clustered: Nights,
) -> None:
    before = clustered.topic_of()
    with clustered.tables.session("emptying", lambda _: None) as client:
        for table in ("batch_loads", "video_embeddings", "video_texts", "topics", "video_topics"):
            client.command(f"TRUNCATE TABLE {table}")
    clustered.titles(SECOND, theme("cats", "kitten", 3, 0, seed=5))
    with pytest.raises(dg.Failure, match=r"lack 1 batches.*kadr ingest SOURCE --all"):
        clustered.run("topics")
    clustered.titles(FIRST, THEMES)
    clustered.run("topics")
    after = clustered.topic_of()
    assert {video: after[video] for video in before} == before


def test_models_switched_off_and_on_again_bring_topics_back(clustered: Nights) -> None:
    before = clustered.topic_of()
    clustered.titles(FIRST, {})
    assert "no video with a vector" in message(clustered.run("topics"), "topics")
    assert clustered.topic_of() == {}
    clustered.titles(FIRST, THEMES)
    clustered.run("topics")
    assert clustered.topic_of() == before


def test_video_with_a_channel_of_its_own_moves_nobody(clustered: Nights) -> None:
    before = clustered.topic_of()
    clustered.titles(SECOND, theme("cats", "kitten", 1, 0, seed=7), channel="asr")
    assert "new videos joined" in message(clustered.run("topics"), "topics")
    after = clustered.topic_of()
    assert {video: after[video] for video in before} == before


def test_topic_that_vanishes_is_told_under_the_name_it_was_given(clustered: Nights) -> None:
    with clustered.tables.session("naming", lambda _: None) as client:
        given_names.write(client, TOPIC, 2, Given("Супы"))
    clustered.titles(FIRST, {v: of for v, of in THEMES.items() if not v.startswith("food")})
    clustered.run("topics", recluster=True)
    told = "SELECT change, topic_id, name FROM topic_changes WHERE clustering_no = 2"
    assert clustered.query(told) == [("vanished", 2, "Супы")]


@pytest.mark.parametrize("count", [1, 2])
def test_few_videos_have_no_topic_and_a_message(library_folder: Path, count: int) -> None:
    nights = Nights(library_folder)
    nights.titles(FIRST, theme("cats", "kitten", count, 0))
    assert "fewer than the 3 that make one" in message(nights.run("topics"), "topics")
    assert set(nights.topic_of().values()) == {-1}


def test_videos_that_are_all_the_same_are_one_topic_or_none_without_a_trace(
    library_folder: Path,
) -> None:
    nights = Nights(library_folder)
    (vector, title), *_ = THEMES.values()
    nights.titles(FIRST, {f"v{i}": (vector, title) for i in range(6)})
    nights.run("topics")
    assert len(set(nights.topic_of().values())) == 1


def test_suspiciously_large_topic_and_many_without_one_fail_their_checks(
    library_folder: Path,
) -> None:
    nights = Nights(library_folder)
    nights.titles(FIRST, theme("cats", "kitten", 30, 0) | theme("cars", "engine", 6, 1))
    assert checks(nights.run("topics"))["no_topic_is_suspiciously_large"] is False


def test_check_tells_how_far_topics_are_apart_and_what_joined_them(nights: Nights) -> None:
    said = figures(nights.run("topics"), "topics_are_separated")
    assert 0.3 < said["validity"] < 1 and said["looked_at"] == 3
    assert [name.split()[0] for name in sorted(said["least_separated"])] == ["0", "1", "2"]
    assert any("kitten" in name for name in said["least_separated"])
    assert "validity_without_joined" not in said
    nights.titles(SECOND, theme("cars", "engine", 3, 1, seed=1))
    after = figures(nights.run("topics"), "topics_are_separated")
    assert after["validity_without_joined"] == pytest.approx(said["validity"])
    assert after["validity"] != said["validity"]


def test_videos_shuffled_among_topics_fail_the_check_and_block_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = Nights(tmp_path)
    nights.titles(FIRST, theme("cats", "kitten", 90, 0) | theme("cars", "engine", 70, 1))

    def shuffled(z: np.ndarray, ids: list[str], *_: object) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat([0, 1], [90, len(ids) - 90])
        return np.random.default_rng(0).permutation(labels), np.ones(len(ids), np.float32)

    assert checks(nights.run("topics"))["topics_are_separated"]
    monkeypatch.setattr("ml.topics.clustering.cluster", shuffled)
    result = nights.run("topics", recluster=True)
    assert result.success
    assert not checks(result)["topics_are_separated"]
    assert figures(result, "topics_are_separated")["validity"] < 0


def test_topics_of_a_library_with_one_are_compared_with_nothing(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    vector = theme("cats", "kitten", 1, 0)["cats-0-000"]
    nights.titles(FIRST, {f"v{i}": vector for i in range(6)})
    result = nights.run("topics")
    assert checks(result)["topics_are_separated"]
    assert "nothing to compare" in figures(result, "topics_are_separated")["message"]


def test_name_is_carried_on_until_the_topic_has_drifted_away_from_it() -> None:
    before = {"name": "cat, кошка спит"}
    assert carried_name(before, ["dog", "cat"], "dog, cat") == "cat, кошка спит"
    assert carried_name(before, ["race", "engine"], "race, engine") == "race, engine"
    assert carried_name(None, ["race"], "race") == "race"
