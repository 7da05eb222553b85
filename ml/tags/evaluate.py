"""How well tags are learnt from a library's own labels, by cross-validation, beside two yardsticks.

In every fold the model chooses its features, rivals and blend anew from the training part alone.
The yardsticks see the same folds: the constant answer that is best on the training part, and the
tags of the likest training video by character n-grams of title and description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ml.tags.decode import LabelSets
from ml.tags.examples import TagExamples
from ml.tags.features import DESCRIPTION, TITLE, Counted, count_terms, documents
from ml.tags.metrics import RARE_BELOW, TagScores, mean_iou, tag_scores
from ml.tags.neighbours import set_shares
from ml.tags.selection import TrainOptions
from ml.tags.splits import grouped_folds, random_folds, series_groups
from ml.tags.train import fit, labelled_examples
from ml.tags.tree import TagTree
from ml.taxonomy import Taxonomy

# Letters of an n-gram of the yardstick, within words.
NEAREST_NGRAMS = (2, 5)
_LEVELS = ("level 1", "level 2", "level 3")


@dataclass(frozen=True)
class TagEvaluation:
    """What cross-validation found.

    Attributes:
        split: ``random`` or ``grouped`` folds.
        folds: their number.
        seed: of the folds.
        videos: labelled ones.
        groups: series of near-same titles, or of one publisher, among them.
        model, constant, nearest: the scores of the trained model, of the best constant answer and
            of the likest video's tags.
        fold_iou: the model's mean intersection over union in each fold.
        notes: what won in each fold.
    """

    split: str
    folds: int
    seed: int
    videos: int
    groups: int
    model: TagScores
    constant: TagScores
    nearest: TagScores
    fold_iou: tuple[float, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Every figure, ready for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """A table for people, and what won."""
        rows = {"trained": self.model, "nearest": self.nearest, "constant": self.constant}
        head = (
            f"{self.videos} videos in {self.groups} series, {self.split} folds "
            f"({self.folds}, seed {self.seed})"
        )
        columns = ["IoU", "precision", "recall"]
        levels = _LEVELS[: len(self.model.levels)]
        columns += [f"{level} {what}" for level in (*levels, "rare") for what in ("P", "R")]
        lines = [head, " ".join([f"{'':9}", *columns])]
        for name, scores in rows.items():
            cells = [scores.mean_iou]
            for of in (scores.overall, *scores.levels, scores.rare):
                cells += [of.precision, of.recall]
            figures = (f"{v:>{len(c)}.3f}" for v, c in zip(cells, columns, strict=True))
            lines.append(" ".join([f"{name:9}", *figures]))
        rare = self.model.rare
        lines.append(f"{rare.tags} rare tags have fewer than {RARE_BELOW} videos each")
        notes = [f"fold {n}: {note}" for n, note in enumerate(self.notes, 1)]
        return "\n".join([*lines, *notes])


def evaluate(
    examples: TagExamples,
    taxonomy: Taxonomy,
    folds: int = 5,
    seed: int = 0,
    grouped: bool = False,
    options: TrainOptions | None = None,
) -> TagEvaluation:
    """Cross-validates the trained model, the constant answer and the likest neighbour.

    Args:
        examples: videos, of which those with labels count.
        taxonomy: what they are filed under.
        folds: of the outer cross-validation.
        seed: of the folds.
        grouped: whether folds keep series together; the model then chooses on grouped folds too.
        options: of training; ``grouped`` in them is set to this one's.

    Raises:
        TagError: too few labelled videos or series for the folds, labels outside the taxonomy, or
            no text and no vector.
    """
    tree = TagTree.of(taxonomy)
    labelled = labelled_examples(examples, tree)
    groups = series_groups(labelled.text(TITLE), labelled.publishers)
    make = (
        grouped_folds(groups, folds, seed) if grouped else random_folds(len(labelled), folds, seed)
    )
    settings = replace(options or TrainOptions(seed=seed), grouped=grouped)
    found, notes = _held_out(labelled, tree, make, settings)
    true = labelled.labels
    by_fold = tuple(
        mean_iou([found["model"][i] for i in held], [true[i] for i in held], tree)
        for held in (np.flatnonzero(make == fold).tolist() for fold in range(folds))
    )
    scores = {name: tag_scores(tags, true, tree) for name, tags in found.items()}
    split = "grouped" if grouped else "random"
    return TagEvaluation(
        split, folds, seed, len(labelled), len(np.unique(groups)),
        scores["model"], scores["constant"], scores["nearest"], by_fold, tuple(notes),
    )  # fmt: skip


def _held_out(
    labelled: TagExamples, tree: TagTree, fold_of: np.ndarray, options: TrainOptions
) -> tuple[dict[str, list[set[int]]], list[str]]:
    """Each method's tags of every video when its fold is held out, and what won in each fold."""
    counted, notes = count_terms(labelled), []
    found: dict[str, list[set[int]]] = {
        name: [set() for _ in range(len(labelled))] for name in ("model", "constant", "nearest")
    }
    for fold in np.unique(fold_of):
        held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        answers = _yardsticks(labelled, tree, held, rest, options.most_tags)
        answers["model"], note = _trained(counted, tree, held, rest, options)
        notes.append(note)
        for name, tags in answers.items():
            for row, of in zip(held, tags, strict=True):
                found[name][row] = of
    return found, notes


def _trained(
    counted: Counted, tree: TagTree, held: np.ndarray, rest: np.ndarray, options: TrainOptions
) -> tuple[list[set[int]], str]:
    """The model's tags of held-out videos, and what won."""
    model = fit(counted, tree, rest, options)
    decoded = model.sets.decode(model.set_probabilities(counted, held))
    return [{node for node, _ in tags} for tags in decoded], "; ".join(
        [*model.choice.notes, model.choice.split]
    )


def _yardsticks(
    labelled: TagExamples, tree: TagTree, held: np.ndarray, rest: np.ndarray, most_tags: int
) -> dict[str, list[set[int]]]:
    labels = [labelled.labels[row] for row in rest]
    sets = LabelSets.of(labels, tree, most_tags)
    shares = set_shares(sets.places(labels), len(sets.seen))
    constant = set(sets.tags[int(sets.best(shares[None, :])[0])])
    texts = documents(labelled, (TITLE, DESCRIPTION))
    likest = nearest_rows([texts[i] for i in held], [texts[i] for i in rest])
    return {
        "constant": [constant] * len(held),
        "nearest": [set(labels[at]) for at in likest],
    }


def nearest_rows(texts: Sequence[str], among: Sequence[str]) -> np.ndarray:
    """int64[n]: the place of each text's likest by the cosine of character TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=NEAREST_NGRAMS, sublinear_tf=True)
    try:
        rows = vectoriser.fit_transform(among)
    except ValueError:
        # Not a single letter among them.
        return np.zeros(len(texts), np.int64)
    return np.asarray((vectoriser.transform(texts) @ rows.T).argmax(axis=1)).ravel()
