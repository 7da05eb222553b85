"""What moves: how the cells of a picture change within a quarter of a second, and how alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, F64

# Cells count by how much moves in them in both videos, against noise of about this many levels
# (Wiener's filter). Of 169 copies, 98 % then correlate above .68, without it above .39.
_NOISE = 2.0
_LARGE = 4.0  # levels: root mean square change of all cells
# Sensor noise and coding of a still gave up to 0.6 levels (0.9 in a picture in picture of 35 %), a
# speaker whose lips move 0.2 to 2. Noise is added to one video of two, so less will do in both.
_MOVES, BOTH_MOVE = 1.0, 0.25


def differences(seen: F32) -> F32:
    """What changes over a quarter of a second (two ticks), but for the picture's contrast.

    A fade multiplies the picture: it goes with the part of the change that is like the picture.
    """
    change, picture = seen[2:] - seen[:-2], seen[1:-1]
    size = np.einsum("tp,tp->t", picture, picture) + 1e-3
    share = np.einsum("tp,tp->t", change, picture) / size
    return np.asarray(change - share[:, None] * picture)


def levelled(changes: F32) -> F32:
    """Large changes are drawn closer, so that one cut does not outweigh seconds of movement."""
    size = np.sqrt(np.einsum("tp,tp->t", changes, changes) / changes.shape[1])
    return np.asarray(changes / np.sqrt(1.0 + size / _LARGE)[:, None], np.float32)


def weighted(mine: F32, theirs: F32) -> tuple[F32, F32]:
    """Both changes ``[ticks, cells]`` with their cells weighed by what moves there in the two."""
    moves = np.minimum((mine**2).mean(axis=0), (theirs**2).mean(axis=0))
    weight = np.sqrt(moves / (moves + _NOISE**2))
    return mine * weight, theirs * weight


@dataclass(frozen=True)
class Moments:
    """Sums over time per lag and cell: ``[lags, cells]``; ticks per lag: ``[lags]``."""

    product: F64
    query: F64
    reference: F64
    count: F64

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def correlations(self) -> F64:
        """``[lags]``; cells weigh by what moves in both."""
        ticks = np.maximum(self.count, 1.0)[:, None]
        moves = np.minimum(self.query, self.reference) / ticks
        weight = moves / (moves + _NOISE**2)
        query, reference = (weight * self.query).sum(axis=1), (weight * self.reference).sum(axis=1)
        return np.asarray((weight * self.product).sum(axis=1) / np.sqrt(query * reference + 1e-9))

    def energies(self) -> F64:
        """``[2, lags]`` of the query and the reference, as in ``MotionComparison``."""
        ticks = np.maximum(self.count, 1.0)[:, None]
        return np.asarray(
            [np.sqrt(np.quantile(e / ticks, 0.9, axis=1)) for e in (self.query, self.reference)]
        )


def _values(moments: Moments) -> tuple[F64, F64, F64, F64]:
    return moments.product, moments.query, moments.reference, moments.count


def is_moving(energies: F64) -> npt.NDArray[np.bool_]:
    """bool[lags]: whether enough moves to tell; ``[2, lags]`` energies of query and reference."""
    return np.asarray((energies.max(axis=0) >= _MOVES) | (energies.min(axis=0) >= BOTH_MOVE))
