"""Tags without training: phrases, vectors, fusion and calibration."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest

from ml.tags.calibration import calibrated, without_unsure_children
from ml.tags.decode import DecodeOptions, decode
from ml.tags.texts import TagPhrases, tag_texts
from ml.tags.zero_shot import ZeroShot, ZeroShotInputs
from ml.taxonomy import Entry, Taxonomy, TreePath, default_taxonomy, load_taxonomy
from ml.vectors import ModelMismatch

TAXONOMY = load_taxonomy(
    """level 1,level 2,level 3,russian,aliases
Animals,,,Животные,animal
Animals,Pets,,Питомцы,
Animals,Pets,Cats,Кошки,cat|kitten|кот|мейн-кун
Animals,Pets,Dogs,Собаки,dog|puppy|щенок
Food,,,Еда,recipe|рецепт
Food,Fast food,,Фастфуд,hot dog|хот-дог
Food,Cakes and desserts,,Торты и десерты,cupcake
Games,,,Игры,game
Games,Sandbox,,Песочницы,майнкрафт|minecraft
"""
)
PATHS = [entry.path for entry in TAXONOMY.entries]


def by_first_letters(texts: list[str]) -> np.ndarray:
    """A model whose vectors are the initial of a text: enough to tell near from far."""
    vectors = np.zeros((len(texts), 26), np.float32)
    for row, text in enumerate(texts):
        vectors[row, (ord(text[0].lower()) - ord("a")) % 26] = 1
    return vectors


@pytest.fixture(scope="module")
def words() -> ZeroShot:
    return ZeroShot(TAXONOMY, None)


def scores_of(model: ZeroShot, *texts: str, channel: str = "title") -> np.ndarray:
    ids = [str(number) for number in range(len(texts))]
    return model.scores(ZeroShotInputs(ids, {channel: list(texts)}))


def first_tags(model: ZeroShot, *texts: str) -> list[TreePath]:
    scores = without_unsure_children(scores_of(model, *texts), model.tree.parent)
    every = decode(scores, model.tree, DecodeOptions(3, 0.05))
    return [model.tree.paths[tags[0][0]] for tags in every]


# ---------------------------------------------------------------- words


def test_tag_is_found_by_name_and_alias_in_either_language(words: ZeroShot) -> None:
    titles = ("My kittens", "Собаки на даче", "Мейн-кун дома", "The best cupcakes")
    assert first_tags(words, *titles) == [
        ("Animals", "Pets", "Cats"),
        ("Animals", "Pets", "Dogs"),
        ("Animals", "Pets", "Cats"),
        ("Food", "Cakes and desserts"),
    ]


def test_words_are_found_in_any_case_of_declension(words: ZeroShot) -> None:
    assert first_tags(words, "про моего щенка", "выживание в майнкрафте") == [
        ("Animals", "Pets", "Dogs"),
        ("Games", "Sandbox"),
    ]


def test_each_half_of_a_name_with_and_names_the_tag(words: ZeroShot) -> None:
    found = first_tags(words, "Desserts at home", "Домашний торт")
    assert found == [("Food", "Cakes and desserts")] * 2


def test_word_within_a_longer_phrase_names_nothing(words: ZeroShot) -> None:
    (scores,) = scores_of(words, "A hot dog in five minutes")
    assert scores[PATHS.index(("Food", "Fast food"))] > 0.3
    assert scores[PATHS.index(("Animals", "Pets", "Dogs"))] == 0


def test_phrase_of_many_entries_says_less_of_each() -> None:
    entries = [Entry((name,), (name,), ("lesson",)) for name in ("Cats", "Dogs", "Birds", "Fish")]
    entries.append(Entry(("Guitar",), ("Guitar",), ()))
    phrases = TagPhrases(entries)
    weights = (phrases.counts(["guitar lesson"]) @ phrases.weights).toarray()[0]
    assert weights[4] == 2 * weights[0] == 2 * weights[3]


def test_title_says_more_than_speech(words: ZeroShot) -> None:
    videos = ZeroShotInputs(["a"], {"title": ["A kitten"], "asr": ["a puppy"]})
    (scores,) = words.scores(videos)
    cats, dogs = (PATHS.index(("Animals", "Pets", name)) for name in ("Cats", "Dogs"))
    assert scores[cats] > scores[dogs] > 0


def test_absent_and_silent_channels_take_nothing_away(words: ZeroShot) -> None:
    alone = words.scores(ZeroShotInputs(["a"], {"title": ["A kitten"]}))
    beside = {"title": ["A kitten"], "description": [""], "asr": ["well so what"]}
    assert np.array_equal(words.scores(ZeroShotInputs(["a"], beside)), alone)


def test_channels_that_agree_make_a_tag_surer(words: ZeroShot) -> None:
    alone = words.scores(ZeroShotInputs(["a"], {"title": ["A kitten"]}))
    both = words.scores(ZeroShotInputs(["a"], {"title": ["A kitten"], "caption": ["a cat"]}))
    cats = PATHS.index(("Animals", "Pets", "Cats"))
    assert both[0, cats] > alone[0, cats]


# ---------------------------------------------------------------- vectors


def test_vectors_name_a_tag_where_words_do_not() -> None:
    taxonomy = default_taxonomy()
    model = ZeroShot(taxonomy, lambda texts: _hashed(texts), english_only=True)
    near = model.tag_vectors[[40]]
    present = np.array([True])
    videos = ZeroShotInputs(["a"], {"title": ["Zzz"]}, {}, {"title": (present, near)})
    (scores,) = model.scores(videos)
    level = model.tree.level
    assert scores[40] == scores[level == level[40]].max() > 0


def test_english_model_is_not_asked_about_other_languages() -> None:
    def scores(text: str, language: str, english_only: bool) -> np.ndarray:
        model = ZeroShot(TAXONOMY, by_first_letters, english_only=english_only)
        vectors = (np.array([True]), by_first_letters(["games"]))
        inputs = ZeroShotInputs(["a"], {"title": [text]}, {"title": [language]}, {"title": vectors})
        return model.scores(inputs)

    assert scores("Xyz", "en", True).any()
    assert scores("Xyz", "", True).any()
    assert not scores("Xyz", "de", True).any()
    assert not scores("Йцукен", "en", True).any()
    assert scores("Йцукен", "ru", False).any()


def test_english_model_is_not_asked_about_tags_in_another_language() -> None:
    asked: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return by_first_letters(texts)

    mixed = Taxonomy((Entry(("Еда",), ("Еда", "Food"), ("суп",)), Entry(("Игры",), ("Игры",))))
    model = ZeroShot(mixed, encode, english_only=True)
    assert asked == ["Food"]
    assert model.tag_vectors.any(axis=1).tolist() == [True, False]
    assert tag_texts(mixed.entries[0]) == ["Еда", "Еда", "Еда, Food, суп"]


def test_pictures_name_a_tag_by_an_image_text_model() -> None:
    taxonomy = default_taxonomy()
    model = ZeroShot(taxonomy, None, lambda texts: _hashed(texts))
    (pictured,) = _hashed(["a photo of cats"])
    assert not model.scores(ZeroShotInputs(["a"])).any()
    seen = ZeroShotInputs(["a"], visual=(np.array([True]), pictured[None]))
    (scores,) = model.scores(seen)
    best = np.flatnonzero(scores == scores[model.tree.level == 3].max())
    assert ("Animals", "Pets", "Cats") in [model.tree.paths[node] for node in best]


def test_changed_taxonomy_embeds_changed_entries_only() -> None:
    first = ZeroShot(TAXONOMY, by_first_letters)
    changed = Taxonomy((*TAXONOMY.entries[:-1], Entry(("Games", "Chess"), ("Chess", "Шахматы"))))
    asked: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return by_first_letters(texts)

    again = ZeroShot(changed, encode, known=first.text_vectors)
    assert sorted(asked) == sorted(tag_texts(changed.entries[-1]))
    assert np.array_equal(again.tag_vectors, ZeroShot(changed, by_first_letters).tag_vectors)


def test_vectors_of_two_models_never_meet() -> None:
    model = ZeroShot(TAXONOMY, by_first_letters)
    vectors = (np.array([True]), np.ones((1, 3), np.float32))
    with pytest.raises(ModelMismatch, match="3 dimensions, those of tags 26"):
        model.scores(ZeroShotInputs(["a"], {"title": ["Cats"]}, {}, {"title": vectors}))


# ---------------------------------------------------------------- all videos


def test_video_has_the_same_scores_alone_and_among_others_in_any_order() -> None:
    draw = np.random.default_rng(0)
    model = ZeroShot(default_taxonomy(), lambda texts: _hashed(texts))
    texts = [["cat food", "ремонт двигателя", "", "yoga"][n % 4] + f" {n}" for n in range(300)]
    vectors = draw.standard_normal((300, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def scores(rows: list[int]) -> np.ndarray:
        place = (np.ones(len(rows), bool), vectors[rows])
        of_rows = {"title": [texts[row] for row in rows]}
        return model.scores(ZeroShotInputs([str(r) for r in rows], of_rows, {}, {"title": place}))

    together = scores(list(range(300)))
    turned = scores(list(range(299, -1, -1)))[::-1]
    assert np.array_equal(together, turned)
    for row in (0, 17, 256, 299):
        assert np.array_equal(scores([row])[0], together[row])


def test_scores_do_not_depend_on_the_order_in_which_products_are_added_up() -> None:
    model = ZeroShot(default_taxonomy(), lambda texts: _hashed(texts))
    turned = copy(model)
    order = np.random.default_rng(0).permutation(model.tag_vectors.shape[1])
    turned.tag_vectors = model.tag_vectors[:, order]
    vectors = _hashed([f"video {number}" for number in range(50)])

    def scores(of: ZeroShot, rows: np.ndarray) -> np.ndarray:
        titles = (np.ones(len(rows), bool), rows)
        return of.scores(ZeroShotInputs([str(n) for n in range(50)], vectors={"title": titles}))

    assert scores(model, vectors).any()
    assert np.array_equal(scores(model, vectors), scores(turned, vectors[:, order]))


def test_video_without_any_channel_has_no_score_and_is_told(words: ZeroShot) -> None:
    videos = ZeroShotInputs(["a", "b", "c"], {"title": ["Cats", " ", ""], "asr": ["", "", "word"]})
    assert videos.has_channel.tolist() == [True, False, True]
    assert not words.scores(videos)[1:].any()
    nothing = ZeroShotInputs(["a"])
    assert not nothing.has_channel.any()
    assert not words.scores(nothing).any()
    assert words.scores(ZeroShotInputs([])).shape == (0, len(PATHS))


def test_taxonomy_without_entries_gives_scores_without_columns() -> None:
    model = ZeroShot(Taxonomy(()), by_first_letters)
    assert model.scores(ZeroShotInputs(["a"], {"title": ["Cats"]})).shape == (1, 0)


def test_channels_of_another_length_or_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'title' has 1 places for 2 videos"):
        ZeroShotInputs(["a", "b"], {"title": ["one"]})
    with pytest.raises(ValueError, match="no channel subtitles"):
        ZeroShotInputs(["a"], {"subtitles": ["one"]})


def test_scores_are_confidences_and_parents_are_surer_than_children(words: ZeroShot) -> None:
    scores = scores_of(words, "Cats and dogs", "Games, cakes and cats", "hot dog recipe")
    parent = words.tree.parent
    below = parent >= 0
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores < 1)).all()
    assert (scores[:, parent[below]] >= scores[:, below]).all()


# ---------------------------------------------------------------- calibration


def test_calibration_keeps_the_order_of_a_level_and_zero() -> None:
    shares = np.array([[0, 0.001, 0.2, 0.5, 1.0]])
    (confidence,) = calibrated(shares, np.ones(5, int), np.full(5, -1))
    assert confidence[0] == 0
    assert (np.diff(confidence) > 0).all()
    assert confidence[-1] <= 1


def test_children_that_are_much_less_sure_are_cut_off_with_all_below_them() -> None:
    parent = np.array([-1, 0, 1, 0])
    scores = np.array([[0.9, 0.4, 0.39, 0.5], [0.9, 0.8, 0.6, 0.1]], np.float32)
    kept = without_unsure_children(scores, parent)
    assert kept.tolist() == [
        pytest.approx([0.9, 0, 0, 0.5]),
        pytest.approx([0.9, 0.8, 0.6, 0]),
    ]


def _hashed(texts: list[str]) -> np.ndarray:
    """Unit-length vectors, the same for the same text."""
    seeds = [int.from_bytes(text.encode()[:40], "big") for text in texts]
    drawn = [np.random.default_rng(seed).standard_normal(64) for seed in seeds]
    vectors = np.array(drawn, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
