"""Sound tracks: spoken sentences, made-up music, wind noise, a tone, silence.

Sound is float32 [samples], mono, -1..1, at 48 kHz.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE_HZ = 48_000
SPEECH = Path(__file__).parent / "speech"
# Music beside speech is 12 dB down, and 32 dB down while someone speaks: at 24 dB down the
# packaged recogniser misread half of the words.
_BESIDE_SPEECH, _UNDER_SPEECH = 10 ** (-12 / 20), 10 ** (-32 / 20)


@dataclass(frozen=True)
class Sentence:
    """A spoken sentence and when it is heard."""

    text: str
    start_s: float
    end_s: float


def sentence_texts() -> dict[str, str]:
    """Speech id to the sentence that its FLAC file says."""
    with (SPEECH / "sentences.csv").open(encoding="utf-8", newline="") as lines:
        return {row["speech_id"]: row["text"] for row in csv.DictReader(lines)}


def read_sound(path: Path) -> np.ndarray:
    """The first sound track of a file as float32 [samples] at `RATE_HZ`; empty without one."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    parts: list[np.ndarray] = []
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray().ravel() for part in resampler.resample(frame)]
    parts += [part.to_ndarray().ravel() for part in resampler.resample(None)]
    return np.concatenate(parts)


def speech(ids: tuple[str, ...], seconds: float) -> tuple[np.ndarray, list[Sentence]]:
    """The sentences one after another, from 0.6 s on and 0.6 s apart, and when each is heard.

    Raises ValueError when they do not fit into ``seconds``.
    """
    track = np.zeros(round(seconds * RATE_HZ), np.float32)
    texts, heard, start = sentence_texts(), [], round(0.6 * RATE_HZ)
    for speech_id in ids:
        spoken = read_sound(SPEECH / f"{speech_id}.flac")
        end = start + len(spoken)
        if end > len(track):
            raise ValueError(f"speech {ids} ends at {end / RATE_HZ:.1f} s, clip at {seconds} s")
        track[start:end] = 0.8 * spoken
        heard.append(Sentence(texts[speech_id], start / RATE_HZ, end / RATE_HZ))
        start = end + round(0.6 * RATE_HZ)
    return track, heard


def _note(midi: float, seconds: float, decay_s: float) -> np.ndarray:
    """A plucked note: six harmonics under an exponential decay."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = 440 * 2 ** ((midi - 69) / 12)
    wave = sum(np.sin(2 * np.pi * pitch_hz * k * time) / k**1.5 for k in range(1, 7))
    attack = np.minimum(time / 0.01, 1)
    return (wave * attack * np.exp(-time / decay_s)).astype(np.float32)


def music(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Four chords, a bass, a wandering melody and drums; ``rng`` decides key, tempo and tune."""
    track = np.zeros(round(seconds * RATE_HZ), np.float32)

    def play(start_s: float, sound: np.ndarray, level: float) -> None:
        start = round(start_s * RATE_HZ)
        fits = sound[: max(len(track) - start, 0)]
        track[start : start + len(fits)] += level * fits

    scale = np.array([0, 2, 4, 5, 7, 9, 11] if rng.random() < 0.5 else [0, 2, 3, 5, 7, 8, 10])
    key, beat_s = 48 + int(rng.integers(12)), 60 / rng.uniform(84, 136)
    roots = rng.choice(7, 4, replace=False)
    step = int(rng.integers(7))
    for beat in range(int(seconds / beat_s) + 1):
        degrees = (roots[beat // 4 % 4] + np.array([0, 2, 4])) % 7
        if beat % 2 == 0:
            for degree in degrees:
                play(beat * beat_s, _note(key + 12 + scale[degree], 2 * beat_s, 0.5), 0.09)
        play(beat * beat_s, _note(key - 12 + scale[degrees[0]], beat_s, 0.4), 0.2)
        for half in range(2):
            step = int(np.clip(step + rng.integers(-2, 3), 0, 13))
            midi = key + 12 + scale[step % 7] + 12 * (step // 7)
            play((beat + half / 2) * beat_s, _note(midi, beat_s, 0.25), 0.16)
            hiss = rng.normal(0, 1, RATE_HZ // 20) * np.exp(-np.arange(RATE_HZ // 20) / 400)
            play((beat + half / 2) * beat_s, hiss.astype(np.float32), 0.05)
        fall = np.arange(RATE_HZ // 5) / RATE_HZ
        drum = np.sin(2 * np.pi * (45 + 60 * np.exp(-30 * fall)) * fall) * np.exp(-fall / 0.08)
        play(beat * beat_s, drum.astype(np.float32), 0.35)
    return 0.7 * track / max(float(np.abs(track).max()), 1e-6)


def noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Wind and rain: noise that falls with frequency and swells slowly."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 50))
    hiss = np.fft.irfft(spectrum, count)
    swell = 1 + 0.5 * np.sin(np.arange(count) / RATE_HZ * 1.9 + rng.uniform(0, 6))
    return (0.25 * swell * hiss / np.abs(hiss).max()).astype(np.float32)


def _ducking(count: int, heard: list[Sentence]) -> np.ndarray:
    """The level of music along the track: it sinks and rises within 0.3 s around speech."""
    time_s = np.arange(count, dtype=np.float32) / RATE_HZ
    level = np.full(count, _BESIDE_SPEECH, np.float32)
    for said in heard:
        distance_s = np.maximum(said.start_s - time_s, time_s - said.end_s)
        share = np.clip(distance_s / 0.3, 0, 1)
        level = np.minimum(level, _UNDER_SPEECH + (_BESIDE_SPEECH - _UNDER_SPEECH) * share)
    return level


def sound_track(
    kind: str, ids: tuple[str, ...], seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray | None, list[Sentence]]:
    """A clip's sound and what is said in it; None when the clip has no sound track.

    ``kind`` is speech, speech+music, music, noise, tone, silence or none.
    """
    count = round(seconds * RATE_HZ)
    if kind == "none":
        return None, []
    if kind.startswith("speech"):
        track, heard = speech(ids, seconds)
        if kind == "speech+music":
            track = track + _ducking(count, heard) * music(rng, seconds)
        return track, heard
    if kind == "music":
        return music(rng, seconds), []
    if kind == "noise":
        return noise(rng, seconds), []
    if kind == "tone":
        return (0.2 * np.sin(np.arange(count) * 2 * np.pi * 1000 / RATE_HZ)).astype(np.float32), []
    if kind == "silence":
        return np.zeros(count, np.float32), []
    raise ValueError(f"unknown kind of sound {kind!r}")
