"""Which features, how sharp a judgement and which blend of rivals: by cross-validation.

Each rival says for every held-out video how probable each set of tags is. What it would answer,
and what that would earn, follows from those probabilities alone, so that blends of rivals are tried
without training anything again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ml.tags.decode import LabelSets, overlap
from ml.tags.features import RECIPES, TITLE, Counted, Features
from ml.tags.neighbours import (
    Kernel,
    Projection,
    Ridge,
    cosines_with,
    kernel_average,
    landmark_rows,
    set_shares,
)
from ml.tags.network import Network
from ml.tags.splits import grouped_folds, random_folds, series_groups

NEIGHBOURS, RIDGE, NETWORK = "neighbours", "ridge", "network"
RIVALS = (NEIGHBOURS, RIDGE, NETWORK)
NEAREST, BLEND = "likest neighbour", "blend"
KERNELS = tuple(Kernel(t, prior) for t, prior in product((0.02, 0.05, 0.1, 0.2), (0.0, 0.3)))
PENALTIES = (0.1, 0.3, 1.0, 3.0)
# Shares of the blend are multiples of a quarter.
_BLEND_STEPS = 4
# Where nothing can be held out: gentle judgement by the ridge regression alone.
_UNTRIED = Kernel(0.05, 0.15), 1.0


@dataclass(frozen=True)
class TrainOptions:
    """How a model is trained.

    Attributes:
        most_tags: per video, at most.
        folds: of the inner cross-validation.
        grouped: whether those folds keep series together. Right where new videos are of new
            series; where most are further episodes, random folds choose better.
        seed: of the folds, of the part of the videos that stops the network's training, and of the
            sample of a very large library.
    """

    most_tags: int = 3
    folds: int = 3
    grouped: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose.

    Attributes:
        recipe: of the features.
        kernel: of the neighbours.
        penalty: of the ridge regression.
        shares: of neighbours, ridge and network in the blend; they add up to one.
        inner_iou: mean intersection over union of the likest neighbour alone, of each rival alone
            and of the blend in the inner cross-validation; empty where nothing could be held out.
        split: how videos were held out, in words.
        notes: sentences; the last one says what won.
    """

    recipe: str
    kernel: Kernel
    penalty: float
    shares: Mapping[str, float]
    inner_iou: Mapping[str, float]
    split: str
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Videos to learn from: places among the counted ones, and their sets of tags."""

    counted: Counted
    rows: np.ndarray
    sets: LabelSets
    set_of: np.ndarray

    @property
    def closed(self) -> np.ndarray:
        """bool[n, m]: each video's tags with their parents."""
        return self.sets.seen[self.set_of]

    def cosines(self, recipe: str) -> np.ndarray:
        """float32[n, n]: of the videos with each other."""
        matrix = Features.fit(self.counted, self.rows, recipe).matrix(self.counted, self.rows)
        return cosines_with(matrix, matrix)


def choose(labelled: Labelled, options: TrainOptions) -> Choice:
    """What judges the labelled videos best when parts of them are held out in turn."""
    fold, note = _folds(labelled, options)
    if fold is None:
        alone = {NEIGHBOURS: 0.0, RIDGE: 1.0, NETWORK: 0.0}
        return Choice(next(iter(RECIPES)), *_UNTRIED, alone, {}, "none", (note,))
    trials = (_Trial(labelled, recipe, fold, options) for recipe in RECIPES)
    best = max(trials, key=lambda trial: trial.without_network)
    found = {
        NEIGHBOURS: best.neighbours[best.kernel],
        RIDGE: best.ridge[best.penalty],
        NETWORK: best.network(),
    }
    blends = {shares: best.iou(_blend(found, shares)) for shares in _shares()}
    # Of equal blends the one with the fewest rivals.
    winner = max(blends, key=lambda shares: (round(blends[shares], 6), shares.count(0.0)))
    inner = {rival: best.iou(found[rival]) for rival in RIVALS}
    inner |= {NEAREST: best.nearest, BLEND: blends[winner]}
    chosen = dict(zip(RIVALS, winner, strict=True))
    notes = (_about(chosen, inner, best.recipe),)
    return Choice(best.recipe, best.kernel, best.penalty, chosen, inner, note, notes)


class _Trial:
    """One recipe's features judged by what rivals say of held-out videos."""

    def __init__(
        self, labelled: Labelled, recipe: str, fold: np.ndarray, options: TrainOptions
    ) -> None:
        self.recipe = recipe
        self._labelled, self._fold, self._options = labelled, fold, options
        self._cosines = labelled.cosines(recipe)
        self._earned = overlap(labelled.closed, labelled.sets.answers)
        count, of = len(labelled.sets.seen), labelled.set_of
        empty = np.zeros((len(fold), count), np.float32)
        self.neighbours = {kernel: empty.copy() for kernel in KERNELS}
        self.ridge = {penalty: empty.copy() for penalty in PENALTIES}
        for held, rest, projection, rows in self._parts():
            cosines = self._cosines[np.ix_(held, rest)]
            prior = set_shares(of[rest], count)
            for kernel, found in self.neighbours.items():
                found[held] = kernel_average(cosines, of[rest], prior, kernel)
            projected = projection.rows(cosines[:, projection.landmarks])
            models = Ridge.fit(rows, of[rest], count, PENALTIES)
            for model, found in zip(models, self.ridge.values(), strict=True):
                found[held] = model.probabilities(projected)
        self.kernel = max(KERNELS, key=lambda kernel: self.iou(self.neighbours[kernel]))
        self.penalty = max(PENALTIES, key=lambda penalty: self.iou(self.ridge[penalty]))
        both = self.neighbours[self.kernel] + self.ridge[self.penalty]
        self.without_network = self.iou(both)

    def iou(self, probabilities: np.ndarray) -> float:
        """Mean intersection over union of what these probabilities answer."""
        answers = self._labelled.sets.best(probabilities)
        return float(self._earned[np.arange(len(answers)), answers].mean())

    @property
    def nearest(self) -> float:
        """The mean intersection over union of the likest video's own tags."""
        closed = self._labelled.closed
        same = self._fold[:, None] == self._fold[None, :]
        likest = np.where(same, -1, self._cosines).argmax(axis=1)
        shared = (closed & closed[likest]).sum(axis=1)
        return float((shared / (closed | closed[likest]).sum(axis=1)).mean())

    def network(self) -> np.ndarray:
        """What networks trained on the rest say of each held-out part."""
        sets, closed = self._labelled.sets, self._labelled.closed
        found = np.zeros((len(self._fold), len(sets.seen)), np.float32)
        for held, rest, projection, rows in self._parts():
            network = Network.fit(rows, closed[rest], sets.tree, self._options.seed)
            cosines = self._cosines[np.ix_(held, rest[projection.landmarks])]
            projected = projection.rows(cosines)
            found[held] = network.probabilities(projected, sets.seen, sets.tree)
        return found

    def _parts(self) -> Iterator[tuple[np.ndarray, np.ndarray, Projection, np.ndarray]]:
        """Held-out places, the others, the projection on the others and their rows by it."""
        for part in np.unique(self._fold):
            held, rest = np.flatnonzero(self._fold == part), np.flatnonzero(self._fold != part)
            cosines = self._cosines[np.ix_(rest, rest)]
            landmarks = landmark_rows(len(rest), self._options.seed)
            projection = Projection.fit(cosines[np.ix_(landmarks, landmarks)], landmarks)
            yield held, rest, projection, projection.rows(cosines[:, landmarks])


def _folds(labelled: Labelled, options: TrainOptions) -> tuple[np.ndarray | None, str]:
    """The fold of each video, and how they were made; None where one set is all there is."""
    if len(labelled.sets.seen) == 1:
        return None, "every labelled video has the same tags: they are the answer to any video"
    examples = labelled.counted.examples.select(labelled.rows)
    if options.grouped:
        groups = series_groups(examples.text(TITLE), examples.publishers)
        series = len(np.unique(groups))
        if series >= options.folds:
            fold = grouped_folds(groups, options.folds, options.seed)
            return fold, f"chosen on {options.folds} folds that keep {series} series together"
        why = f" (there are only {series} series)"
    else:
        why = ""
    fold = random_folds(len(examples), options.folds, options.seed)
    return fold, f"chosen on {options.folds} random folds{why}"


def _shares() -> list[tuple[float, float, float]]:
    steps = range(_BLEND_STEPS + 1)
    # Of equals the first wins: the rivals that take least time come first.
    parts = [(a, b, _BLEND_STEPS - a - b) for a, b in product(reversed(steps), reversed(steps))]
    return [(a / _BLEND_STEPS, b / _BLEND_STEPS, c / _BLEND_STEPS) for a, b, c in parts if c >= 0]


def _blend(found: Mapping[str, np.ndarray], shares: Sequence[float]) -> np.ndarray:
    blended = sum(share * found[rival] for rival, share in zip(RIVALS, shares, strict=True))
    return np.asarray(blended)


def _about(shares: Mapping[str, float], inner: Mapping[str, float], recipe: str) -> str:
    used = {rival: share for rival, share in shares.items() if share}
    blend = " + ".join(f"{share:.2f} {rival}" for rival, share in used.items())
    what = f"a blend ({blend})" if len(used) > 1 else f"the {next(iter(used))} alone"
    others = ", ".join(f"{rival} {inner[rival]:.3f}" for rival in (*RIVALS, NEAREST))
    return f"{what} won with IoU {inner[BLEND]:.3f} ({others}) on features {recipe!r}"
