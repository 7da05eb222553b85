"""Rows of thumbnails become one clock."""

from __future__ import annotations

import pyarrow as pa

from ml.copies.motion.thumbnails import motion_of
from ml.schemas import MOTION
from tests.unit.copies.motion.filmed import FPS, filmed, ticks


def test_rows_of_motion_become_one_clock() -> None:
    luma = filmed(1, ticks(2)).luma
    packed = pa.compress(luma.tobytes(), codec="zstd", asbytes=True)
    rows = [("v", number, 0.5 + 2 * number, FPS, 32, len(luma), packed) for number in (0, 1)]
    columns = [
        pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), MOTION.schema, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=MOTION.schema)
    motion = motion_of([batch.slice(0, 1), batch.slice(1)])
    assert motion is not None and motion.fps == FPS
    assert len(motion.luma) == 4 + 16 + 16  # half a second before the first picture
    assert (motion.luma[4:20] == luma).all() and (motion.luma[:4] == luma[0]).all()
    assert motion_of([]) is None
