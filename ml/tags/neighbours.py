"""What the likest labelled videos say: probabilities of sets of tags from cosines.

Two rivals. `kernel_average` weighs each labelled video by ``exp(cosine / temperature)``
(Nadaraya-Watson), with the library's own shares of sets counting as one more video of a set
cosine: where nothing is alike, they decide. `Ridge` weighs them jointly (kernel ridge regression of
the sets' indicators; with minimum-Bayes-risk decoding this is the implicit loss embedding of
Ciliberto et al. 2016, arXiv:1605.07588), so that twenty episodes of a show are not twenty
witnesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse

NEIGHBOURS = 50
# A projection on more videos than that takes minutes; it is exact for libraries of fewer.
LANDMARKS = 2000
# Directions of less than this share of the first one's strength are rounding.
_WEAKEST = 1e-6


@dataclass(frozen=True)
class Kernel:
    """How cosines become weights: of `kernel_average`.

    Attributes:
        temperature: the smaller, the more the likest video decides alone.
        prior_cosine: the cosine at which the library's shares weigh as much as a video.
    """

    temperature: float
    prior_cosine: float


def kernel_average(
    cosines: np.ndarray, sets: np.ndarray, prior: np.ndarray, kernel: Kernel
) -> np.ndarray:
    """float32[n, s]: probability of each set for each video.

    Args:
        cosines: float32[n, t] with each labelled video.
        sets: int64[t], the set that each labelled video has.
        prior: float[s], the sets' shares.
        kernel: see there.
    """
    rows = np.arange(len(cosines))[:, None]
    k = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    found = cosines[rows, nearest]
    top = np.maximum(found.max(axis=1, keepdims=True), kernel.prior_cosine)
    weights = np.exp((found - top) / kernel.temperature)
    probabilities = np.exp((kernel.prior_cosine - top) / kernel.temperature) * prior[None, :]
    np.add.at(probabilities, (rows, sets[nearest]), weights)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def set_shares(sets: np.ndarray, count: int) -> np.ndarray:
    """float32[count]: the share of videos that have each set."""
    return (np.bincount(sets, minlength=count) / len(sets)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Projection:
    """Cosines with labelled videos turned to short dense rows that keep those cosines.

    Kernel principal components, not centred; for large libraries of a sample of the videos
    (Nyström's approximation).

    Attributes:
        landmarks: int64[l], places of the videos that count.
        axes: float32[l, r].
    """

    landmarks: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, cosines: np.ndarray, landmarks: np.ndarray) -> Self:
        """The projection on videos at some places, from their cosines float32[l, l]."""
        strengths, directions = np.linalg.eigh(cosines.astype(np.float64))
        kept = strengths > _WEAKEST * max(strengths[-1], 1e-12)
        axes = directions[:, kept] / np.sqrt(strengths[kept])
        return cls(landmarks, axes.astype(np.float32))

    def rows(self, cosines: np.ndarray) -> np.ndarray:
        """float32[n, r] from cosines with the landmarks, float32[n, l]."""
        return cosines @ self.axes


def landmark_rows(count: int, seed: int) -> np.ndarray:
    """int64: places of all videos, or of a random sample of `LANDMARKS`."""
    if count <= LANDMARKS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, LANDMARKS, replace=False))


@dataclass(frozen=True, eq=False)
class Ridge:
    """Sets' indicators as linear functions of projected rows.

    Attributes:
        weights: float32[r, s].
        mean: float32[s], the sets' shares: what a row of zeros gets.
        centre: float32[r], the mean row.
    """

    weights: np.ndarray
    mean: np.ndarray
    centre: np.ndarray

    @classmethod
    def fit(
        cls, rows: np.ndarray, sets: np.ndarray, count: int, penalties: Sequence[float]
    ) -> list[Self]:
        """One for each penalty, which is compared with cosines: .3 is mild, 3 is strong."""
        centre = rows.mean(axis=0)
        centred = (rows - centre).astype(np.float64)
        mean = set_shares(sets, count)
        strengths, directions = np.linalg.eigh(centred.T @ centred)
        # Rows of the indicator of each video's set, less the shares, summed by set.
        sums = np.zeros((count, centred.shape[1]))
        np.add.at(sums, sets, centred)
        turned = directions.T @ sums.T
        return [
            cls((directions @ (turned / (strengths + p)[:, None])).astype(np.float32), mean, centre)
            for p in penalties
        ]

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """float32[n, s]; they add up to one, but some are slightly below nought."""
        return (rows - self.centre) @ self.weights + self.mean


def cosines_with(
    some: sparse.csr_array[Any, Any], labelled: sparse.csr_array[Any, Any]
) -> np.ndarray:
    """float32[n, t]: cosines of unit rows."""
    return np.asarray((some @ labelled.T).todense(), np.float32)
