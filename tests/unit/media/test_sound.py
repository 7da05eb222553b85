from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
import pytest

from ml.media.sound import (
    SAMPLE_RATE_HZ,
    AudioPart,
    MonoResampler,
    PartWriter,
    Samples,
    decode_flac,
    encode_flac,
    rms_dbfs,
)


def noise(count: int) -> Samples:
    return np.random.default_rng(0).integers(-20_000, 20_000, count).astype(np.int16)


def frame_of(samples: np.ndarray, layout: str, rate: int, format: str = "s16") -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=format, layout=layout)
    frame.sample_rate = rate
    return frame


def parts_of(writer: PartWriter, runs: Sequence[tuple[float | None, Samples]]) -> list[AudioPart]:
    parts = [part for start_s, samples in runs for part in writer.add(start_s, samples)]
    return parts + list(writer.finish())


@pytest.mark.parametrize("count", [0, 1, 4607, 4608, 50_000])
def test_flac_gives_back_every_sample(count: int) -> None:
    samples = noise(count)
    assert np.array_equal(decode_flac(encode_flac(samples)), samples)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="not FLAC"):
        decode_flac(b"RIFF is something else")


def test_full_scale_square_wave_is_at_0_dbfs_and_silence_at_minus_120() -> None:
    assert rms_dbfs(np.full(1000, -32768, np.int16)) == pytest.approx(0.0)
    assert rms_dbfs(np.full(1000, 16384, np.int16)) == pytest.approx(-6.02, abs=0.01)
    assert rms_dbfs(np.zeros(1000, np.int16)) == -120.0
    assert rms_dbfs(np.zeros(0, np.int16)) == -120.0


@pytest.mark.parametrize(
    ("layout", "rate"), [("mono", 8_000), ("stereo", 44_100), ("5.1", 48_000), ("7.1", 96_000)]
)
def test_any_layout_and_rate_becomes_16_khz_mono(layout: str, rate: int) -> None:
    channels = av.AudioLayout(layout).nb_channels
    wave = (np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 8000).astype(np.int16)
    resampler = MonoResampler()
    samples = np.concatenate(
        [
            resampler.push(frame_of(np.repeat(wave, channels)[None, :], layout, rate)),
            resampler.flush(),
        ]
    )
    assert abs(len(samples) - SAMPLE_RATE_HZ) <= 16
    spectrum = np.abs(np.fft.rfft(samples[:16_000].astype(float)))
    assert abs(spectrum.argmax() * SAMPLE_RATE_HZ / 16_000 - 440) <= 2


def test_sound_that_changes_its_format_midway_goes_on() -> None:
    resampler = MonoResampler()
    first = resampler.push(frame_of(noise(44_100)[None, :], "mono", 44_100))
    second = resampler.push(frame_of(noise(96_000)[None, :], "stereo", 48_000))
    total = len(first) + len(second) + len(resampler.flush())
    assert abs(total - 2 * SAMPLE_RATE_HZ) <= 64


def test_long_sound_is_cut_into_parts_without_losing_a_sample() -> None:
    samples = noise(40_000)
    runs = [(None, samples[start : start + 1000]) for start in range(0, 40_000, 1000)]
    parts = parts_of(PartWriter(part_s=1.0), runs)
    assert [(p.start_s, p.sample_count) for p in parts] == [(0, 16_000), (1, 16_000), (2, 8_000)]
    assert np.array_equal(np.concatenate([decode_flac(p.flac) for p in parts]), samples)
    assert parts[0].rms_dbfs == pytest.approx(rms_dbfs(samples[:16_000]))


def test_sound_that_ends_on_a_part_boundary_leaves_no_empty_part() -> None:
    assert len(parts_of(PartWriter(part_s=1.0), [(0.0, noise(32_000))])) == 2


def test_part_says_where_it_starts() -> None:
    (part,) = parts_of(PartWriter(), [(2.5, noise(100)), (None, noise(100))])
    assert (part.start_s, part.sample_count) == (2.5, 200)


def test_short_gap_is_filled_with_silence() -> None:
    (part,) = parts_of(PartWriter(), [(0.0, noise(16_000)), (2.0, noise(16_000))])
    heard = decode_flac(part.flac)
    assert len(heard) == 48_000
    assert not heard[16_000:32_000].any()
    assert np.array_equal(heard[32_000:], noise(16_000))


def test_long_gap_starts_a_new_part() -> None:
    parts = parts_of(PartWriter(), [(0.0, noise(16_000)), (3600.0, noise(16_000))])
    assert [(p.start_s, p.sample_count) for p in parts] == [(0.0, 16_000), (3600.0, 16_000)]


def test_jittering_and_backward_stamps_do_not_break_the_sound() -> None:
    runs = [(0.0, noise(1600)), (0.12, noise(1600)), (0.19, noise(1600)), (0.0, noise(1600))]
    (part,) = parts_of(PartWriter(), runs)
    assert part.sample_count == 6400


def test_priming_before_zero_is_cut_off() -> None:
    samples = noise(16_000)
    (part,) = parts_of(PartWriter(), [(-0.25, samples)])
    assert part.start_s == 0.0
    assert np.array_equal(decode_flac(part.flac), samples[4000:])
