"""A step's models share the GPU that the step claims, and it is free when the step has ended."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from assets.stores import resources
from assets.stores.devices import claimed_device
from assets.stores.resources import Models


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = partial(claimed_device, gpus=lambda: ("A",))
    monkeypatch.setattr(resources, "claimed_device", claim)


def run(models: Models, step: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    return dg.materialize([step], resources={"models": models}, raise_on_error=False)


def is_free(folder: Path) -> bool:

    def give_up(text: str) -> None:
        raise TimeoutError(text)

    try:
        with claimed_device("auto", folder / "gpus", give_up, lambda: ("A",)):
            return True
    except TimeoutError:
        return False


def test_a_step_claims_its_gpu_at_the_first_model_and_lets_go_at_its_end(tmp_path: Path) -> None:
    seen: list[str | bool] = []

    @dg.asset
    def step(models: Models) -> None:
        seen.append(is_free(tmp_path))
        seen.append(models.own_device())
        seen.append(models.own_device())
        seen.append(is_free(tmp_path))

    assert run(Models(state=str(tmp_path)), step).success
    assert seen == [True, "cuda:0", "cuda:0", False]
    assert is_free(tmp_path)


def test_a_step_that_fails_lets_go_of_its_gpu(tmp_path: Path) -> None:
    @dg.asset
    def step(models: Models) -> None:
        models.own_device()
        raise RuntimeError("the model does not load")

    assert not run(Models(state=str(tmp_path)), step).success
    assert is_free(tmp_path)


def test_a_model_that_runs_on_the_cpu_claims_nothing(tmp_path: Path) -> None:
    devices: list[str] = []

    @dg.asset
    def step(models: Models) -> None:
        embedder = models.image_embedder()
        embedder.load()
        devices.append(embedder.device())

    assert run(Models(state=str(tmp_path)), step).success
    assert devices == ["cpu"]
    assert not (tmp_path / "gpus").exists()


def test_nothing_is_claimed_outside_of_a_step(tmp_path: Path) -> None:
    assert Models(device="cpu", state=str(tmp_path)).own_device() == "cpu"
    assert not (tmp_path / "gpus").exists()
