"""The three kinds of index, as FAISS has them, with one set of methods.

Which kind from which size on, by measurement: vectors of themes and subjects within themes,
spectrum and nearness of neighbours like those of all-MiniLM-L6-v2 over 6,000 sentences; one core,
384 dimensions, 200 results a query. Bytes are those that a search scans::

    200,000 vectors, 64 of 1,024 cells        a vector   recall@10   a query   codes trained in
        ivf-sq8                                392 B      .975       0.63 ms    1 s
        ivf-pq of 48 bytes, 400 re-ranked       56 B      .971       0.58 ms    9 s
        ivf-rabitq, 400 re-ranked               64 B      .971       0.46 ms    1 s
    1,000,000 vectors, 128 of 2,048 cells
        ivf-sq8                                392 B      .932       3.04 ms    2 s
        ivf-pq of 48 bytes, 400 re-ranked       56 B      .929       2.11 ms   13 s
        ivf-rabitq, 400 re-ranked               64 B      .933       1.35 ms    2 s

So RaBitQ (Gao and Long, SIGMOD 2024) and not PQ: it finds more with fewer re-ranked, sooner, and
needs no k-means of its own. At 200,000 it saves a fraction of a millisecond; at 1,000,000, with
512 cells for a recall of .98, it halves 11.5 ms (``benchmarks/index_scale.py``). On disk it is an
eighth larger, as it keeps the 8-bit codes too. How it does with less memory than those take was
not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.neighbours.gpu import MOST_RESULTS, GpuCopy, train
from ml.neighbours.keys import Keys
from ml.neighbours.options import EXACT, IVF_RABITQ, IVF_SQ8

Found = tuple[np.ndarray, np.ndarray]
Recall = Callable[[], float | None]

# FAISS asks for 39 training vectors per cell.
_TRAIN_PER_CELL = 40
_PROBES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
# Candidates that are re-ranked, for up to half as many results.
_RERANKED = (50, 100, 200, 400, 800)
# Probes grow with the cube root of how rare a filter is. 300,000 vectors in 1,024 cells, 256 probes
# for a recall of .96: a random tenth needs 400 for as much, a random hundredth 400, the hundredth
# nearest one theme 500.
_RARER = 1 / 3
# So many members of a filter are compared one by one; 4,000 x 384 take 1 ms.
_FEW = 4_000
# Bits of the query in the scan: floats (0) were 80 times slower than 4 bits, and found no more.
_QUERY_BITS = 4


@dataclass(frozen=True)
class Among:
    """The ids that a search may find.

    Attributes:
        mask: bool, by id.
        count: how many.
    """

    mask: np.ndarray
    count: int

    @classmethod
    def of(cls, among: np.ndarray, size: int) -> Among:
        """Of a mask bool[size], or of ids below size. Raises ValueError for anything else."""
        mask = np.asarray(among)
        if mask.dtype != bool:
            ids, mask = mask.astype(np.int64), np.zeros(size, bool)
            if len(ids) and not 0 <= ids.min() <= ids.max() < size:
                raise ValueError(f"ids to search among must lie from 0 to {size - 1}")
            mask[ids] = True
        if mask.shape != (size,):
            raise ValueError(f"a mask of shape {mask.shape} for {size} ids: make it anew")
        return cls(mask, int(np.count_nonzero(mask)))

    def selector(self) -> Any:
        import faiss

        make: Any = faiss.IDSelectorBitmap
        return make(np.packbits(self.mask, bitorder="little"))


class Exact:
    """Compares with every vector."""

    kind = EXACT
    reranked = 0

    def __init__(self, index: Any, device: str = "cpu") -> None:
        self._index, self._device = index, device
        self._gpu: GpuCopy | None = None

    @classmethod
    def empty(cls, dimension: int) -> Exact:
        import faiss

        return cls(faiss.IndexIDMap(faiss.IndexFlatIP(dimension)))

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    @property
    def cells(self) -> int:
        return 0

    @property
    def probes(self) -> int:
        """Cells that a search without a filter looks into."""
        return 0

    def add(self, rows: np.ndarray, ids: np.ndarray) -> None:
        """Puts vectors in; ids are higher than those inside."""
        self._gpu = None
        self._index.add_with_ids(rows, ids)

    def remove(self, start_id: int, stop_id: int) -> None:
        import faiss

        self._gpu = None
        self._index.remove_ids(faiss.IDSelectorRange(start_id, stop_id))

    def search(self, queries: np.ndarray, k: int, among: Among | None) -> Found:
        """Scores and ids of the k best, both [q, k]; ids end in -1 where there are fewer."""
        import faiss

        if among is not None:
            make: Any = faiss.SearchParameters
            return self._on_cpu(queries, k, make(sel=among.selector()))
        if self._device == "gpu" and k <= MOST_RESULTS:
            self._gpu = self._gpu or GpuCopy(self._index)
            return self._gpu.search(queries, k)
        return self._on_cpu(queries, k, None)

    def background(self, n: int) -> np.ndarray:
        """float32[<= n, d]: vectors at places that depend on nothing but the count."""
        return self._rows(_places(self.count, n))

    def reorder(self, rows: np.ndarray) -> None:
        """Keeps these rows in this order, with ids from 0."""
        vectors = self._rows(rows)
        self._index.reset()
        self._index.add_with_ids(vectors, np.arange(len(rows), dtype=np.int64))
        self._gpu = None

    def tune(self, recall: Recall, target: float) -> float | None:
        """Chooses what speed costs in recall, until the target is reached; the recall."""
        return recall()

    def writers(self) -> dict[str, Callable[[Path], None]]:
        """Role of each file to what writes it."""
        return {"index": _writer(self._index)}

    def _on_cpu(self, queries: np.ndarray, k: int, params: Any) -> Found:
        scores, ids = self._index.search(queries, k, params=params)
        return scores, ids

    def _rows(self, places: np.ndarray) -> np.ndarray:
        if not len(places):
            return np.zeros((0, self._index.d), np.float32)
        return np.asarray(self._index.index.reconstruct_batch(places))


class IvfSq8(Exact):
    """Looks into the cells nearest the query, at codes of 8 bits a dimension."""

    kind = IVF_SQ8
    _CODES = "SQ8"

    @classmethod
    def train(cls, sample: np.ndarray, expected_count: int, device: str) -> IvfSq8:
        """An empty one with 2 x root of expected_count cells, if the sample suffices for them."""
        return cls(_trained(cls._CODES, sample, expected_count, device))

    @property
    def cells(self) -> int:
        return int(self._index.nlist)

    @property
    def probes(self) -> int:
        return int(self._index.nprobe)

    def search(self, queries: np.ndarray, k: int, among: Among | None) -> Found:
        """As `Exact.search`. The rarer a filter, the more cells are searched; all of them when
        those hold fewer than k members.
        """
        if among is None:
            return super().search(queries, k, among)
        share = among.count / max(1, self.count)
        found = self._in_cells(queries, k, among, int(self.probes / share**_RARER) + 1)
        if (found[1] >= 0).sum(axis=1).min(initial=k) < min(k, among.count):
            found = self._in_cells(queries, k, among, self.cells)
        return found

    def tune(self, recall: Recall, target: float) -> float | None:
        """Probes as few cells as reach the target, from 8 to 512."""
        found = None
        for probes in _PROBES:
            self._index.nprobe = min(probes, self.cells)
            found = recall()
            if found is None or found >= target or probes >= self.cells:
                break
        self._gpu = None
        return found

    def background(self, n: int) -> np.ndarray:
        """As `Exact.background`; vectors as their codes give them."""
        import faiss

        sizes = [self._index.get_list_size(cell) for cell in range(self.cells)]
        starts = np.r_[0, np.cumsum(sizes)]
        places = _places(self.count, n)
        rows = np.empty((len(places), self._index.d), np.float32)
        in_cell = np.searchsorted(starts, places, side="right") - 1
        for row, cell, place in zip(rows, in_cell.tolist(), places.tolist(), strict=True):
            self._index.reconstruct_from_offset(
                cell, place - int(starts[cell]), faiss.swig_ptr(row)
            )
        return rows

    def _in_cells(self, queries: np.ndarray, k: int, among: Among, probes: int) -> Found:
        import faiss

        make: Any = faiss.SearchParametersIVF
        params = make(sel=among.selector(), nprobe=min(probes, self.cells))
        return self._on_cpu(queries, k, params)


class IvfRabitq(IvfSq8):
    """Scans one bit a dimension in the cells nearest the query, and ranks the best by 8-bit codes.

    Those codes lie in the order of the ids in a file of their own: mapped, only the pages of
    candidates are read.

    Attributes:
        reranked: candidates for up to half as many results; for more results, twice as many.
    """

    kind = IVF_RABITQ
    _CODES = "RaBitQ"

    def __init__(self, index: Any, codes: Any, keys: Keys, reranked: int = _RERANKED[-1]) -> None:
        super().__init__(index)
        self._codes, self._keys, self.reranked = codes, keys, reranked
        self._index.qb = _QUERY_BITS

    @classmethod
    def train_with(
        cls, keys: Keys, sample: np.ndarray, expected_count: int, device: str
    ) -> IvfRabitq:
        """As `IvfSq8.train`; the keys say which row an id has."""
        import faiss

        codes = faiss.index_factory(sample.shape[1], "SQ8", faiss.METRIC_INNER_PRODUCT)
        codes.train(sample)
        return cls(_trained(cls._CODES, sample, expected_count, device), codes, keys)

    def add(self, rows: np.ndarray, ids: np.ndarray) -> None:
        super().add(rows, ids)
        self._codes.add(rows)

    def remove(self, start_id: int, stop_id: int) -> None:
        """As `Exact.remove`; the keys of these ids are still there."""
        import faiss

        super().remove(start_id, stop_id)
        first, last = self._keys.rows(np.array([start_id, stop_id])).tolist()
        self._codes.remove_ids(faiss.IDSelectorRange(first, last))

    def search(self, queries: np.ndarray, k: int, among: Among | None) -> Found:
        if among is not None and among.count <= _FEW:
            members = np.flatnonzero(among.mask)
            candidates = np.broadcast_to(members, (len(queries), len(members)))
        else:
            candidates = super().search(queries, max(2 * k, self.reranked), among)[1]
        scores = np.full((len(queries), k), -np.inf, np.float32)
        ids = np.full((len(queries), k), -1, np.int64)
        for i, (query, row) in enumerate(zip(queries, candidates, strict=True)):
            best, near = self._ranked(query, np.sort(row[row >= 0]), k)
            scores[i, : len(best)], ids[i, : len(best)] = best, near
        return scores, ids

    def tune(self, recall: Recall, target: float) -> float | None:
        """As `IvfSq8.tune`; then re-ranks as few candidates as keep the recall within .001."""
        self.reranked = _RERANKED[-1]
        best = super().tune(recall, target)
        if best is None:
            return None
        for self.reranked in _RERANKED:
            found = recall()
            if found is not None and found >= min(best, target) - 1e-3:
                return found
        return best

    def background(self, n: int) -> np.ndarray:
        return self._decoded(_places(self.count, n))

    def writers(self) -> dict[str, Callable[[Path], None]]:
        return {**super().writers(), "codes": _writer(self._codes)}

    def _ranked(self, query: np.ndarray, ids: np.ndarray, k: int) -> Found:
        """Scores and ids of the k best of these."""
        every, rows = self._keys.ids(), self._keys.rows(ids)
        inside = rows < len(every)
        inside[inside] = every[rows[inside]] == ids[inside]
        ids, rows = ids[inside], rows[inside]
        scores = self._decoded(rows) @ query
        order = np.argsort(-scores, kind="stable")[:k]
        return scores[order], ids[order]

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        import faiss

        size = (self.count, self._codes.code_size)
        if not len(rows):
            return np.zeros((0, self._index.d), np.float32)
        codes = faiss.rev_swig_ptr(self._codes.codes.data(), size[0] * size[1]).reshape(size)
        return np.asarray(self._codes.sa_decode(codes[rows]))


def read_kind(
    kind: str, paths: dict[str, str], keys: Keys, reranked: int, *, mmap: bool, device: str
) -> Exact:
    """The index in files, by role. Raises RuntimeError or KeyError when they can't be read."""
    import faiss

    # IO_FLAG_MMAP maps inverted lists only; a flat index needs the later flag.
    flags = faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY if mmap else 0
    index = faiss.read_index(paths["index"], flags)
    if kind == IVF_RABITQ:
        return IvfRabitq(index, faiss.read_index(paths["codes"], flags), keys, reranked)
    return (IvfSq8 if kind == IVF_SQ8 else Exact)(index, device)


def _trained(codes: str, sample: np.ndarray, expected_count: int, device: str) -> Any:
    import faiss

    cells = 2 ** round(np.log2(2 * expected_count**0.5))
    cells = max(1, min(cells, len(sample) // _TRAIN_PER_CELL))
    index = faiss.index_factory(sample.shape[1], f"IVF{cells},{codes}", faiss.METRIC_INNER_PRODUCT)
    train(index, sample, device)
    return index


def _writer(index: Any) -> Callable[[Path], None]:
    import faiss

    return lambda path: faiss.write_index(index, str(path))


def _places(count: int, n: int) -> np.ndarray:
    """Up to n of 0 .. count - 1, rising, the same ones every time."""
    draw = np.random.default_rng(0)
    return np.sort(draw.choice(count, min(n, count), replace=False))
