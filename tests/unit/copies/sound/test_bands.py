"""Fingerprints of sound: rows in, rows out, and the sound of a video from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.copies.sound.audibility import audible
from ml.copies.sound.bands import RATE_HZ, sound_of
from ml.media.sound import SAMPLE_RATE_HZ
from ml.schemas import AUDIO_FINGERPRINTS
from tests.unit.copies.sounds import fingerprints, heard, tune, whole
from tests.unit.speech.sounds import audio, silence

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
