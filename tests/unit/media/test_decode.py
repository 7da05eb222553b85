"""Whatever is odd but good in a real library just works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.media.extract import ExtractOptions
from ml.media.spool import spooled
from tests.unit.media.clips import (
    moving_box,
    scene,
    tone,
    write_clip,
)
from tests.unit.media.passes import run


def test_video_only(tmp_path: Path, spool: Path) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=20), spool)
    assert (found.has_audio, found.audio_codec, found.warning) == (False, "", "")


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.avi"])
def test_one_frame(tmp_path: Path, spool: Path, name: str) -> None:
    codec = "mpeg4" if name == "x.avi" else "libx264"
    found = run(write_clip(tmp_path / name, frames=1, codec=codec), spool)
    assert (found.frame_count, found.kept_frame_count) == (1, 1)
    assert 0 < found.duration_s <= 1


def test_rotated(tmp_path: Path, spool: Path) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=5, rotation=-90), spool)
    assert (found.width, found.height, found.rotation_deg) == (180, 320, 90)


@pytest.mark.parametrize("size", [(319, 179), (33, 17), (16, 400), (2, 2)])
def test_odd_sizes(tmp_path: Path, spool: Path, size: tuple[int, int]) -> None:
    path = write_clip(
        tmp_path / "x.mp4", lambda i: moving_box(i, size), frames=5, pix_fmt="yuv444p"
    )
    found = run(path, spool)
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p10le"),
        ("libx264", "yuv444p"),
        ("libx264", "yuv422p"),
        ("libx265", "yuv420p10le"),
        ("libx264rgb", "rgb24"),
        ("libvpx-vp9", "yuv420p"),
        ("ffv1", "gray16le"),
        ("mjpeg", "yuvj420p"),
        ("mpeg4", "yuv420p"),
    ],
)
def test_codecs_and_pixel_formats(tmp_path: Path, spool: Path, codec: str, pix_fmt: str) -> None:
    path = write_clip(tmp_path / "x.mkv", frames=10, codec=codec, pix_fmt=pix_fmt)
    found = run(path, spool)
    assert found.frame_count == 10
    assert found.pixel_format in (pix_fmt, "gbrp")


def test_8k(tmp_path: Path, spool: Path) -> None:
    picture = np.tile(scene(1, (480, 270)), (16, 16, 1))
    options = {"preset": "ultrafast", "g": "1"}
    path = write_clip(tmp_path / "x.mp4", lambda _: picture, frames=2, options=options)
    found = run(path, spool)
    assert (found.width, found.height, found.frame_count) == (7680, 4320, 2)
    (frame, *_) = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    assert max(frame["width"], frame["height"]) == ExtractOptions().max_side


def test_sizes_that_change_midway(tmp_path: Path, spool: Path) -> None:
    small = write_clip(tmp_path / "s.ts", frames=10)
    large = write_clip(tmp_path / "l.ts", lambda i: moving_box(i, (640, 360)), frames=10)
    path = tmp_path / "x.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    found = run(path, spool)
    assert found.frame_count == 20
    assert 1.9 < found.duration_s < 3.0


def test_sound_that_starts_late_or_ends_early(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mkv", frames=40, sound=tone(1.0), sound_codec="flac")
    found = run(path, spool)
    assert found.has_audio
    assert found.duration_s == pytest.approx(4.0, abs=0.01)
    assert found.warning == ""
