from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ml.failures import Filtered
from ml.media.decode import Clock, Orientation, Picture, Sound, open_media
from tests.unit.media.clips import corner_marked, moving_box, tone, write_clip


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


@contextmanager
def descriptor_of(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(path: Path, reader: str = "pyav") -> tuple[list[Picture], list[Sound], object]:
    with descriptor_of(path) as descriptor:
        media = open_media(descriptor, reader)
        events = list(media.events())
    pictures = [event for event in events if isinstance(event, Picture)]
    return pictures, [event for event in events if isinstance(event, Sound)], media


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


def test_raw_stream_without_time_stamps_is_counted_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.h264", frames=10, fps=10, container="h264")
    starts = [p.start_s for p in read(path)[0]]
    assert len(starts) == 10
    assert np.all(np.diff(starts) > 0)
    assert starts[0] == 0.0


def test_unknown_reader_is_named() -> None:
    with pytest.raises(ValueError, match="no reader 'vhs'; there are: pyav, decord, torchcodec"):
        open_media(0, "vhs")


def test_picture_beyond_the_limit_is_filtered_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.media.decode.MAX_PIXELS", 320 * 180 - 1)
    with (
        descriptor_of(write_clip(tmp_path / "a.mp4", frames=1)) as descriptor,
        pytest.raises(Filtered, match="320 x 180"),
    ):
        open_media(descriptor)


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
