"""Each row's nearest other rows: all compared for few rows, those in nearby cells for many."""

from __future__ import annotations

from typing import Any

import numpy as np

from ml.models.device import device_number

# Up to here every row is compared with every other: 2 s on one core for 20,000 x 50.
EXACT_ROWS = 20_000
# Beyond, rows are sorted into 2 sqrt(n) cells and compared with those of the nearest 16: 100,000
# rows of 50 took 4.4 instead of 65 s and found .93 of the neighbours of rows that have a theme, and
# among 87,000 faces of 20,000 people of 1 to 20 faces each .985 of the nearest ones. Multiplying
# whole cells with the cells near them is faster, but there it found .79 to .86.
_CELLS_PER_ROOT = 2
_PROBES = 16
_TRAINING_ROWS_PER_CELL = 40
# Rows of a block of differences: 4,096 x 16 neighbours x 128 in float32 are 34 MB.
_ROWS = 4096


def nearest_rows(z: np.ndarray, count: int, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """Each row's nearest other rows, by rising distance; -1 and infinity where none was found.

    Args:
        z: float32[n, k], contiguous.
        count: below n.
        device: as in `graph_clusters`.

    Returns:
        rows int32[n, count], and Euclidean distances float32[n, count], which are exact: FAISS
        has them from squared lengths, which for two equal rows leave up to .0003 of their length.
    """
    n = len(z)
    _, rows = _index(z, device).search(z, count + 1)
    own = rows == np.arange(n)[:, None]
    # Among more than `count` equal rows a row may not find itself.
    own[~own.any(axis=1), -1] = True
    rows = rows[~own].reshape(n, count)
    distances = np.empty((n, count), np.float32)
    for start in range(0, n, _ROWS):
        block = slice(start, start + _ROWS)
        distances[block] = np.linalg.norm(z[block, None] - z[rows[block]], axis=2)
    distances[rows < 0] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")
    rows = rows.astype(np.int32)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)


def _index(z: np.ndarray, device: str) -> Any:
    """A FAISS index of the rows: exact for few and on a GPU, else of cells."""
    import faiss

    n, k = z.shape
    index: Any = faiss.IndexFlatL2(k)
    if device.startswith("cuda") and hasattr(faiss, "StandardGpuResources"):
        # Written from FAISS's documentation and never run: no machine with a GPU was at hand.
        index = faiss.index_cpu_to_gpus_list(index, gpus=[device_number(device)])
    elif n > EXACT_ROWS:
        index = faiss.IndexIVFFlat(index, k, round(_CELLS_PER_ROOT * n**0.5))
        index.nprobe = _PROBES
        index.cp.max_points_per_centroid = _TRAINING_ROWS_PER_CELL
        index.train(z)
    index.add(z)
    return index
