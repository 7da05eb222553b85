"""What the file that is checked is called."""

from __future__ import annotations

import pytest

from assets.copies.check_file import name_of, uri_of


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("a folder/clip.one.mp4", "clip.one"),
        ("https://example.org/v/clip%20two.mp4?key=1", "clip two"),
        ("s3://bucket/clip.mkv", "clip"),
        ("https://example.org", "example"),
    ],
)
def test_a_file_is_called_by_its_name(typed: str, name: str) -> None:
    assert name_of(uri_of(typed)) == name
