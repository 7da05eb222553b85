from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from ml.media.sampling import Kept, Sampler, Seen, moved, plain_frame_count
from tests.unit.media.clips import captioned, scene

TICKS_PER_S = 8
RNG = np.random.default_rng(5)
SCENES = [np.asarray(Image.fromarray(scene(n)).convert("L").resize((32, 32))) for n in range(8)]


def sample(
    thumbnail: Callable[[int], np.ndarray],
    seconds: float,
    rate: float = 1.0,
    ticks_per_frame: int = 1,
) -> list[Kept[int]]:
    """Kept pictures of a video that shows ``thumbnail(tick)`` at each of its ticks."""
    sampler: Sampler[int] = Sampler(rate=rate)
    kept = []
    for tick in range(round(seconds * TICKS_PER_S)):
        frame_no = tick // ticks_per_frame
        shown = frame_no * ticks_per_frame
        picture = np.asarray(thumbnail(shown), np.uint8)
        seen = Seen(tick, frame_no, shown / TICKS_PER_S, picture)
        kept += sampler.see(seen, tick / TICKS_PER_S)
    return kept + sampler.finish()


def starts(kept: list[Kept[int]]) -> list[float]:
    return [k.start_s for k in kept]


def shots(kept: list[Kept[int]]) -> list[float]:
    return [k.start_s for k in kept if k.is_shot_start]


def wandering(tick: int, scene_no: int = 0) -> np.ndarray:
    """A scene with something moving in it."""
    picture = SCENES[scene_no].copy()
    left = abs(tick % 54 - 27)
    picture[10:14, left : left + 4] = 255
    return picture


def test_moving_video_gives_one_frame_a_second() -> None:
    kept = sample(wandering, 10)
    assert starts(kept) == list(range(10))
    assert shots(kept) == [0.0]


def test_rate_is_respected() -> None:
    assert starts(sample(wandering, 4, rate=2.0)) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]


def test_still_picture_gives_a_frame_every_ten_seconds() -> None:
    assert starts(sample(lambda _: SCENES[0], 35)) == [0, 10, 20, 30]


def test_coding_noise_does_not_count_as_movement() -> None:
    noisy = [SCENES[0].clip(8, 247) + RNG.integers(-2, 3, (32, 32)) for _ in range(160)]
    assert len(sample(lambda tick: noisy[tick], 20)) == 2


def test_small_caption_on_a_still_picture_is_noticed() -> None:
    def shrunk(picture: np.ndarray) -> np.ndarray:
        image = Image.fromarray(picture).convert("L")
        return np.asarray(image.resize((32, 32), Image.Resampling.BOX))

    background = scene(3, (640, 360))
    plain, written = shrunk(background), shrunk(captioned(background, "Open from 9 to 17"))
    assert moved(plain, written)
    kept = sample(lambda tick: written if 30 <= tick < 62 else plain, 12)
    assert 30 / 8 in starts(kept)  # when it appears
    assert 62 / 8 in starts(kept)  # and when it is gone


def test_each_cut_gives_a_frame_at_the_start_of_its_shot() -> None:
    kept = sample(lambda tick: wandering(tick, tick // 19), 9.5)
    assert shots(kept) == [0, 19 / 8, 38 / 8, 57 / 8]


def test_cut_near_the_end_is_kept() -> None:
    kept = sample(lambda tick: SCENES[0 if tick < 15 else 1], 2)
    assert shots(kept) == [0, 15 / 8]


@pytest.mark.parametrize("ticks", [1, 2])
def test_flash_is_no_cut(ticks: int) -> None:
    def flashing(tick: int) -> np.ndarray:
        white = 20 <= tick < 20 + ticks
        return np.full((32, 32), 250) if white else wandering(tick)

    kept = sample(flashing, 6)
    assert shots(kept) == [0.0]
    assert len(kept) == 6


def test_strobe_does_not_stop_the_sampling() -> None:
    kept = sample(lambda tick: SCENES[tick % 5], 10)
    assert len(kept) >= 8
    assert max(np.diff(starts(kept))) <= 2


def test_change_of_light_is_no_cut() -> None:
    kept = sample(lambda tick: wandering(tick) * (0.5 if tick >= 20 else 1.0), 5)
    assert shots(kept) == [0.0]


def test_shot_starts_where_black_ends() -> None:
    def fading(tick: int) -> np.ndarray:
        level = min(1.0, abs(tick - 24) / 16)  # to black at tick 24 and up again
        return SCENES[0 if tick < 24 else 1] * level

    assert [round(s, 1) for s in shots(sample(fading, 6))] in ([0, 3.2], [0, 3.4])


def test_motion_that_starts_at_once_is_no_cut() -> None:
    def passing(tick: int) -> np.ndarray:
        return np.roll(SCENES[0], 5 * max(0, tick - 16), axis=1)  # a whip pan from tick 16 on

    assert shots(sample(passing, 4)) == [0.0]


def test_slides_that_stand_for_seconds_are_kept_once_each() -> None:
    kept = sample(lambda tick: SCENES[tick // 40], 20, ticks_per_frame=40)
    assert starts(kept) == [0, 5, 10, 15]
    assert len({k.frame_no for k in kept}) == 4


def test_frame_that_stands_longer_than_the_hold_is_not_kept_twice() -> None:
    assert starts(sample(lambda _: SCENES[0], 30, ticks_per_frame=240)) == [0.0]


def test_slow_video_with_little_movement_has_no_cuts() -> None:
    kept = sample(lambda tick: wandering(tick), 12, ticks_per_frame=4)  # 2 frames a second
    assert shots(kept) == [0.0]


def test_plain_count_is_one_for_each_begun_second() -> None:
    assert [plain_frame_count(s) for s in (0.04, 1.0, 1.01, 10.0, 10.5)] == [1, 1, 2, 10, 11]
