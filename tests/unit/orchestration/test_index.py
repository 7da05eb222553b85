"""``kadr index`` says what is wrong, and what there is to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from assets.search.engine import NotSearchable
from assets.stores.batches import Batch, SourceVideo
from assets.stores.problems import Problem
from assets.stores.resources import Library
from orchestration.cli import cli
from orchestration.index_problems import index_problems

pytestmark = pytest.mark.slow

BATCH = "2026-11-20-001"
KEPT = {
    *("frame_index", "video_index", "title_index", "speech_index", "screen_index"),
    *("lexical_index", "vocabulary", "search_cards", "copies_pictures", "copies_sound"),
    *("tag_model", "keywords", "topics", "people"),
}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(root=str(tmp_path / "data"), state=str(tmp_path / "state"))


def test_place_without_a_library_is_a_sentence(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_DATA", library.root)
    monkeypatch.setenv("KADR_STATE", library.state)
    done = CliRunner().invoke(cli, ["index"])
    assert isinstance(done.exception, NotSearchable)
    assert (
        str(done.exception) == f"there is no library at {library.root}: kadr ingest PATH makes it"
    )


def test_everything_that_is_kept_is_looked_at(library: Library) -> None:
    assert list(index_problems(library)) == []
    library.batches.write(Batch(BATCH, (SourceVideo("v1", "/v1.mp4", "1"),)))
    found = list(index_problems(library))
    assert {problem.what for problem in found} == {f"{name} is missing" for name in KEPT}
    assert {problem.remedy for problem in found} == {"kadr index"}


def test_damaged_clustering_and_names_say_what_mends_them(library: Library) -> None:
    library.batches.write(Batch(BATCH, (SourceVideo("v1", "/v1.mp4", "1"),)))
    library.storage.put_bytes(b"{", "indexes/topics/manifest.json")
    library.storage.put_bytes(b"[]", "indexes/given_names/topic.json")
    found = {p.what.split()[0]: p for p in index_problems(library)}
    topics, names = found["topics"], found["given_names"]
    assert topics.what.startswith("topics is damaged: ")
    assert topics.remedy.startswith("Restore the folder from a back-up, or delete it")
    assert names.what.startswith("given_names is damaged: topic.json can't be read")
    assert names == Problem(
        names.what, library.storage.url("indexes/given_names"), "delete it, it is written anew"
    )
