"""Vectors of one model with a string key each, in batches, in memory or mapped from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.indexes.files import FileEntry, IndexDamaged, read_arrow, write_arrow
from ml.indexes.verified import Verify
from ml.neighbours.gpu import device_of
from ml.neighbours.keys import Keys
from ml.neighbours.kinds import Among, Exact, IvfRabitq, IvfSq8, read_kind
from ml.neighbours.manifest import (
    FORMAT,
    BatchEntry,
    Manifest,
    read_manifest,
    require_format,
    write_version,
)
from ml.neighbours.options import EXACT, IVF_RABITQ, IVF_SQ8, IndexOptions
from ml.neighbours.recall import Truth
from ml.vectors import ModelMismatch, require_finite

_METRIC = "inner_product"
# Cells follow the root of the count, so an index four times its first size is half as fast as
# one trained anew.
_OUTGROWN = 4


class VectorIndex:
    """Vectors of one model with a string key each, in batches. Use `exact`, `trained` or `load`.

    Attributes:
        model: name and revision of the model behind the vectors.
        dimension: length of a vector.
        batches: batch name to what of it is inside.
    """

    def __init__(
        self,
        model: str,
        dimension: int,
        stored: Exact,
        keys: Keys | None = None,
        truth: Truth | None = None,
    ) -> None:
        self.model = model
        self.dimension = dimension
        self.batches: dict[str, BatchEntry] = {}
        self._stored = stored
        self._truth = truth
        self._keys = keys or Keys()
        self._next_id = 0
        self._trained_count = 0
        self._trained_on = "cpu"
        self._read_only = False

    @classmethod
    def exact(cls, model: str, dimension: int) -> VectorIndex:
        """An empty index whose search compares with every vector."""
        return cls(model, dimension, Exact.empty(dimension))

    @classmethod
    def trained(
        cls,
        model: str,
        sample_keys: Sequence[str],
        sample: np.ndarray,
        expected_count: int,
        options: IndexOptions | None = None,
    ) -> VectorIndex:
        """An empty ivf-sq8 or ivf-rabitq index for `expected_count` vectors.

        Args:
            sample_keys: keys of the sample.
            sample: float32[s, d], a random sample of what will be added, 40 vectors per cell or
                more; the first 256 are those that recall is measured with.
            expected_count: decides the kind, and the number of cells, 2 x its root.
            options: see there.
        """
        options = options or IndexOptions()
        device, keys = device_of(options.device), Keys()
        stored: Exact
        if options.kind(expected_count) == IVF_RABITQ:
            stored = IvfRabitq.train_with(keys, sample, expected_count, device)
        else:
            stored = IvfSq8.train(sample, expected_count, device)
        made = cls(model, sample.shape[1], stored, keys, Truth.of(sample_keys, sample))
        made._trained_on, made._trained_count = device, expected_count
        return made

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        mmap: bool = False,
        verify: Verify = True,
        device: str = "auto",
    ) -> VectorIndex:
        """The index in a folder.

        Args:
            folder: where `save` wrote it.
            mmap: map the files read-only instead of reading them, so that processes share one
                copy; search then runs on the CPU.
            verify: compare checksums, about 1 s per GB, or only those of files that are not known
                to be whole. Sizes are always compared.
            device: where to search, as in `IndexOptions`; ivf-rabitq always on the CPU.

        Raises:
            IndexDamaged: a file is missing, or is not what the manifest says; or the index is of
                an older format, which `update_index` makes anew.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, verify=verify)
        require_format(folder, manifest)
        paths = {role: str(folder / entry.name) for role, entry in manifest.files.items()}
        searched_on = "cpu" if mmap else device_of(device)
        try:
            keys = Keys(read_arrow(paths["keys"]))
            stored = read_kind(
                manifest.kind, paths, keys, manifest.reranked, mmap=mmap, device=searched_on
            )
            truth = Truth.read(paths["truth"]) if "truth" in paths else None
        except (RuntimeError, KeyError, ValueError, OSError) as error:
            raise IndexDamaged(folder, str(error)) from error
        made = cls(manifest.model, manifest.dimension, stored, keys, truth)
        made.batches = dict(manifest.batches)
        made._next_id = manifest.next_id
        made._trained_count, made._trained_on = manifest.trained_count, manifest.device
        made._read_only = mmap
        return made

    @property
    def count(self) -> int:
        """Vectors inside."""
        return self._stored.count

    @property
    def kind(self) -> str:
        """exact, ivf-sq8 or ivf-rabitq."""
        return self._stored.kind

    @property
    def left_out(self) -> int:
        """Zero vectors that were left out."""
        return sum(entry.left_out for entry in self.batches.values())

    def check(self, model: str, dimension: int | None = None) -> None:
        """Raises ModelMismatch, naming both, unless the vectors inside are of this model."""
        if model != self.model or dimension not in (None, self.dimension):
            raise ModelMismatch(
                f"the index holds vectors of {self.model!r} with {self.dimension} dimensions, not "
                f"of {model!r}" + (f" with {dimension}" if dimension else "")
            )

    def add(
        self, batch: str, keys: Sequence[str], vectors: np.ndarray, fingerprint: str
    ) -> BatchEntry:
        """Puts a batch in.

        Args:
            batch: its name; not inside yet.
            keys: one per vector, unlike all others in the index (`save` checks); see `item_key`.
            vectors: float32[n, d]; zero vectors are left out and counted.
            fingerprint: of what the vectors were made from; `update_index` compares it.

        Raises:
            ModelMismatch: vectors of another dimension.
            ValueError: NaN, a batch twice, or another number of keys than of vectors.
        """
        self._writable()
        if batch in self.batches:
            raise ValueError(f"batch {batch!r} is in the index already: replace it")
        keys, rows, left_out = clean_batch(batch, keys, vectors)
        if len(rows):
            self.check(self.model, rows.shape[1])
        ids = np.arange(self._next_id, self._next_id + len(rows), dtype=np.int64)
        if len(rows):
            self._stored.add(rows, ids)
            self._keys.add(ids, keys)
        if self._truth is not None:
            self._truth.add(keys, ids, rows)
        self._next_id += len(rows)
        entry = BatchEntry(fingerprint, self._next_id - len(rows), self._next_id, left_out)
        self.batches[batch] = entry
        return entry

    def remove(self, batch: str) -> None:
        """Takes a batch out. Raises KeyError when it is not inside."""
        self._writable()
        entry = self.batches.pop(batch)
        self._stored.remove(entry.start_id, entry.stop_id)
        self._keys.remove(entry.start_id, entry.stop_id)
        if self._truth is not None:
            self._truth.remove(entry.start_id, entry.stop_id)

    def replace(
        self, batch: str, keys: Sequence[str], vectors: np.ndarray, fingerprint: str
    ) -> BatchEntry:
        """`remove`, if it is inside, then `add`. Raises as `add` does, with the batch taken out."""
        if batch in self.batches:
            self.remove(batch)
        return self.add(batch, keys, vectors, fingerprint)

    def search_ids(
        self, queries: np.ndarray, k: int, among: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of each query: scores float32[q, k], falling, and ids int64[q, k].

        Equal scores are ordered by id. Where there are fewer than k, ids end in -1 and scores in
        -inf. Ids stay valid until the index is next changed; `keys_of` names them.

        Args:
            queries: float32[q, d], or one query.
            k: how many.
            among: only these may be found: a mask by id, as `mask_of_videos` gives it, or ids.
                As many as there are, up to k, are found, however few they are.

        Raises:
            ModelMismatch: queries of another dimension.
            ValueError: NaN in a query; a mask of another length, or ids out of range.
        """
        queries = np.ascontiguousarray(np.atleast_2d(queries), np.float32)
        self.check(self.model, queries.shape[1])
        require_finite(queries, "the query")
        self._settle()
        within = None if among is None else Among.of(among, self._next_id)
        if within is not None and not within.count:
            size = (len(queries), k)
            return np.full(size, -np.inf, np.float32), np.full(size, -1, np.int64)
        scores, ids = self._stored.search(queries, k, within)
        scores = np.where(ids < 0, -np.inf, scores).astype(np.float32)
        order = np.lexsort((ids, -scores), axis=-1)
        return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)

    def search(self, queries: np.ndarray, k: int = 10) -> tuple[list[list[str]], list[list[float]]]:
        """Keys of the k nearest of each query and their scores, best first."""
        scores, ids = self.search_ids(queries, k)
        keys = [self.keys_of(row[row >= 0]) for row in ids]
        return keys, [row[: len(found)].tolist() for row, found in zip(scores, keys, strict=True)]

    def keys_of(self, ids: np.ndarray) -> list[str]:
        """The keys of ids that a search gave."""
        return self._keys.of(ids)

    def videos_of(self, ids: np.ndarray) -> list[str]:
        """The video of each id that a search gave; a key without '#' is a video."""
        return self._keys.videos(ids)

    def items_of(self, ids: np.ndarray) -> list[str]:
        """The item of each id that a search gave; empty for a key without '#'."""
        return self._keys.items(ids)

    def mask_of_videos(self, video_ids: pa.Array | pa.ChunkedArray | Sequence[str]) -> np.ndarray:
        """bool by id, for `search_ids`: what is of one of these videos. Names not inside are fine.

        A key without '#' is a video; every other key is taken apart at its last '#'.
        """
        self._settle()
        return self._keys.mask(video_ids, self._next_id)

    def background(self, n: int = 1000) -> np.ndarray:
        """float32[<= n, d]: random vectors of the index, the same until it is next changed.

        Those of a trained index are decoded from 8 bits a dimension (ivf-sq8, ivf-rabitq).
        """
        self._settle()
        return self._stored.background(n)

    def measure_recall(self) -> float | None:
        """recall@10 against exact search, over up to 256 vectors of the library; 1 if exact.

        None when batches were removed until the true neighbours of most are no longer known.
        """
        return 1.0 if self._truth is None else self._truth.recall(self.search_ids)

    def tune(self, recall_target: float) -> float | None:
        """Makes search as fast as it can be with recall@10 at the target; the recall."""
        if self.kind == EXACT:
            return 1.0
        self._writable()
        return self._stored.tune(self.measure_recall, recall_target)

    def is_outgrown(self, options: IndexOptions) -> bool:
        """Whether it has to be trained anew: too large for its kind, or recall unknown."""
        kinds = (EXACT, IVF_SQ8, IVF_RABITQ)
        if kinds.index(options.kind(self.count)) > kinds.index(self.kind):
            return True
        if self.kind == EXACT:
            return False
        return self.count > _OUTGROWN * self._trained_count or self.measure_recall() is None

    def save(self, folder: Path | str, recall_at_10: float | None = None) -> Manifest:
        """Writes a new version of the index into a folder; the manifest last.

        Args:
            folder: made when missing.
            recall_at_10: as `tune` measured it; measured here when absent.

        Raises:
            ValueError: a key that two vectors share.
        """
        self._settle()
        self._keys.require_unique()
        recall = self.measure_recall() if recall_at_10 is None else recall_at_10
        writers: dict[str, Callable[[Path], None]] = {
            **self._stored.writers(),
            "keys": lambda path: write_arrow(self._keys.table(), path),
        }
        if self._truth is not None:
            writers["truth"] = self._truth.write
        return write_version(
            Path(folder), writers, lambda version, files: self._manifest(version, files, recall)
        )

    def _manifest(
        self, version: int, files: dict[str, FileEntry], recall: float | None
    ) -> Manifest:
        import faiss

        return Manifest(
            format=FORMAT,
            version=version,
            model=self.model,
            metric=_METRIC,
            dimension=self.dimension,
            count=self.count,
            kind=self.kind,
            device=self._trained_on,
            faiss=faiss.__version__,
            cells=self._stored.cells,
            probes=self._stored.probes,
            reranked=self._stored.reranked,
            trained_count=self._trained_count,
            next_id=self._next_id,
            recall_at_10=recall,
            batches={name: self.batches[name] for name in sorted(self.batches)},
            files=files,
        )

    def _writable(self) -> None:
        if self._read_only:
            raise ValueError("the index is memory-mapped read-only: load it without mmap to change")

    def _settle(self) -> None:
        """Puts an exact index into the order of its batches' names.

        So search results and files are the same whatever the order batches came in. A trained
        index keeps the order, and its equal scores theirs.
        """
        if self.kind != EXACT or self._read_only:
            return
        names = sorted(self.batches)
        sizes = [self.batches[n].stop_id - self.batches[n].start_id for n in names]
        starts = np.r_[0, np.cumsum(sizes, dtype=np.int64)]
        settled = all(
            self.batches[n].start_id == s for n, s in zip(names, starts.tolist(), strict=False)
        )
        if settled and self._next_id == starts[-1]:
            return
        ranges = [np.arange(self.batches[n].start_id, self.batches[n].stop_id) for n in names]
        wanted = np.concatenate([np.zeros(0, np.int64), *ranges])
        self._stored.reorder(self._keys.rows(wanted))
        self._keys.take(wanted)
        self._next_id = len(wanted)
        for name, start, size in zip(names, starts.tolist(), sizes, strict=False):
            old = self.batches[name]
            self.batches[name] = BatchEntry(old.fingerprint, start, start + size, old.left_out)


def clean_batch(
    batch: str, keys: Sequence[str], vectors: np.ndarray
) -> tuple[list[str], np.ndarray, int]:
    """Keys and float32 rows without the zero vectors, and how many those were."""
    if len(keys) != len(vectors):
        raise ValueError(f"batch {batch!r} has {len(keys)} keys for {len(vectors)} vectors")
    if not len(vectors):
        return [], np.zeros((0, 0), np.float32), 0
    require_finite(vectors, f"batch {batch!r}")
    rows = np.ascontiguousarray(vectors, np.float32)
    kept: np.ndarray = np.any(rows != 0, axis=1)
    left_out = int((~kept).sum())
    if not left_out:
        return list(keys), rows, 0
    return [key for key, k in zip(keys, kept, strict=True) if k], rows[kept], left_out
