"""What steps need is declared once, and Ray and Kubernetes understand it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from assets.stores.needs import GPU_RESOURCE, K8S_TAG, LIBRARY_POOLS, MODEL, RAY_TAG, SMALL
from orchestration.definitions import build_defs
from orchestration.executors import executor
from orchestration.settings import SECRET, Settings

pytestmark = pytest.mark.slow

ON_KUBERNETES = Settings(executor="k8s", clickhouse_url="http://tables")
GIB = 2**30


def _steps(settings: Settings | None = None) -> Iterator[dg.OpDefinition]:
    defs = build_defs(settings or Settings())
    for name in ("batch", "library"):
        for node in defs.resolve_job_def(name).nodes:
            assert isinstance(node.definition, dg.OpDefinition)
            yield node.definition


def test_every_step_says_what_it_needs() -> None:
    # Ray runs a step that does not on the head node, whatever runs there already.
    assert [step.name for step in _steps() if not {RAY_TAG, K8S_TAG} <= step.tags.keys()] == []


def test_models_need_a_gpu() -> None:
    assert {"asr", "ocr", "visual", "text", "faces", "captions"} <= set(_on_gpu())


def test_every_step_that_writes_for_all_batches_is_in_a_pool_and_no_other() -> None:
    library = {node.name for node in build_defs(Settings()).resolve_job_def("library").nodes}
    pools = {step.name: step.pool for step in _steps() if step.pool in LIBRARY_POOLS}
    assert pools.keys() == {*library, "duplicate_pairs"}
    assert set(pools.values()) == set(LIBRARY_POOLS)
    # These two write the vectors of the taxonomy.
    assert pools["tags"] == pools["tag_model"]


def test_importing_the_definitions_loads_no_cluster_package() -> None:
    code = "import sys, orchestration.definitions; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(done.stdout.split())
    assert loaded & {"ray", "dagster_ray", "kubernetes", "dagster_k8s"} == set()


def test_an_unknown_executor_is_said_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of multiprocess, ray, k8s, not 'slurm'"):
        executor(Settings(executor="slurm"))


@pytest.mark.parametrize("name", ["ray", "k8s"])
def test_a_package_that_is_not_installed_is_said_with_how_to_install_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.executors.find_spec", lambda package: None)
    with pytest.raises(ValueError, match=r"pip install -e '.\[cluster\]'"):
        executor(Settings(executor=name))


def test_pods_need_a_clickhouse_that_all_of_them_reach() -> None:
    with pytest.raises(ValueError, match="KADR_CLICKHOUSE_URL"):
        executor(Settings(executor="k8s"))


def test_ray_reads_the_needs_of_every_step() -> None:
    from dagster_ray.configs import RayExecutionConfig

    for step in _steps():
        read = RayExecutionConfig.from_tags(step.tags)
        assert read.num_cpus >= 1, step.name
        assert read.memory >= GIB, step.name
        assert (read.num_gpus == 1) == (step.name in _on_gpu()), step.name


def test_ray_jobs_get_the_settings_of_the_run() -> None:
    passed = _configured(Settings(executor="ray"))["ray"]["env_vars"]
    assert {"KADR_DATA", "KADR_CLICKHOUSE_URL", "KADR_PROFILE", "KADR_EXECUTOR"} <= set(passed)
    assert f"KADR_WORKERS={MODEL.cpu}" in passed
    assert (
        "KADR_WORKERS=9" not in _configured(Settings(executor="ray", workers=9))["ray"]["env_vars"]
    )


def test_ray_jobs_are_told_of_settings_by_name_and_of_files_too() -> None:
    settings = Settings(executor="ray", clickhouse_url="clickhouse://me:s3cr3t@tables/kadr")
    passed = _configured(settings)["ray"]["env_vars"]
    assert "s3cr3t" not in str(passed)
    assert {f"{name}_FILE" for name in SECRET} <= set(passed)


def test_kubernetes_makes_a_job_of_every_step() -> None:
    for step in _steps():
        resources = _container(step, _configured(ON_KUBERNETES))["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"], step.name
        assert (resources["limits"].get(GPU_RESOURCE) == "1") == (step.name in _on_gpu())


def test_kubernetes_gives_no_gpu_where_models_run_on_cpus() -> None:
    on_cpu = Settings(**{**vars(ON_KUBERNETES), "device": "cpu"})
    for step in _steps():
        limits = _container(step, _configured(on_cpu))["resources"]["limits"]
        assert limits.get(GPU_RESOURCE, "0") == "0", step.name
        assert limits["memory"], step.name


def test_a_misspelt_field_is_refused_by_the_api_models() -> None:
    from dagster_k8s.job import get_user_defined_k8s_config

    tag = json.dumps({"container_config": {"resource": SMALL.op_tags[K8S_TAG]}})
    with pytest.raises(Exception, match="Unexpected keys in model class V1Container"):
        get_user_defined_k8s_config({K8S_TAG: tag})


def _on_gpu() -> list[str]:
    return [step.name for step in _steps() if GPU_RESOURCE in step.tags[K8S_TAG]]


def _configured(settings: Settings) -> dict[str, Any]:
    """What the executor is given when a run says nothing of its own."""
    assets = build_defs(Settings()).resolve_asset_graph().assets_defs
    return executor(settings, assets).apply_config_mapping({"config": {}}).value["config"]


def _container(step: dg.OpDefinition, configured: dict[str, Any]) -> dict[str, Any]:
    """The container of the step's job as the API server gets it."""
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import (
        DagsterK8sJobConfig,
        UserDefinedDagsterK8sConfig,
        construct_dagster_k8s_job,
        get_user_defined_k8s_config,
    )
    from kubernetes.client import ApiClient

    override = configured["per_step_k8s_config"].get(step.name, {})
    merged = K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(step.tags)).merge(
        K8sContainerContext(run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(override))
    )
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="kadr"),
        ["kadr"],
        f"step-{step.name.replace('_', '-')}",
        user_defined_k8s_config=merged.run_k8s_config,
    )
    (container,) = ApiClient().sanitize_for_serialization(job)["spec"]["template"]["spec"][
        "containers"
    ]
    return container
