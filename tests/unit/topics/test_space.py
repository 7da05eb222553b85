"""The space of topics: learnt once, it places old and new videos alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.topics.library import TopicLibrary, documents_of, sample_of
from ml.topics.space import CHANNEL_WEIGHTS, SpaceOptions, TopicSpace, knows_english_only
from ml.vectors import ModelMismatch
from tests.unit.topics.library import ENGLISH, MULTILINGUAL, library


def reversed_library(of: TopicLibrary) -> TopicLibrary:
    channels = {n: (list(ids)[::-1], m[::-1]) for n, (ids, m) in reversed(of.channels.items())}
    texts = {name: dict(reversed(texts.items())) for name, texts in of.texts.items()}
    return TopicLibrary(channels, of.models, texts)


@pytest.mark.parametrize("model", [ENGLISH, MULTILINGUAL])
def test_videos_of_a_theme_lie_near_each_other(model: str) -> None:
    whole = library(model=model)
    ids, z = TopicSpace.fit(whole).project(whole)
    assert ids == sorted(ids)
    assert z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    same = np.equal.outer(np.arange(40) % 4, np.arange(40) % 4)
    cosines = z @ z.T
    assert cosines[same].mean() > 0.8
    assert cosines[~same].mean() < 0.1


@pytest.mark.parametrize("model", [ENGLISH, MULTILINGUAL])
def test_order_of_videos_changes_no_byte(model: str) -> None:
    straight = TopicSpace.fit(library(model=model))
    turned = TopicSpace.fit(reversed_library(library(model=model)))
    assert straight.to_bytes() == turned.to_bytes()


@pytest.mark.parametrize("model", [ENGLISH, MULTILINGUAL])
def test_a_batch_lies_where_it_lies_in_the_whole_library(model: str) -> None:
    whole = library(model=model)
    space = TopicSpace.fit(whole)
    ids, z = space.project(whole)
    some, alone = space.project(whole.only(ids[10:17]))
    assert some == ids[10:17]
    np.testing.assert_allclose(alone, z[10:17], atol=1e-5)


def test_new_video_lies_with_its_theme() -> None:
    space = TopicSpace.fit(library())
    _, z = space.project(library())
    _, new = space.project(library(8, seed=5, prefix="new"))
    nearest = (new @ z.T).argmax(axis=1)
    assert (nearest % 4 == np.arange(8) % 4).all()


def test_space_that_was_saved_places_videos_alike(tmp_path: Path) -> None:
    whole = library(model=ENGLISH)
    space = TopicSpace.fit(whole)
    space.save(tmp_path / "space.npz")
    again = TopicSpace.load(tmp_path / "space.npz")
    assert again.to_bytes() == space.to_bytes()
    assert (again.models, again.count, again.model) == (space.models, 40, space.model)
    np.testing.assert_array_equal(again.project(whole)[1], space.project(whole)[1])


def test_other_bytes_are_no_space() -> None:
    with pytest.raises(ValueError, match=r"not a space of topics .*: cluster the topics anew"):
        TopicSpace.from_bytes(b"something else")


def test_vectors_of_another_model_are_refused_with_what_to_do() -> None:
    space = TopicSpace.fit(library())
    other = replace(library(), models={"title": "other@2", "asr": MULTILINGUAL})
    with pytest.raises(ModelMismatch, match=r"'other@2'.*cluster the topics anew"):
        space.project(other)


def test_vectors_of_another_length_are_refused() -> None:
    whole = library()
    ids, matrix = whole.channels["title"]
    shorter = replace(whole, channels={"title": (ids, matrix[:, :7])})
    with pytest.raises(ModelMismatch, match=r"have 7 dimensions.*from 24"):
        TopicSpace.fit(whole).project(shorter)


def test_nan_is_refused_with_how_many() -> None:
    whole = library()
    whole.channels["title"][1][[3, 5], 0] = np.nan
    with pytest.raises(ValueError, match="2 of 40 vectors of channel 'title'"):
        TopicSpace.fit(whole)
    with pytest.raises(ValueError, match="2 of 40 vectors of channel 'title'"):
        TopicSpace.fit(library()).project(whole)


def test_video_twice_and_uneven_channels_are_refused() -> None:
    ids, matrix = library().channels["title"]
    twice = TopicLibrary({"title": ([ids[0], *ids[:-1]], matrix)}, {"title": MULTILINGUAL})
    with pytest.raises(ValueError, match="'title' holds video 'v0000' twice"):
        TopicSpace.fit(twice)
    uneven = TopicLibrary({"title": (ids[1:], matrix)}, {"title": MULTILINGUAL})
    with pytest.raises(ValueError, match="39 ids for 40 vectors"):
        TopicSpace.fit(uneven)


def test_video_of_which_nothing_is_known_lies_nowhere() -> None:
    whole = library()
    space = TopicSpace.fit(whole)
    ids, z = space.project(replace(whole, others=["silent"]))
    assert "silent" in ids
    assert not z[ids.index("silent")].any()
    assert z[ids.index("v0000")].any()


def test_channel_that_the_space_has_not_met_counts_nothing() -> None:
    whole = library()
    only_titles = TopicLibrary({"title": whole.channels["title"]}, {"title": MULTILINGUAL})
    space = TopicSpace.fit(only_titles)
    np.testing.assert_array_equal(space.project(whole)[1], space.project(only_titles)[1])


def test_deleted_video_moves_nobody() -> None:
    whole = library()
    space = TopicSpace.fit(whole)
    ids, z = space.project(whole)
    left, after = space.project(whole.only(ids[1:]))
    assert left == ids[1:]
    np.testing.assert_allclose(after, z[1:], atol=1e-5)


def test_empty_library_has_a_space_in_which_nothing_lies() -> None:
    nothing = TopicLibrary({}, {})
    space = TopicSpace.from_bytes(TopicSpace.fit(nothing).to_bytes())
    ids, z = space.project(nothing)
    assert (ids, z.shape) == ([], (0, 1))
    assert not space.project(library())[1].any()


@pytest.mark.parametrize("n", [1, 30])
def test_videos_that_are_all_the_same_lie_at_one_place_and_others_elsewhere(n: int) -> None:
    row = library().channels["title"][1][:1]
    ids = [f"v{number}" for number in range(n)]
    same = TopicLibrary({"title": (ids, np.repeat(row, n, axis=0))}, {"title": MULTILINGUAL})
    space = TopicSpace.fit(same)
    assert space.project(same)[1].tolist() == [[1.0]] * n
    other = TopicLibrary({"title": (["other"], -row)}, {"title": MULTILINGUAL})
    assert space.project(other)[1].tolist() == [[0.0]]


def test_two_videos_lie_apart() -> None:
    two = library().only(["v0000", "v0001"])
    _, z = TopicSpace.fit(two).project(two)
    assert np.linalg.norm(z[0] - z[1]) > 1


def test_words_are_a_channel_beside_a_model_that_knows_english_only() -> None:
    assert "lexical" in TopicSpace.fit(library(model=ENGLISH)).scales
    assert "lexical" not in TopicSpace.fit(library(model=MULTILINGUAL)).scales
    assert "lexical" in TopicSpace.fit(library(model=ENGLISH)).model
    assert not knows_english_only({"title": MULTILINGUAL, "visual": "layout-descriptor@1"})


def test_same_theme_in_two_languages_meets_by_the_taxonomy() -> None:
    texts = ["cats and kittens", "smart phone", "кошки и котята", "смартфон"] * 6
    ids = [f"v{number:02d}" for number in range(len(texts))]
    draw = np.random.default_rng(0)
    # A model without Russian gives Russian texts much the same vector.
    rows = draw.standard_normal((24, 16)) * 0.1
    for number in range(24):
        rows[number, (0, 1, 2, 2)[number % 4]] += 1
    titles = {"title": dict(zip(ids, texts, strict=True))}
    channels = {"title": (ids, rows.astype(np.float32))}
    whole = TopicLibrary(channels, {"title": ENGLISH}, titles)
    _, z = TopicSpace.fit(whole).project(whole)
    cosines = z @ z.T
    assert cosines[0::4, 2::4].mean() > cosines[0::4, 3::4].mean() + 0.3


def test_packaged_picture_descriptor_weighs_less_than_a_learned_one() -> None:
    whole = library()
    for model, weight in (("layout-descriptor@1", 0.05), ("siglip2@1", CHANNEL_WEIGHTS["visual"])):
        pictures = TopicLibrary({"visual": whole.channels["title"]}, {"visual": model})
        assert TopicSpace.fit(pictures).scales["visual"].weight == weight


def test_large_library_is_learnt_from_a_sample_that_order_does_not_change() -> None:
    whole = library(60)
    options = SpaceOptions(sample_limit=30)
    space = TopicSpace.fit(whole, options)
    assert space.count == 30
    assert space.to_bytes() == TopicSpace.fit(reversed_library(whole), options).to_bytes()
    sampled = whole.only(sample_of(whole.video_ids, 30))
    assert space.to_bytes() == TopicSpace.fit(sampled, options).to_bytes()
    assert len(space.project(whole)[0]) == 60


def test_sample_of_a_library_that_grew_is_mostly_the_same() -> None:
    ids = [f"v{number}" for number in range(1000)]
    before, after = sample_of(ids, 200), sample_of([*ids, *(f"w{i}" for i in range(100))], 200)
    assert len(before) == len(after) == 200
    assert len(set(before) & set(after)) >= 170
    assert sample_of(reversed(ids), 200) == before


def test_document_is_all_text_with_the_title_first() -> None:
    texts = {"ocr": {"a": "sign"}, "title": {"a": "name", "b": "other"}}
    assert documents_of(texts) == {"a": "name\nsign", "b": "other"}
    assert documents_of(texts, 4) == {"a": "name", "b": "othe"}
