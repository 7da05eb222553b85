"""Tags learnt from a library's own labels, on small catalogues of made-up shows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ml.tags.evaluate import evaluate
from ml.tags.examples import ChannelVectors, TagExamples
from ml.tags.network import Network
from ml.tags.selection import NEIGHBOURS, NETWORK, RIDGE, TrainOptions
from ml.tags.train import FEWEST_EXAMPLES, TagModel, train
from ml.tags.tree import TagError
from tests.unit.tags.test_tree import ANIMALS, CATS, DOGS, GAMES, PETS, TAXONOMY, TREE

WORDS = {
    CATS: ["котёнок", "мурлычет", "лоток", "когтеточка", "кошка", "усы", "сметана", "мяуканье"],
    DOGS: ["щенок", "поводок", "лает", "будка", "собака", "кость", "дрессировка", "намордник"],
    GAMES: ["геймплей", "уровень", "босс", "прохождение", "стрим", "консоль", "квест", "моды"],
}
STRAY = ["утро", "город", "дорога", "письмо", "вода", "стол", "время", "человек", "окно", "рука"]


def catalogue(count: int = 90, noise: float = 0.0, seed: int = 0) -> TagExamples:
    """Videos that speak of their tag in two words of six."""
    draw = np.random.default_rng(seed)
    true = draw.choice([CATS, DOGS, GAMES], count)
    titles, descriptions = [], []
    for tag in true:
        own, stray = draw.choice(WORDS[int(tag)], 3), draw.choice(STRAY, 4)
        titles.append(f"{own[0]} {stray[0]} {stray[1]}")
        descriptions.append(f"{own[1]} {stray[2]} {stray[3]} {own[2]} подписывайтесь на канал")
    wrong = draw.random(count) < noise
    filed = np.where(wrong, draw.choice([CATS, DOGS, GAMES], count), true)
    texts = {"title": titles, "description": descriptions}
    labels = [frozenset({int(tag)}) for tag in filed]
    return TagExamples([f"v{n}" for n in range(count)], texts, labels=labels)


@cache
def model() -> TagModel:
    return train(catalogue(), TAXONOMY, TrainOptions(grouped=False))


def first_tags(model: TagModel, *titles: str) -> list[int]:
    return [tags[0][0] for tags in model.decode(TagExamples(titles, {"title": titles}))]


def test_new_videos_get_the_tags_that_their_words_had() -> None:
    assert first_tags(model(), "Щенок и поводок", "мой КОТЕНОК мурлычет") == [DOGS, CATS]


def test_child_is_never_surer_than_its_parent() -> None:
    scores = model().scores(catalogue(30, seed=5))
    assert scores.dtype == np.float32
    below = TREE.parent >= 0
    assert (scores[:, below] <= scores[:, TREE.parent[below]] + 1e-6).all()
    assert (scores >= 0).all() and (scores <= 1).all()


def test_same_seed_gives_the_same_model() -> None:
    again = train(catalogue(), TAXONOMY, TrainOptions(grouped=False))
    fresh = catalogue(20, seed=9)
    assert (again.scores(fresh) == model().scores(fresh)).all()


def test_what_won_is_said_and_the_best_rival_is_at_least_matched() -> None:
    choice = model().choice
    assert "won with IoU" in choice.notes[-1]
    assert sum(choice.shares.values()) == pytest.approx(1)
    assert choice.inner_iou["blend"] >= max(choice.inner_iou[r] for r in choice.shares)
    assert set(choice.shares) == {NEIGHBOURS, RIDGE, NETWORK}


def test_network_tells_siblings_apart_below_their_parent() -> None:
    draw = np.random.default_rng(0)
    sets = [{ANIMALS, PETS, CATS}, {ANIMALS, PETS, DOGS}, {GAMES}]
    rows = np.repeat(np.eye(3), 30, axis=0) + draw.normal(0, 0.1, (90, 3))
    labels = np.zeros((90, len(TREE)), bool)
    for row in range(90):
        labels[row, list(sets[row // 30])] = True
    network = Network.fit(rows.astype(np.float32), labels, TREE)
    seen = labels[[0, 30, 60]]
    found = network.probabilities(np.eye(3, dtype=np.float32), seen, TREE)
    assert found.argmax(axis=1).tolist() == [0, 1, 2]
    assert found.sum(axis=1) == pytest.approx(1)


def test_embeddings_decide_where_texts_say_nothing() -> None:
    examples = catalogue()
    labels = [int(next(iter(label))) for label in examples.labels]
    values = np.eye(len(TREE), dtype=np.float32)[labels]
    values += np.random.default_rng(0).normal(0, 0.05, values.shape).astype(np.float32)
    vectors = {"clip": ChannelVectors(values, np.ones(90, bool))}
    silent = TagExamples(examples.ids, {"title": ["видео"] * 90}, vectors, examples.labels)
    trained = train(silent, TAXONOMY, TrainOptions(grouped=False))
    found = trained.decode(silent)
    assert sum(t[0][0] == true for t, true in zip(found, labels, strict=True)) >= 88
    narrow = {"clip": ChannelVectors(values[:, :2], np.ones(90, bool))}
    with pytest.raises(TagError, match="have 2 numbers, the model was trained with 5"):
        trained.scores(TagExamples(examples.ids, silent.texts, narrow))


def test_trained_model_beats_the_likest_neighbour_on_noisy_labels() -> None:
    noisy = catalogue(150, noise=0.25)
    found = evaluate(noisy, TAXONOMY, folds=3, grouped=False)
    assert found.model.mean_iou > found.nearest.mean_iou + 0.05
    assert found.nearest.mean_iou > found.constant.mean_iou
    assert "trained" in found.as_text() and found.as_dict()["videos"] == 150


def test_grouped_evaluation_keeps_series_apart() -> None:
    found = evaluate(catalogue(60), TAXONOMY, folds=3, grouped=True)
    assert found.split == "grouped"
    assert len(found.fold_iou) == 3


def test_video_without_any_text_still_gets_a_tag() -> None:
    assert len(model().decode(TagExamples(["x"], {"title": [""]}))[0]) >= 1
    assert len(model().decode(TagExamples(["x"], {}))[0]) >= 1


def test_one_class_only_is_the_answer_to_everything() -> None:
    same = TagExamples(
        [str(n) for n in range(12)],
        {"title": [f"кошка {n}" for n in range(12)]},
        labels=[frozenset({CATS})] * 12,
    )
    trained = train(same, TAXONOMY)
    assert trained.decode(TagExamples(["x"], {"title": ["собака"]})) == [[(CATS, 1.0)]]
    assert "the same tags" in trained.choice.notes[-1]


def test_class_with_one_example_and_empty_texts_do_no_harm() -> None:
    examples = catalogue(30)
    labels = [frozenset({ANIMALS}), *examples.labels[1:]]
    texts = {"title": ["", *examples.texts["title"][1:]], "asr": [""] * 30}
    found = train(TagExamples(examples.ids, texts, labels=labels), TAXONOMY)
    assert len(found.decode(examples)) == 30


def test_what_can_not_be_learnt_from_is_an_error_in_words() -> None:
    with pytest.raises(TagError, match=f"1 of 1 videos .* at least {FEWEST_EXAMPLES}"):
        train(catalogue(1), TAXONOMY)
    with pytest.raises(TagError, match="0 of 1 videos have a known tag"):
        train(TagExamples(["a"], {"title": ["x"]}), TAXONOMY)
    silent = TagExamples([str(n) for n in range(20)], {}, labels=catalogue(20).labels)
    with pytest.raises(TagError, match="no video has a text or a vector"):
        train(silent, TAXONOMY)
    foreign = TagExamples([str(n) for n in range(20)], {}, labels=[frozenset({99})] * 20)
    with pytest.raises(TagError, match="the taxonomy of 5 has not"):
        train(foreign, TAXONOMY)
