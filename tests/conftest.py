"""How the tests are shared out among the workers of a run (`make test`): file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

# What lasts longest begins first, or the other workers wait for it at the end.
LONGEST = ("test_killed_in_step_after_step", "test_short_outages_are_waited", "test_ctrl_c_stops")


# Before xdist looks for the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests share its fixtures, so one worker has them; the longest have one each."""
    for item in items:
        alone = item.name.startswith(LONGEST)
        item.add_marker(pytest.mark.xdist_group(item.name if alone else str(item.path)))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.name.startswith(LONGEST):
        return 0
    return 1 if Path(item.path).parent.name == "pipeline" else 2
