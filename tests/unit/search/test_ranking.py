"""Fusing what the channels of search found into one list of answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ml.search.ranking import Answer, Retrieved, evidence, rank

# A sample's cosines: mean and standard deviation, as of MiniLM and of e5.
WIDE, NARROW = (0.05, 0.09), (0.75, 0.02)


def dense(
    channel: str, hits: Sequence[tuple[str, float]], background: tuple[float, float] = WIDE
) -> Retrieved:
    """Hits by video and standard deviations above the background."""
    mean, spread = background
    videos = [video for video, _ in hits]
    cosines = np.array([mean + spread * z for _, z in hits], np.float32)
    items = [f"{channel} {n}" for n in range(len(hits))]
    return Retrieved(channel, "dense", videos, items, cosines, background=background)


def lexical(channel: str, hits: Sequence[tuple[str, float, float]]) -> Retrieved:
    """Hits by video, share of the query's words, and BM25."""
    videos, shares, bm25 = zip(*hits, strict=True) if hits else ((), (), ())
    items = [f"{channel} words {n}" for n in range(len(hits))]
    return Retrieved(
        channel, "lexical", videos, items, np.array(shares), bm25=np.array(bm25, np.float32)
    )


def ids(answers: Sequence[Answer]) -> list[str]:
    return [answer.video_id for answer in answers]


def vague(channel: str, count: int = 50) -> Retrieved:
    """What a model finds like a name that it has never heard of."""
    return dense(channel, [(f"vague{n:02d}", 4.5 - 0.03 * n) for n in range(count)])


def test_rare_word_that_stands_there_beats_vague_likeness() -> None:
    found = lexical("title", [("named", 1.0, 12.0)])
    lists = [vague("speech"), vague("screen"), vague("title"), found]
    assert ids(rank(lists, 1)) == ["named"]
    pictures = dense("visual", [(f"frame{n}", 3.7 - 0.1 * n) for n in range(10)])
    assert ids(rank([pictures, found], 1)) == ["named"]


def test_paraphrase_without_a_shared_word_is_found_by_meaning() -> None:
    speech = dense("speech", [("meant", 7.5), *((f"other{n}", 3.5) for n in range(20))])
    words = lexical("title", [("shares a word", 0.15, 3.0)])
    assert ids(rank([speech, words], 1)) == ["meant"]


def test_several_channels_speak_louder_than_each() -> None:
    lists = [
        dense("speech", [("one", 7.0), ("both", 6.5)]),
        dense("title", [("other", 7.0), ("both", 6.5)]),
    ]
    answers = rank(lists, 3)
    assert ids(answers) == ["both", "one", "other"]
    assert answers[0].score > max(answers[0].channels.values())


def test_absent_channel_takes_nothing_away() -> None:
    alone = rank([dense("speech", [("a", 8.0)])], 5)
    beside = rank([dense("speech", [("a", 8.0)]), dense("title", [("b", 4.0)])], 5)
    assert beside[0] == alone[0]
    assert set(beside[0].channels) == {"speech"}


def test_models_of_narrow_and_wide_range_count_alike() -> None:
    hits = [("a", 9.0), ("b", 5.0), ("c", 2.0)]
    np.testing.assert_allclose(
        evidence(dense("speech", hits, WIDE)), evidence(dense("speech", hits, NARROW)), atol=1e-4
    )


def test_more_of_the_words_counts_for_more() -> None:
    answers = rank([lexical("speech", [("all", 1.0, 9.0), ("half", 0.5, 6.0)])], 2)
    assert ids(answers) == ["all", "half"]
    assert answers[0].score > 2 * answers[1].score


def test_near_copies_are_one_answer_and_are_named() -> None:
    hits = dense("speech", [("copy", 6.0), ("single", 5.0), ("original", 7.0), ("twin", 4.0)])
    groups = {"copy": "g", "original": "g", "twin": "g"}
    answers = rank([hits], 2, group_of=groups)
    assert ids(answers) == ["original", "single"]
    assert answers[0].copies == ("copy", "twin")
    assert answers[1].copies == ()


def test_video_named_as_a_group_is_not_in_it() -> None:
    hits = dense("speech", [("a", 6.0), ("b", 5.0)])
    assert ids(rank([hits], 2, group_of={"a": "b"})) == ["a", "b"]


def test_best_moment_is_of_the_channel_that_says_most() -> None:
    lists = [
        dense("speech", [("a", 5.0), ("a", 9.0), ("a", 7.0)]),
        lexical("screen", [("a", 0.2, 1.0)]),
    ]
    answer = rank(lists, 1)[0]
    assert (answer.channel, answer.item) == ("speech", "speech 1")
    assert answer.items == {"speech": "speech 1", "screen": "screen words 0"}
    assert answer.channels["speech"] > answer.channels["screen"] > 0


def test_of_equal_moments_the_first_found_is_shown() -> None:
    answer = rank([dense("speech", [("a", 6.0), ("a", 6.0)])], 1)[0]
    assert answer.item == "speech 0"


def test_equal_answers_stand_in_the_order_of_their_ids() -> None:
    hits = [(video, 6.0) for video in ("c", "a", "d", "b")]
    assert ids(rank([dense("speech", hits)], 4)) == ["a", "b", "c", "d"]


def test_order_of_lists_changes_nothing() -> None:
    lists = [
        dense("speech", [("a", 6.0), ("b", 5.0)]),
        dense("visual", [("b", 4.5), ("c", 4.0)]),
        lexical("title", [("c", 0.8, 4.0), ("a", 0.3, 2.0)]),
    ]
    first, turned = rank(lists, 3), rank(lists[::-1], 3)
    assert ids(first) == ids(turned)
    np.testing.assert_allclose([a.score for a in first], [a.score for a in turned])


def test_scores_fall_and_lie_between_0_and_1() -> None:
    draw = np.random.default_rng(0)
    lists = [
        dense(channel, [(f"v{draw.integers(60)}", z) for z in draw.normal(5, 4, 200)])
        for channel in ("visual", "speech", "screen", "title")
    ]
    lists += [
        lexical(channel, [(f"v{draw.integers(60)}", x, 9 * x) for x in draw.random(200)])
        for channel in ("speech", "screen", "title")
    ]
    scores = [answer.score for answer in rank(lists, 60)]
    assert scores == sorted(scores, reverse=True)
    assert 0 < min(scores) <= max(scores) <= 1


def test_channel_of_no_weight_is_left_out_and_of_less_counts_less() -> None:
    lists = [dense("speech", [("a", 6.0)]), dense("title", [("b", 7.0)])]
    assert ids(rank(lists, 2, weights={"title": 0.0})) == ["a"]
    assert ids(rank(lists, 2, weights={"title": 0.5})) == ["a", "b"]
    with pytest.raises(ValueError, match="weight of channel 'title' is 3"):
        rank(lists, 2, weights={"title": 3})


def test_small_library_whose_best_hits_stand_out_little_is_still_ordered() -> None:
    assert ids(rank([dense("speech", [("a", 1.2), ("b", 0.4), ("c", -1.0)])], 5)) == ["a", "b"]


def test_vectors_that_are_all_alike_tell_nothing() -> None:
    same = Retrieved("speech", "dense", ["a"], [0], np.ones(1), background=(1.0, 0.0))
    assert rank([same], 5) == []


@pytest.mark.parametrize("lists", [[], [lexical("title", [])], [dense("speech", [])]])
def test_nothing_found_is_no_answer(lists: list[Retrieved]) -> None:
    assert rank(lists, 10) == []


def test_no_more_than_asked_for() -> None:
    assert len(rank([vague("speech")], 7)) == 7
    assert rank([vague("speech")], 0) == []


def test_lists_that_do_not_fit_are_refused_and_named() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="fuzzy hits of channel 'title': hits are dense or lexi"):
        Retrieved("title", "fuzzy", ["a"], [0], one)
    with pytest.raises(ValueError, match="2 videos, 1 items and 1 scores"):
        Retrieved("title", "dense", ["a", "b"], [0], one, background=WIDE)
    with pytest.raises(ValueError, match="need the background"):
        Retrieved("title", "dense", ["a"], [0], one)
    with pytest.raises(ValueError, match="need a bm25 each"):
        Retrieved("title", "lexical", ["a"], [0], one)
    with pytest.raises(ValueError, match="a score is not a number"):
        Retrieved("title", "lexical", ["a"], [0], one * np.nan, bm25=one)
