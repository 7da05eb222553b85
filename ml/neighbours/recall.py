"""How well an approximate index finds: recall@10 against exact search, kept up batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.indexes.files import read_arrow, write_arrow

RECALL_AT = 10
# Vectors whose true neighbours are kept: 2,560 hits or misses, +-.01 at a recall of .97.
_QUERIES = 256
# True neighbours kept for each: so many may be removed before fewer than 10 are known for sure.
_DEPTH = 50
_TIE = 1e-6


@dataclass
class Truth:
    """Some vectors of the library and their true neighbours, kept up as batches come and go.

    Lists are exact: a removed neighbour leaves a gap, and below what was then the list's end
    (`floor`) nothing is taken in any more, as something better may have been passed over.

    Attributes:
        keys: of the vectors searched for, q of them.
        queries: those vectors, float32[q, d].
        own_ids: their ids, int64[q]; -1 once removed.
        ids: their neighbours, int64[q, 50], best first; -1 where none is known.
        scores: of those, float32[q, 50]; -inf where none is known.
        floor: float32[q]; the lists hold every vector of the library with a higher score.
    """

    keys: list[str]
    queries: np.ndarray
    own_ids: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    floor: np.ndarray

    @classmethod
    def of(cls, keys: Sequence[str], sample: np.ndarray) -> Truth:
        """For the first 256 of a random sample, before anything is added."""
        n = min(_QUERIES, len(sample))
        return cls(
            keys=list(keys[:n]),
            queries=np.ascontiguousarray(sample[:n], np.float32),
            own_ids=np.full(n, -1, np.int64),
            ids=np.full((n, _DEPTH), -1, np.int64),
            scores=np.full((n, _DEPTH), -np.inf, np.float32),
            floor=np.full(n, -np.inf, np.float32),
        )

    def add(self, keys: Sequence[str], ids: np.ndarray, vectors: np.ndarray) -> None:
        """Takes a batch's better neighbours in; a vector is not its own neighbour."""
        if not len(ids):
            return
        scores = (self.queries @ vectors.T).astype(np.float32)
        scores[scores < self.floor[:, None]] = -np.inf
        place = {key: column for column, key in enumerate(keys)}
        for row, key in enumerate(self.keys):
            if key in place:
                self.own_ids[row] = ids[place[key]]
                scores[row, place[key]] = -np.inf
        every = np.hstack([self.ids, np.broadcast_to(ids, scores.shape)])
        self._keep(every, np.hstack([self.scores, scores]))

    def remove(self, start_id: int, stop_id: int) -> None:
        """Forgets the vectors from start_id up to stop_id."""
        gone = (self.ids >= start_id) & (self.ids < stop_id)
        cut = gone.any(axis=1) & (self.ids[:, -1] >= 0)
        self.floor = np.where(cut, np.maximum(self.floor, self.scores[:, -1]), self.floor)
        self.own_ids[(self.own_ids >= start_id) & (self.own_ids < stop_id)] = -1
        self._keep(self.ids, np.where(gone, np.float32(-np.inf), self.scores))

    def recall(
        self, search: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
    ) -> float | None:
        """Share of the true 10 that the search finds; any of equally near ones will do.

        None when the true 10 of fewer than half of the queries are known for sure.
        """
        known = np.flatnonzero(self.ids[:, RECALL_AT - 1] >= 0)
        if 2 * len(known) < len(self.keys) or not len(known):
            return None
        _, found = search(self.queries[known], RECALL_AT + 1)
        hits = 0
        for row, got in zip(known, found, strict=True):
            near = self.scores[row] >= self.scores[row, RECALL_AT - 1] - _TIE
            others = [i for i in got.tolist() if i != self.own_ids[row]][:RECALL_AT]
            hits += min(RECALL_AT, len(set(self.ids[row][near].tolist()) & set(others)))
        return hits / (RECALL_AT * len(known))

    def write(self, path: Path) -> None:
        """A small Arrow file, which `read` reads."""
        columns = {name: list(getattr(self, name)) for name in self.__annotations__}
        write_arrow(pa.table(columns), path)

    @classmethod
    def read(cls, path: str) -> Truth:
        table = read_arrow(path)
        columns = {n: np.array(table[n].to_pylist()) for n in cls.__annotations__ if n != "keys"}
        for name in ("queries", "scores", "floor"):
            columns[name] = columns[name].astype(np.float32)
        return cls(keys=table["keys"].to_pylist(), **columns)

    def _keep(self, ids: np.ndarray, scores: np.ndarray) -> None:
        if ids.shape[1] > _DEPTH:
            best = np.argpartition(-scores, _DEPTH, axis=1)[:, :_DEPTH]
            ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
        order = np.lexsort((ids, -scores), axis=-1)
        self.scores = np.take_along_axis(scores, order, 1)
        self.ids = np.where(np.isneginf(self.scores), -1, np.take_along_axis(ids, order, 1))
