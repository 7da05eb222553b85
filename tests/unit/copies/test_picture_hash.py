"""A turned hash is that of the turned picture."""

from __future__ import annotations

import numpy as np
import pytest

from ml.copies.features import describe_picture
from ml.copies.picture_hash import turned_hashes
from tests.unit.copies.photographs import bits_apart, picture


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_turned_hash_is_that_of_the_turned_picture(quarter_turns: int) -> None:
    plain = describe_picture(picture("china")).hash[None]
    turned = describe_picture(np.ascontiguousarray(np.rot90(picture("china"), -quarter_turns))).hash
    assert bits_apart(turned_hashes(plain, quarter_turns), turned) <= 2
