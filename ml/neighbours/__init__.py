"""Nearest neighbours over the whole library: a FAISS index that grows batch by batch.

The metric is the inner product, which is the cosine for vectors of unit length. There are three
kinds (``kinds.py``), and `IndexOptions` says from how many vectors on each is used:

- *exact* compares with every vector;
- *ivf-sq8*, an inverted file with 8-bit codes, looks into the cells nearest the query;
- *ivf-rabitq* scans one bit a dimension in those cells, and ranks the best of what it finds by
  8-bit codes that stay on disk.

How an index lies in a folder stands in ``ml/indexes/files.py``, how recall is measured while it
grows in ``ml/neighbours/recall.py``.
"""

from ml.indexes.files import IndexDamaged
from ml.neighbours.gpu import gpu_count
from ml.neighbours.index import VectorIndex
from ml.neighbours.keys import item_key, split_key
from ml.neighbours.manifest import read_manifest
from ml.neighbours.options import IndexOptions, IndexReport
from ml.neighbours.update import update_index
from ml.vectors import ModelMismatch

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
