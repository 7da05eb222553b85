"""A broken file gives what is whole in it, and a warning that says what is not."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from ml.failures import PermanentFailure
from tests.unit.media.clips import (
    cut_to,
    noisy,
    remuxed,
    tone,
    write_clip,
)
from tests.unit.media.passes import run


def test_truncated_with_its_index_gives_what_is_there_and_a_warning(
    tmp_path: Path, spool: Path
) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=60, faststart=True, sound=tone(6.0))
    found = run(cut_to(path, 0.5), spool)
    assert 10 < found.frame_count < 50
    assert "truncated" in found.warning or "breaks off" in found.warning


@pytest.mark.parametrize("name", ["x.mkv", "x.ts", "x.avi", "x.mpg"])
def test_file_that_ends_in_the_middle_of_a_frame(tmp_path: Path, spool: Path, name: str) -> None:
    codec = {"x.avi": "mpeg4", "x.mpg": "mpeg2video"}.get(name, "libx264")
    fps = 25 if name == "x.mpg" else 10
    path = write_clip(tmp_path / name, noisy, frames=30, fps=fps, codec=codec)
    found = run(cut_to(path, 0.713), spool)
    assert 5 < found.frame_count < 30


def test_damage_in_the_middle_does_not_end_the_video(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=40, options={"g": "10"}, sound=tone(4.0))
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 60_000] = np.random.default_rng(0).bytes(60_000)
    path.write_bytes(whole)
    found = run(path, spool)
    assert found.frame_count > 25
    assert found.duration_s > 3.5


def test_broken_sound_leaves_the_pictures(tmp_path: Path, spool: Path) -> None:
    def spoilt(packet: av.Packet) -> av.Packet:
        if packet.stream.type == "video" or not packet.pts or packet.pts < 500:
            return packet
        garbage = av.Packet(b"\xff" * packet.size)
        garbage.pts, garbage.dts = packet.pts, packet.dts
        garbage.time_base, garbage.stream = packet.time_base, packet.stream
        return garbage

    whole = write_clip(tmp_path / "whole.mkv", frames=20, sound=tone(2.0))
    found = run(remuxed(whole, tmp_path / "x.mkv", spoilt), spool)
    assert found.frame_count == 20
    assert found.has_audio
    assert "damaged sound packets" in found.warning


def test_pictures_that_cannot_be_decoded_say_why(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=10)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 4
    end = whole.index(b"moov") - 4 if whole.index(b"moov") > start else len(whole)
    whole[start:end] = bytes(end - start)
    path.write_bytes(whole)
    with pytest.raises(PermanentFailure, match=r"no frame could be decoded: \w"):
        run(path, spool)
