"""``kadr tags evaluate``: how well tags are learnt from a table of titles alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from orchestration.cli import cli

pytestmark = pytest.mark.slow

TAXONOMY = "уровень 1,уровень 2,уровень 3\nЖивотные,,\nЖивотные,Кошки,\nМашины,,\nЕда,,\n"
THEMES = {
    "животные:кошки": "Котёнок играет с мячом",
    "Машины": "Ремонт двигателя в гараже",
    "Еда": "Рецепт супа на ужин",
}
ROWS = [
    {"title": f"{title} {'абвгдежзик'[n]}", "description": "", "tags": tag}
    for tag, title in THEMES.items()
    for n in range(8)
]


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    path = tmp_path / "taxonomy.csv"
    path.write_text(TAXONOMY, encoding="utf-8")
    return path


def written(folder: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    path = folder / "videos.csv"
    lines = [delimiter.join(row.values()) for row in rows]
    path.write_text("\n".join(["Title;description;TAGS".replace(";", delimiter), *lines]), "utf-8")
    return path


def evaluated(catalogue: Path, taxonomy: Path, *more: str) -> Result:
    files = ("--catalogue", str(catalogue), "--taxonomy", str(taxonomy))
    return CliRunner().invoke(cli, ("tags", "evaluate", *files, *more))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds are made here: a process of their own takes 4 s to import what it needs."""
    here = "orchestration.commands.tags.ProcessPoolExecutor"
    monkeypatch.setattr(here, lambda *_: ThreadPoolExecutor(1))


def test_learnable_tags_are_learnt_from_titles_alone(tmp_path: Path, taxonomy: Path) -> None:
    said = evaluated(written(tmp_path, ROWS, ";"), taxonomy, "--json", "--folds", "2")
    found = json.loads(said.stdout)
    assert found["random"]["model"]["mean_iou"] > 0.9
    assert found["random"]["constant"]["mean_iou"] < 0.5
    assert {"random", "grouped"} == set(found)


@pytest.mark.usefixtures("in_this_process")
def test_unknown_tags_are_told_and_left_out(tmp_path: Path, taxonomy: Path) -> None:
    path = tmp_path / "videos.parquet"
    rows = [*ROWS, {"title": "Кино", "description": "", "tags": "Кино: Комедии"}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    said = evaluated(path, taxonomy, "--folds", "2")
    assert "'Кино: Комедии' is not in the taxonomy" in said.stderr
    assert "24 videos" in said.stdout
    assert "trained" in said.stdout


@pytest.mark.usefixtures("in_this_process")
def test_one_series_alone_is_judged_by_random_folds(tmp_path: Path, taxonomy: Path) -> None:
    rows = [{"title": f"Котёнок, серия {n}", "description": "", "tags": "Еда"} for n in range(12)]
    said = evaluated(written(tmp_path, rows, ";"), taxonomy, "--json", "--folds", "2")
    assert set(json.loads(said.stdout)) == {"random"}
    assert "grouped folds: 1 series can't be divided" in said.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows"),
        ("name,tags\na,b\n", "no column title; there are: name, tags"),
        ("title,tags\na,Еда\n", "1 of 1 videos have a known tag"),
    ],
)
def test_unusable_catalogue_is_one_line(
    tmp_path: Path, taxonomy: Path, content: str, message: str
) -> None:
    path = tmp_path / "videos.csv"
    path.write_text(content, encoding="utf-8")
    said = evaluated(path, taxonomy)
    assert said.exit_code != 0
    assert message in (said.output + str(said.exception))
