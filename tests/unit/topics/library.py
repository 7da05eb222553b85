"""Small libraries for tests of topics: themes with words in two languages, and their vectors."""

from __future__ import annotations

import numpy as np

from ml.topics.library import Channel, TopicLibrary

ENGLISH = "all-MiniLM-L6-v2@1"
MULTILINGUAL = "multilingual-e5-small@1"
THEMES = ("chess and pawns", "sourdough bread", "moon rocket", "guitar chords")


def theme_vectors(themes: np.ndarray, seed: int, d: int = 24, noise: float = 0.5) -> np.ndarray:
    """Unit-length float32[n, d] near the centre of each theme; the centres are always the same."""
    centres = np.random.default_rng(99).standard_normal((len(THEMES), d))
    rows = centres[themes] + noise * np.random.default_rng(seed).standard_normal((len(themes), d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def library(
    count: int = 40, seed: int = 0, model: str = MULTILINGUAL, prefix: str = "v"
) -> TopicLibrary:
    """Videos of four themes in turn, with titles; every third has speech."""
    ids = [f"{prefix}{number:04d}" for number in range(count)]
    themes = np.arange(count) % len(THEMES)
    titles = {v: f"{THEMES[t]} {v}" for v, t in zip(ids, themes, strict=True)}
    channels: dict[str, Channel] = {
        "title": (ids, theme_vectors(themes, seed)),
        "asr": (ids[::3], theme_vectors(themes[::3], seed + 1)),
    }
    texts = {"title": titles, "asr": {v: titles[v] for v in ids[::3]}}
    return TopicLibrary(channels, dict.fromkeys(channels, model), texts)
