"""What an index has to take up, leave and let go."""

from __future__ import annotations

from ml.indexes.changes import Changes


def test_batches_that_are_new_or_made_from_something_else_are_read_in_order() -> None:
    changes = Changes.between({"b": "1", "c": "1"}, {"c": "2", "b": "1", "a": "1"})
    assert changes.touched == ["a", "c"]
    assert changes.counts == {"added": 1, "replaced": 1, "removed": 0, "unchanged": 1}


def test_a_batch_that_is_no_longer_wanted_leaves() -> None:
    changes = Changes.between({"a": "1", "b": "1"}, {"b": "1"})
    assert (changes.gone, changes.touched) == (["a"], [])
    assert changes


def test_an_index_that_holds_what_is_wanted_has_nothing_to_do() -> None:
    assert not Changes.between({"a": "1"}, {"a": "1"})
    assert not Changes.between({}, {})
