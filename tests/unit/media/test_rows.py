"""What the rows of `frames`, `motion` and `audio` hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.media.rows import decode_motion
from ml.media.sound import decode_flac
from tests.unit.media.clips import moving_box, tone, write_clip
from tests.unit.media.passes import pass_over


def test_frames_are_jpegs_of_what_is_shown_at_their_time(tmp_path: Path) -> None:
    _, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=30))
    frames = rows["frames"]
    assert [f["frame_no"] for f in frames] == [0, 10, 20]
    assert [f["start_s"] for f in frames] == pytest.approx([0.0, 1.0, 2.0])
    for frame in frames:
        image = Image.open(io.BytesIO(frame["jpeg"]))
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.size == (frame["width"], frame["height"]) == (320, 180)
        difference = np.asarray(image).astype(int) - moving_box(frame["frame_no"])
        assert np.abs(difference).mean() < 12


def test_frames_are_no_larger_than_asked(tmp_path: Path) -> None:
    _, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=2), max_side=100)
    assert [(f["width"], f["height"]) for f in rows["frames"]] == [(100, 56)]


def test_motion_holds_8_thumbnails_a_second(tmp_path: Path) -> None:
    _, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=30))
    (motion,) = rows["motion"]
    assert (motion["fps"], motion["size"], motion["thumbnail_count"]) == (8.0, 32, 24)
    assert (motion["part_no"], motion["start_s"]) == (0, 0.0)
    thumbnails = decode_motion(motion["luma_zstd"], 24, 32)
    # thumbnail 9 stands for 1.125 s: picture 11 of 10 a second is on screen
    drawn = Image.fromarray(moving_box(11)).convert("L").resize((32, 32), Image.Resampling.BOX)
    assert np.abs(thumbnails[9].astype(int) - np.asarray(drawn)).mean() < 5


def test_sound_is_stored_as_16_khz_mono(tmp_path: Path) -> None:
    _, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=20, sound=tone(2.0)))
    (part,) = rows["audio"]
    samples = decode_flac(part["flac"])
    assert part["sample_rate_hz"] == 16_000
    assert len(samples) == part["sample_count"] == pytest.approx(32_000, abs=400)
    assert (part["part_no"], part["start_s"]) == (0, pytest.approx(0.0, abs=0.03))
    assert part["rms_dbfs"] == pytest.approx(-9.0, abs=0.5)  # a sine at half of full scale


def test_silent_video_has_no_audio_rows(tmp_path: Path) -> None:
    found, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=5))
    assert not found.has_audio
    assert (found.audio_codec, rows["audio"]) == ("", [])
