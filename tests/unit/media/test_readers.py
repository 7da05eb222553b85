"""Every reader gives the same, upright pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.media.readers import open_media
from tests.unit.media.clips import (
    corner_marked,
    tone,
    write_clip,
)
from tests.unit.media.passes import read


def available_readers() -> list[str]:
    readers = ["pyav"]
    for name, module in (("decord", "decord"), ("torchcodec", "torchcodec.decoders")):
        try:
            __import__(module)
        except (ImportError, RuntimeError, OSError):
            continue  # not installed, or its FFmpeg libraries are missing
        readers.append(name)
    return readers


READERS = available_readers()


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_gives_the_same_pictures_at_the_same_times(
    tmp_path: Path, reader: str
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=12, sound=tone(1.2))
    expected, _, _ = read(path)
    pictures, sounds, media = read(path, reader)
    assert [p.start_s for p in pictures] == pytest.approx([i / 10 for i in range(12)], abs=1e-3)
    assert sum(len(s.samples) for s in sounds) == pytest.approx(1.2 * 16_000, abs=1100)
    for ours, theirs in zip(expected, pictures, strict=True):
        difference = ours.rgb(160).astype(int) - theirs.rgb(160)
        assert np.abs(difference).mean() < 4
        assert np.abs(ours.luma(32).astype(int) - theirs.luma(32)).max() < 12
    assert reader in media.decoder  # type: ignore[attr-defined]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotated_video_comes_out_upright(tmp_path: Path, rotation: int, reader: str) -> None:
    path = write_clip(tmp_path / "a.mp4", lambda _: corner_marked(), frames=2, rotation=rotation)
    pictures, _, media = read(path, reader)
    upright = np.rot90(corner_marked(), rotation // 90)
    rgb = pictures[0].rgb(320)
    assert rgb.shape == upright.shape
    assert np.abs(rgb.astype(int) - upright).mean() < 12
    info = media.info  # type: ignore[attr-defined]
    assert (info.width, info.height) == (rgb.shape[1], rgb.shape[0])
    assert info.rotation_deg == -rotation % 360


def test_unknown_reader_is_named() -> None:
    with pytest.raises(ValueError, match="no reader 'vhs'; there are: pyav, decord, torchcodec"):
        open_media(0, "vhs")
