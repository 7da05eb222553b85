"""People stay themselves from night to night, in the tables that people read."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assets.clustering import given_names
from assets.clustering.given_names import PERSON, Given
from assets.people.clustering import republish
from assets.people.tables import video_of
from ml.clustering.stable import Members
from ml.people.clustering import Clustering
from ml.people.known import Known
from ml.people.newcomers import waits_for_a_name
from ml.vectors import ModelMismatch
from tests.unit.clustering.nights import Nights, checks, figures, message, seen
from tests.unit.stores.engine import opened_copy

pytestmark = pytest.mark.slow

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
# Anna (0) in three videos, Boris (1) in two, five others in one each.
PERSONS = [
    *(seen(video, 0) for video in ("a1", "a2", "ab")),
    *(seen(video, 1, no=1) for video in ("ab", "b2")),
    *(seen(f"c{n}", n) for n in range(2, 7)),
]


@pytest.fixture(scope="module")
def with_people(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library after a night, to be copied."""
    with opened_copy(migrated, tmp_path_factory.mktemp("with-people")) as folder:
        nights = Nights(folder)
        nights.persons(FIRST, PERSONS)
        nights.run("people")
    return folder


@pytest.fixture
def nights(library_folder: Path) -> Nights:
    nights = Nights(library_folder)
    nights.persons(FIRST, PERSONS)
    return nights


@pytest.fixture
def clustered(with_people: Path, tmp_path: Path) -> Iterator[Nights]:
    with opened_copy(with_people, tmp_path) as folder:
        yield Nights(folder)


def who(nights: Nights) -> dict[tuple[str, int], int]:
    rows = nights.query("SELECT video_id, person_no, person_id FROM video_people")
    return {(video, no): person for video, no, person in rows}


def test_who_appears_in_several_videos_is_one_person_and_the_others_stay_alone(
    nights: Nights,
) -> None:
    result = nights.run("people")
    found = who(nights)
    assert [found[v, 0] for v in ("a1", "a2", "ab")] == [0, 0, 0]
    assert [found[v, 1] for v in ("ab", "b2")] == [1, 1]
    assert {found[f"c{n}", 0] for n in range(2, 7)} == {-1}
    rows = "SELECT person_id, size, face_count, screen_s, name FROM people ORDER BY 1"
    assert nights.query(rows) == [(0, 3, 6, 3.0, ""), (1, 2, 4, 2.0, "")]
    assert all(checks(result).values())


def test_persons_of_a_video_are_ranked_by_their_time_on_screen(library_folder: Path) -> None:
    nights = Nights(library_folder)
    nights.persons(FIRST, [seen("v", 0, screen_s=9.0), seen("v", 1, no=1, screen_s=2.0)])
    nights.run("people")
    ranks = "SELECT person_no, rank FROM video_people ORDER BY rank"
    assert nights.query(ranks) == [(0, 1), (1, 2)]


def test_new_video_joins_its_person_and_nobody_else_moves(clustered: Nights) -> None:
    before = who(clustered)
    clustered.persons(SECOND, [seen("a9", 0), seen("d9", 20)])
    said = message(clustered.run("people"), "people")
    after = who(clustered)
    assert {key: after[key] for key in before} == before
    assert (after["a9", 0], after["d9", 0]) == (0, -1)
    assert "new persons joined" in said
    assert clustered.query("SELECT size FROM people WHERE person_id = 0") == [(4,)]


def test_two_newcomers_of_one_video_are_never_one_person(clustered: Nights) -> None:
    clustered.persons(SECOND, [seen("a9", 0, no=0, apart=0.05), seen("a9", 0, no=1, apart=0.3)])
    clustered.run("people")
    after = who(clustered)
    assert (after["a9", 0], after["a9", 1]) == (0, -1)


def test_full_clustering_keeps_ids_and_finds_who_is_new(clustered: Nights) -> None:
    before = who(clustered)
    clustered.persons(SECOND, [seen("d8", 20), seen("d9", 20)])
    clustered.run("people", recluster=True)
    after = who(clustered)
    assert {key: after[key] for key in before} == before
    assert (after["d8", 0], after["d9", 0]) == (2, 2)
    told = "SELECT change, person_id FROM people_changes WHERE clustering_no = 2"
    assert clustered.query(told) == [("appeared", 2)]


def test_name_given_by_hand_outlives_a_full_clustering(clustered: Nights) -> None:
    with clustered.tables.session("naming", lambda _: None) as client:
        given_names.write(client, PERSON, 0, Given("Анна"))
    republish(clustered.library, clustered.tables, lambda _: None)
    clustered.persons(SECOND, [seen("d8", 20), seen("d9", 20)])
    clustered.run("people", recluster=True)
    assert clustered.query("SELECT name FROM people WHERE person_id = 0") == [("Анна",)]


def say(nights: Nights, person: int, name: str) -> None:
    with nights.tables.session("naming", lambda _: None) as client:
        given_names.write(client, PERSON, person, Given(name))
    republish(nights.library, nights.tables, lambda _: None)


def names(nights: Nights) -> dict[int, str]:
    return dict(nights.query("SELECT person_id, name FROM people"))


def test_persons_who_swap_numbers_when_a_batch_is_run_again_keep_their_names(
    library_folder: Path,
) -> None:
    nights = Nights(library_folder)
    videos = ("v1", "v2", "v3")
    nights.persons(FIRST, [seen(v, p, no=p) for v in videos for p in (0, 1)])
    nights.run("people")
    was = who(nights)
    say(nights, was["v1", 0], "Anna")
    say(nights, was["v1", 1], "Boris")
    nights.persons(FIRST, [seen(v, 1 - no, no=no) for v in videos for no in (0, 1)])
    nights.run("people", recluster=True)
    assert who(nights) == {(v, no): was[v, 1 - no] for v in videos for no in (0, 1)}
    assert names(nights) == {was["v1", 0]: "Anna", was["v1", 1]: "Boris"}


def test_stranger_in_the_files_that_replace_hers_is_not_her(clustered: Nights) -> None:
    say(clustered, 0, "Anna")
    others = [row for row in PERSONS if row["video_id"] not in {"a1", "a2", "ab"}]
    clustered.persons(FIRST, [*others, *(seen(video, 40) for video in ("a1", "a2", "ab"))])
    clustered.run("people", recluster=True)
    assert names(clustered) == {2: ""}
    told = (
        "SELECT change, person_id, name FROM people_changes WHERE clustering_no = 2 ORDER BY 1, 2"
    )
    assert clustered.query(told) == [
        ("appeared", 2, ""),
        ("vanished", 0, "Anna"),
        ("vanished", 1, ""),
    ]


def test_ids_and_names_outlive_another_faces_model(clustered: Nights) -> None:
    say(clustered, 0, "Anna")
    alone = [row for row in PERSONS if row["video_id"] != "ab"]
    turned = [{**row, "embedding": row["embedding"][::-1]} for row in alone]
    clustered.persons(FIRST, turned, model="packaged:mtcnn-dlib+other")
    clustered.run("people")
    assert names(clustered) == {0: "Anna"}


def test_people_are_found_after_nights_without_anybody(library_folder: Path) -> None:
    nights = Nights(library_folder)
    nights.persons(FIRST, [])
    nights.run("people")
    nights.persons(SECOND, [seen("s1", 7), seen("s2", 8)])
    assert "0 people among 2" in message(nights.run("people"), "people")
    nights.persons("2026-11-22-001", [*PERSONS, seen("s3", 7)])
    nights.run("people")
    assert sorted(nights.query("SELECT size FROM people")) == [(2,), (2,), (3,)]


def test_faces_switched_off_and_on_again_bring_everybody_back(clustered: Nights) -> None:
    say(clustered, 0, "Anna")
    before = who(clustered)
    clustered.persons(FIRST, [], model="off")
    assert "no clear face" in message(clustered.run("people"), "people")
    assert who(clustered) == {}
    clustered.persons(FIRST, PERSONS)
    clustered.run("people")
    assert who(clustered) == before
    assert names(clustered)[0] == "Anna"


def test_state_that_was_lost_gives_nobody_the_name_of_somebody_else(clustered: Nights) -> None:
    say(clustered, 0, "Anna")
    shutil.rmtree(Path(clustered.library.storage.url("indexes/people")))
    clustered.run("people")
    assert names(clustered) == {2: "", 3: ""}


def test_names_given_by_hand_outlive_an_emptied_clickhouse(clustered: Nights) -> None:
    say(clustered, 0, "Anna")
    for table in ("given_names", "people", "batch_loads"):
        with clustered.tables.session("emptying", lambda _: None) as client:
            client.command(f"TRUNCATE TABLE {table}")
    clustered.run("people")
    assert names(clustered) == {0: "Anna", 1: ""}


def test_two_people_who_become_one_keep_the_name_that_one_of_them_had(library_folder: Path) -> None:
    nights = Nights(library_folder)
    older = [seen(f"v{n}", 0) for n in range(3)]
    younger = [seen(f"w{n}", 1) for n in range(2)]
    nights.persons(FIRST, older + younger)
    nights.run("people")
    say(nights, 1, "Anna")
    between = np.add(older[0]["embedding"], younger[0]["embedding"])
    same = (between / np.linalg.norm(between)).tolist()
    nights.persons(FIRST, [{**row, "embedding": same} for row in older + younger], "m")
    nights.run("people")
    assert names(nights) == {0: "Anna"}
    told = "SELECT change, name, other_ids FROM people_changes WHERE clustering_no = 2"
    assert nights.query(told) == [("merged", "Anna", [0, 1])]


def test_second_face_of_somebody_known_asks_for_nothing(tmp_path: Path) -> None:
    z = np.array([seen("v", 0)["embedding"]] * 3, np.float32)
    ids, joined = np.array([0, -1, -1], np.int32), np.array([True, True, True])
    some = Members(["v 0", "v 1", "w 0"], z, ids, ids * 0.0, ids * 0.0, joined)
    known = Known(["Anna"], z[:1], [])
    first_two = Members(*(np.asarray(part)[:2] for part in vars(some).values()))
    assert not waits_for_a_name(first_two, known, 0.34, video_of)
    assert waits_for_a_name(some, known, 0.34, video_of)


def test_deleted_video_takes_its_persons_along(clustered: Nights) -> None:
    clustered.persons(FIRST, [row for row in PERSONS if row["video_id"] not in {"ab", "b2"}])
    clustered.run("people")
    assert set(who(clustered).values()) == {0, -1}
    assert clustered.query("SELECT person_id, size FROM people") == [(0, 2)]


@pytest.mark.parametrize("persons", [[], [seen("v", 0)]], ids=["nobody", "one"])
def test_library_in_which_nobody_appears_twice_has_no_people(
    library_folder: Path, persons: list
) -> None:
    nights = Nights(library_folder)
    nights.persons(FIRST, persons)
    said = message(nights.run("people"), "people")
    assert "no people" in said or "0 people among 1" in said
    assert nights.query("SELECT count() FROM people") == [(0,)]


def test_videos_that_are_all_the_same_show_one_person(library_folder: Path) -> None:
    nights = Nights(library_folder)
    same = seen("v", 3)["embedding"]
    nights.persons(FIRST, [seen(f"v{n}", 3, embedding=same) for n in range(6)])
    nights.run("people")
    assert nights.query("SELECT size FROM people") == [(6,)]


def test_persons_of_two_models_are_refused_with_what_mends_it(nights: Nights) -> None:
    nights.persons(SECOND, [seen("z", 9)], model="other faces")
    with pytest.raises(ModelMismatch, match=r"made by other faces and by packaged.*kadr ingest"):
        nights.run("people")


def test_vectors_with_nan_are_refused_and_the_tables_stay(clustered: Nights) -> None:
    before = who(clustered)
    clustered.persons(SECOND, [seen("bad", 9, embedding=[float("nan")] * 128)])
    with pytest.raises(ValueError, match=r"persons in batch 2026-11-21-001 hold NaN.*bad 0"):
        clustered.run("people")
    assert who(clustered) == before


def picture(nights: Nights, name: str, pixels: np.ndarray, file: str = "1.jpg") -> None:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=95)
    nights.library.known_faces.put_bytes(data.getvalue(), f"{name}/{file}")


def test_known_people_name_who_they_show_and_bad_pictures_are_told(library_folder: Path) -> None:
    from skimage.data import astronaut, coffee

    from ml.faces import PACKAGED, load_face_finder

    nights = Nights(library_folder)
    (face, *_) = load_face_finder(PACKAGED, profile="embedded", device="cpu").faces_of(astronaut())
    own = {"embedding": [float(v) for v in face.embedding]}
    others = [seen(f"c{n}", n) for n in range(2, 5)]
    nights.persons(FIRST, [seen("space", 0, **own), *others])
    picture(nights, "Eileen Collins", astronaut())
    picture(nights, "Nobody", coffee())
    picture(nights, "Two", np.concatenate([astronaut(), astronaut()], axis=1))
    nights.library.known_faces.put_bytes(b"not a picture", "Broken/1.jpg")
    result = nights.run("people")
    rows = nights.query("SELECT name, is_known, size FROM people")
    assert rows == [("Eileen Collins", True, 1)]
    assert checks(result)["known_people_are_usable"] is False
    (problems,) = (
        e.metadata["problems"].value
        for e in result.get_asset_check_evaluations()
        if e.check_name == "known_people_are_usable"
    )
    said = " ".join(problems)
    assert "known_people/Nobody/1.jpg shows no face" in said
    assert "known_people/Two/1.jpg shows two faces" in said
    assert "known_people/Broken/1.jpg cannot be read" in said


def test_check_tells_how_far_people_are_apart(nights: Nights) -> None:
    said = figures(nights.run("people"), "people_are_separated")
    assert 0.8 < said["validity"] < 1
    assert set(said["least_separated"]) == {"0", "1"}


def test_persons_shuffled_among_people_fail_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shuffled(x: np.ndarray, *_: object, **__: object) -> Clustering:
        labels = np.random.default_rng(0).permutation(np.arange(len(x)) % 20)
        return Clustering(labels, np.ones(len(x), np.float32))

    nights = Nights(tmp_path)
    nights.persons(FIRST, [seen(f"v{n}-{no}", n) for n in range(20) for no in range(8)])
    assert checks(nights.run("people"))["people_are_separated"]
    monkeypatch.setattr("ml.people.clustering.cluster_people", shuffled)
    result = nights.run("people", recluster=True)
    assert result.success and not checks(result)["people_are_separated"]


def test_suspiciously_frequent_person_fails_the_check(library_folder: Path) -> None:
    nights = Nights(library_folder)
    others = [seen(f"c{n}", 1 + n % 120) for n in range(60)]
    nights.persons(FIRST, [*(seen(f"v{n}", 0) for n in range(50)), *others])
    assert checks(nights.run("people"))["no_person_is_suspiciously_large"] is False
