"""An index of search that is missing, damaged or behind is told, and the next night mends it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.search.problems import kept_for_search
from assets.stores.kept import problems_of
from assets.stores.problems import Problem
from assets.stores.resources import Library, Models
from tests.unit.search.nights import SearchNights
from tests.unit.stores.engine import opened_copy

pytestmark = pytest.mark.slow

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
FRAMES = [[1.0, 0.0], [0.0, 1.0]]
VIDEOS = {
    "cat": {"title": "White cat", "visual": FRAMES},
    "dog": {"title": "White dog", "visual": FRAMES},
}
# The packaged model of pictures: nothing is loaded to know its name.
WITH_PICTURES = Models(device="cpu", text="off")
WHERE = {
    "frame_index": "index-1.faiss",
    "video_index": "keys-1.arrow",
    "title_index": "manifest.json",
    "lexical_index": "manifest.json",
    "vocabulary": "words.arrow",
    "search_cards": "cards.arrow",
}


def problems(library: Library) -> list[Problem]:
    return list(problems_of(library, kept_for_search(library)))


def told(library: Library) -> list[str]:
    return [problem.what for problem in problems(library)]


@pytest.fixture(scope="module")
def made(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with vectors of pictures, to be copied."""
    with opened_copy(migrated, tmp_path_factory.mktemp("made")) as folder:
        nights = SearchNights(folder, WITH_PICTURES)
        nights.batch(FIRST, VIDEOS)
        nights.night()
    return folder


@pytest.fixture
def nights(made: Path, tmp_path: Path) -> Iterator[SearchNights]:
    with opened_copy(made, tmp_path) as folder:
        yield SearchNights(folder, WITH_PICTURES)


def test_library_without_batches_has_no_problem(tmp_path: Path) -> None:
    assert problems(SearchNights(tmp_path).library) == []


def test_what_is_whole_and_up_to_its_batches_is_no_problem(made: Path) -> None:
    library = SearchNights(made).library
    assert problems(library) == []
    # Without a model there is an empty index: one that is missing is told from it.
    assert (made / "data/indexes/title_index/manifest.json").exists()


def test_every_harm_is_told_and_the_next_night_mends_it(nights: SearchNights) -> None:
    for name, file in WHERE.items():
        path = nights.indexes / name / file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x41
        path.unlink()
        path.write_bytes(content)
    found = problems(nights.library)
    assert len(found) == len(WHERE)
    for problem, (name, file) in zip(sorted_by(WHERE, found), WHERE.items(), strict=True):
        assert problem.what.startswith(f"{name} is damaged: {file}")
        assert (problem.where, problem.remedy) == (str(nights.indexes / name), "kadr index")
    nights.night()
    assert problems(nights.library) == []
    assert nights.found("white cat")[0] == "cat"


def sorted_by(names: dict[str, str], found: list[Problem]) -> list[Problem]:
    return sorted(found, key=lambda problem: list(names).index(problem.what.split()[0]))


def test_missing_indexes_are_told_and_made(nights: SearchNights) -> None:
    shutil.rmtree(nights.indexes / "frame_index")
    (nights.indexes / "video_index" / "manifest.json").unlink()
    (nights.indexes / "vocabulary" / "words.arrow").unlink()
    assert told(nights.library) == [
        "frame_index is missing",
        "video_index is missing: there is no manifest.json",
        "vocabulary is missing: there is no words.arrow",
    ]
    nights.night()
    assert problems(nights.library) == []


def test_search_tells_that_an_index_of_vectors_is_missing(nights: SearchNights) -> None:
    shutil.rmtree(nights.indexes / "frame_index")
    (note,) = nights.search().run("white cat").notes
    assert "frame_index is missing; kadr index" in note


def test_what_is_behind_names_a_batch(nights: SearchNights) -> None:
    nights.batch(SECOND, {"new": {"title": "White mouse", "visual": FRAMES}})
    found = told(nights.library)
    behind = f"is behind: 1 batches changed since it was made, such as {SECOND}"
    assert len(found) == 8 and all(behind in what for what in found)
    nights.night()
    assert problems(nights.library) == []
    # A restored copy has other times, so the indexes can't know that they are up to it.
    for path in (nights.folder / "data/datasets/visual").iterdir():
        os.utime(path)
    assert [what.partition(" is behind")[0] for what in told(nights.library)] == [
        "frame_index",
        "video_index",
    ]
