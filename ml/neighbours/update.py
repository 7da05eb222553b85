"""An index in a folder, brought up to batches: only what changed is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ml.indexes.changes import Changes
from ml.neighbours.gpu import device_of
from ml.neighbours.index import VectorIndex, clean_batch
from ml.neighbours.manifest import FORMAT, Manifest, find_manifest
from ml.neighbours.options import EXACT, IndexOptions, IndexReport
from ml.vectors import ModelMismatch

# So many vectors in all are 328 MB at 512 dimensions.
_TRAIN_LIMIT = 160_000

Read = Callable[[str], tuple[Sequence[str], np.ndarray]]


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
    when the index has to be trained: when it first passes `exact_limit` or `sq8_limit`, and when
    it has grown to four times what it was trained for. When nothing changed, no file is written;
    checksums are compared, about 1 s per GB. An index of an older format is built from nothing.
    Without any vector there is an index, too, of no dimension: so one that is missing differs from
    one that is empty.

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
    device_of(options.device)
    old = None if rebuild else _manifest_of(folder, model)
    is_old = old is not None and old.format != FORMAT
    held = {} if old is None or is_old else old.batches
    changes = Changes.between({name: e.fingerprint for name, e in held.items()}, wanted)
    if changes or old is None or is_old:
        # One of no dimension holds batches without vectors only, which cost nothing to read again.
        if old is None or is_old or not old.dimension:
            index, todo = None, Changes.between({}, wanted)
        else:
            index, todo = VectorIndex.load(folder, device="cpu"), changes
        index = _updated(index, todo, wanted, read, model, options)
        old = index.save(folder, index.tune(options.recall_target))
    return _report(changes.counts, old, time.monotonic() - started)


def _manifest_of(folder: Path, model: str) -> Manifest | None:
    """The manifest of the index in a folder, None without one. Raises as `update_index` does."""
    found = find_manifest(folder, verify=True)
    if found is not None and found.model != model:
        raise ModelMismatch(
            f"the index in {folder} is of model {found.model!r}, the vectors are of {model!r}: "
            "use another folder, or rebuild=True"
        )
    return found


def _updated(
    index: VectorIndex | None,
    changes: Changes,
    wanted: Mapping[str, str],
    read: Read,
    model: str,
    options: IndexOptions,
) -> VectorIndex:
    """The index with its batches changed; of no dimension where no batch has a vector."""
    for name in changes.gone:
        if index is not None:
            index.remove(name)
    empty: list[str] = []
    for name in changes.touched:
        keys, vectors = read(name)
        if index is None and not len(vectors):
            empty.append(name)
            continue
        index = index or VectorIndex.exact(model, vectors.shape[1])
        index.replace(name, keys, vectors, wanted[name])
        if index.kind == EXACT and index.is_outgrown(options):
            return _trained_on_all(wanted, read, index, options)
    index = index or VectorIndex.exact(model, 0)
    for name in empty:
        index.replace(name, [], np.zeros((0, index.dimension), np.float32), wanted[name])
    return _trained_on_all(wanted, read, index, options) if index.is_outgrown(options) else index


def _trained_on_all(
    wanted: Mapping[str, str], read: Read, old: VectorIndex, options: IndexOptions
) -> VectorIndex:
    """A new index of all batches: one reading for the sample, one for the vectors."""
    keys, sample, count = _sample(sorted(wanted), read)
    model = old.model
    if count <= options.exact_limit:
        # Where no vector is left, those that come will be as long as those that went.
        index = VectorIndex.exact(model, sample.shape[1] or old.dimension)
    else:
        index = VectorIndex.trained(model, keys, sample, count, options)
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
        new_keys, new_rows, _ = clean_batch(name, *read(name))
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


def _report(counts: dict[str, Any], manifest: Manifest | None, seconds: float) -> IndexReport:
    if manifest is None or not manifest.count:
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
