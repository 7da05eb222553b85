"""A tag model's files: arrays and a card, never pickle; damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ml.tags.model_file import ARRAYS, CARD, TagModelDamaged, load, read_card, save
from ml.taxonomy import load_taxonomy
from tests.unit.tags.test_train import catalogue, model
from tests.unit.tags.test_tree import TAXONOMY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(model(), tmp_path, date="2026-01-02", data="90 made-up videos")
    return tmp_path


def test_loaded_model_scores_the_same(folder: Path) -> None:
    fresh = catalogue(20, seed=7)
    loaded = load(folder, TAXONOMY)
    assert (loaded.scores(fresh) == model().scores(fresh)).all()
    assert loaded.decode(fresh) == model().decode(fresh)
    assert loaded.choice == model().choice


def test_card_says_data_split_metric_date_and_versions(folder: Path) -> None:
    card = read_card(folder)
    assert (card["date"], card["data"], card["videos"]) == ("2026-01-02", "90 made-up videos", 90)
    assert "random folds" in card["split"]
    assert "intersection over union" in card["metric"]
    assert {"numpy", "torch"} <= set(card["versions"])
    assert card["choice"]["inner_iou"]["blend"] > 0


def test_arrays_hold_no_pickle(folder: Path) -> None:
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_altered_or_cut_files_are_told(folder: Path) -> None:
    data = (folder / ARRAYS).read_bytes()
    (folder / ARRAYS).write_bytes(data[: len(data) // 2])
    with pytest.raises(TagModelDamaged, match=r"was altered.*Train it anew"):
        load(folder, TAXONOMY)
    (folder / ARRAYS).unlink()
    with pytest.raises(TagModelDamaged, match=r"there is no tag_model\.npz"):
        load(folder, TAXONOMY)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}'])
def test_broken_card_is_told(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text, encoding="utf-8")
    with pytest.raises(TagModelDamaged):
        load(folder, TAXONOMY)


def test_card_that_lacks_its_parts_is_told(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    del card["choice"], card["self_checksum"]
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(TagModelDamaged, match="hold something else"):
        load(folder, TAXONOMY)


def test_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(TagModelDamaged, match=r"there is no tag_model.json"):
        read_card(tmp_path / "nothing")


def test_model_of_another_taxonomy_is_refused(folder: Path) -> None:
    with pytest.raises(TagModelDamaged, match="other tags"):
        load(folder, load_taxonomy("a,b,c\nMusic,,\nMusic,Guitar,\n"))
