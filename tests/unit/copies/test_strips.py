"""A strip shows matching moments above each other."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from ml.copies.strips import Moment, Segments, frames_at, moments_of, strip
from ml.media.rows import encode_jpeg

WHOLE = Segments([2.0], [6.0], [10.0], [18.0])


def frames(*rows: tuple[float, float, bool]) -> pa.RecordBatch:
    """Frames as (start, duration, opens a shot); each one's "file" is its start as text."""
    starts, durations, opens = zip(*rows, strict=True)
    return pa.record_batch(
        {
            "start_s": pa.array(starts, pa.float64()),
            "duration_s": pa.array(durations, pa.float64()),
            "is_shot_start": pa.array(opens, pa.bool_()),
            "jpeg": pa.array([str(start).encode() for start in starts], pa.binary()),
        }
    )


def plain(colour: tuple[int, int, int], width: int = 128, height: int = 72) -> bytes:
    return encode_jpeg(np.full((height, width, 3), colour, np.uint8), 90)


def test_moments_are_when_frames_start_and_lie_on_the_alignment() -> None:
    times = moments_of(WHOLE, [0.0, 1.5, 2.5, 3.5, 4.5, 6.5], 8)
    assert times == [(2.5, 11.0), (3.5, 13.0), (4.5, 15.0)]


def test_no_more_moments_than_asked_for_spread_evenly() -> None:
    times = moments_of(Segments([0.0], [100.0], [0.0], [100.0]), np.arange(100.0), 4)
    assert [copy for copy, _ in times] == [12.0, 37.0, 62.0, 87.0]


def test_every_segment_has_its_moment() -> None:
    segments = Segments([8.0, 0.0], [9.0, 2.0], [50.0, 5.0], [51.0, 7.0])
    assert moments_of(segments, [1.0], 8) == [(1.0, 6.0), (8.5, 50.5)]


def test_a_picture_that_stands_still_is_one_moment() -> None:
    assert moments_of(Segments([0.0], [60.0], [5.0], [65.0]), [0.0], 8) == [(0.0, 5.0)]


def test_the_frame_that_is_shown_is_taken() -> None:
    rows = [frames((0.0, 1.0, True), (1.0, 1.0, False)), frames((2.0, 30.0, False))]
    assert frames_at(rows, [0.2, 1.1, 20.0]) == [b"0.0", b"1.0", b"2.0"]


def test_a_moving_picture_is_the_nearest_one() -> None:
    assert frames_at([frames((0.0, 1.0, True), (1.0, 1.0, False))], [0.9]) == [b"1.0"]


def test_the_next_shot_shows_nothing_of_the_time_before_it() -> None:
    assert frames_at([frames((0.0, 1.0, True), (1.0, 1.0, True))], [0.9]) == [b"0.0"]


def test_times_outside_get_the_nearest_frame() -> None:
    rows = [frames((1.0, 1.0, True), (2.0, 1.0, False))]
    assert frames_at(rows, [0.0, 9.0]) == [b"1.0", b"2.0"]


def test_no_rows_give_no_frames() -> None:
    assert frames_at([], [1.0]) == []
    assert frames_at([frames((0.0, 1.0, True)).slice(1)], [1.0]) == []


def test_the_copy_is_above_and_the_original_below() -> None:
    red, blue = plain((220, 20, 20)), plain((20, 20, 220))
    picture = Image.open(io.BytesIO(strip([Moment(1, red, 2, blue)] * 3, "copy", "original")))
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    reds = np.argwhere((pixels[..., 0] > 150) & (pixels[..., 2] < 90))
    blues = np.argwhere((pixels[..., 2] > 150) & (pixels[..., 0] < 90))
    assert len(np.unique(reds[:, 0])) > 50
    assert reds[:, 0].max() < blues[:, 0].min()


def test_each_moment_adds_a_column_as_wide_as_the_widest_picture() -> None:
    moment = Moment(0, plain((9, 9, 9), 90, 160), 0, plain((9, 9, 9), 320, 180))
    widths = [
        Image.open(io.BytesIO(strip([moment] * count, "copy", "original"))).width
        for count in (1, 2, 3)
    ]
    assert widths == [200, 396, 592]


def test_a_strip_is_made_coarser_until_it_fits() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (180, 320, 3), np.uint8)
    moment = Moment(0, encode_jpeg(noise, 95), 0, encode_jpeg(noise[::-1].copy(), 95))
    whole = strip([moment] * 5, "copy", "original")
    small = strip([moment] * 5, "copy", "original", most_bytes=len(whole) // 2)
    assert len(small) <= len(whole) // 2
    assert Image.open(io.BytesIO(small)).size == Image.open(io.BytesIO(whole)).size


def test_a_name_of_any_length_and_script_is_drawn() -> None:
    moment = Moment(0, plain((9, 9, 9)), 0, plain((9, 9, 9)))
    made = Image.open(io.BytesIO(strip([moment], "имя\n" * 99, "名前" * 99)))
    assert made.size == Image.open(io.BytesIO(strip([moment], "a", "b"))).size


def test_no_moment_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs a moment"):
        strip([], "copy", "original")
