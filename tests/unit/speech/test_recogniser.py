"""Speech: the voice detector, the packaged recogniser, and rows of `asr`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.failures import ModelUnavailable, PermanentFailure, RetryableFailure
from ml.media.sound import SAMPLE_RATE_HZ, Samples, encode_flac, rms_dbfs
from ml.schemas import ASR, AUDIO
from ml.speech import fetch, load_recogniser
from ml.speech.pocketsphinx import (
    PocketsphinxRecogniser,
    Word,
    WordDecoder,
    certainty,
    segments_of,
    split_at_pauses,
)
from ml.speech.segments import ROWS_PER_BATCH, Segment, record_batches
from ml.speech.vad import Cutting, Part, SpeechDetector, Window, join_regions
from ml.workers import Outcome
from tests.unit.speech.sounds import SAMPLES, audio, silence, speech

pytestmark = pytest.mark.slow

Rows = list[dict[str, object]]
PACKAGED = "packaged:pocketsphinx-en-us"


def part(samples: Samples, start_s: float = 0.0) -> Part:
    return Part("v", 0, start_s, rms_dbfs(samples), encode_flac(samples))


def not_speech() -> dict[str, Samples]:
    """Sounds without a voice, four seconds each, and sounds too short to hold one."""
    time_s = np.arange(4 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330, 440))
    beat = np.exp(-((time_s % 0.5) * 8))
    full_scale = {
        "white noise": noise / 4,
        "hum": np.sin(2 * np.pi * 50 * time_s) / 2,
        "tone": np.sin(2 * np.pi * 440 * time_s) / 2,
        "clipped tone": np.clip(np.sin(2 * np.pi * 440 * time_s) * 20, -1, 1),
        "chords": chord * beat / 5,
        "zeros": np.zeros(len(time_s)),
        "empty": np.zeros(0),
        "one sample": np.ones(1),
        "0.05 s": noise[:800] / 4,
    }
    return {
        name: np.clip(np.round(sound * 32767), -32768, 32767).astype(np.int16)
        for name, sound in full_scale.items()
    }


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return SpeechDetector()


@pytest.fixture(scope="module")
def heard() -> Rows:
    """Rows for three videos: speech in two parts, music only, speech after a silence."""
    coast = np.concatenate([silence(3), speech("coast"), silence(1)])
    batches = [
        audio("a", (0.0, speech("bread")), (600.0, coast)),
        audio("b", (0.0, not_speech()["chords"])),
        audio("c", (0.0, np.concatenate([silence(2), speech("moon")]))),
    ]
    recogniser = load_recogniser(PACKAGED, profile="embedded")
    found = list(recogniser.recognise(iter(batches)))
    assert all(batch.schema.equals(ASR.schema) for batch in found)
    return pa.Table.from_batches(found).to_pylist()


def test_sentences_are_written_down_nearly_word_for_word(heard: Rows) -> None:
    said = [
        "the bread stays in the hot oven for forty minutes",
        "the red car drives fast along the road to the sea",
        "the moon goes around the earth once every four weeks",
    ]
    texts = [str(row["text"]) for row in heard]
    assert len(texts) == 3
    for sentence, text in zip(said, texts, strict=True):
        words = set(sentence.split())
        assert len(words & set(text.split())) >= 0.7 * len(words)


def test_rows_come_in_order_of_videos_with_numbers_from_zero(
    heard: Rows,
) -> None:
    assert [(row["video_id"], row["segment_no"]) for row in heard] == [("a", 0), ("a", 1), ("c", 0)]


def test_times_are_in_the_video_and_not_in_the_part(heard: Rows) -> None:
    starts = [float(str(row["start_s"])) for row in heard]
    ends = [float(str(row["end_s"])) for row in heard]
    assert starts == pytest.approx([0.2, 603.2, 2.2], abs=0.4)
    assert all(1.5 < end - start < 5 for start, end in zip(starts, ends, strict=True))


def test_language_confidence_and_model_are_stated(heard: Rows) -> None:
    assert {row["language"] for row in heard} == {"en"}
    assert all(0.4 < float(str(row["confidence"])) <= 1 for row in heard)
    assert {str(row["model"]) for row in heard} == {load_recogniser(PACKAGED, profile="x").model}
    assert str(heard[0]["model"]).startswith("pocketsphinx-en-us@")
    assert "+silero-vad@" in str(heard[0]["model"])


def test_sound_without_a_voice_has_no_rows() -> None:
    batches = [audio(name, (0.0, sound)) for name, sound in not_speech().items()]
    assert list(PocketsphinxRecogniser().recognise(iter(batches))) == []


def test_no_rows_in_gives_no_rows_out() -> None:
    empty = pa.RecordBatch.from_pylist([], schema=AUDIO.schema)
    assert list(PocketsphinxRecogniser().recognise(iter([empty, empty]))) == []
    assert list(PocketsphinxRecogniser().recognise(iter([]))) == []


def test_voice_that_says_nothing_english_has_no_rows() -> None:
    names = ("train", "latte", "galaxies")
    backwards = [audio(name, (0.0, speech(name)[::-1].copy())) for name in names]
    assert list(PocketsphinxRecogniser().recognise(iter(backwards))) == []


def test_input_is_pulled_as_it_is_needed() -> None:
    pulled = 0

    def endless() -> Iterator[pa.RecordBatch]:
        nonlocal pulled
        batch = audio("v", (0.0, speech("moon")))
        while True:
            pulled += 1
            renamed = batch.set_column(0, batch.schema.field(0), pa.array([f"v{pulled}"]))
            yield renamed

    outputs = PocketsphinxRecogniser()._spoken(endless())
    assert next(outputs)[0] == "v1"
    outputs.close()
    assert pulled < 30


def test_long_speech_is_cut_at_pauses_into_windows_of_at_most_30_s(
    detector: SpeechDetector,
) -> None:
    names = sorted(path.stem for path in SAMPLES.glob("*.flac"))[:16]
    sentences = [np.concatenate([speech(name), silence(0.3)]) for name in names]
    sound = np.concatenate(sentences)
    windows = list(detector.windows(part(sound, start_s=100.0)))
    assert len(sound) / SAMPLE_RATE_HZ > 45
    assert max(w.duration_s for w in windows) <= 30
    assert sum(w.duration_s for w in windows) > 0.8 * len(sound) / SAMPLE_RATE_HZ
    assert windows[0].start_s == pytest.approx(100, abs=0.5)
    for earlier, later in pairwise(windows):
        assert earlier.end_s <= later.start_s
        cut = round((earlier.end_s - 100) * SAMPLE_RATE_HZ)
        assert rms_dbfs(sound[cut - 400 : cut + 400]) < rms_dbfs(sound) - 10


def test_window_holds_the_samples_of_its_time(detector: SpeechDetector) -> None:
    sound = np.concatenate([silence(2), speech("moon"), silence(1)])
    (window,) = detector.windows(part(sound, start_s=50.0))
    first = round((window.start_s - 50) * SAMPLE_RATE_HZ)
    assert np.array_equal(window.samples, sound[first : first + len(window.samples)])


def test_part_below_the_silence_floor_is_not_looked_at(detector: SpeechDetector) -> None:
    unreadable = Part("v", 0, 0.0, rms_dbfs=-80.0, flac=b"not FLAC")
    assert list(detector.windows(unreadable)) == []


def test_faint_speech_is_found(detector: SpeechDetector) -> None:
    faint = np.round(speech("moon") * 10 ** (-25 / 20)).astype(np.int16)
    assert rms_dbfs(faint) < -40
    assert len(detector.regions(faint)) == 1


def test_close_regions_share_a_window_unless_it_would_grow_too_long() -> None:
    second = SAMPLE_RATE_HZ
    cutting = Cutting(max_s=30, join_gap_s=5)
    near = [(0, 2 * second), (6 * second, 9 * second)]
    far = [(0, 2 * second), (8 * second, 9 * second)]
    long = [(0, 20 * second), (21 * second, 31 * second)]
    assert join_regions(near, cutting) == [(0, 9 * second)]
    assert join_regions(far, cutting) == far
    assert join_regions(long, cutting) == long


def test_a_pause_begins_a_new_segment() -> None:
    words = [Word("one", 0.0, 0.3, 1.0, -2.0), Word("two", 0.4, 0.8, 1.0, -2.0)]
    words.append(Word("three", 1.5, 1.9, 1.0, -2.0))
    assert [[w.text for w in phrase] for phrase in split_at_pauses(words)] == [
        ["one", "two"],
        ["three"],
    ]


def test_certainty_counts_the_seconds_that_no_word_explains() -> None:
    word = Word("a", 0.0, 1.0, 0.8, -2.0)
    assert certainty([word], speech_s=1.0) == pytest.approx(0.8)
    assert certainty([word], speech_s=4.0) == pytest.approx(0.2)
    assert certainty([], speech_s=4.0) == 0


def test_window_that_crashes_the_decoder_costs_that_window_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    window = Window("clip-7", 0, 30.0, silence(2))
    word = Word("hello", 0.1, 2.4, 0.9, -2.0)
    fine = Outcome(Window("clip-7", 0, 40.0, silence(3)), [word], None, 0.1)
    crashed: Outcome[Window, list[Word]] = Outcome(window, None, PermanentFailure("crashed"), 0.1)
    with caplog.at_level(logging.WARNING):
        segments = segments_of([crashed, fine])
    assert [segment.text for segment in segments] == ["hello"]
    assert "clip-7 at 30.0-32.0 s" in caplog.text


def test_worker_out_of_memory_ends_the_step_so_that_it_is_tried_again() -> None:
    window = Window("v", 0, 0.0, silence(1))
    lost: Outcome[Window, list[Word]] = Outcome(window, None, RetryableFailure("memory"), 0.1)
    with pytest.raises(RetryableFailure):
        segments_of([lost])


def test_numbers_go_on_across_pieces_and_batches_of_a_video() -> None:
    segments = [Segment(float(i), i + 1.0, f"word {i}", "en", 0.5) for i in range(200)]
    spoken = [("a", segments), ("a", segments), ("b", segments[:1])]
    batches = list(record_batches(iter(spoken), "m"))
    rows = pa.Table.from_batches(batches).to_pylist()
    assert [row["segment_no"] for row in rows] == [*range(400), 0]
    assert max(batch.num_rows for batch in batches) <= ROWS_PER_BATCH


def test_rows_are_clean_whatever_the_recogniser_says() -> None:
    odd = [
        Segment(1.0, 0.5, "  two\n words ", "en", math.nan),
        Segment(2.0, 3.0, "   ", "en", 0.5),
        Segment(3.0, 4.0, "sure", "en", 1.2),
    ]
    (batch,) = record_batches(iter([("v", odd)]), "m")
    rows = batch.to_pylist()
    assert [row["text"] for row in rows] == ["two words", "sure"]
    assert [row["confidence"] for row in rows] == [0.0, 1.0]
    assert all(row["end_s"] >= row["start_s"] for row in rows)


def test_unknown_packaged_model_is_named_with_profile_and_command() -> None:
    with pytest.raises(ModelUnavailable, match=r"packaged:nothing.*'mine'.*models pull"):
        load_recogniser("packaged:nothing", profile="mine")


def test_nothing_is_fetched_for_the_packaged_model() -> None:
    fetch(PACKAGED, "embedded")
    with pytest.raises(ModelUnavailable):
        fetch("packaged:nothing", "embedded")


def test_words_do_not_depend_on_what_was_heard_before() -> None:
    import pocketsphinx

    decoder = WordDecoder(Path(pocketsphinx.get_model_path("en-us")))
    decoder.load()
    sounds = [speech(name) for name in ("coffee", "moon", "soup")]
    forwards = [decoder.decode(sound) for sound in sounds]
    backwards = [decoder.decode(sound) for sound in reversed(sounds)]
    assert forwards == backwards[::-1]
