"""How an index is built, and what building it did."""

from __future__ import annotations

from dataclasses import dataclass

EXACT, IVF_SQ8, IVF_RABITQ = "exact", "ivf-sq8", "ivf-rabitq"


@dataclass(frozen=True)
class IndexOptions:
    """How an index is built.

    Attributes:
        exact_limit: vectors up to which search is exact. 50,000 x 512 take 8 ms a query on one
            core and 100,000 take 16 ms: four channels of 50,000 stay under the 50 ms that a
            search may take.
        sq8_limit: vectors up to which an index is ivf-sq8, and beyond which it is ivf-rabitq;
            ``ml/neighbours/kinds.py`` has the figures.
        recall_target: cells are probed until the sample's recall@10 reaches this, up to 512.
        device: where cells are trained: "cpu", "gpu", or "auto" for a GPU when FAISS can use one.
    """

    exact_limit: int = 50_000
    sq8_limit: int = 500_000
    recall_target: float = 0.97
    device: str = "auto"

    def kind(self, count: int) -> str:
        """The kind of an index that is built for so many vectors."""
        if count <= self.exact_limit:
            return EXACT
        return IVF_SQ8 if count <= self.sq8_limit else IVF_RABITQ


@dataclass(frozen=True)
class IndexReport:
    """What an update did, in batches; what is inside now, in vectors.

    `recall_at_10` is 1 for an exact index, and None where there is no vector. `left_out`
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
    kind: str = EXACT
    device: str = "cpu"
