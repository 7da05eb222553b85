"""Learns a library's tags from its own labels.

Three ways to say how probable each set of tags is for a video compete: the average of its nearest
labelled neighbours, a kernel ridge regression on all of them, and a hierarchical network
(`ml.tags.neighbours`, `ml.tags.network`). Which features they see, how sharply they judge and
how they are blended is chosen by cross-validation within the labelled videos, by the mean
intersection over union that is asked for; the answer is decoded by minimum Bayes risk
(`ml.tags.decode.LabelSets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.tags.decode import Decoded, LabelSets
from ml.tags.examples import TagExamples
from ml.tags.features import Counted, Features, count_terms
from ml.tags.neighbours import (
    Projection,
    Ridge,
    cosines_with,
    kernel_average,
    landmark_rows,
    set_shares,
)
from ml.tags.network import Network
from ml.tags.selection import NEIGHBOURS, NETWORK, RIDGE, Choice, Labelled, TrainOptions, choose
from ml.tags.tree import TagError, TagTree
from ml.taxonomy import Taxonomy

if TYPE_CHECKING:
    from scipy import sparse

FEWEST_EXAMPLES = 10
# So many videos take 155 s on one core and 1.3 GB, and time grows with their square: of a larger
# library a random sample is learnt.
MOST_EXAMPLES = 5000


@dataclass(frozen=True, eq=False)
class TagModel:
    """A trained model; made by `train` or read by `ml.tags.model_file`.

    Attributes:
        tree: what it files videos under.
        features: how texts become rows.
        labelled: float32[t, f], sparse, the training videos' rows.
        sets: the sets of tags it tells apart.
        set_of: int64[t], each training video's set.
        projection, ridge, network: None where the blend does without.
        choice: what cross-validation chose.
    """

    tree: TagTree
    features: Features
    labelled: sparse.csr_array[Any, Any]
    sets: LabelSets
    set_of: np.ndarray
    projection: Projection | None
    ridge: Ridge | None
    network: Network | None
    choice: Choice

    def scores(self, examples: TagExamples) -> np.ndarray:
        """float32[n, m]: how probable each node is; a child never more than its parent.

        Memory grows with n times the training videos: ask for some thousands at a time.

        Raises:
            TagError: embeddings of another width than those trained with.
        """
        return self.sets.scores(self._probabilities(examples))

    def decode(self, examples: TagExamples) -> Decoded:
        """Each video's tags with their probability, the surest first; errors as in `scores`."""
        return self.sets.decode(self._probabilities(examples))

    def set_probabilities(self, counted: Counted, rows: np.ndarray) -> np.ndarray:
        """float32[n, s] for videos whose terms are counted in the model's own columns."""
        cosines = cosines_with(self.features.matrix(counted, rows), self.labelled)
        found = np.zeros((len(rows), len(self.sets.seen)), np.float32)
        if self.choice.shares[NEIGHBOURS]:
            prior = set_shares(self.set_of, len(self.sets.seen))
            average = kernel_average(cosines, self.set_of, prior, self.choice.kernel)
            found += self.choice.shares[NEIGHBOURS] * average
        if self.projection is None:
            return found
        projected = self.projection.rows(cosines[:, self.projection.landmarks])
        if self.ridge is not None:
            found += self.choice.shares[RIDGE] * self.ridge.probabilities(projected)
        if self.network is not None:
            network = self.network.probabilities(projected, self.sets.seen, self.tree)
            found += self.choice.shares[NETWORK] * network
        return found

    def _probabilities(self, examples: TagExamples) -> np.ndarray:
        counted = self.features.count(examples)
        return self.set_probabilities(counted, np.arange(len(examples)))


def train(
    examples: TagExamples, taxonomy: Taxonomy, options: TrainOptions | None = None
) -> TagModel:
    """A model of the videos that have labels; of the others nothing is learnt.

    Args:
        examples: at least `FEWEST_EXAMPLES` of them with labels, which are nodes of
            ``TagTree.of(taxonomy)``.
        taxonomy: what videos are filed under.
        options: see there.

    Raises:
        TagError: too few labelled videos, labels outside the taxonomy, or no text and no vector.
    """
    options, tree = options or TrainOptions(), TagTree.of(taxonomy)
    labelled = labelled_examples(examples, tree)
    notes = []
    if len(labelled) > MOST_EXAMPLES:
        notes.append(f"trained on a random {MOST_EXAMPLES} of {len(labelled)} labelled videos")
        draw = np.random.default_rng(options.seed)
        labelled = labelled.select(np.sort(draw.permutation(len(labelled))[:MOST_EXAMPLES]))
    return fit(count_terms(labelled), tree, np.arange(len(labelled)), options, notes)


def labelled_examples(examples: TagExamples, tree: TagTree) -> TagExamples:
    """The videos that have a label; errors as in `train`."""
    labelled = examples.labelled()
    if len(labelled) < FEWEST_EXAMPLES:
        raise TagError(
            f"{len(labelled)} of {len(examples)} videos have a known tag: at least "
            f"{FEWEST_EXAMPLES} are needed to learn from"
        )
    nodes = set().union(*labelled.labels)
    outside = sorted(node for node in nodes if not 0 <= node < len(tree))
    if outside:
        raise TagError(f"labels hold nodes that the taxonomy of {len(tree)} has not: {outside[:5]}")
    return labelled


def fit(
    counted: Counted,
    tree: TagTree,
    rows: np.ndarray,
    options: TrainOptions,
    notes: Sequence[str] = (),
) -> TagModel:
    """A model of the videos at these places, which all have labels.

    Args:
        counted: those videos and others, whose terms share columns.
        tree: what the labels are nodes of.
        rows: int64[t].
        options: see there.
        notes: sentences that go before those on what was chosen.
    """
    labels = [counted.examples.labels[row] for row in rows]
    sets = LabelSets.of(labels, tree, options.most_tags)
    labelled = Labelled(counted, rows, sets, sets.places(labels))
    choice = choose(labelled, options)
    choice = replace(choice, notes=(*notes, *choice.notes))
    features = Features.fit(counted, rows, choice.recipe)
    matrix = features.matrix(counted, rows)
    projection, ridge, network = _judges(labelled, matrix, choice, options)
    set_of = labelled.set_of
    return TagModel(tree, features, matrix, sets, set_of, projection, ridge, network, choice)


def _judges(
    labelled: Labelled, matrix: sparse.csr_array[Any, Any], choice: Choice, options: TrainOptions
) -> tuple[Projection | None, Ridge | None, Network | None]:
    """Those that the blend asks for, trained on all videos."""
    if not choice.shares[RIDGE] and not choice.shares[NETWORK]:
        return None, None, None
    landmarks = landmark_rows(matrix.shape[0], options.seed)
    cosines = cosines_with(matrix, matrix[landmarks])
    projection = Projection.fit(cosines[landmarks], landmarks)
    rows, sets = projection.rows(cosines), labelled.sets
    ridge = network = None
    if choice.shares[RIDGE]:
        ridge = Ridge.fit(rows, labelled.set_of, len(sets.seen), [choice.penalty])[0]
    if choice.shares[NETWORK]:
        network = Network.fit(rows, labelled.closed, sets.tree, options.seed)
    return projection, ridge, network
