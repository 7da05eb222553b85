"""``kadr topics`` and ``kadr people``: what is said by hand stands in the tables at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestration.cli import cli
from tests.unit.clustering.nights import Nights, seen, theme

pytestmark = pytest.mark.slow

BATCH = "2026-11-20-001"


@pytest.fixture
def nights(library_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setenv("KADR_DATA", str(library_folder / "data"))
    monkeypatch.setenv("KADR_STATE", str(library_folder / "state"))
    return Nights(library_folder)


def kadr(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_topic_is_named_hidden_shown_and_goes_by_its_own_name_again(nights: Nights) -> None:
    nights.titles(BATCH, theme("cats", "kitten", 6, 0) | theme("cars", "engine", 5, 1))
    nights.run("topics")
    assert "kitten" in kadr("topics").output
    assert "goes by 'Кошки и котята'" in kadr("topics", "name", "0", " Кошки  и котята ").output
    assert "Кошки и котята" in kadr("topics").output
    assert kadr("topics", "hide", "0").exit_code == 0
    assert "Кошки и котята" not in kadr("topics").output
    kadr("topics", "show", "0")
    kadr("topics", "name", "0", "")
    assert "kitten" in kadr("topics").output


def test_person_is_named(nights: Nights) -> None:
    nights.persons(BATCH, [seen("a", 0), seen("b", 0), seen("c", 5)])
    nights.run("people")
    kadr("people", "name", "0", "Anna 'A' \\ Ивановна")
    assert "Anna 'A' \\ Ивановна" in kadr("people").output


def test_topic_that_is_not_there_is_an_error_that_says_so(nights: Nights) -> None:
    said = kadr("topics", "name", "7", "x")
    assert said.exit_code != 0
    assert "there is no topic 7" in said.output
