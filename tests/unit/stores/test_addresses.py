"""Local paths and their uris, and what a file is called."""

from __future__ import annotations

import pytest

from assets.stores.addresses import local_path, local_uri, title_of


def test_local_uris_are_turned_back() -> None:
    for path in ("/a b/%41.mp4", "/я.mp4", "/q?x#y.mp4"):
        assert local_uri(path) == path and local_path(path) == path
    assert local_path("file:///a%20b/q%3Fx.mp4") == "/a b/q?x.mp4"
    with pytest.raises(ValueError, match="file:///"):
        local_path("file://host/share/x.mp4")


def test_no_title_is_made_of_a_password() -> None:
    for uri in ("https://me:s3cr3t@host", "https://me:s3cr3t#x@host/", "https://me:s3cr3t"):
        assert "s3cr3t" not in title_of(uri)


def test_default_titles() -> None:
    assert title_of("https://h/a/My%20clip.mp4?x=1.2") == "My clip"
    assert title_of("s3://b/a/100%25?.mp4") == "100%25?"
