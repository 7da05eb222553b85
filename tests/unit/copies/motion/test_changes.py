"""Light that changes is no movement."""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import Motion
from tests.unit.copies.motion.filmed import FPS, compared, filmed, part, ticks


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
