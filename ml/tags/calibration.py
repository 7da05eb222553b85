"""From shares of evidence to confidences that may be read as probabilities, level by level."""

from __future__ import annotations

import numpy as np

# Slope and intercept of a logistic regression on the logit of the share, by level: 800 made-up
# videos of `benchmarks.topics_library` (seed 0) whose place is known on that level, entries whose
# share is above LEAST_SHARE.
# `python -m benchmarks.tags_zero_shot --fit` measures them anew, and how they do on other videos.
LOGISTIC = {1: (1.81, 1.53), 2: (1.66, 1.41), 3: (1.76, 1.52)}
# Below it a share is what a softmax leaves everywhere: a confidence of .00002 at most.
LEAST_SHARE = 1e-3
# Shares stay that far from 1, where the logit is infinite.
_MARGIN = 1e-6


def calibrated(shares: np.ndarray, level: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Confidences, 0 to below 1; a parent's is at least that of its surest child.

    Args:
        shares: float[n, m], each entry's share of a video's evidence, 0 to 1, with what lies below.
        level: int[m], 1 to 3.
        parent: int[m], the entry above, which stands before; -1 at the top.

    Returns:
        float32[n, m]
    """
    clipped = np.clip(shares, LEAST_SHARE, 1 - _MARGIN)
    logits = np.log(clipped / (1 - clipped))
    slopes, intercepts = (np.array([LOGISTIC[int(of)][k] for of in level]) for k in (0, 1))
    confidence = np.where(
        shares < LEAST_SHARE, 0, 1 / (1 + np.exp(-(slopes * logits + intercepts)))
    )
    columns = np.ascontiguousarray(confidence.T)
    for node in range(len(parent) - 1, -1, -1):
        if parent[node] >= 0:
            np.maximum(columns[parent[node]], columns[node], out=columns[parent[node]])
    return np.ascontiguousarray(columns.T, np.float32)


def without_unsure_children(
    scores: np.ndarray, parent: np.ndarray, least_of_parent: float = 0.5
) -> np.ndarray:
    """The scores with 0 for children below so large a share of their parent's, and all below them.

    What is then decoded with a low ``least_confidence`` goes as deep as the evidence does; without
    it a tag of .9 gives way to a child of .06. Mean intersection over union of three tags of .05
    and more is .40 instead of .37 on made-up videos, .27 instead of .24 on the sample library; .6
    and .7 raise it to .41 and .28 but lose 1 and 4 points of videos with their theme among the
    three.

    Args:
        scores: float32[n, m].
        parent: int[m], the entry above, which stands before; -1 at the top.
        least_of_parent: 0 to 1.
    """
    kept = scores.copy()
    for node, above in enumerate(parent):
        if above >= 0:
            sure = (kept[:, above] > 0) & (scores[:, node] >= least_of_parent * scores[:, above])
            kept[:, node] = np.where(sure, kept[:, node], 0)
    return kept
