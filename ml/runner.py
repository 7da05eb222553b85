"""Overlap read, compute and write, so that the dearest of the three is always busy.

One thread reads ahead, the caller's thread computes, one thread writes behind; two bounded queues
between them bound memory. Plain iterators go in, so a step needs to know nothing of it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")

# Queue depth 4: deep enough that a slow item does not stall its neighbours, and with row batches
# of a few MB it holds some tens of MB. 2 and 16 made no measurable difference.
QUEUE_DEPTH = 4
_POLL_S = 0.1  # how soon a blocked thread notices that another one has failed
_END = object()


@dataclass
class Timings:
    """Seconds each part was busy (not waiting), and the wall time of all."""

    read_s: float = 0.0
    compute_s: float = 0.0
    write_s: float = 0.0
    wall_s: float = 0.0


class _Stopped(Exception):
    """Another part of the pipeline failed; unwind quietly."""


@dataclass
class _Pipe:
    """A bounded queue whose two ends notice when the pipeline stops."""

    stop: threading.Event
    items: queue.Queue[Any] = field(default_factory=lambda: queue.Queue(QUEUE_DEPTH))
    waited_s: float = 0.0

    def put(self, item: Any) -> None:
        while not self.stop.is_set():
            try:
                return self.items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
        raise _Stopped

    def __iter__(self) -> Iterator[Any]:
        while True:
            began = time.perf_counter()
            item = self._get()
            self.waited_s += time.perf_counter() - began
            if item is _END:
                return
            yield item

    def _get(self) -> Any:
        while not self.stop.is_set():
            try:
                return self.items.get(timeout=_POLL_S)
            except queue.Empty:
                continue
        raise _Stopped


class _Worker(threading.Thread):
    """A thread that keeps its exception and stops the pipeline when it has one."""

    def __init__(self, name: str, stop: threading.Event, work: Callable[[], None]) -> None:
        super().__init__(name=f"kadr-{name}", daemon=True)
        self.stop, self.work = stop, work
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.work()
        except _Stopped:
            pass
        except BaseException as error:
            self.error = error
            self.stop.set()


def _timed(items: Iterator[A], timings: Timings, part: str) -> Iterator[A]:
    while True:
        began = time.perf_counter()
        item = next(items, _END)
        setattr(timings, part, getattr(timings, part) + time.perf_counter() - began)
        if item is _END:
            return
        yield item  # type: ignore[misc]


def run(
    read: Iterator[A],
    compute: Callable[[Iterator[A]], Iterator[B]],
    write: Callable[[B], None],
) -> Timings:
    """Push every item of ``read`` through ``compute`` into ``write``; return who was busy how long.

    ``compute`` is a generator function over the items; it runs in the caller's thread, so CUDA and
    Ctrl-C behave as usual. The first error of any part stops the others and is raised.
    """
    timings, stop, began = Timings(), threading.Event(), time.perf_counter()
    inbox, outbox = _Pipe(stop), _Pipe(stop)

    def read_ahead() -> None:
        for item in _timed(read, timings, "read_s"):
            inbox.put(item)
        inbox.put(_END)

    def write_behind() -> None:
        for item in outbox:
            started = time.perf_counter()
            write(item)
            timings.write_s += time.perf_counter() - started

    threads = [_Worker("read", stop, read_ahead), _Worker("write", stop, write_behind)]
    for thread in threads:
        thread.start()
    try:
        for item in _timed(compute(iter(inbox)), timings, "compute_s"):
            outbox.put(item)
        outbox.put(_END)
        threads[1].join()
    except _Stopped:
        pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for thread in threads:
        if thread.error is not None:
            raise thread.error
    timings.compute_s = max(0.0, timings.compute_s - inbox.waited_s)
    timings.wall_s = time.perf_counter() - began
    return timings
