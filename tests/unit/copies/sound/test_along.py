"""Fingerprints of sound, and whether two videos sound alike."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from ml.copies.evidence import Segment
from ml.copies.sound.along import audible, compare_along, is_silent, match_sounds, sound_of
from ml.copies.sound.bands import RATE_HZ
from ml.media.sound import SAMPLE_RATE_HZ
from ml.schemas import AUDIO_FINGERPRINTS
from tests.unit.copies.sounds import fingerprints, heard, hiss, resampled, stretched, tune, whole
from tests.unit.speech.sounds import audio, silence, speech


def along(seconds: float, offset_s: float = 0.0, speed: float = 1.0) -> list[Segment]:
    return [Segment(0.0, seconds, offset_s, offset_s + seconds * speed, speed, 1.0)]


ORIGINAL = tune(1, 12.0)
REFERENCE = heard(ORIGINAL)


def test_rows_have_the_dataset_schema_and_one_row_a_part() -> None:
    batches = fingerprints(
        audio("a", (0.0, silence(1.0)), (20.0, whole(tune(2, 2.0)))),
        audio("b", (0.5, silence(1.0))),
    )
    table = pa.Table.from_batches(batches)
    assert table.schema == AUDIO_FINGERPRINTS.schema
    assert table.column("video_id").to_pylist() == ["a", "a", "b"]
    assert table.column("start_s").to_pylist() == pytest.approx([0.0, 20.0, 0.512])
    assert min(table.column("frame_count").to_pylist()) > 25


def test_a_seam_between_parts_leaves_no_trace() -> None:
    samples = whole(ORIGINAL)
    cut = 5 * SAMPLE_RATE_HZ + 77
    parts = audio("v", (0.0, samples[:cut]), (cut / SAMPLE_RATE_HZ, samples[cut:]))
    joined = sound_of(fingerprints(parts))
    assert joined is not None
    assert np.array_equal(joined.bands, REFERENCE.bands)
    assert np.array_equal(joined.hashes, REFERENCE.hashes)


def test_time_without_sound_is_silence() -> None:
    sound = sound_of(fingerprints(audio("v", (3.0, whole(tune(2, 2.0))))))
    assert sound is not None
    assert (sound.level_db[: round(2.9 * RATE_HZ)] == -120).all()
    assert not audible(sound)[: round(1.5 * RATE_HZ)].any()


def test_a_video_without_sound_has_no_rows_and_no_sound() -> None:
    assert fingerprints() == []
    assert fingerprints(audio("v", (0.0, silence(0.02)))) == []
    assert sound_of([]) is None


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(5 * SAMPLE_RATE_HZ),
        hiss(1, 5.0, 20.0),
        9000 * np.sin(np.arange(5 * SAMPLE_RATE_HZ) * 2 * np.pi * 1000 / SAMPLE_RATE_HZ),
    ],
    ids=["silence", "hiss", "tone"],
)
def test_silence_hiss_and_tone_say_nothing(samples: np.ndarray) -> None:
    sound = heard(samples)
    assert is_silent(sound)
    assert compare_along(sound, REFERENCE, along(5.0)).state == "silent"
    assert compare_along(REFERENCE, sound, along(5.0)).state == "silent"
    assert match_sounds(sound, sound) == []


def test_speech_and_music_are_audible() -> None:
    assert not is_silent(REFERENCE)
    assert not is_silent(heard(speech("moon").astype(np.float64)))


@pytest.mark.parametrize(
    ("kind", "samples", "speed"),
    [
        ("as it is", ORIGINAL, 1.0),
        ("quieter", ORIGINAL * 0.1, 1.0),
        ("clipped", ORIGINAL * 8, 1.0),
        ("noise", ORIGINAL + hiss(5, 12.0, 950.0), 1.0),
        ("under other music", ORIGINAL + tune(9, 12.0), 1.0),
        ("under louder music", ORIGINAL + 2 * tune(9, 12.0), 1.0),
        ("tape speed", resampled(ORIGINAL, 1.25), 1.25),
        ("slow tape speed", resampled(ORIGINAL, 0.8), 0.8),
        ("tempo", stretched(ORIGINAL, 1.25), 1.25),
        ("slow tempo", stretched(ORIGINAL, 0.8), 0.8),
    ],
)
def test_changed_sound_is_the_same_sound(kind: str, samples: np.ndarray, speed: float) -> None:
    query = heard(samples)
    seconds = len(query.bands) / RATE_HZ
    found = compare_along(query, REFERENCE, along(seconds, 0.9, speed * 1.01))
    assert found.state == "same", (kind, found.reason)
    assert found.speed == pytest.approx(speed, rel=0.01)
    if speed != 1:
        assert found.pitch_shifted == ("tape" in kind)


def test_other_words_of_the_same_voice_are_different() -> None:
    names = ["moon", "orbit", "planets", "rocket"]
    sounds = [heard(speech(name).astype(np.float64)) for name in names]
    for i, one in enumerate(sounds):
        for other in sounds[i + 1 :]:
            seconds = min(len(one.bands), len(other.bands)) / RATE_HZ
            found = compare_along(one, other, along(seconds))
            assert found.state == "different", found.reason
            assert found.score < 0.5


def test_another_part_of_one_programme_is_different() -> None:
    half = len(ORIGINAL) // 2
    found = compare_along(heard(ORIGINAL[:half]), heard(ORIGINAL[half:]), along(6.0))
    assert found.state == "different"


def test_sound_that_was_shifted_against_the_pictures_is_found() -> None:
    late = np.concatenate([np.zeros(SAMPLE_RATE_HZ), ORIGINAL])
    found = compare_along(heard(late), REFERENCE, along(12.0))
    assert found.state == "same"
    assert found.lag_s == pytest.approx(-1.0, abs=0.05)


def test_half_of_it_redubbed_is_told_by_its_share() -> None:
    redubbed = np.concatenate([ORIGINAL[: len(ORIGINAL) // 2], tune(7, 6.0)])
    found = compare_along(heard(redubbed), REFERENCE, along(12.0))
    assert found.same_share == pytest.approx(0.5, abs=0.15)
    assert "of the match only" in found.reason


def test_a_missing_track_is_missing_on_either_side() -> None:
    assert compare_along(None, REFERENCE, along(5.0)).state == "missing"
    assert compare_along(REFERENCE, None, along(5.0)).state == "missing"
    assert compare_along(None, None, along(5.0)).state == "missing"


def test_no_match_to_compare_along_says_nothing() -> None:
    assert compare_along(REFERENCE, REFERENCE, []).state == "silent"


def test_a_stretch_of_sound_is_found_without_pictures() -> None:
    copy = np.concatenate([tune(20, 3.0), ORIGINAL[4 * SAMPLE_RATE_HZ : 10 * SAMPLE_RATE_HZ]])
    (found,) = match_sounds(heard(copy), REFERENCE)
    assert found.query_start_s == pytest.approx(3.0, abs=0.4)
    assert found.query_end_s == pytest.approx(9.0, abs=0.3)
    assert found.reference_start_s == pytest.approx(4.0, abs=0.4)
    assert found.speed == pytest.approx(1.0, abs=0.01)


def test_a_faster_stretch_of_sound_is_found_without_pictures() -> None:
    (found,) = match_sounds(heard(resampled(ORIGINAL, 1.2)), REFERENCE)
    assert found.speed == pytest.approx(1.2, rel=0.01)
    assert found.query_end_s - found.query_start_s > 8.5


def test_other_music_shares_no_sound() -> None:
    for seed in range(30, 34):
        assert match_sounds(heard(tune(seed, 8.0)), REFERENCE) == []


def test_a_loop_gives_segments_that_share_no_time() -> None:
    loop = np.tile(tune(40, 4.0), 3)
    found = match_sounds(heard(loop), heard(loop[: 8 * SAMPLE_RATE_HZ]))
    assert 1 <= len(found) <= 3
    for before, after in pairwise(found):
        assert after.query_start_s >= before.query_end_s
