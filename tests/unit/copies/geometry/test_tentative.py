"""Features that look alike are matched in memory that stays bounded."""

from __future__ import annotations

import tracemalloc

import numpy as np

from ml.copies.geometry import tentative
from ml.copies.geometry.tentative import Tentative


def test_matches_of_one_frame_take_memory_by_that_frame() -> None:
    """Rows far into a long video are counted from the frame's own first feature."""
    far = 300_000
    rows = np.arange(40, dtype=np.int64)
    matches = Tentative(
        pair=7_000 * 10_800 + rows % 4,
        query=far + rows,
        reference=far + rows,
        cosine=np.linspace(0.8, 1, 40, dtype=np.float32),
    )
    tracemalloc.start()
    kept = tentative._mutual(matches, 10_800)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept.query) == 40
    assert peak < 1_000_000
