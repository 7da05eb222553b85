"""Vectors for topics: how channels weigh depends on what their models know."""

from __future__ import annotations

import numpy as np
import pytest

from assets.topics import documents_of, knows_english_only, topic_vectors

ENGLISH = dict.fromkeys(("title", "asr"), "all-MiniLM-L6-v2@1")
MULTILINGUAL = {"title": "multilingual-e5-small@1"}
IDS = [f"v{i:02d}" for i in range(12)]


def rows(seed: int, n: int, d: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def squares(matrix: np.ndarray) -> float:
    return float((matrix**2).sum(axis=1).mean())


def test_words_are_a_channel_beside_a_model_that_knows_english_only() -> None:
    texts = {
        "title": {v: ("moon rocket", "bread oven", "cat sofa")[i % 3] for i, v in enumerate(IDS)}
    }
    channels = {"title": (IDS, rows(0, 12))}
    assert topic_vectors(channels, ENGLISH, texts)[1].shape[1] > 16
    assert topic_vectors(channels, MULTILINGUAL, texts)[1].shape[1] == 16


def test_russian_text_counts_little_where_the_model_knows_english_only() -> None:
    titles = {v: "кошка" if i % 2 else f"english {i}" for i, v in enumerate(IDS)}
    speech = dict.fromkeys(IDS, "nothing shared")
    channels = {"asr": (IDS, rows(1, 12)), "title": (IDS, rows(0, 12))}
    ids, vectors = topic_vectors(channels, ENGLISH, {"title": titles, "asr": speech})
    assert ids == IDS
    title = vectors[:, -16:]
    assert squares(title[1::2]) < 0.3 * squares(title[::2])


def test_packaged_picture_descriptor_weighs_less_than_a_learned_one() -> None:
    channels = {"title": (IDS, rows(0, 12)), "visual": (IDS, rows(1, 12, 8))}
    packed = topic_vectors(channels, MULTILINGUAL | {"visual": "layout-descriptor@1"}, {})[1]
    learned = topic_vectors(channels, MULTILINGUAL | {"visual": "siglip2@1"}, {})[1]
    assert squares(packed[:, 16:]) == pytest.approx(0.05, rel=1e-3)
    assert squares(learned[:, 16:]) == pytest.approx(0.25, rel=1e-3)


def test_video_with_pictures_alone_has_a_vector() -> None:
    channels = {"title": (IDS[1:], rows(0, 11)), "visual": (IDS, rows(1, 12, 8))}
    models = ENGLISH | {"visual": "layout-descriptor@1"}
    texts = {"title": dict.fromkeys(IDS[1:], "слово")}
    ids, vectors = topic_vectors(channels, models, texts)
    assert ids == IDS
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors[0]) > 0


def test_library_without_text_is_joined_from_its_pictures() -> None:
    channels = {"visual": (IDS, rows(1, 12, 8))}
    assert topic_vectors(channels, {"visual": "layout-descriptor@1"}, {})[1].shape == (12, 8)


def test_document_is_all_text_with_the_title_first() -> None:
    assert documents_of({"ocr": {"a": "sign"}, "title": {"a": "name", "b": "other"}}) == {
        "a": "name\nsign",
        "b": "other",
    }


def test_only_the_packaged_text_model_knows_english_only() -> None:
    assert knows_english_only(ENGLISH)
    assert not knows_english_only(MULTILINGUAL | {"visual": "layout-descriptor@1"})
