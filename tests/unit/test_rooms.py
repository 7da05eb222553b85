"""The rooms keep their order: imports run down, features don't know each other, names agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.house import FLOORS, PICTURE, ROOT, circles, modules, needed_arrows, wrong
from tools.house_picture import drawn

UNIT = Path(__file__).parent
# A sense is a module in assets/senses and a room in ml/ and tests/unit/.
SENSES = ("speech", "ocr", "faces", "visual", "captions", "text")
FEATURES = ("clustering", "copies", "media", "people", "search", "tags", "topics")


def _house(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_every_import_runs_down() -> None:
    assert wrong(ROOT) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(ROOT) == []


def test_the_picture_of_the_house_is_of_today() -> None:
    assert PICTURE.read_text(encoding="utf-8") == drawn(ROOT), "draw it: python -m tools.house"


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_has_rooms_of_one_name(name: str) -> None:
    for package in (ROOT / "assets", ROOT / "ml", UNIT):
        assert (package / name / "__init__.py").is_file(), package / name


@pytest.mark.parametrize("name", SENSES)
def test_a_sense_is_a_module_of_assets_and_a_room_of_the_same_name(name: str) -> None:
    assert (ROOT / "assets" / "senses" / f"{name}.py").is_file()
    assert (ROOT / "ml" / name / "__init__.py").is_file()
    assert (UNIT / name / "__init__.py").is_file()


def test_no_module_repeats_the_name_of_its_room() -> None:
    repeats = [m for m in modules(ROOT) if m.count(".") == 2 and _repeats(*m.split(".")[1:])]
    assert repeats == []


def _repeats(room: str, module: str) -> bool:
    return module.startswith((f"{room}_", f"{room.rstrip('s')}_")) or module == room


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("ml/text/a.py", "from ml.tags.b import c", "runs up, from floor 2 to 3"),
        ("ml/people/a.py", "import ml.topics.b", "neighbours don't know each other"),
        ("ml/media/a.py", "def f() -> None:\n    from assets.stores import b", "runs up"),
        ("ml/media/a.py", "import dagster as dg", "ml/ must not know dagster"),
        ("assets/stores/a.py", "from samples.make import b", "assets/ must not know samples"),
        ("assets/people/a.py", "from assets.topics import b", "neighbours don't know each other"),
        ("assets/attic/a.py", "", "assets.attic.a is in a room of no floor"),
        ("assets/a.py", "", "assets.a is in a room of no floor"),
    ],
)
def test_what_is_in_the_wrong_place_is_told(
    tmp_path: Path, file: str, text: str, told: str
) -> None:
    others = ("ml/tags/b", "ml/topics/b", "assets/stores/b", "assets/topics/b", "samples/make")
    house = _house(tmp_path, {f"{other}.py": "" for other in others} | {file: text})
    (sentence,) = wrong(house)
    assert told in sentence
    assert file.removesuffix(".py").replace("/", ".") in sentence


def test_a_circle_is_told_also_where_only_a_type_checker_sees_it(tmp_path: Path) -> None:
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ml.tags.b import B"
    house = _house(
        tmp_path,
        {
            "ml/tags/__init__.py": "",
            "ml/tags/a.py": hidden,
            "ml/tags/b.py": "from ml.tags import a",
        },
    )
    assert circles(house) == [["ml.tags.a", "ml.tags.b"]]


def test_every_room_of_the_floors_is_there_and_drawn() -> None:
    rooms = [room for floor in FLOORS for room in floor]
    assert len(rooms) == len(set(rooms)) == len(needed_arrows(ROOT))
    for room in rooms:
        place = ROOT / room.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file()
        assert f">{room.replace('.', '/')}</text>" in PICTURE.read_text(encoding="utf-8")
