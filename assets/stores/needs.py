"""What a step needs of the machine that runs it, declared once, where its asset is declared.

``op_tags=NEEDS.op_tags, pool=NEEDS.pool`` says it to everybody who places steps: Ray reads
``dagster-ray/config``, Kubernetes ``dagster-k8s/config``, Dagster itself the pool. On one machine
the first two are ignored.

Steps that write what all batches share name a pool of ``LIBRARY_POOLS``. On a cluster each of these
has one slot, so that no two steps write the same at the same time, whatever nodes and runs they are
of. On one machine they keep nobody back: there the file locks of ``assets/search/indexes.py`` do
it, which hold a step up for as long as the other writes and not for as long as it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.stores.devices import GPU_POOL

# Named after the step that writes it. `copy_indexes` is for `duplicate_pairs` too, which writes and
# searches them; `tag_model` is in `tags`, because both write the vectors of the taxonomy.
LIBRARY_POOLS = (
    *("copy_indexes", "vector_indexes", "lexical", "search_cards"),
    *("copies", "topics", "people", "tags", "keywords"),
)

GPU_RESOURCE = "nvidia.com/gpu"
RAY_TAG = "dagster-ray/config"
K8S_TAG = "dagster-k8s/config"
_GIB = 2**30


@dataclass(frozen=True)
class Needs:
    """Cores, memory in GiB and whole GPUs of one step.

    Memory is a limit on Kubernetes, where a step beyond it is killed, and a reservation on Ray.
    Cores are reserved on both; a step may use more while they are idle.
    """

    cpu: int = 1
    memory_gb: int = 2
    gpu: int = 0

    @property
    def pool(self) -> str | None:
        """The pool whose slots are GPUs, for a step that needs one."""
        return GPU_POOL if self.gpu else None

    @property
    def op_tags(self) -> dict[str, Any]:
        """The tags of the step, for both kinds of clusters."""
        return {RAY_TAG: self._on_ray(), K8S_TAG: self._on_kubernetes()}

    def _on_ray(self) -> dict[str, int]:
        gpu = {"num_gpus": self.gpu} if self.gpu else {}
        return {"num_cpus": self.cpu, "memory": self.memory_gb * _GIB, **gpu}

    def _on_kubernetes(self) -> dict[str, Any]:
        memory = f"{self.memory_gb}Gi"
        limits = {"memory": memory} | ({GPU_RESOURCE: str(self.gpu)} if self.gpu else {})
        requests = {"cpu": str(self.cpu), "memory": memory}
        config = {"container_config": {"resources": {"requests": requests, "limits": limits}}}
        return config | ({"pod_spec_config": _ON_GPU_NODES} if self.gpu else {})


# GPU nodes are usually tainted, so that nothing else fills them.
_ON_GPU_NODES = {
    "tolerations": [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
}

# A model, and the worker processes that open pictures and sound for it; the largest of the full
# profile passes through main memory on its way to the GPU.
MODEL = Needs(cpu=4, memory_gb=16, gpu=1)
# Worker processes that decode or describe, a core each.
MANY_CORES = Needs(cpu=4, memory_gb=8)
# What is joined, compared or loaded for one batch.
SMALL = Needs()
# What holds vectors of the whole library.
LIBRARY = Needs(cpu=2, memory_gb=16)


def gpu_steps(assets: Iterable[dg.AssetsDefinition]) -> list[str]:
    """Names of the steps that need a GPU."""
    return [a.op.name for a in assets if GPU_RESOURCE in a.op.tags.get(K8S_TAG, "")]
