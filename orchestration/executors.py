"""Where steps run, by ``KADR_EXECUTOR``: in child processes, as Ray jobs, or in Kubernetes pods.

What a step needs of its machine is declared on its asset (``assets/stores/needs.py``).

A step whose node is lost fails, and with it the run: neither Ray nor Kubernetes starts it again.
What is tried again is the batch, whatever the failure was, within ``KADR_BATCH_ATTEMPTS``; what the
lost run finished is not done again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import dagster as dg

from assets.stores.needs import GPU_RESOURCE, MANY_CORES, gpu_steps
from orchestration.settings import PREFIX, VARIABLES, Settings

_ONE_MACHINE = "multiprocess"
_INSTALL = "pip install -e '.[cluster]'"
# Ours first: it keeps Ctrl-C from ending the process that is still importing.
_PRELOADED = ["orchestration.preloaded", "dagster._core.executor.multiprocess"]
# A step that starts as a new Python costs 2 to 3 s of a core before it begins, a forked one 0.2 s.
# Elsewhere system libraries that were loaded before a fork may not work after it.
_START = (
    {"forkserver": {"preload_modules": _PRELOADED}} if sys.platform == "linux" else {"spawn": {}}
)
_THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT")


def executor(
    settings: Settings, assets: Sequence[dg.AssetsDefinition] = ()
) -> dg.ExecutorDefinition:
    """The executor that the settings name; only it is imported.

    Raises:
        ValueError: there is no such executor, its packages are not installed, or it needs a server
            that the settings do not name.
    """
    make = _EXECUTORS.get(settings.executor)
    if make is None:
        raise ValueError(
            f"KADR_EXECUTOR must be one of {', '.join(_EXECUTORS)}, not {settings.executor!r}"
        )
    return make(settings, assets)


def is_cluster(settings: Settings) -> bool:
    """Whether steps run on several machines, where file locks of one do not reach the others."""
    return settings.executor != _ONE_MACHINE


def _multiprocess(settings: Settings, _: Sequence[dg.AssetsDefinition]) -> dg.ExecutorDefinition:
    return dg.multiprocess_executor.configured(
        {"max_concurrent": settings.steps_at_once, "start_method": _START}
    )


def _ray(settings: Settings, _: Sequence[dg.AssetsDefinition]) -> dg.ExecutorDefinition:
    """Every step is a Ray job at ``RAY_ADDRESS``, where its tags say there is room.

    Its environment gets this process's settings: a node with others would write elsewhere.
    """
    _require("ray", "dagster_ray", "ray")
    from dagster_ray import ray_executor

    # Names: Dagster stores and shows them, and each is looked up where a step is started.
    passed = [*VARIABLES, *_THREADS, *_workers(settings)]
    return ray_executor.configured({"ray": {"env_vars": passed}})


def _k8s(settings: Settings, assets: Sequence[dg.AssetsDefinition]) -> dg.ExecutorDefinition:
    """Every step is a Kubernetes job with the image and environment of its run's."""
    _require("k8s", "dagster_k8s")
    if not settings.clickhouse_url:
        raise ValueError("KADR_EXECUTOR=k8s: pods share no disk, so KADR_CLICKHOUSE_URL is needed")
    from dagster_k8s import k8s_job_executor

    without = {"container_config": {"resources": {"limits": {GPU_RESOURCE: "0"}}}}
    on_cpu = gpu_steps(assets) if settings.device == "cpu" else []
    return k8s_job_executor.configured(
        {
            "env_vars": _workers(settings),
            # A step that outlived its run's pod would write beside the next run's.
            "enable_owner_references": True,
            "per_step_k8s_config": dict.fromkeys(on_cpu, without),
        }
    )


_EXECUTORS: dict[str, Callable[[Settings, Sequence[dg.AssetsDefinition]], Any]] = {
    _ONE_MACHINE: _multiprocess,
    "ray": _ray,
    "k8s": _k8s,
}


def _workers(settings: Settings) -> list[str]:
    """As many processes as a step reserves cores: a node has more, but they are not the step's."""
    return [] if settings.workers else [f"{PREFIX}WORKERS={MANY_CORES.cpu}"]


def _require(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ValueError(f"KADR_EXECUTOR={name} needs {' and '.join(missing)}: {_INSTALL}")
