"""As many steps use GPUs at a time as there are GPUs, and as many write as file locks can guard."""

from __future__ import annotations

import dagster as dg
import pytest

from assets.stores.devices import GPU_POOL
from assets.stores.needs import LIBRARY_POOLS
from orchestration import instance as ours
from orchestration.instance import gpu_slots, set_slots
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "gpu_count", lambda: 4)


@pytest.mark.parametrize(
    ("settings", "visible", "slots"),
    [
        (Settings(), None, 4),
        (Settings(), "0,GPU-8932", 2),
        (Settings(device="cuda:1"), None, 1),
        (Settings(gpus=8), "0", 8),
    ],
)
def test_there_are_as_many_slots_as_gpus(
    settings: Settings, visible: str | None, slots: int
) -> None:
    assert gpu_slots(settings, visible) == slots


@pytest.mark.parametrize(("device", "visible"), [("cpu", None), ("auto", "")])
def test_without_a_gpu_no_step_waits_for_a_slot(device: str, visible: str | None) -> None:
    assert gpu_slots(Settings(device=device), visible) > 50


@pytest.mark.parametrize("executor", ["ray", "k8s"])
def test_on_a_cluster_what_the_library_shares_has_one_writer(executor: str) -> None:
    with dg.instance_for_test() as instance:
        for settings, writers in ((Settings(), 64), (Settings(executor=executor), 1)):
            set_slots(instance, settings)
            limits = {p.name: p.limit for p in instance.event_log_storage.get_pool_limits()}
            assert {limits[pool] for pool in LIBRARY_POOLS} == {writers}
            assert limits[GPU_POOL] == 4


def test_slots_follow_when_the_machine_gets_other_gpus() -> None:
    with dg.instance_for_test() as instance:
        for gpus in (3, 2):
            set_slots(instance, Settings(gpus=gpus))
            limits = {p.name: p.limit for p in instance.event_log_storage.get_pool_limits()}
            assert limits[GPU_POOL] == gpus
