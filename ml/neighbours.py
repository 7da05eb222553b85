"""Nearest neighbours over the whole library: a FAISS index that grows batch by batch.

The metric is the inner product, which is the cosine for vectors of unit length. An index is
*exact* while it is small, and beyond `IndexOptions.exact_limit` an inverted file with 8-bit codes,
trained on a sample (*ivf-sq8*). On 200,000 vectors of 384 dimensions, on one core::

    exact      307 MB                    recall@10 1.00  47 ms
    IVF-SQ8     80 MB  trained in   7 s            .96-.98   1 ms  (8-32 of 1,024 cells)
    IVF-PQ48    13 MB  trained in 158 s                .61   1 ms

How it lies in a folder stands in ``ml/index_files.py``, how recall is measured while it grows in
``ml/index_recall.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.index_files import (
    FORMAT,
    MANIFEST,
    BatchEntry,
    FileEntry,
    IndexDamaged,
    Manifest,
    read_arrow,
    read_manifest,
    write_arrow,
    write_version,
)
from ml.index_recall import Truth
from ml.vectors import ModelMismatch, require_finite

__all__ = [
    "IndexDamaged",
    "IndexOptions",
    "IndexReport",
    "ModelMismatch",
    "VectorIndex",
    "gpu_count",
    "item_key",
    "read_manifest",
    "split_key",
    "update_index",
]

_METRIC = "inner_product"
# FAISS asks for 39 training vectors per cell; so many in all are 328 MB at 512 dimensions.
_TRAIN_PER_CELL = 40
_TRAIN_LIMIT = 160_000
# Cells follow the root of the count, so an index four times its first size is half as fast as
# one trained anew.
_OUTGROWN = 4
_PROBES = (8, 16, 32, 64, 128, 256, 512)

Read = Callable[[str], tuple[Sequence[str], np.ndarray]]


@dataclass(frozen=True)
class IndexOptions:
    """How an index is built.

    Attributes:
        exact_limit: vectors up to which search is exact. 50,000 x 512 take 8 ms a query on one
            core and 100,000 take 16 ms: four channels of 50,000 stay under the 50 ms that a
            search may take.
        recall_target: cells are probed until the sample's recall@10 reaches this, up to 512.
        device: where cells are trained: "cpu", "gpu", or "auto" for a GPU when FAISS can use one.
    """

    exact_limit: int = 50_000
    recall_target: float = 0.97
    device: str = "auto"


@dataclass(frozen=True)
class IndexReport:
    """What an update did, in batches; what is inside now, in vectors.

    `recall_at_10` is 1 for an exact index, and None where there is no index yet. `left_out`
    counts zero vectors, which have no direction to compare. `device` is where it was trained.
    """

    added: int
    replaced: int
    removed: int
    unchanged: int
    count: int
    recall_at_10: float | None
    seconds: float
    left_out: int = 0
    kind: str = "exact"
    device: str = "cpu"


class VectorIndex:
    """Vectors of one model with a string key each, in batches. Use `exact`, `trained` or `load`.

    Attributes:
        model: name and revision of the model behind the vectors.
        dimension: length of a vector.
        batches: batch name to what of it is inside.
    """

    def __init__(
        self, model: str, dimension: int, index: Any, *, truth: Truth | None = None
    ) -> None:
        self.model = model
        self.dimension = dimension
        self.batches: dict[str, BatchEntry] = {}
        self._index = index
        self._truth = truth
        self._keys = _Keys()
        self._next_id = 0
        self._trained_count = 0
        self._trained_on = "cpu"
        self._read_only = False
        self._search_device = "cpu"
        self._on_gpu: Any = None

    @classmethod
    def exact(cls, model: str, dimension: int) -> VectorIndex:
        """An empty index whose search compares with every vector."""
        import faiss

        return cls(model, dimension, faiss.IndexIDMap(faiss.IndexFlatIP(dimension)))

    @classmethod
    def trained(
        cls,
        model: str,
        sample_keys: Sequence[str],
        sample: np.ndarray,
        expected_count: int,
        device: str = "auto",
    ) -> VectorIndex:
        """An empty ivf-sq8 index for `expected_count` vectors.

        Args:
            sample_keys: keys of the sample.
            sample: float32[s, d], a random sample of what will be added, 40 vectors per cell or
                more; the first 256 are those that recall is measured with.
            expected_count: decides the number of cells, 2 x its root.
            device: as in `IndexOptions`.
        """
        import faiss

        dimension = sample.shape[1]
        cells = 2 ** round(np.log2(2 * expected_count**0.5))
        cells = max(1, min(cells, len(sample) // _TRAIN_PER_CELL))
        index = faiss.index_factory(dimension, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        made = cls(model, dimension, index, truth=Truth.of(sample_keys, sample))
        made._trained_on = _device(device)
        _train(index, sample, made._trained_on)
        made._trained_count = expected_count
        return made

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        mmap: bool = False,
        verify: bool = True,
        device: str = "auto",
    ) -> VectorIndex:
        """The index in a folder.

        Args:
            folder: where `save` wrote it.
            mmap: map the files read-only instead of reading them, so that processes share one
                copy; search then runs on the CPU.
            verify: compare checksums, about 1 s per GB. Sizes are always compared.
            device: where to search, as in `IndexOptions`.

        Raises:
            IndexDamaged: a file is missing, or is not what the manifest says.
        """
        import faiss

        folder = Path(folder)
        manifest = read_manifest(folder, verify=verify)
        paths = {role: str(folder / entry.name) for role, entry in manifest.files.items()}
        # IO_FLAG_MMAP maps inverted lists only; a flat index needs the later flag.
        flags = faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY if mmap else 0
        try:
            made = cls(manifest.model, manifest.dimension, faiss.read_index(paths["index"], flags))
            made._keys = _Keys(read_arrow(paths["keys"]))
            made._truth = Truth.read(paths["truth"]) if "truth" in paths else None
        except (RuntimeError, KeyError, ValueError, OSError) as error:
            raise IndexDamaged(folder, str(error)) from error
        made.batches = dict(manifest.batches)
        made._next_id = manifest.next_id
        made._trained_count, made._trained_on = manifest.trained_count, manifest.device
        made._read_only = mmap
        made._search_device = "cpu" if mmap else _device(device)
        return made

    @property
    def count(self) -> int:
        """Vectors inside."""
        return int(self._index.ntotal)

    @property
    def kind(self) -> str:
        """exact or ivf-sq8."""
        return "ivf-sq8" if self._truth is not None else "exact"

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
        keys, rows, left_out = _clean(batch, keys, vectors)
        if len(rows):
            self.check(self.model, rows.shape[1])
        ids = np.arange(self._next_id, self._next_id + len(rows), dtype=np.int64)
        if len(rows):
            self._index.add_with_ids(rows, ids)
            self._keys.add(ids, keys)
        if self._truth is not None:
            self._truth.add(keys, ids, rows)
        self._next_id += len(rows)
        entry = BatchEntry(fingerprint, self._next_id - len(rows), self._next_id, left_out)
        self.batches[batch] = entry
        return entry

    def remove(self, batch: str) -> None:
        """Takes a batch out. Raises KeyError when it is not inside."""
        import faiss

        self._writable()
        entry = self.batches.pop(batch)
        self._index.remove_ids(faiss.IDSelectorRange(entry.start_id, entry.stop_id))
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

    def search_ids(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of each query: scores float32[q, k], falling, and ids int64[q, k].

        Equal scores are ordered by id. Where there are fewer than k, ids end in -1 and scores in
        -inf. Ids stay valid until the index is next changed; `keys_of` names them.

        Raises:
            ModelMismatch: queries of another dimension.
            ValueError: NaN in a query.
        """
        queries = np.ascontiguousarray(np.atleast_2d(queries), np.float32)
        self.check(self.model, queries.shape[1])
        require_finite(queries, "the query")
        self._settle()
        scores, ids = self._searcher().search(queries, k)
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
        return list(self._keys.of(ids).to_pylist())

    def measure_recall(self) -> float | None:
        """recall@10 against exact search, over up to 256 vectors of the library; 1 if exact.

        None when batches were removed until the true neighbours of most are no longer known.
        """
        return 1.0 if self._truth is None else self._truth.recall(self.search_ids)

    def tune(self, recall_target: float) -> float | None:
        """Probes as few cells as reach the target (powers of 2 from 8, to 512); the recall."""
        if self._truth is None:
            return 1.0
        self._writable()
        for probes in _PROBES:
            self._index.nprobe = min(probes, self._index.nlist)
            recall = self.measure_recall()
            if recall is None or recall >= recall_target or probes >= self._index.nlist:
                break
        return recall

    def is_outgrown(self, options: IndexOptions) -> bool:
        """Whether it has to be trained anew: too large for its kind, or recall unknown."""
        if self._truth is None:
            return self.count > options.exact_limit
        return self.count > _OUTGROWN * self._trained_count or self.measure_recall() is None

    def save(self, folder: Path | str, recall_at_10: float | None = None) -> Manifest:
        """Writes a new version of the index into a folder; the manifest last.

        Args:
            folder: made when missing.
            recall_at_10: as `tune` measured it; measured here when absent.

        Raises:
            ValueError: a key that two vectors share.
        """
        import faiss

        self._settle()
        self._keys.require_unique()
        recall = self.measure_recall() if recall_at_10 is None else recall_at_10
        writers: dict[str, Callable[[Path], None]] = {
            "index": lambda path: faiss.write_index(self._index, str(path)),
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
            cells=self._index.nlist if self._truth is not None else 0,
            probes=self._index.nprobe if self._truth is not None else 0,
            trained_count=self._trained_count,
            next_id=self._next_id,
            recall_at_10=recall,
            batches={name: self.batches[name] for name in sorted(self.batches)},
            files=files,
        )

    def _writable(self) -> None:
        if self._read_only:
            raise ValueError("the index is memory-mapped read-only: load it without mmap to change")
        self._on_gpu = None

    def _settle(self) -> None:
        """Puts an exact index into the order of its batches' names.

        So search results and files are the same whatever the order batches came in. An ivf-sq8
        index keeps the order, and its equal scores theirs.
        """
        names = sorted(self.batches)
        sizes = [self.batches[n].stop_id - self.batches[n].start_id for n in names]
        starts = np.r_[0, np.cumsum(sizes, dtype=np.int64)]
        settled = all(
            self.batches[n].start_id == s for n, s in zip(names, starts.tolist(), strict=False)
        )
        if self._truth is not None or (settled and self._next_id == starts[-1]):
            return
        ranges = [np.arange(self.batches[n].start_id, self.batches[n].stop_id) for n in names]
        wanted = np.concatenate([np.zeros(0, np.int64), *ranges])
        rows, keys = self._keys.rows(wanted), self._keys.of(wanted)
        vectors = self._index.index.reconstruct_n(0, self.count) if self.count else None
        self._index.reset()
        if vectors is not None:
            self._index.add_with_ids(vectors[rows], np.arange(len(rows), dtype=np.int64))
        self._keys = _Keys()
        self._keys.add(np.arange(len(rows)), keys)
        self._next_id = len(rows)
        for name, start, size in zip(names, starts.tolist(), sizes, strict=False):
            old = self.batches[name]
            self.batches[name] = BatchEntry(old.fingerprint, start, start + size, old.left_out)

    def _searcher(self) -> Any:
        import faiss

        if self._search_device != "gpu":
            return self._index
        if self._on_gpu is None:
            # The resources must live as long as the index on them.
            resources = faiss.StandardGpuResources()
            self._on_gpu = (faiss.index_cpu_to_gpu(resources, 0, self._index), resources)
        return self._on_gpu[0]


class _Keys:
    """ids, rising, and the string key of each."""

    _SCHEMA = pa.schema([("id", pa.int64()), ("key", pa.large_string())])

    def __init__(self, table: pa.Table | None = None) -> None:
        self._parts = [] if table is None else [table.cast(self._SCHEMA)]

    def add(self, ids: np.ndarray, keys: Sequence[str] | pa.Array) -> None:
        columns = {"id": ids, "key": pa.array(keys, pa.large_string())}
        self._parts.append(pa.table(columns, schema=self._SCHEMA))

    def remove(self, start_id: int, stop_id: int) -> None:
        ids = self.ids()
        first, last = np.searchsorted(ids, [start_id, stop_id])
        table = self.table()
        self._parts = [table.slice(0, first), table.slice(last)]

    def of(self, ids: np.ndarray) -> pa.Array:
        """The keys of ids that are here, in the order asked."""
        return self.table()["key"].chunk(0).take(pa.array(self.rows(ids)))

    def rows(self, ids: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.ids(), ids)

    def ids(self) -> np.ndarray:
        return np.asarray(self.table()["id"].chunk(0).to_numpy())

    def table(self) -> pa.Table:
        """All of them, in one chunk."""
        if len(self._parts) != 1 or self._parts[0]["id"].num_chunks != 1:
            merged = pa.concat_tables([self._SCHEMA.empty_table(), *self._parts])
            columns = [pa.concat_arrays(c.chunks) for c in merged.columns]
            self._parts = [pa.Table.from_arrays(columns, schema=self._SCHEMA)]
        return self._parts[0]

    def require_unique(self) -> None:
        """Raises ValueError, with the key, if two ids share one."""
        keys = self.table()["key"]
        if pc.count_distinct(keys).as_py() != len(keys):
            counts = pc.value_counts(keys)
            twice = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
            raise ValueError(f"the key {twice!r} belongs to more than one vector of the index")


def update_index(
    folder: Path | str,
    wanted: Mapping[str, str],
    read: Read,
    model: str,
    *,
    options: IndexOptions | None = None,
    rebuild: bool = False,
) -> IndexReport:
    """Makes the index in a folder hold the wanted batches, and no others.

    Only batches that are new or have another fingerprint are read. All of them are read, twice,
    when the index has to be trained: when it first passes `exact_limit`, and when it has grown to
    four times what it was trained for. When nothing changed, no file is written.

    Args:
        folder: local folder of the index; made when missing.
        wanted: batch to the fingerprint of what its vectors are made from.
        read: batch to (keys, float32[n, d]).
        model: name and revision of the model behind the vectors.
        options: see there.
        rebuild: build from nothing, whatever is there.

    Raises:
        ModelMismatch: the folder's index, or a batch, is of another model or dimension.
        IndexDamaged: the folder's index can't be read.
        ValueError: NaN or infinite values, or a key twice.
    """
    started = time.monotonic()
    options, folder = options or IndexOptions(), Path(folder)
    _device(options.device)
    old = None if rebuild or not (folder / MANIFEST).exists() else read_manifest(folder)
    have = {} if old is None else {name: e.fingerprint for name, e in old.batches.items()}
    if old is not None and old.model != model:
        raise ModelMismatch(
            f"the index in {folder} is of model {old.model!r}, the vectors are of {model!r}: "
            "use another folder, or rebuild=True"
        )
    gone = [name for name in have if name not in wanted]
    touched = [name for name in sorted(wanted) if have.get(name) != wanted[name]]
    replaced = sum(name in have for name in touched)
    report: dict[str, Any] = {
        "added": len(touched) - replaced,
        "replaced": replaced,
        "removed": len(gone),
        "unchanged": len(wanted) - len(touched),
    }
    if gone or touched:
        index = None if old is None else VectorIndex.load(folder, device="cpu")
        index = _updated(index, gone, touched, wanted, read, model, options)
        recall = None if index is None else index.tune(options.recall_target)
        old = old if index is None else index.save(folder, recall)
    return _report(report, old, time.monotonic() - started)


def item_key(video_id: str, item: str | int) -> str:
    """The key of a part of a video: a frame's number, a channel's name; no '#' in the part."""
    return f"{video_id}#{item}"


def split_key(key: str) -> tuple[str, str]:
    """(video id, part) of a key that `item_key` made; the video id may hold '#'."""
    video_id, _, item = key.rpartition("#")
    return video_id, item


def gpu_count() -> int:
    """GPUs that the installed FAISS can use; 0 for its CPU build."""
    import faiss

    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def _updated(
    index: VectorIndex | None,
    gone: Sequence[str],
    touched: Sequence[str],
    wanted: Mapping[str, str],
    read: Read,
    model: str,
    options: IndexOptions,
) -> VectorIndex | None:
    """The index with its batches changed; None when there is no vector to start one with."""
    for name in gone:
        if index is not None:
            index.remove(name)
    empty: list[str] = []
    for name in touched:
        keys, vectors = read(name)
        if index is None and not len(vectors):
            empty.append(name)
            continue
        index = index or VectorIndex.exact(model, vectors.shape[1])
        index.replace(name, keys, vectors, wanted[name])
        if index.kind == "exact" and index.is_outgrown(options):
            return _trained_on_all(wanted, read, model, options)
    for name in empty:
        if index is not None:
            index.replace(name, [], np.zeros((0, index.dimension), np.float32), wanted[name])
    if index is not None and index.is_outgrown(options):
        return _trained_on_all(wanted, read, model, options)
    return index


def _trained_on_all(
    wanted: Mapping[str, str], read: Read, model: str, options: IndexOptions
) -> VectorIndex:
    """A new index of all batches: one reading for the sample, one for the vectors."""
    keys, sample, count = _sample(sorted(wanted), read)
    if count <= options.exact_limit:
        index = VectorIndex.exact(model, sample.shape[1])
    else:
        index = VectorIndex.trained(model, keys, sample, count, options.device)
    for name in sorted(wanted):
        index.add(name, *read(name), wanted[name])
    return index


def _sample(names: Sequence[str], read: Read) -> tuple[list[str], np.ndarray, int]:
    """Keys and vectors of a random sample in random order, and how many vectors there are.

    Each vector draws a number from its batch's own generator, and the lowest stay: the sample
    does not depend on the order of the batches.
    """
    count, bound, dimension = 0, np.inf, 0
    draws, keys, rows = np.zeros(0), np.zeros(0, object), np.zeros((0, 0), np.float32)
    for name in names:
        new_keys, new_rows, _ = _clean(name, *read(name))
        if not len(new_rows):
            continue
        if dimension not in (0, new_rows.shape[1]):
            raise ModelMismatch(
                f"batch {name!r} has vectors of {new_rows.shape[1]} dimensions, the batches "
                f"before it of {dimension}"
            )
        dimension, count = new_rows.shape[1], count + len(new_rows)
        seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
        new_draws = np.random.default_rng(seed).random(len(new_rows))
        low = np.flatnonzero(new_draws < bound)
        draws, keys = np.r_[draws, new_draws[low]], np.r_[keys, np.array(new_keys, object)[low]]
        rows = np.vstack([rows.reshape(-1, dimension), new_rows[low]])
        lowest = np.argsort(draws, kind="stable")[:_TRAIN_LIMIT]
        draws, keys, rows = draws[lowest], keys[lowest], rows[lowest]
        bound = draws[-1] if len(draws) == _TRAIN_LIMIT else np.inf
    return keys.tolist(), rows, count


def _clean(
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


def _device(asked: str) -> str:
    if asked not in ("auto", "cpu", "gpu"):
        raise ValueError(f"device {asked!r}: one of auto, cpu, gpu")
    found = gpu_count() > 0 if asked != "cpu" else False
    if asked == "gpu" and not found:
        raise ValueError("device 'gpu': this FAISS sees no GPU (faiss-gpu-cu12 and a CUDA driver)")
    return "gpu" if found else "cpu"


def _train(index: Any, sample: np.ndarray, device: str) -> None:
    """Trains cells and codes; on a GPU, k-means' assignment runs there."""
    import faiss

    if device == "gpu":
        resources = faiss.StandardGpuResources()
        flat = faiss.index_cpu_to_gpu(resources, 0, faiss.IndexFlatIP(index.d))
        index.clustering_index = flat
        index.train(sample)
        index.clustering_index = None
    else:
        index.train(sample)


def _report(counts: dict[str, Any], manifest: Manifest | None, seconds: float) -> IndexReport:
    if manifest is None:
        return IndexReport(**counts, count=0, recall_at_10=None, seconds=seconds)
    return IndexReport(
        **counts,
        count=manifest.count,
        recall_at_10=manifest.recall_at_10,
        seconds=seconds,
        left_out=sum(entry.left_out for entry in manifest.batches.values()),
        kind=manifest.kind,
        device=manifest.device,
    )
