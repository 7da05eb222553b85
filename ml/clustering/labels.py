"""Cluster numbers: what every way of clustering here gives back."""

from __future__ import annotations

import numpy as np

NONE = -1
# Rows that differ by less than this share of the largest value are the same but for rounding.
_ROUNDING = 1e-6


def by_falling_size(labels: np.ndarray) -> np.ndarray:
    """int64[n]: the largest cluster is 0; of equal ones, the one that appears first; -1 stays."""
    found, first, member, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    ranked = np.lexsort((first, -size, found == NONE))
    number = np.empty(len(found), np.int64)
    number[ranked] = np.arange(len(found))
    number[found == NONE] = NONE
    return number[member.reshape(-1)]


def nobody(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of n rows without a cluster."""
    return np.full(n, NONE, np.int64), np.zeros(n, np.float32)


def everybody(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of n rows that are one cluster."""
    return np.zeros(n, np.int64), np.ones(n, np.float32)


def all_alike(z: np.ndarray) -> bool:
    """Whether the rows, at least one, are the same but for rounding."""
    return bool(np.abs(z - z[0]).max(initial=0.0) <= rounding(z))


def rounding(z: np.ndarray) -> float:
    """Distances up to this are rounding; above 0 even where all values are 0."""
    return max(_ROUNDING * float(np.abs(z).max(initial=0.0)), float(np.finfo(np.float32).tiny))
