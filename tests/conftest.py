"""In which order the files of tests are given to the workers of a run (`make test`)."""

from __future__ import annotations

import pytest

# What lasts longest begins first, or the other workers wait for it at the end.
LONGEST = ("test_resume.py", "test_clickhouse_outage.py", "test_extraction.py", "test_postgres.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The pipeline's files first, and of these the longest."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.parent.name != "pipeline":
        return len(LONGEST) + 1
    return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
