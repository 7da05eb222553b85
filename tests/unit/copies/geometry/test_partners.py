"""Of long videos only the frames worth comparing meet."""

from __future__ import annotations

import pytest

from ml.copies.evidence import Pictures
from ml.copies.geometry import partners
from ml.copies.geometry.frames import match_frames
from tests.unit.copies.geometry.edited import NAMES, cropped, pairs, picture, pictures


def test_long_videos_are_compared_by_their_first_features(
    originals: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = pictures([cropped(picture(name)) for name in NAMES])
    in_full = match_frames(query, originals)
    monkeypatch.setattr(partners, "EXHAUSTIVE_PAIRS", 0)
    monkeypatch.setattr(partners, "MAX_PARTNERS", 1)
    monkeypatch.setattr(partners, "FRAMES_AT_ONCE", 2)
    monkeypatch.setattr(partners, "ROWS_AT_ONCE", 100)
    coarse = match_frames(query, originals)
    assert pairs(coarse) == pairs(in_full) == {(i, i) for i in range(len(NAMES))}


def test_of_too_many_frames_every_nth_of_the_longer_video_is_compared(
    originals: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partners, "EXHAUSTIVE_PAIRS", 0)
    monkeypatch.setattr(partners, "MAX_COARSE_PAIRS", 3)
    assert pairs(match_frames(pictures([cropped(picture("coffee"))]), originals)) == set()
    assert pairs(match_frames(pictures([cropped(picture("motorcycle"))]), originals)) == {(0, 2)}
