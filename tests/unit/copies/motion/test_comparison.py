"""Whether two videos move alike, from thumbnails drawn by a formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from ml.copies.alignment import AlignedSegment
from ml.copies.evidence import F32, Motion, Segment
from ml.copies.motion.comparison import (
    MotionComparison,
    compare,
    extend,
    motion_of,
    realigned,
    resolve,
    search,
)
from ml.schemas import MOTION

FPS = 8.0
SAME = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def scene(take: int, x: Any, y: Any, time_s: Any, room: int = 0) -> Any:
    """Levels of a room at places in 0..1, with things that move in it, other ones per take."""
    rng = np.random.default_rng(room)
    level = 110.0 + 0.0 * x
    for _ in range(12):
        a, b, c, d = rng.uniform(2, 14, 2).tolist() + rng.uniform(0, 6.3, 2).tolist()
        level = level + 9 * np.sin(a * x + c) * np.cos(b * y + d)
    rng = np.random.default_rng(1000 + take)
    for _ in range(4):
        rate, phase = rng.uniform(0.5, 2.2, 4), rng.uniform(0, 6.3, 4)
        at_x = (
            0.5
            + 0.2 * np.sin(rate[0] * time_s + phase[0])
            + 0.2 * np.sin(rate[1] * time_s + phase[1])
        )
        at_y = (
            0.5
            + 0.2 * np.sin(rate[2] * time_s + phase[2])
            + 0.2 * np.sin(rate[3] * time_s + phase[3])
        )
        level = level + 70 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 0.012)
    return level


def filmed(
    take: int,
    times_s: npt.NDArray[np.float64],
    to_scene: npt.NDArray[np.float64] | None = None,
    noise: float = 1.0,
    room: int = 0,
    around: int = 77,
) -> Motion:
    """Thumbnails whose share (u, v) shows the scene at ``to_scene``; another take around it."""
    line = (np.arange(32) + 0.5) / 32
    u, v = np.meshgrid(line, line)
    to_scene = np.array([[1.0, 0, 0], [0, 1, 0]]) if to_scene is None else to_scene
    x, y = (row[0] * u + row[1] * v + row[2] for row in to_scene)
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    rng = np.random.default_rng(take)
    luma = []
    for at_s in times_s:
        picture = np.where(inside, scene(take, x, y, at_s, room), scene(around, u, v, at_s, around))
        luma.append(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255))
    return Motion(fps=FPS, luma=np.array(luma).astype(np.uint8))


def ticks(length_s: float, start_s: float = 0.0, speed: float = 1.0) -> npt.NDArray[np.float64]:
    return np.asarray(start_s + speed * np.arange(0, length_s, 1 / FPS))


def part(query: tuple[float, float], start_s: float, speed: float = 1.0) -> Segment:
    return Segment(*query, start_s, start_s + speed * (query[1] - query[0]), speed, 0.9)


def compared(
    query: Motion,
    reference: Motion,
    segment: Segment,
    transform: F32 = SAME,
    aspects: tuple[float, float] = (1.0, 1.0),
    mirrored: bool = False,
) -> MotionComparison:
    return compare(
        query,
        reference,
        segment,
        transform,
        query_aspect=aspects[0],
        reference_aspect=aspects[1],
        mirrored=mirrored,
    )


@pytest.fixture(scope="module")
def original() -> Motion:
    return filmed(1, ticks(20))


def test_copy_moves_alike_and_its_lag_is_found(original: Motion) -> None:
    found = compared(filmed(1, ticks(8, 5.3)), original, part((0, 8), 4.6))
    assert found.finding == "same" and found.correlation > 0.9
    assert found.lag_s == pytest.approx(0.7, abs=0.05)
    assert found.speed == 1.0
    assert (found.agreement > 0.8).all() and len(found.times_s) == len(found.agreement) == 8


def test_other_take_in_the_same_room_does_not(original: Motion) -> None:
    for take in (2, 3, 4):
        found = compared(filmed(take, ticks(8)), original, part((0, 8), 4))
        assert found.can_tell and found.finding == "other"


def test_other_minute_of_the_same_broadcast_does_not(original: Motion) -> None:
    found = compared(filmed(1, ticks(6)), original, part((0, 6), 10))
    assert found.finding == "other"


@pytest.mark.parametrize("speed", [0.8, 0.95, 1.1, 1.25])
def test_speed_is_refined(original: Motion, speed: float) -> None:
    query = filmed(1, ticks(10, 2.0, speed))
    found = compared(query, original, part((0, 10), 2.2, speed + 0.04))
    assert found.finding == "same"
    assert found.speed == pytest.approx(speed, abs=0.01)
    segment = realigned(part((0, 10), 2.2, speed + 0.04), found)
    assert segment.reference_start_s == pytest.approx(2.0, abs=0.1)
    assert segment.reference_end_s == pytest.approx(2.0 + 10 * speed, abs=0.1)


def test_small_picture_in_another_moving_picture_is_found(original: Motion) -> None:
    to_scene = np.array([[1 / 0.35, 0, -0.6 / 0.35], [0, 1 / 0.35, -0.55 / 0.35]])
    query = filmed(1, ticks(8, 3), to_scene)
    found = compared(query, original, part((0, 8), 3), to_scene.astype(np.float32))
    assert found.finding == "same"
    assert compared(query, original, part((0, 8), 3)).finding == "other"  # not the whole picture


def test_crop_is_found_in_the_region_that_it_shows(original: Motion) -> None:
    to_scene = np.array([[0.6, 0, 0.2], [0, 0.6, 0.3]])
    found = compared(
        filmed(1, ticks(8, 3), to_scene), original, part((0, 8), 3), to_scene.astype(np.float32)
    )
    assert found.finding == "same" and found.correlation > 0.9


def test_mirrored_copy_is_found_when_mirrored(original: Motion) -> None:
    query = filmed(1, ticks(8, 3), np.array([[-1.0, 0, 1], [0, 1, 0]]))
    assert compared(query, original, part((0, 8), 3), mirrored=True).finding == "same"
    assert compared(query, original, part((0, 8), 3)).finding == "other"


def test_quarter_turn_of_a_wide_picture_is_found(original: Motion) -> None:
    # Turned clockwise: the reference's x is the query's y, its y runs against the query's x.
    query = filmed(1, ticks(8, 3), np.array([[0, 1.0, 0], [-1.0, 0, 1]]))
    turn = np.array([[0, 1, 0], [-1, 0, 9 / 16]], np.float32)
    found = compared(query, original, part((0, 8), 3), turn, (9 / 16, 16 / 9))
    assert found.finding == "same" and found.correlation > 0.9


def test_fade_does_not_hide_movement(original: Motion) -> None:
    clip = filmed(1, ticks(8, 3))
    light = (0.6 + 0.4 * np.cos(np.arange(64) / 5))[:, None, None]
    faded = Motion(FPS, (clip.luma * light).astype(np.uint8))
    assert compared(faded, original, part((0, 8), 3)).finding == "same"


def test_fades_alone_are_not_the_same_movement() -> None:
    light = (0.6 + 0.4 * np.cos(np.arange(64) / 5))[:, None, None]
    still = [filmed(take, np.zeros(64), noise=0, room=take) for take in (1, 2)]
    faded = [Motion(FPS, (clip.luma * light).astype(np.uint8)) for clip in still]
    assert compared(faded[0], faded[1], part((0, 8), 0)).finding != "same"


def test_nothing_can_be_told_of_stills() -> None:
    still = filmed(1, np.zeros(64), noise=0)
    grainy = filmed(1, np.zeros(64), noise=0.7)
    found = compared(grainy, still, part((0, 8), 0))
    assert not found.can_tell and found.finding == "unclear"


def test_nothing_can_be_told_of_too_few_thumbnails(original: Motion) -> None:
    assert not compared(filmed(1, ticks(0.5)), original, part((0, 0.5), 0)).can_tell
    assert not compared(filmed(1, ticks(8)), original, part((0, 8), 100)).can_tell


def test_nothing_can_be_told_where_no_region_is_shared(original: Motion) -> None:
    away = np.array([[1, 0, 5], [0, 1, 5]], np.float32)
    flat = np.array([[0, 0, 0.5], [0, 0, 0.5]], np.float32)
    for transform in (away, flat):
        assert not compared(original, original, part((0, 20), 0), transform).can_tell


def test_all_black_can_not_be_told() -> None:
    black = Motion(FPS, np.zeros((80, 32, 32), np.uint8))
    assert not compared(black, black, part((0, 10), 0)).can_tell


def test_ends_are_grown_and_trimmed_to_the_tick(original: Motion) -> None:
    foreign = [filmed(take, ticks(4), room=take).luma for take in (8, 9)]
    clip = filmed(1, ticks(6.5, 4)).luma
    query = Motion(FPS, np.concatenate([foreign[0], clip, foreign[1]]))
    for start_s, end_s in ((5.0, 9.5), (3.0, 11.5), (3.1, 9.0)):
        segment = Segment(start_s, end_s, start_s, end_s, 1.0, 0.9)
        found = extend(
            query, original, segment, SAME, query_aspect=1, reference_aspect=1, mirrored=False
        )
        assert found.query_start_s == pytest.approx(4.0, abs=0.13)
        assert found.query_end_s == pytest.approx(10.5, abs=0.13)
        assert found.reference_start_s == pytest.approx(found.query_start_s)


def test_offset_is_found_among_all(original: Motion) -> None:
    for speed in (1.0, 1.25):
        query = filmed(1, ticks(5, 11.0, speed))
        found = search(query, original, SAME, query_aspect=1, reference_aspect=1)
        assert found[0][0] == pytest.approx(11.0, abs=0.3)
        assert found[0][1] == pytest.approx(speed, abs=0.06) and found[0][2] > 0.8
        assert all(value < 0.7 for offset, _, value in found if abs(offset - 11) > 2)


def ambiguous(segment: Segment) -> AlignedSegment:
    return AlignedSegment(segment, False, SAME, np.zeros(1, np.int32), 9.0, 1.0, True)


def resolved(query: Motion, reference: Motion, line: AlignedSegment) -> list[Any]:
    return resolve(
        query,
        reference,
        line,
        query_aspect=1,
        reference_aspect=1,
        reference_duration_s=len(reference.luma) / FPS,
    )


def test_static_scene_is_aligned_by_what_moves_in_it(original: Motion) -> None:
    query = filmed(1, ticks(8, 9.2))
    found = resolved(query, original, ambiguous(part((0, 8), 0)))
    assert len(found) == 1
    segment, motion = found[0]
    assert motion.finding == "same"
    assert segment.reference_start_s == pytest.approx(9.2, abs=0.15)
    assert (segment.query_start_s, segment.query_end_s) == pytest.approx((0, 8), abs=0.26)


def test_loop_of_a_static_scene_is_three_segments(original: Motion) -> None:
    query = Motion(FPS, np.tile(filmed(1, ticks(5, 4)).luma, (3, 1, 1)))
    found = resolved(query, original, ambiguous(part((0, 15), 2)))
    assert [motion.finding for _, motion in found] == ["same"] * 3
    for number, (segment, _) in enumerate(found):
        assert segment.query_start_s == pytest.approx(5 * number, abs=0.8)
        assert segment.reference_start_s - segment.query_start_s == pytest.approx(
            4 - 5 * number, abs=0.15
        )


def test_other_take_stays_as_it_was_and_is_called_other(original: Motion) -> None:
    line = ambiguous(part((0, 8), 4))
    found = resolved(filmed(5, ticks(8)), original, line)
    assert len(found) == 1
    assert found[0][0] == line.segment and found[0][1].finding == "other"


def test_rows_of_motion_become_one_clock() -> None:
    luma = filmed(1, ticks(2)).luma
    packed = pa.compress(luma.tobytes(), codec="zstd", asbytes=True)
    rows = [("v", number, 0.5 + 2 * number, FPS, 32, len(luma), packed) for number in (0, 1)]
    columns = [
        pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), MOTION.schema, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=MOTION.schema)
    motion = motion_of([batch.slice(0, 1), batch.slice(1)])
    assert motion is not None and motion.fps == FPS
    assert len(motion.luma) == 4 + 16 + 16  # half a second before the first picture
    assert (motion.luma[4:20] == luma).all() and (motion.luma[:4] == luma[0]).all()
    assert motion_of([]) is None
