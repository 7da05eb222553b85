"""Long videos are matched without gaps, in memory and time that stay bounded."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.evidence import Evidence, Pictures
from ml.copies.geometry import frames, partners
from ml.copies.long_videos import match_frames, taken
from ml.copies.pairs import compare

FEATURES = 30


def long_video(seconds: int, seed: int = 0) -> Pictures:
    """A video whose every second shows something else, with a hash that says nothing."""
    rng = np.random.default_rng(seed)
    count = seconds * FEATURES
    directions = rng.exponential(1.0, (count, 128)) ** 2
    unit = np.sqrt(directions / directions.sum(axis=1, keepdims=True))
    places = rng.random((count, 2)) * (1.0, 0.56)
    shape = np.stack([rng.uniform(0.02, 0.05, count), rng.uniform(0, 6.28, count)], axis=1)
    return Pictures(
        start_s=np.arange(seconds, dtype=np.float64),
        duration_s=np.ones(seconds),
        aspect=np.full(seconds, 16 / 9, np.float32),
        offsets=np.arange(seconds + 1, dtype=np.int32) * FEATURES,
        geometry=np.concatenate([places, shape], axis=1).astype(np.float32),
        descriptors=np.minimum(np.rint(unit * 512), 255).astype(np.uint8),
        hashes=np.zeros((seconds, 32), np.uint8),
        detail=np.zeros(seconds, np.float32),
    )


@pytest.fixture(scope="module")
def stream() -> Pictures:
    return long_video(2400)


def test_no_frame_of_a_long_copy_is_passed_over(
    stream: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partners, "MAX_COARSE_PAIRS", 40_000)
    found = match_frames(taken(stream, np.arange(300, 700)), stream)
    right = found.reference_frame == found.query_frame + 300
    assert len(np.unique(found.query_frame[right])) >= 0.95 * 400


def test_forty_minutes_within_forty_minutes_are_one_duplicate(stream: Pictures) -> None:
    videos = [Evidence(name, 2400.0, stream, None, None) for name in ("copy", "original")]
    verdict = compare(*videos)
    assert verdict is not None
    assert verdict.verdict == "duplicate"
    assert verdict.copy_share > 0.95
    assert len(verdict.copy_starts_s) == 1


def test_taken_frames_keep_their_features(stream: Pictures) -> None:
    some = taken(stream, np.array([5, 2]))
    assert some.start_s.tolist() == [5.0, 2.0]
    ranges = [slice(5 * FEATURES, 6 * FEATURES), slice(2 * FEATURES, 3 * FEATURES)]
    expected = np.concatenate([stream.descriptors[r] for r in ranges])
    assert np.array_equal(some.descriptors, expected)


def test_short_videos_are_matched_as_before(stream: Pictures) -> None:
    short = taken(stream, np.arange(10))
    ours, theirs = match_frames(short, short), frames.match_frames(short, short)
    for mine, other in zip(vars(ours).values(), vars(theirs).values(), strict=True):
        assert np.array_equal(mine, other)
