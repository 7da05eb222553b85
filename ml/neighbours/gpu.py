"""FAISS on a GPU: training cells, and searching exact and ivf-sq8 indexes.

None of this has run: no GPU was at hand. FAISS has no ivf-rabitq on a GPU, no filters there
and no more than 2,048 results a query: those searches run on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_RESULTS = 2048


def gpu_count() -> int:
    """GPUs that the installed FAISS can use; 0 for its CPU build."""
    import faiss

    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def device_of(asked: str) -> str:
    """cpu or gpu, for "auto", "cpu" or "gpu". Raises ValueError for a GPU that is not there."""
    if asked not in ("auto", "cpu", "gpu"):
        raise ValueError(f"device {asked!r}: one of auto, cpu, gpu")
    found = gpu_count() > 0 if asked != "cpu" else False
    if asked == "gpu" and not found:
        raise ValueError("device 'gpu': this FAISS sees no GPU (faiss-gpu-cu12 and a CUDA driver)")
    return "gpu" if found else "cpu"


def train(index: Any, sample: np.ndarray, device: str) -> None:
    """Trains cells and codes; on a GPU, k-means' assignment runs there."""
    import faiss

    if device == "gpu":
        resources = faiss.StandardGpuResources()
        flat = faiss.index_cpu_to_gpu(resources, 0, faiss.IndexFlatIP(index.d))
        index.clustering_index = flat
        index.train(sample)
        index.clustering_index = None
    else:
        index.train(sample)


class GpuCopy:
    """An index on the first GPU, for searches without a filter."""

    def __init__(self, index: Any) -> None:
        import faiss

        # The resources must live as long as the index on them.
        self._resources = faiss.StandardGpuResources()
        self._index = faiss.index_cpu_to_gpu(self._resources, 0, index)

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, ids = self._index.search(queries, k)
        return scores, ids
