"""The runner overlaps its three parts, keeps order, and lets no error pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from ml.runner import QUEUE_DEPTH, run


def _double(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield item * 2


def test_every_item_arrives_in_order() -> None:
    written: list[int] = []
    run(iter(range(100)), _double, written.append)
    assert written == [2 * i for i in range(100)]


def test_reading_runs_at_most_two_queues_ahead_of_writing() -> None:
    read: list[int] = []
    lead: list[int] = []

    def source() -> Iterator[int]:
        for i in range(60):
            read.append(i)
            yield i

    def slow_write(item: int) -> None:
        time.sleep(0.002)
        lead.append(len(read) - item // 2)

    run(source(), _double, slow_write)
    assert max(lead) <= 2 * QUEUE_DEPTH + 4


def test_parts_overlap() -> None:
    def source() -> Iterator[int]:
        for i in range(10):
            time.sleep(0.02)
            yield i

    def compute(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            time.sleep(0.02)
            yield item

    timings = run(source(), compute, lambda _: time.sleep(0.02))
    busy_s = timings.read_s + timings.compute_s + timings.write_s
    assert busy_s > 0.55
    assert timings.wall_s < 0.8 * busy_s


@pytest.mark.parametrize("part", ["read", "compute", "write"])
def test_an_error_of_any_part_is_raised_and_no_thread_is_left(part: str) -> None:
    def fail_if(name: str) -> None:
        if name == part:
            raise ValueError(name)

    def source() -> Iterator[int]:
        yield from range(3)
        fail_if("read")
        yield from range(1000)

    def compute(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            fail_if("compute")
            yield item

    with pytest.raises(ValueError, match=part):
        run(source(), compute, lambda _: fail_if("write"))
    assert not [t for t in threading.enumerate() if t.name.startswith("kadr-")]


def test_one_input_may_give_none_or_many_outputs() -> None:
    def compute(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            yield from [item] * item

    written: list[int] = []
    run(iter([0, 1, 3]), compute, written.append)
    assert written == [1, 3, 3, 3]
