"""Damaged files of eight formats, through the workers that decode a batch: the short version of
`python -m benchmarks.faults files`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults_files import FORMATS, decode_damaged

pytestmark = pytest.mark.slow


def test_damaged_files_crash_no_worker_and_are_told_in_sentences(tmp_path: Path) -> None:
    count = 2 * len(FORMATS)
    found = decode_damaged(tmp_path, count, seed=1, workers=1)
    assert found.problems() == []
    assert sum(found.kinds.values()) == count
    assert found.kinds["permanent"]
    assert found.kinds["retryable"] == 0
