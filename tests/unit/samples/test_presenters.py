"""Presenters are told apart by their faces, and known again however they stand."""

from __future__ import annotations

import numpy as np
import pytest

from ml.faces import PACKAGED, FaceFinder, load_face_finder
from samples.clips import CLIPS
from samples.photographs import photograph
from samples.presenters import PRESENTERS, portrait
from samples.scenes import scene
from samples.shots import Guest, Shot, View


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return load_face_finder(PACKAGED, profile="embedded", device="cpu")


def test_each_presenter_stands_in_clips_of_several_themes_and_two_meet() -> None:
    guests = [(clip, shot.guests) for clip in CLIPS for shot in clip.shots if shot.guests]
    assert {guest.person for _, several in guests for guest in several} == set(PRESENTERS)
    for person in PRESENTERS:
        themes = [clip.theme for clip, several in guests if person in {g.person for g in several}]
        assert len(themes) >= 3 and len(set(themes)) >= 3
    assert [clip.video_id for clip, several in guests if len(several) == 2] == ["money-02"]


def test_presenter_never_stands_the_same_way_twice() -> None:
    stands = [guest for clip in CLIPS for shot in clip.shots for guest in shot.guests]
    assert len({(it.person, it.x, it.height, it.turn_px, it.tone) for it in stands}) == len(stands)


def test_no_presenter_is_taken_for_another_or_for_the_astronaut(finder: FaceFinder) -> None:
    pictures = [photograph("astronaut"), *(portrait(person) for person in PRESENTERS)]
    found = [finder.faces_of(picture) for picture in pictures]
    assert [[face.flaw for face in faces] for faces in found] == [[""]] * 5
    vectors = np.array([faces[0].embedding for faces in found])
    apart = np.linalg.norm(vectors[:, None] - vectors, axis=2)[np.triu_indices(5, 1)]
    assert apart.min() > finder.same_person_distance + 0.03


def test_presenter_is_known_when_turned_and_in_other_light(finder: FaceFinder) -> None:
    view = View(0.5, 0.5, 1)
    for person in PRESENTERS:
        other = Guest(person, 0.3, 0.8, turn_px=-4, tone="warm")
        shot = Shot(2, "bar_chart", view, view, guests=(other,))
        picture = scene(shot, 640, 360, np.random.default_rng(0))(1.0, 1.0)
        (face,), (known,) = finder.faces_of(picture), finder.faces_of(portrait(person))
        distance = float(np.linalg.norm(face.embedding - known.embedding))
        assert distance < finder.same_person_distance, person
