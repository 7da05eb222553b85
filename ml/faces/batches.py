"""Batches of few different sizes, and smaller ones where a device's memory asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ml.models.device import FittingBatches

R = TypeVar("R")


def batches(count: int, largest: int) -> Iterator[slice]:
    """Slices that cut `count` items into batches of `largest`, then of smaller powers of two.

    torch keeps prepared weights for each batch size that a CPU has seen: with sizes as they came,
    dlib's network took 8 MB more for every new one, up to some 500 MB.

    Args:
        count: of the items, 0 or more.
        largest: a power of two.
    """
    start, size = 0, largest
    while start < count:
        while size > count - start:
            size //= 2
        yield slice(start, start + size)
        start += size


def in_batches(work: Callable[[Any], R], items: Any, fitting: FittingBatches) -> Iterator[R]:
    """``work`` of all items, in batches of few sizes that fit; see there for its errors."""
    for part in batches(len(items), fitting.size):
        yield from fitting.run(work, items[part])
