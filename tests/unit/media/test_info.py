"""A frame rate is believed where it is one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.unit.media.clips import write_clip
from tests.unit.media.passes import run


@pytest.mark.parametrize("fps", [0.2, 1000])
def test_absurd_frame_rate(tmp_path: Path, spool: Path, fps: float) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=10, fps=fps), spool)
    assert found.frame_count == 10
    assert found.fps == pytest.approx(fps, rel=0.15)


def test_header_that_states_no_or_a_wild_frame_rate(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.avi", frames=10, codec="mpeg4")
    whole = bytearray(path.read_bytes())
    strh = whole.index(b"strh") + 8
    whole[strh + 20 : strh + 28] = bytes(8)  # dwScale and dwRate of the AVI stream header
    avih = whole.index(b"avih") + 8
    whole[avih : avih + 4] = bytes(4)  # dwMicroSecPerFrame
    path.write_bytes(whole)
    found = run(path, spool)
    assert found.frame_count == 10
    assert 0.01 <= found.fps <= 1000


def test_frame_rates_that_are_no_numbers_are_not_believed(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.h264", frames=10, container="h264", aspect=Fraction(1, 1))
    found = run(path, spool)
    assert found.frame_count == 10
    assert found.duration_s == pytest.approx(10 / found.fps)
