"""The frames that the others are compared with."""

from __future__ import annotations

import pytest

from ml.copies.evidence import Pictures
from tests.unit.copies.geometry.edited import NAMES, picture, pictures


@pytest.fixture(scope="module")
def originals() -> Pictures:
    return pictures([picture(name) for name in NAMES])
