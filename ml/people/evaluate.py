"""How well persons were told apart: pairs of rows, against what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
ALONE = -1


@dataclass(frozen=True)
class PairCounts:
    """Pairs put together and rightly so, pairs put together, and pairs that belong together."""

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """1 where nothing was put together."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """1 where nothing belongs together."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def __sub__(self, other: PairCounts) -> PairCounts:
        return PairCounts(
            self.right - other.right, self.found - other.found, self.true - other.true
        )


def pair_counts(
    labels: Sequence[int] | Ints, truth: Sequence[object] | npt.NDArray[Any]
) -> PairCounts:
    """Counts over all pairs of rows, without listing them: 100,000 rows take milliseconds.

    Args:
        labels: int[n]; `ALONE` puts a row together with no other.
        truth: n names.

    Raises:
        ValueError: arguments that differ in length.
    """
    if len(labels) != len(truth):
        raise ValueError(f"{len(labels)} labels for {len(truth)} names: each row needs both")
    found = _each_alone(np.asarray(labels, np.int64))
    true = np.unique(np.asarray(truth, str), return_inverse=True)[1]
    both = found * (int(true.max(initial=0)) + 1) + true
    return PairCounts(*(_pairs(x) for x in (both, found, true)))


def pair_counts_within(
    labels: Sequence[int] | Ints,
    truth: Sequence[object] | npt.NDArray[Any],
    video_ids: Sequence[str],
) -> PairCounts:
    """The same over the pairs of rows of one video; all pairs less these are those across."""
    video = np.unique(np.asarray(video_ids, str), return_inverse=True)[1]
    found = _each_alone(np.asarray(labels, np.int64))
    shift = int(found.max(initial=0)) + 1
    names = [f"{v} {name}" for v, name in zip(video, truth, strict=True)]
    return pair_counts(found + shift * video, names)


def _each_alone(labels: Ints) -> Ints:
    """Labels from 0 on, with each `ALONE` row as a label of its own."""
    found = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    alone = np.flatnonzero(labels == ALONE)
    found[alone] = int(found.max(initial=0)) + 1 + np.arange(len(alone))
    return found


def _pairs(numbers: Ints) -> int:
    size = np.unique(numbers, return_counts=True)[1].astype(object)
    return int(np.sum(size * (size - 1) // 2)) if len(size) else 0
