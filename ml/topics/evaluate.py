"""How well topics agree with known themes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NO_TOPIC = -1


def agreement(found: Sequence[int] | np.ndarray, truth: Sequence[str]) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985): 1 for the same groups, about 0 for chance.

    Whoever has no topic, or no theme, is a group of its own: leaving videos out helps nobody.

    Args:
        found: int[n], topics, -1 for none.
        truth: n themes, empty for none.

    Raises:
        ValueError: arguments that differ in length.
    """
    from sklearn.metrics import adjusted_rand_score

    if len(found) != len(truth):
        raise ValueError(f"{len(found)} topics for {len(truth)} themes: each video needs both")
    themes = np.unique(np.array(truth, str), return_inverse=True)[1]
    nobody = np.array([theme == "" for theme in truth], bool)
    return float(
        adjusted_rand_score(_each_alone(themes, nobody), _each_alone(found, np.less(found, 0)))
    )


def _each_alone(groups: Sequence[int] | np.ndarray, alone: np.ndarray) -> np.ndarray:
    numbers = np.unique(groups, return_inverse=True)[1]
    return np.where(alone, len(numbers) + np.arange(len(numbers)), numbers)
