"""A fixed quantiser of local features: the cell of a feature, and a 64-bit signature inside it.

A product quantiser of two halves (an inverted multi-index: Babenko and Lempitsky, "The Inverted
Multi-Index", CVPR 2012) with `LEAVES` centroids in each, over the first principal components of
RootSIFT: 16.8 million cells, most of them empty, so that a search reads few features that only look
a little alike. Of the features that a real copy repeats, 91 % lie in one of the `PROBES` cells
nearest to the copy's feature after downscaling, and 78 % in a picture in a picture at 30 % of the
size; of unrelated features, 0.005 %. (2 x 8 bits and 8 probes find 86 and 73 % and read 8 times
as many. FAISS' IMI2x10 with PQ8 takes three times as long to find 85 and 74 %.)

The signature is the signs of 64 whitened, rotated principal components (Jegou, Douze and Schmid,
"Hamming embedding", ECCV 2008, with global thresholds, so that signatures of different cells
compare). Where 95 % of a copy's features pass, so do 3 to 9 % of unrelated ones in the same cells,
10 to 35 % without whitening.

It was trained once by ``benchmarks/copies_quantiser.py`` on pictures that are not a user's, and is
part of the project: what a feature's cell is never depends on the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).parent / "quantiser.npz"
LEAF_BITS = 12
LEAVES = 1 << LEAF_BITS
PROBES = 32  # cells that a feature is looked for in
SIGNATURE_BITS = 64
_HALF = 16  # principal components in a half
_NEAREST = 16  # centroids of a half that the probed cells are made of
_GROUPS = 256  # groups of LEAVES / _GROUPS centroids, see `_nearest`
_BLOCK = 256  # features quantised at once: 4 MB of distances to one half's centroids, in cache

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Quantiser:
    """Cells and signatures of RootSIFT descriptors (uint8 [n, 128], 512 times the value)."""

    mean: F32  # [128]
    axes: F32  # [128, 64] principal components, strongest first
    parts: npt.NDArray[np.int64]  # [2, _HALF] the components of each half
    leaves: F32  # [2, LEAVES, _HALF] centroids
    rotation: F32  # [64, 64] whitens and rotates: the signature is the signs of what comes out
    thresholds: F32  # [64]

    @classmethod
    def load(cls, file: Path = FILE) -> Quantiser:
        """The one that is part of the project, or the one in ``file``."""
        with np.load(file) as arrays:
            named = {name: arrays[name] for name in arrays.files}
        parts = named.pop("parts").astype(np.int64)
        return cls(parts=parts, **{n: a.astype(np.float32) for n, a in named.items()})

    def save(self, file: Path) -> None:
        """Writes half-precision numbers: 0.4 MB."""
        np.savez_compressed(
            file,
            parts=self.parts.astype(np.uint8),
            **{
                name: getattr(self, name).astype(np.float16)
                for name in ("mean", "axes", "leaves", "rotation", "thresholds")
            },
        )

    def keys(self, descriptors: U8) -> U32:
        """The cell of each feature, uint32 [n], 2 * `LEAF_BITS` bits."""
        blocks = [
            _cell(*(d.argmin(axis=1) for d in self._distances(block)))
            for block in _blocks(descriptors)
        ]
        return np.concatenate([np.zeros(0, np.uint32), *blocks])

    def signatures(self, descriptors: U8) -> U64:
        """64 signs of each feature, in a uint64."""
        signs = self._components(descriptors) @ self.rotation > self.thresholds
        return np.packbits(signs, axis=1).view(np.uint64).ravel()

    def probes(self, descriptors: U8, count: int = PROBES) -> U32:
        """The ``count`` cells nearest to each feature, uint32 [n, count], in no order."""
        blocks = []
        for block in _blocks(descriptors):
            (high, high_far), (low, low_far) = (_nearest(d) for d in self._distances(block))
            sums = (high_far[:, :, None] + low_far[:, None, :]).reshape(len(block), -1)
            best = np.argpartition(sums, count - 1, axis=1)[:, :count]
            rows = np.arange(len(block))[:, None]
            blocks.append(_cell(high[rows, best // _NEAREST], low[rows, best % _NEAREST]))
        return np.concatenate([np.zeros((0, count), np.uint32), *blocks])

    def _components(self, descriptors: U8) -> F32:
        return np.asarray((descriptors.astype(np.float32) - self.mean) @ self.axes)

    def _distances(self, descriptors: U8) -> Iterator[F32]:
        """For each half: squared distances to its centroids, less what all have in common."""
        components = self._components(descriptors)
        ones = np.ones((len(components), 1), np.float32)
        for part, table in zip(self.parts, self._tables, strict=True):
            yield np.hstack([components[:, part], ones]) @ table

    @cached_property
    def _tables(self) -> F32:
        """[2, _HALF + 1, LEAVES]: -2 c and, in the last row, c squared, for each centroid c."""
        squares = (self.leaves * self.leaves).sum(axis=2)[:, None]
        return np.concatenate([-2 * self.leaves.transpose(0, 2, 1), squares], axis=1)


def train(sample: U8, *, seed: int = 0) -> Quantiser:
    """A quantiser for features like ``sample``, uint8 [n, 128]; 40 n should be above `LEAVES`."""
    import faiss

    rows = sample.astype(np.float32)
    mean = rows.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((rows - mean).T))
    axes = axes[:, ::-1][:, :SIGNATURE_BITS].astype(np.float32)
    components = (rows - mean) @ axes
    # Strong and weak components in turns, so that the two halves tell features apart equally well.
    order = np.arange(2 * _HALF).reshape(-1, 4)
    parts = np.stack([order[:, [0, 3]].ravel(), order[:, [1, 2]].ravel()])
    leaves: list[F32] = []
    for part in parts:
        clusters = faiss.Kmeans(_HALF, LEAVES, niter=20, seed=seed, verbose=False)
        clusters.train(np.ascontiguousarray(components[:, part]))
        leaves.append(np.asarray(clusters.centroids, np.float32))
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(SIGNATURE_BITS, SIGNATURE_BITS)))[0]
    rotation = (rotation / components.std(axis=0)[:, None]).astype(np.float32)
    thresholds = np.median(components @ rotation, axis=0)
    return Quantiser(mean, axes, parts, np.stack(leaves), rotation, thresholds)


def _nearest(distances: F32) -> tuple[npt.NDArray[np.int64], F32]:
    """The `_NEAREST` centroids of each row, nearest first, and how far they are.

    They lie in the `_NEAREST` groups whose nearest member is nearest, which is five times faster
    to find than to sort out all of them.
    """
    rows = np.arange(len(distances))[:, None]
    nearest_of_group = distances.reshape(len(distances), -1, _GROUPS).min(axis=1)
    groups = np.argpartition(nearest_of_group, _NEAREST - 1, axis=1)[:, :_NEAREST]
    members = np.arange(0, LEAVES, _GROUPS)[None, :, None] + groups[:, None, :]
    members = members.reshape(len(distances), -1)
    far = distances[rows, members]
    near = np.argpartition(far, _NEAREST - 1, axis=1)[:, :_NEAREST]
    near = near[rows, np.argsort(far[rows, near], axis=1, kind="stable")]
    return members[rows, near], far[rows, near]


def _cell(high: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> U32:
    return (high << LEAF_BITS | low).astype(np.uint32)


def _blocks(descriptors: U8) -> Iterator[U8]:
    for start in range(0, len(descriptors), _BLOCK):
        yield descriptors[start : start + _BLOCK]
