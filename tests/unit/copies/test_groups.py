"""Groups hold copies of one original and nothing else, whatever the order of the pairs."""

from __future__ import annotations

import random

from ml.copies.groups import Edge, Member, group

RANK = {name: place for place, name in enumerate("abcdefghij")}


def edge(copy: str, original: str, *, share: float = 1.0, verdict: str = "duplicate") -> Edge:
    return Edge(copy, original, verdict, 0.9, share, share)


def groups(edges: list[Edge]) -> dict[str, str]:
    return {member.video_id: member.group_id for member in group(edges, RANK)}


def test_ten_identical_uploads_are_one_group_of_the_earliest() -> None:
    names = "abcdefghij"
    edges = [edge(late, early) for i, early in enumerate(names) for late in names[i + 1 :]]
    members = group(edges, RANK)
    assert {m.group_id for m in members} == {"a"}
    assert [m.video_id for m in members if m.is_original] == ["a"]
    assert {m.group_size for m in members} == {10}


def test_a_compilation_does_not_join_its_parts() -> None:
    parts = [edge("d", original, share=0.33, verdict="partial") for original in "abc"]
    assert groups(parts) == {}


def test_a_copy_with_a_foreign_intro_joins() -> None:
    assert groups([edge("b", "a", share=0.6, verdict="partial")]) == {"a": "a", "b": "a"}


def test_a_chain_of_partial_copies_does_not_glue_strangers() -> None:
    chain = [edge("b", "a", share=0.6, verdict="partial")]
    chain += [edge("c", "b", share=0.6, verdict="partial")]
    assert groups(chain) == {"a": "a", "b": "a"}  # c shows nothing of a


def test_hard_cases_join_nothing() -> None:
    for verdict in ("hard_same_video_other_audio", "hard_other_video_same_audio"):
        assert groups([edge("b", "a", verdict=verdict)]) == {}


def test_the_original_is_the_earliest_and_its_score_is_one() -> None:
    assert group([edge("b", "a")], RANK) == [
        Member("a", "a", True, 2, 1.0),
        Member("b", "a", False, 2, 0.9),
    ]


def test_the_order_of_pairs_does_not_matter() -> None:
    edges = [edge(c, o) for c, o in ("ba", "ca", "cb", "ed", "fe", "fd", "gf", "hc")]
    expected = group(edges, RANK)
    for seed in range(20):
        random.Random(seed).shuffle(edges)
        assert group(edges, RANK) == expected
