"""The figures of an evaluation, as text and as JSON."""

from __future__ import annotations

import json

from ml.copies.evaluate import evaluate
from ml.copies.evaluation_report import as_dict, as_text
from tests.unit.copies.known import ALL_FOUND, TRUTH, found


def test_figures_are_the_same_as_text_and_as_json() -> None:
    result = evaluate(TRUTH, [*ALL_FOUND[1:], found("n", "a")], {"n": "unrelated", "a": "x"})
    plain = json.loads(json.dumps(as_dict(result)))
    assert plain["final"] == {
        "right": 1, "wrong": 1, "missed": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5,
    }  # fmt: skip
    text = as_text(result)
    assert "copies                        0.500   0.500  0.500" in text
    assert "wrong   n -> a  duplicate" in text and "missed  a1 -> a  mirrored" in text
