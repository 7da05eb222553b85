"""Which stream is taken, and that a file without one of pictures is left out."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from ml.failures import Filtered, PermanentFailure
from ml.media.readers import open_media
from tests.unit.media.clips import (
    remuxed,
    scene,
    tone,
    write_clip,
)
from tests.unit.media.passes import descriptor_of, run


def test_audio_only(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", None, sound=tone(1.0))
    with pytest.raises(Filtered, match="no video stream: sound only"):
        run(path, spool)


def test_song_with_cover_art_is_no_video(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(scene(1, (64, 64)), format="rgb24")
        out.mux(cover.encode(picture.reformat(format="yuvj420p", dst_color_range="JPEG")))
        out.mux(cover.encode(None))
        samples = np.ascontiguousarray(tone(1.0).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    with pytest.raises(Filtered, match="no video stream: sound only"):
        run(path, spool)


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4"])
def test_video_stream_without_packets(tmp_path: Path, spool: Path, name: str) -> None:
    whole = write_clip(tmp_path / "whole.mp4", frames=5, sound=tone(0.5))
    path = remuxed(whole, tmp_path / name, lambda p: p if p.stream.type == "audio" else None)
    with pytest.raises((PermanentFailure, Filtered), match=r"no frame .* empty|no video stream"):
        run(path, spool)


def test_picture_beyond_the_limit_is_filtered_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.media.streams.MAX_PIXELS", 320 * 180 - 1)
    with (
        descriptor_of(write_clip(tmp_path / "a.mp4", frames=1)) as descriptor,
        pytest.raises(Filtered, match="320 x 180"),
    ):
        open_media(descriptor)
