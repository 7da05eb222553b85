"""How far a step is, said every few seconds in the run's log and so on the user's screen."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from ml.runner import Timings

# A line every 2 s is often enough for a person and rare enough for the event log.
_EVERY_S = 2.0
FORCE_TAG = "kadr/force"


class Progress:
    """Counts done videos and logs ``name: 12 of 40 videos``."""

    def __init__(self, context: dg.AssetExecutionContext, name: str, total: int) -> None:
        self._log, self._name, self._total = context.log, name, total
        self._done, self._last_s = 0, time.monotonic()
        if total:
            self._log.info(f"{name}: {total} videos to do")

    def step(self, videos: int = 1) -> None:
        """Note that so many videos more are done."""
        self._done += videos
        now_s = time.monotonic()
        if now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            self._log.info(f"{self._name}: {self._done} of {self._total} videos")

    def watch(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass rows on, counting a video as done when the next one's rows come."""
        current = None
        for batch in rows:
            for video in dict.fromkeys(batch.column("video_id").to_pylist()):
                if current is not None and video != current:
                    self.step()
                current = video
            yield batch


def is_forced(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked to compute everything again (tag ``kadr/force``)."""
    return context.run.tags.get(FORCE_TAG, "") not in {"", "0", "false"}


def timing_metadata(timings: Timings) -> dict[str, float]:
    """Busy seconds of each part, rounded for reading."""
    return {
        "read_s": round(timings.read_s, 3),
        "compute_s": round(timings.compute_s, 3),
        "write_s": round(timings.write_s, 3),
        "wall_s": round(timings.wall_s, 3),
    }
