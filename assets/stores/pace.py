"""A server that sends next to nothing: each of its bytes would restart a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ml.failures import RetryableFailure

# A modem's; the slowest line that a library may be read over.
MIN_BYTES_PER_S = 8_000
WINDOW_S = 60.0


class NotNow(RetryableFailure):
    """It may pass, but not within seconds: for another night."""


class Pace:
    """Counts what comes, in windows of `window_s` seconds; 0 bytes a second are any pace."""

    def __init__(
        self,
        min_bytes_per_s: int = MIN_BYTES_PER_S,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least, self._window_s, self._clock = min_bytes_per_s, window_s, clock
        self._since_s: float | None = None
        self._bytes = 0

    def add(self, count: int) -> None:
        """Note what came.

        Raises:
            NotNow: it is too little since the last window began.
        """
        now_s = self._clock()
        self._since_s = now_s if self._since_s is None else self._since_s
        self._bytes += count
        took_s = now_s - self._since_s
        if took_s < self._window_s:
            return
        if self._bytes < self._least * took_s:
            raise NotNow(
                f"the server sent {self._bytes} bytes in {took_s:.1f} s; less than {self._least} a "
                "second is not waited for (KADR_MIN_SOURCE_RATE)"
            )
        self._since_s, self._bytes = now_s, 0

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, noted as they come."""
        for chunk in chunks:
            self.add(len(chunk))
            yield chunk
