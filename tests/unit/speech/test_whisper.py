"""Whisper: batches across videos, languages, guards; run on tiny random checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from ml.failures import ModelUnavailable
from ml.media.sound import SAMPLE_RATE_HZ, Samples
from ml.schemas import ASR, AUDIO
from ml.speech import fetch, load_recogniser
from ml.speech.engines import load_engine
from ml.speech.vad import Window
from ml.speech.whisper import (
    Decoding,
    Engine,
    Heard,
    VideoLanguage,
    WhisperRecogniser,
    compression_ratio,
    is_silence,
    timestamped,
    without_loops,
)
from tests.unit.speech.sounds import audio, speech
from tests.unit.speech.tiny_whisper import LANGUAGES, save_tiny_pt, save_tiny_whisper

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whisper")
    return {
        "transformers": save_tiny_whisper(folder / "tiny"),
        "openai": save_tiny_pt(folder / "tiny.pt"),
    }


@pytest.fixture(scope="module", params=["transformers", "openai"])
def engine(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> Engine:
    return load_engine(str(checkpoints[request.param]), profile="base", device="cpu")


@pytest.fixture(scope="module")
def library() -> list[pa.RecordBatch]:
    """Five videos: one sentence each, but the second has three in two parts, the fourth none."""
    pause = np.zeros(7 * SAMPLE_RATE_HZ, np.int16)
    two = np.concatenate([speech("coast"), pause, speech("race")])
    return [
        audio("a", (0.0, speech("moon"))),
        audio("b", (0.0, two), (600.0, speech("soup"))),
        audio("c", (0.0, speech("bread"))),
        audio("d", (0.0, pause)),
        audio("e", (0.0, speech("night"))),
    ]


def rows_of(engine: Engine, batches: list[pa.RecordBatch], batch_size: int = 4) -> list[dict]:
    found = list(WhisperRecogniser(engine, batch_size).recognise(iter(batches)))
    assert all(batch.schema.equals(ASR.schema) for batch in found)
    return [row for batch in found for row in batch.to_pylist()]


def without_confidence(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "confidence"} for row in rows]


def window(seconds: float, video_id: str = "v", start_s: float = 0.0) -> Window:
    return Window(video_id, 0, start_s, np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16))


def test_both_kinds_of_checkpoint_give_rows_of_the_dataset(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    rows = rows_of(engine, library)
    assert {row["video_id"] for row in rows} == {"a", "b", "c", "e"}
    assert all(row["text"] and row["language"] for row in rows)
    assert all(0 <= row["confidence"] <= 1 for row in rows)


def test_rows_are_in_order_of_videos_and_numbered_within_each(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    rows = rows_of(engine, library)
    videos = [(video, list(group)) for video, group in groupby(rows, lambda r: r["video_id"])]
    assert [video for video, _ in videos] == ["a", "b", "c", "e"]
    for _, group in videos:
        assert [row["segment_no"] for row in group] == list(range(len(group)))
        assert [row["start_s"] for row in group] == sorted(row["start_s"] for row in group)


def test_times_stay_inside_the_speech_they_belong_to(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    parts = {"a": [(0, 4)], "b": [(0, 4), (10, 16), (600, 605)], "c": [(0, 5)], "e": [(0, 5)]}
    for row in rows_of(engine, library):
        assert any(
            first <= row["start_s"] <= row["end_s"] <= end for first, end in parts[row["video_id"]]
        )


def test_batches_across_videos_give_the_rows_of_one_by_one(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    together = rows_of(engine, library, batch_size=8)
    one_by_one = [row for video in library for row in rows_of(engine, [video], batch_size=1)]
    assert without_confidence(together) == without_confidence(one_by_one)
    assert [row["confidence"] for row in together] == pytest.approx(
        [row["confidence"] for row in one_by_one], rel=1e-3
    )


def test_videos_without_speech_and_without_sound_have_no_rows(engine: Engine) -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 3 * SAMPLE_RATE_HZ).astype(np.int16)
    quiet = audio("d", (0.0, noise), (600.0, noise[:0]))
    empty = pa.RecordBatch.from_pylist([], schema=AUDIO.schema)
    assert rows_of(engine, [quiet, empty]) == []
    assert rows_of(engine, []) == []


def test_languages_are_those_of_the_checkpoint_and_are_detected(engine: Engine) -> None:
    (heard,) = engine.listen([speech("moon")])
    assert set(LANGUAGES) <= set(heard.languages)
    assert sum(heard.languages.values()) == pytest.approx(1, abs=1e-4)
    assert 0 <= heard.no_speech <= 1


def test_each_window_of_a_batch_is_decoded_in_its_own_language(engine: Engine) -> None:
    heard = engine.listen([speech("moon")] * 3)
    alone = [engine.decode(heard[:1], [language])[0] for language in ("en", "ru")]
    mixed = engine.decode(heard, ["en", "ru", "en"])
    assert [d.tokens for d in mixed] == [alone[0].tokens, alone[1].tokens, alone[0].tokens]
    assert all(math.isfinite(d.avg_logprob) and d.avg_logprob <= 0 for d in mixed)


def test_english_only_checkpoint_says_english(tmp_path: Path) -> None:
    file = save_tiny_pt(tmp_path / "tiny.en.pt", vocabulary=51864)
    engine = load_engine(str(file), profile="base", device="cpu")
    assert engine.listen([speech("moon")])[0].languages == {"en": 1.0}
    assert engine.decode(engine.listen([speech("moon")]), ["en"])[0].avg_logprob <= 0


class SmallGpu:
    """An engine whose memory holds ``fits`` windows."""

    def __init__(self, inner: Engine, fits: int) -> None:
        self.model = inner.model
        self.timestamp_begin, self.text_end = inner.timestamp_begin, inner.text_end
        self.text = inner.text
        self.sizes: list[int] = []
        self._inner, self._fits = inner, fits

    def listen(self, sounds: Sequence[Samples]) -> list[Heard]:
        self._hold(len(sounds))
        return self._inner.listen(sounds)

    def decode(self, heard: Sequence[Heard], languages: Sequence[str]) -> list[Decoding]:
        self._hold(len(heard))
        return self._inner.decode(heard, languages)

    def _hold(self, windows: int) -> None:
        self.sizes.append(windows)
        if windows > self._fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")


def test_batch_is_halved_when_the_gpu_is_full_and_no_row_is_lost(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    small = SmallGpu(engine, fits=2)
    rows = rows_of(small, library, batch_size=8)
    assert without_confidence(rows) == without_confidence(rows_of(engine, library, batch_size=2))
    assert [size for size in small.sizes if size > 2] == [6, 3]


def test_window_too_large_for_the_gpu_ends_the_step(
    engine: Engine, library: list[pa.RecordBatch]
) -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError):
        rows_of(SmallGpu(engine, fits=0), library)


def test_a_videos_windows_decide_its_language_together() -> None:
    part = [window(9, start_s=0), window(1, start_s=20), window(8, start_s=30)]
    heard = [{"ru": 0.7, "en": 0.3}, {"ru": 0.1, "en": 0.9}, {"ru": 0.6, "en": 0.4}]
    assert VideoLanguage().decide(part, heard) == ["ru", "ru", "ru"]


def test_long_and_sure_window_keeps_its_own_language() -> None:
    part = [window(28), window(28, start_s=30), window(12, start_s=60), window(3, start_s=80)]
    heard = [{"ru": 0.99, "en": 0.01}] * 2 + [{"ru": 0.02, "en": 0.98}] * 2
    assert VideoLanguage().decide(part, heard) == ["ru", "ru", "en", "ru"]


def test_language_does_not_leak_into_the_next_video() -> None:
    evidence = VideoLanguage()
    evidence.decide([window(9, "a")], [{"ru": 0.9, "en": 0.1}])
    assert evidence.decide([window(1, "b")], [{"ru": 0.4, "en": 0.6}]) == ["en"]


def test_earlier_parts_of_a_video_count() -> None:
    evidence = VideoLanguage()
    evidence.decide([window(9)], [{"ru": 0.9, "en": 0.1}])
    assert evidence.decide([window(1, start_s=600)], [{"ru": 0.4, "en": 0.6}]) == ["ru"]


def test_time_stamps_come_in_pairs_around_text() -> None:
    zero, end = 1000, 900
    tokens = [zero, 1, 2, zero + 50, zero + 60, 3, zero + 100]
    assert timestamped(tokens, zero, end) == [(0.0, 1.0, [1, 2]), (1.2, 2.0, [3])]


def test_text_after_the_last_time_stamp_is_kept() -> None:
    assert timestamped([1000, 1, 1050, 1050, 2], 1000, 900) == [
        (0.0, 1.0, [1]),
        (1.0, math.inf, [2]),
    ]
    assert timestamped([], 1000, 900) == []


def test_special_tokens_are_not_text() -> None:
    assert timestamped([1000, 950, 1, 1010], 1000, 900) == [(0.0, 0.2, [1])]


def test_silence_needs_both_witnesses() -> None:
    assert is_silence(no_speech=0.9, avg_logprob=-1.5)
    assert not is_silence(no_speech=0.9, avg_logprob=-0.3)
    assert not is_silence(no_speech=0.1, avg_logprob=-1.5)


def test_decoder_caught_in_a_loop_loses_the_repetitions_only() -> None:
    real = (0.0, 4.0, "The ship left the harbour in the morning.")
    loop = [(4.0 + i, 5.0 + i, "Thank you for watching.") for i in range(20)]
    stuck = (24.0, 30.0, "and so " * 40)
    assert without_loops([real, *loop, stuck]) == [real, loop[0]]


def test_ordinary_text_and_a_chorus_are_no_loop() -> None:
    chorus = [(0.0, 2.0, "Row, row, row your boat"), (2.0, 4.0, "Row, row, row your boat")]
    assert without_loops(chorus) == chorus
    assert compression_ratio("It was a bright cold day in April.") < 2.4
    assert compression_ratio("") == 0


def test_model_name_tells_weights_apart(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    def name(path: Path) -> str:
        return load_recogniser(str(path), profile="base").model

    other = save_tiny_whisper(tmp_path / "tiny", seed=1)
    assert name(checkpoints["transformers"]) == name(checkpoints["transformers"])
    assert name(checkpoints["transformers"]) != name(other)
    assert name(other).startswith("tiny@")
    assert "+silero-vad@" in name(checkpoints["openai"])


def test_checkpoint_with_128_mel_bands_runs(tmp_path: Path) -> None:
    folder = save_tiny_whisper(tmp_path / "mels", mels=128)
    engine = load_engine(str(folder), profile="base", device="cpu")
    assert len(engine.listen([speech("moon")])) == 1


@pytest.mark.parametrize("model", ["whisper:none", "/nowhere/a.pt", "/nowhere/a", "./nowhere"])
def test_missing_model_is_named_with_profile_and_command(model: str) -> None:
    for attempt in (lambda: load_recogniser(model, profile="mine"), lambda: fetch(model, "mine")):
        with pytest.raises(ModelUnavailable) as failure:
            attempt()
        assert all(word in str(failure.value) for word in (model, "'mine'", "kadr models pull"))


def test_incomplete_weights_are_no_model(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_tiny_whisper(tmp_path / "cut")
    weights = load_file(folder / "model.safetensors")
    del weights["model.decoder.layers.0.fc1.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="weights are missing"):
        load_recogniser(str(folder), profile="base")


def test_another_kind_of_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(ModelUnavailable, match="'bert'"):
        load_recogniser(str(tmp_path), profile="base")


def test_local_checkpoints_need_no_fetching(checkpoints: dict[str, Path]) -> None:
    for path in checkpoints.values():
        fetch(str(path), "base")
