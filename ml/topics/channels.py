"""One channel's part of a video's vector: standardised by what was learnt from the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.text.lexical import foreign_share
from ml.vectors import ModelMismatch, require_finite

# Columns that vary less are constant: two of MiniLM's 384 are.
_CONSTANT = 1e-6
# Shares that differ by less than a thousandth say nothing.
_SMALLEST_VARIANCE = 1e-6
# The packaged text model knows English only: what it makes of other alphabets counts little, and
# the words themselves stand in. Above 0, so that a video without a known word has a vector.
_LEAST_TRUST = 0.05


@dataclass(frozen=True)
class ChannelScale:
    """How a channel's vectors are brought to a common scale, frozen.

    Attributes:
        weight: what the channel counts; the mean squared length of its block is 1.
        is_levelled: whether other alphabets are levelled out and trusted less.
        foreign_mean: mean share of letters of other alphabets.
        slope: float32[d], by how much vectors change from no such letters to nothing else.
        mean: float32[d].
        factor: float32[d], what a centred column is multiplied by; 0 for a constant one.
    """

    weight: float
    is_levelled: bool
    foreign_mean: float
    slope: np.ndarray
    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def fit(
        cls,
        matrix: np.ndarray,
        weight: float,
        *,
        foreign: np.ndarray | None = None,
        is_whole: bool = False,
    ) -> ChannelScale:
        """Learns a channel's scale.

        A text model that does not know a language gives all of its texts much the same vector.
        With the share of foreign letters the common direction goes (a least-squares line), and a
        theme's videos in two languages can meet.

        Args:
            matrix: float32[n, d], n > 0.
            weight: what the channel counts.
            foreign: float64[n], each text's share of letters of other alphabets; None where the
                model knows them.
            is_whole: columns keep their proportions, being centred only: the last columns of an
                SVD are small because they matter little.
        """
        shares = np.zeros(len(matrix)) if foreign is None else foreign
        slope = _slope(matrix, shares)
        levelled = matrix - np.outer(shares - shares.mean(), slope)
        mean = levelled.mean(axis=0, dtype=np.float64)
        return cls(
            weight,
            foreign is not None,
            float(shares.mean()),
            slope.astype(np.float32),
            mean.astype(np.float32),
            _factor(levelled - mean, is_whole).astype(np.float32),
        )

    def block(self, matrix: np.ndarray, foreign: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows, float32[n, d], times the root of what they count, and that: float64[n].

        Args:
            matrix: float32[n, d].
            foreign: float64[n], each text's share of letters of other alphabets.
        """
        trust = np.maximum(_LEAST_TRUST, 1 - foreign) if self.is_levelled else np.ones(len(matrix))
        centred = matrix - self.mean
        if self.is_levelled:
            centred -= np.outer(foreign - self.foreign_mean, self.slope).astype(np.float32)
        counts = self.weight * trust
        return centred * self.factor * np.sqrt(counts)[:, None].astype(np.float32), counts


def foreign_shares(ids: Sequence[str], texts: Mapping[str, str]) -> np.ndarray:
    """float64[n]: the share of each video's letters that are not Latin; 0 without a text."""
    return np.array([foreign_share(texts.get(video, "")) for video in ids], np.float64)


def checked(
    name: str, ids: Sequence[str], matrix: np.ndarray, dimension: int | None = None
) -> None:
    """Refuses a channel that can't be read.

    Raises:
        ValueError: ids and rows that differ in number, an id twice, NaN or infinite values.
        ModelMismatch: another dimension than the one given.
    """
    if len(ids) != len(matrix):
        raise ValueError(f"channel {name!r}: {len(ids)} ids for {len(matrix)} vectors")
    if len(set(ids)) != len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise ValueError(f"channel {name!r} holds video {twice!r} twice")
    require_finite(matrix, f"channel {name!r}", ids)
    if dimension is not None and len(ids) and matrix.shape[1] != dimension:
        raise ModelMismatch(
            f"{name} vectors have {matrix.shape[1]} dimensions, the space of topics was learnt "
            f"from {dimension}: cluster the topics anew"
        )


def _slope(matrix: np.ndarray, shares: np.ndarray) -> np.ndarray:
    spread = shares - shares.mean()
    square = float(spread @ spread)
    if square <= len(shares) * _SMALLEST_VARIANCE:
        return np.zeros(matrix.shape[1])
    return np.asarray(spread @ matrix.astype(np.float64) / square)


def _factor(centred: np.ndarray, is_whole: bool) -> np.ndarray:
    """A channel that does not vary at all keeps its columns, so that what differs shows later."""
    if is_whole:
        length = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
        return np.full(centred.shape[1], 1 / length if length > _CONSTANT else 1.0)
    deviation = centred.std(axis=0)
    varying = deviation > _CONSTANT
    if not varying.any():
        return np.full(centred.shape[1], centred.shape[1] ** -0.5)
    factor = np.zeros(centred.shape[1])
    factor[varying] = 1 / deviation[varying] / np.sqrt(varying.sum())
    return factor
