"""A hierarchical classifier: for each node, how probable it is where its parent is true.

Rows are a `Projection` of lexical features and embeddings. A node's loss counts only the videos
that are filed under its parent, so that a leaf learns to tell itself from its siblings and not from
all the rest. The probability of a set of tags is the product over every node whose parent is in the
set (Bayes' rule along the tree), made to add up to one over the sets seen in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ml.tags.tree import TagTree

if TYPE_CHECKING:
    import torch

# Unit rows of hundreds of directions hold small numbers; so scaled, tens of rounds are enough.
_SCALE = 8.0
# Plain gradient descent learns strong directions first, so that stopping early holds back the
# noise of weak ones. Adam moves all alike: IoU .64 and .58 on the made-up libraries `shows` and
# `themes`, where this has .74 and .65. A hidden layer of 256 gives .73 and .64.
_LEARNING_RATE, _MOMENTUM, _WEIGHT_DECAY = 0.3, 0.9, 1e-3
_MOST_ROUNDS = 400
_PATIENCE = 20
# Share of the videos that say when to stop; below so many videos the rounds are fixed.
_VALIDATION_SHARE = 0.15
_FEWEST_TO_VALIDATE = 40
_FIXED_ROUNDS = 60
# Positives weigh up to twice as much, which the bias then takes back. On `themes` IoU is .646 so,
# and .653 without; up to ten times (with Adam) lost .02 to .04 against none.
_MOST_POSITIVE_WEIGHT = 2.0
_CERTAIN = 1e-4


@dataclass(frozen=True, eq=False)
class Network:
    """A trained classifier.

    Attributes:
        nodes: int64[u], the tree's nodes that it knows, parents before children.
        weights: float32[r, u].
        bias: float32[u].
        rounds: it was trained for.
    """

    nodes: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    rounds: int

    @classmethod
    def fit(cls, rows: np.ndarray, labels: np.ndarray, tree: TagTree, seed: int = 0) -> Self:
        """Trains on rows float32[n, r] with closed labels bool[n, m].

        The rounds are chosen on a part of the videos; then all of them train for so many. Beyond
        that part, drawn with ``seed``, nothing is random.
        """
        nodes = np.flatnonzero(labels.any(axis=0))
        truth = labels[:, nodes]
        rounds = _FIXED_ROUNDS
        if len(rows) >= _FEWEST_TO_VALIDATE:
            held = np.random.default_rng(seed).random(len(rows)) < _VALIDATION_SHARE
            trial = _Training(rows[~held], truth[~held], nodes, tree)
            rounds = trial.best_rounds(rows[held], truth[held])
        training = _Training(rows, truth, nodes, tree)
        for _ in range(rounds):
            training.step()
        return cls(nodes, *training.weights_and_bias(), rounds)

    def conditional(self, rows: np.ndarray) -> np.ndarray:
        """float32[n, u]: the probability of each known node where its parent is true."""
        values = (rows * np.float32(_SCALE)) @ self.weights + self.bias
        return np.clip(1 / (1 + np.exp(-values)), _CERTAIN, 1 - _CERTAIN).astype(np.float32)

    def probabilities(self, rows: np.ndarray, seen: np.ndarray, tree: TagTree) -> np.ndarray:
        """float32[n, s]: the probability of each seen set bool[s, m], which add up to one."""
        conditional = self.conditional(rows)
        inside = seen[:, self.nodes]
        asked = _asked(inside, self.nodes, tree)
        logs = np.log(conditional) @ inside.T.astype(np.float32)
        logs += np.log1p(-conditional) @ (asked & ~inside).T.astype(np.float32)
        # Sets with a node that no training video had can't be told of.
        logs[:, seen.sum(axis=1) > inside.sum(axis=1)] = -np.inf
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _asked(labels: np.ndarray, nodes: np.ndarray, tree: TagTree) -> np.ndarray:
    """bool[n, u]: whether a node's parent is among the labels; true at the top."""
    place = {int(node): at for at, node in enumerate(nodes)}
    above = np.array([place.get(int(tree.parent[node]), -1) for node in nodes], np.int64)
    asked = labels[:, np.maximum(above, 0)]
    asked[:, above < 0] = True
    return asked


class _Training:
    """A network while it is trained; it begins with each node's share under its parent."""

    def __init__(
        self, rows: np.ndarray, truth: np.ndarray, nodes: np.ndarray, tree: TagTree
    ) -> None:
        import torch

        self._nodes, self._tree = nodes, tree
        asked = _asked(truth, nodes, tree)
        positives = np.maximum((truth & asked).sum(axis=0), 0.5)
        negatives = np.maximum(asked.sum(axis=0) - positives, 0.5)
        balance = np.clip(np.sqrt(negatives / positives), 1, _MOST_POSITIVE_WEIGHT)
        self._balance = torch.tensor(balance, dtype=torch.float32)
        self._rows = _tensor(rows) * _SCALE
        self._truth, self._asked = _tensor(truth), _tensor(asked)
        bias = torch.tensor(np.log(positives / negatives), dtype=torch.float32)
        self._weights = torch.zeros(rows.shape[1], len(nodes), requires_grad=True)
        self._bias = (bias + self._balance.log()).requires_grad_()
        self._descent = torch.optim.SGD(
            [self._weights, self._bias],
            lr=min(_LEARNING_RATE, _steepest(rows)),
            momentum=_MOMENTUM,
            nesterov=True,
            weight_decay=_WEIGHT_DECAY,
        )

    def step(self) -> None:
        """One round over all videos."""
        loss = _loss(self._logits(self._rows), self._truth, self._asked, self._balance)
        self._descent.zero_grad()
        loss.backward()
        self._descent.step()

    def best_rounds(self, rows: np.ndarray, truth: np.ndarray) -> int:
        """After how many rounds these videos are best told; trains until they get worse."""
        import torch

        held, true = _tensor(rows) * _SCALE, _tensor(truth)
        asked = _tensor(_asked(truth, self._nodes, self._tree))
        even, added = torch.ones_like(self._balance), self._balance.log()
        best, at = float("inf"), 1
        for done in range(1, _MOST_ROUNDS + 1):
            self.step()
            with torch.no_grad():
                loss = float(_loss(self._logits(held) - added, true, asked, even))
            if loss < best:
                best, at = loss, done
            elif done - at >= _PATIENCE:
                break
        return at

    def weights_and_bias(self) -> tuple[np.ndarray, np.ndarray]:
        """float32[r, u] and float32[u], the bias without what balancing added to it."""
        bias = (self._bias - self._balance.log()).detach().numpy()
        return self._weights.detach().numpy().copy(), bias.copy()

    def _logits(self, rows: torch.Tensor) -> torch.Tensor:
        return rows @ self._weights + self._bias


def _tensor(values: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def _steepest(rows: np.ndarray) -> float:
    """The largest learning rate that can't overshoot: one over the bound of the curvature.

    Where all rows are nearly alike the curvature is tens of times that of real libraries.
    """
    direction: np.ndarray = np.ones(rows.shape[1], np.float32)
    strongest = 0.0
    # Power iteration: an SVD takes longer than the training.
    for _ in range(20):
        direction = rows.T @ (rows @ direction) / len(rows)
        strongest = float(np.linalg.norm(direction))
        direction = direction / max(strongest, 1e-12)
    return 1 / (0.25 * _MOST_POSITIVE_WEIGHT * (_SCALE**2 * strongest + 1))


def _loss(
    logits: torch.Tensor, truth: torch.Tensor, asked: torch.Tensor, balance: torch.Tensor
) -> torch.Tensor:
    """Binary cross-entropy per video, of the nodes whose parent is true."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    loss = binary_cross_entropy_with_logits(
        logits, truth, weight=asked, pos_weight=balance, reduction="sum"
    )
    return loss / max(len(truth), 1)
