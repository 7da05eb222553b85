"""The clusters there were before, as a reason among others for those there are now.

HDBSCAN's tree and its choice between a cluster and the clusters inside it hang on single edges: a
tenth more rows tip some of them. Three things count in favour of what was: edges within an old
cluster are shorter than others, a set that is much like an old cluster may be a little smaller than
a new one, and its excess of mass counts for more. The last is a semi-supervised choice in the sense
of Campello, Moulavi, Zimek and Sander (2013, A framework for semi-supervised and unsupervised
optimal extraction of clusters from hierarchies, section 4), with a measure of agreement of its own.

Measured on six libraries of `benchmarks.topics`, with a tenth more, the same in a space learnt
anew, and a tenth less. Without any of this .963, .955 and .934 of ids are kept, in the worst
library .86, and .91, .86 and .85 of videos stay in their topic; with it .988 of ids in all three,
in the worst library .96, and .97, .96 and .95 of videos. The adjusted Rand index (ARI) with the
themes is .53-.54 instead of .50-.53; on Gaussian themes .985 instead of .986.

Nothing is frozen. Of two Gaussian themes amid eight others a distance decides whether they are
found as one or as two: in 5, 10 and 30 dimensions about 6, 7 and 10 times their spread. This
distance moves by at most a fifth, in favour of what was. Four libraries that grew from 500 to 1,500
videos in steps of a tenth end with ARI .51, clustered at once with .50. A library that did not
change keeps every row where it is, however often.
"""

from __future__ import annotations

import numpy as np

# Distances between rows that were not in one cluster count so many times. Most ids that are lost
# are lost to a chain of two or three rows that ties two topics before either is large enough, which
# no later choice can undo. With 1, 1.05, 1.15, 1.2 and 1.3, .87, .90, .92, .95 and .96 of videos
# stay in their topic when a tenth goes. Distances between strays count so too: with only those
# that leave an old cluster longer, clusters take in more strays every time, after 15 clusterings of
# a growing library 224-258 of about 340 where 52-61 fall to them at once (as it is: 98).
OUTSIDE = 1.2
# A set may be a cluster with this share of the smallest size if it agrees with the old clusters by
# half: topics of 18 vanish where the smallest size rises from 18 to 19. With 1 and .75, .952 and
# .988 of ids are kept when a tenth goes; .85 and .5 do as .75.
LEAST_SHARE, ALIKE = 0.75, 0.5
# A set that agrees wholly counts so many times more. With 0, .5, 1 and 2, .93, .93, .947 and .947
# of videos stay in their topic when a tenth goes. A theme of two equal parts is split where the
# parts have 1.33 times its excess of mass.
WEIGHT = 1.0


def stretched(lengths: np.ndarray, edges: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """The lengths of edges, those that are not within an old cluster `OUTSIDE` times as long.

    Args:
        lengths: float[m].
        edges: int[m, 2].
        before: as in `Prior`; None if nothing is known.
    """
    if before is None:
        return lengths
    one, other = before[edges].T
    within = (one == other) & (one >= 0)
    return np.where(within, lengths, np.float32(OUTSIDE) * lengths)


class Prior:
    """How many rows of each old cluster are in each set of rows, while sets merge.

    A set is known by one of its rows; at first every row is a set.

    Args:
        before: int[n], the old cluster of each row, from 0, -1 for none or not known.
    """

    def __init__(self, before: np.ndarray) -> None:
        there = np.flatnonzero(before >= 0)
        self._sizes = np.bincount(before[there]).tolist()
        known = zip(there.tolist(), before[there].tolist(), strict=True)
        self._counts = {row: {old: 1} for row, old in known}

    def merge(self, a: int, b: int) -> None:
        """Set b becomes part of set a."""
        most, fewest = self._counts.pop(a, {}), self._counts.pop(b, {})
        if len(most) < len(fewest):
            most, fewest = fewest, most
        for old, count in fewest.items():
            most[old] = most.get(old, 0) + count
        if most:
            self._counts[a] = most

    def agreement(self, row: int) -> float:
        """0 to 1: the Jaccard index of this set and a row's old cluster, on average over its rows.

        Rows without an old cluster count on neither side: most are new, and where they lie says
        nothing of what was.
        """
        counts, sizes = self._counts.get(row, {}), self._sizes
        known = sum(counts.values())
        return sum(c * c / (known + sizes[old] - c) for old, c in counts.items()) / max(1, known)

    def suffices(self, row: int, size: int, min_cluster_size: int) -> bool:
        """Whether a set that is too small for a cluster may be one, because it was one."""
        return size >= LEAST_SHARE * min_cluster_size and self.agreement(row) >= ALIKE

    def weight(self, row: int) -> float:
        """What the excess of mass of the set's cluster is multiplied by."""
        return 1 + WEIGHT * self.agreement(row)
