"""Names from pictures; drawn vectors stand for faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ml.people.clustering import ALONE
from ml.people.known import Known, KnownPicture, Named, known_vectors, name_people
from ml.vectors import ModelMismatch

DISTANCE = 0.34
AXES = np.eye(8, dtype=np.float32)


@dataclass(frozen=True)
class Face:
    embedding: np.ndarray
    flaw: str = ""


def near(axis: int, aside: float = 0.1, towards: int = 7) -> np.ndarray:
    """A unit vector about ``aside`` away from an axis."""
    x = AXES[axis] + aside * AXES[towards]
    return (x / np.linalg.norm(x)).astype(np.float32)


def picture(name: str, number: int, *faces: Face, unreadable: str = "") -> KnownPicture:
    return KnownPicture(name, f"known_people/{name}/{number}.jpg", faces, unreadable)


def known(**axes: int) -> Known:
    found = known_vectors([picture(n, 1, Face(AXES[a])) for n, a in axes.items()], DISTANCE)
    assert found.problems == []
    return found


def named(x: np.ndarray, labels: list[int], who: Known, videos: list[str] | None = None) -> Named:
    videos = videos or [f"v{i}" for i in range(len(x))]
    return name_people(x, videos, np.array(labels), who, same_person_distance=DISTANCE)


def test_every_picture_of_a_name_counts() -> None:
    pictures = [picture("Борис", 2, Face(AXES[1])), picture("Anna", 1, Face(AXES[0]))]
    found = known_vectors([*pictures, picture("Anna", 2, Face(near(0)))], DISTANCE)
    assert found.names == ["Anna", "Anna", "Борис"]
    assert found.vectors.shape == (3, 8)
    assert found.problems == []


def test_useless_pictures_are_left_out_with_a_sentence_each() -> None:
    found = known_vectors(
        [
            picture("Anna", 1, Face(AXES[0])),
            picture("Anna", 2, Face(AXES[0]), Face(AXES[1])),
            picture("Anna", 3),
            picture("Anna", 4, unreadable="not a picture"),
            picture("Anna", 5, Face(AXES[0], "blurred")),
            picture("Anna", 6, Face(np.full(8, np.nan, np.float32))),
        ],
        DISTANCE,
    )
    assert found.names == ["Anna"]
    assert found.problems == [
        "known_people/Anna/2.jpg shows two faces: which is Anna? It is left out",
        "known_people/Anna/3.jpg shows no face. It is left out",
        "known_people/Anna/4.jpg cannot be read (not a picture). It is left out",
        "known_people/Anna/5.jpg shows a face that is too blurred to tell people apart. "
        "It is left out",
        "known_people/Anna/6.jpg has a face whose vector holds NaN or infinite values. "
        "It is left out",
    ]


def test_what_is_perhaps_no_face_does_not_spoil_a_picture() -> None:
    perhaps = Face(AXES[1], "unsure")
    found = known_vectors([picture("Anna", 1, perhaps, Face(AXES[0]))], DISTANCE)
    assert found.problems == []
    assert found.vectors.tolist() == [AXES[0].tolist()]


def test_name_without_a_useful_picture_is_said_aloud() -> None:
    found = known_vectors([picture("Anna", 1)], DISTANCE)
    assert found.names == []
    assert found.problems[-1] == "Anna has no picture that is of use, and is not looked for"


def test_contradictory_folders_are_a_sentence_and_the_nearer_wins() -> None:
    found = known_vectors(
        [picture("Anna", 1, Face(AXES[0])), picture("Ann", 1, Face(near(0, 0.2)))], DISTANCE
    )
    assert found.names == ["Ann", "Anna"]
    (problem,) = found.problems
    assert problem.startswith("Ann and Anna look like one person (known_people/Ann/1.jpg and ")
    x = np.stack([near(0, 0.02), near(0, 0.03), near(0, 0.25), near(0, 0.22)])
    assert named(x, [0, 0, 1, 1], found).names == ["Anna", "Ann"]


def test_people_get_the_name_of_the_nearest_picture_and_others_none() -> None:
    x = np.stack([near(0), near(0, -0.1), near(1), near(1, -0.1), near(2), near(2)])
    found = named(x, [0, 0, 1, 1, 2, 2], known(Anna=0, Boris=1))
    assert found.names == ["Anna", "Boris", ""]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.messages == []


def test_known_person_of_one_video_is_a_person_of_one() -> None:
    x = np.stack([near(1), near(1), near(0), near(2)])
    found = named(x, [0, 0, ALONE, ALONE], known(Anna=0))
    assert found.labels.tolist() == [0, 0, 1, ALONE]
    assert found.names == ["", "Anna"]


def test_people_of_one_name_become_one_and_it_is_said() -> None:
    x = np.stack([near(0), near(0), near(0, 0.3, 6), near(0, 0.3, 6), near(0, -0.2)])
    found = named(x, [0, 0, 1, 1, ALONE], known(Anna=0))
    assert found.labels.tolist() == [0] * 5
    assert found.names == ["Anna"]
    assert found.messages == ["Anna: 3 people are near the pictures, and became one"]


def test_two_people_side_by_side_do_not_both_get_the_name() -> None:
    x = np.stack([near(0, 0.1), near(0, 0.1), near(0, 0.3, 6), near(0, 0.3, 6)])
    found = named(x, [0, 0, 1, 1], known(Anna=0), ["v", "w", "v", "w"])
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.names == ["Anna", ""]
    assert found.messages == [
        "Anna: 1 more near the pictures appear in videos beside someone nearer, "
        "and stay without the name"
    ]


def test_merged_people_are_still_apart_in_the_video_that_shows_both() -> None:
    x = np.stack([near(0, 0.1), near(0, 0.1), *[near(0, 0.3, 6)] * 3])
    found = named(x, [1, 1, 0, 0, 0], known(Anna=0), ["v", "w", "v", "x", "y"])
    assert found.labels.tolist() == [0, 0, ALONE, 0, 0]
    assert found.names == ["Anna"]


def test_people_are_numbered_by_falling_size_again() -> None:
    x = np.stack([near(2), near(2), near(2), near(0), near(0), near(0, 0.3, 6), near(0, 0.3, 6)])
    found = named(x, [0, 0, 0, 1, 1, 2, 2], known(Anna=0))
    assert found.labels.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert found.names == ["Anna", ""]


def test_without_pictures_or_persons_nothing_changes() -> None:
    x = np.stack([near(0), near(0), near(1)])
    found = named(x, [0, 0, ALONE], known())
    assert (found.labels.tolist(), found.names) == ([0, 0, ALONE], [""])
    assert named(np.zeros((0, 8), np.float32), [], known(Anna=0)).names == []


def test_pictures_and_persons_of_two_models_are_refused() -> None:
    with pytest.raises(ModelMismatch, match="8 dimensions, persons of 4"):
        named(np.eye(4, dtype=np.float32), [ALONE] * 4, known(Anna=0))
    short = Face(np.ones(3, np.float32))
    with pytest.raises(ModelMismatch, match="of 3 and of 8 dimensions"):
        known_vectors([picture("A", 1, short), picture("B", 1, Face(AXES[0]))], DISTANCE)
