"""Pictures and sound stand where the file's time stamps put them, wrong ones repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.media.spool import spooled
from ml.media.timestamps import Clock, last_duration_s
from tests.unit.media.clips import (
    moving_box,
    scene,
    tone,
    write_clip,
)
from tests.unit.media.passes import read, run


def test_sound_and_picture_share_one_origin(tmp_path: Path) -> None:
    late = [1.5 + i / 10 for i in range(5)]
    path = write_clip(tmp_path / "a.mkv", sound=tone(2.0), sound_codec="flac", times_s=late)
    pictures, sounds, _ = read(path)
    assert pictures[0].start_s == pytest.approx(1.5, abs=0.01)
    assert sounds[0].start_s == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("name", ["a.ts", "a.mp4"])
def test_timeline_starts_at_zero_however_late_the_file_starts(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, times_s=[7.0, 7.1, 7.2])
    assert [p.start_s for p in read(path)[0]] == pytest.approx([0.0, 0.1, 0.2], abs=0.002)


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.54, 2.0]
    path = write_clip(tmp_path / "a.mp4", moving_box, times_s=times)
    assert [p.start_s for p in read(path)[0]] == pytest.approx(times, abs=0.002)


def test_variable_frame_rate(tmp_path: Path, spool: Path) -> None:
    times = [0.0, 0.02, 0.04, 1.0, 1.5, 3.25, 3.3, 6.0]
    path = write_clip(tmp_path / "x.mp4", lambda i: scene(i), times_s=times)
    found = run(path, spool)
    frames = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    starts = [f["start_s"] for f in frames]
    assert {0.0, 6.0} <= {round(s, 2) for s in starts} <= set(times)
    assert found.duration_s == pytest.approx(6.0, abs=1.01)


def test_raw_stream_without_time_stamps_is_counted_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.h264", frames=10, fps=10, container="h264")
    starts = [p.start_s for p in read(path)[0]]
    assert len(starts) == 10
    assert np.all(np.diff(starts) > 0)
    assert starts[0] == 0.0


class TestClock:
    def test_good_stamps_are_left_alone(self) -> None:
        clock = Clock(0.04, 10.0)
        assert [clock.place(t) for t in (0.0, 0.04, 0.5, 9.0)] == [0.0, 0.04, 0.5, 9.0]
        assert clock.repaired == 0

    def test_missing_stamps_follow_at_the_stated_rate(self) -> None:
        clock = Clock(0.5, None)
        assert [clock.place(None) for _ in range(3)] == [0.0, 0.5, 1.0]

    def test_one_wrong_stamp_is_replaced_and_the_rest_kept(self) -> None:
        clock = Clock(0.1, 1.0)
        stamps = (0.0, 0.1, 0.0, 0.3, 5e8, 0.5)
        assert [clock.place(t) for t in stamps] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
        assert clock.repaired == 2

    def test_clock_that_starts_anew_goes_on(self) -> None:
        clock = Clock(0.1, 0.6)
        stamps = (0.0, 0.1, 0.2, 0.0, 0.1, 0.2)
        assert [clock.place(t) for t in stamps] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])

    def test_clock_that_jumps_ahead_goes_on(self) -> None:
        clock = Clock(0.1, 0.6)
        stamps = (0.0, 0.1, 95_443.0, 95_443.1, 95_443.2)
        placed = [clock.place(t) for t in stamps]
        assert placed == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])

    def test_negative_and_absurd_first_stamps_become_zero(self) -> None:
        assert Clock(0.1, 1.0).place(-0.05) == 0.0
        clock = Clock(0.1, 1.0)
        assert [clock.place(t) for t in (1e9, 1e9 + 0.1)] == pytest.approx([0.0, 0.1])

    def test_long_still_picture_is_believed(self) -> None:
        clock = Clock(0.04, 3000.0)
        assert [clock.place(t) for t in (0.0, 2900.0)] == [0.0, 2900.0]


def test_last_picture_stands_as_long_as_the_file_says_if_that_is_in_proportion() -> None:
    assert last_duration_s(0.5, 10, 0.4, 0.04) == 0.5
    assert last_duration_s(30.0, 10, 0.4, 0.04) == 0.04
    assert last_duration_s(0.0, 10, 0.4, 0.04) == 0.04


def test_only_picture_stands_for_a_minute_at_most() -> None:
    assert last_duration_s(60.0, 0, 0.0, 0.0) == 60.0
    assert last_duration_s(61.0, 0, 0.0, 0.0) == last_duration_s(0.0, 0, 0.0, 0.0) == 1 / 25
