"""The video that the others are compared with."""

from __future__ import annotations

import pytest

from ml.copies.evidence import Motion
from tests.unit.copies.motion.filmed import filmed, ticks


@pytest.fixture(scope="module")
def original() -> Motion:
    return filmed(1, ticks(20))
