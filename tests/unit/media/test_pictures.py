"""Pictures come out upright, with square pixels, at the size asked for, in the right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from ml.media.pictures import Orientation
from tests.unit.media.clips import (
    corner_marked,
    write_clip,
)
from tests.unit.media.passes import read


def test_mirrored_display_matrix_is_applied(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", lambda _: corner_marked(), frames=2, mirrored=True)
    pictures, _, _ = read(path)
    assert np.abs(pictures[0].rgb(320).astype(int) - corner_marked()[:, ::-1]).mean() < 12
    thumbnail = pictures[0].luma(32).astype(int)
    assert thumbnail[2, 2] > thumbnail[2, 29] - 60  # grey corner left, red one right
    assert thumbnail[29, 2] < thumbnail[2, 2]  # blue, the darkest, is at the bottom left


def test_orientation_turns_clockwise_after_mirroring() -> None:
    picture = np.array([[1, 2], [3, 4]], np.uint8)
    assert Orientation(1).upright(picture).tolist() == [[3, 1], [4, 2]]
    assert Orientation(1, mirrored=True).upright(picture).tolist() == [[4, 2], [3, 1]]


def test_wide_pixels_are_made_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=2, aspect=Fraction(2, 1))
    pictures, _, media = read(path)
    assert pictures[0].rgb(640).shape == (180, 640, 3)
    assert media.info.width == 640  # type: ignore[attr-defined]


def test_large_pictures_shrink_to_the_longer_side_and_small_ones_stay(tmp_path: Path) -> None:
    pictures, _, _ = read(write_clip(tmp_path / "a.mp4", frames=1))
    assert pictures[0].rgb(160).shape == (90, 160, 3)
    assert pictures[0].rgb(768).shape == (180, 320, 3)


def test_thumbnail_is_the_mean_of_its_cells(tmp_path: Path) -> None:
    def halves(_: int) -> np.ndarray:
        picture = np.zeros((128, 128, 3), np.uint8)
        picture[:, ::2] = 255  # stripes finer than a cell
        picture[:64] = 255
        return picture

    options = {"crf": "1"}
    path = write_clip(tmp_path / "a.mp4", halves, frames=1, pix_fmt="yuv444p", options=options)
    thumbnail = read(path)[0][0].luma(32)
    assert thumbnail[:15].min() > 245
    assert 100 < thumbnail[17:].mean() < 155


def test_bt709_and_bt601_colours_come_out_alike(tmp_path: Path) -> None:
    def red(_: int) -> np.ndarray:
        return np.full((64, 64, 3), (200, 30, 30), np.uint8)

    rgb = read(write_clip(tmp_path / "a.mp4", red, frames=1))[0][0].rgb(64)
    assert np.abs(rgb[32, 32].astype(int) - (200, 30, 30)).max() < 8
