"""What people read of an address: where it is, and not what lets somebody in."""

from __future__ import annotations

import pytest

from ml.failures import PermanentFailure, RetryableFailure, failure_from
from ml.redaction import CUT, percent_encoded, presentable, shown

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    "text",
    [
        *(f"http://me:{sign}{CANARY}@host/x" for sign in ("", "1#", "1/", "p@", "?", "x'", "x y")),
        *(f"{scheme}://{CANARY}:x@host/x" for scheme in ("s3", "ftp", "clickhouse", "postgresql")),
        f"http://me:{CANARY}",
        f"http://me:{CANARY}/kadr and more",
        f"http://host/x?X-Amz-Signature={CANARY}",
        f"http://host/x#{CANARY}",
        f"s3://bucket/key?X-Amz-Signature={CANARY}",
        f"GET http://host/b/v.mp4%3FX-Amz-Signature%3D{CANARY} in 3 ms",
        f"URL can't contain control characters. '/v.mp4?X-Amz-Signature={CANARY} d'",
        f"first http://me:{CANARY}@one/ then http://me:{CANARY}@two/, both",
    ],
)
def test_no_user_password_or_signature_is_shown(text: str) -> None:
    assert CANARY not in shown(text)
    assert CUT in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "no address at all: a@b, x?y=z",
        "https://host/@user/clip.mp4",
        "s3://bucket/a video?#1.mp4",
        "see http://host:8123/kadr, and https://b/c.",
        "http://[::1]:8123/x",
        "chdb:///data/a b#1",
        "",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_what_is_left_of_an_address_says_where() -> None:
    text = f"cannot read 'http://me:{CANARY}@host:81/a/b.mp4?sig={CANARY}': no answer"
    assert shown(text) == "cannot read 'http://…@host:81/a/b.mp4?…': no answer"


def test_the_reason_of_a_failure_is_shown_wherever_it_was_found() -> None:
    for failure in (
        PermanentFailure(f"no http://me:{CANARY}@host/x"),
        RetryableFailure(f"no http://host/x?token={CANARY}"),
        failure_from(ValueError(f"bad http://me:{CANARY}@host/x")),
    ):
        assert CANARY not in str(failure)


def test_a_cause_that_shows_a_secret_is_not_told_nor_is_what_led_to_it() -> None:
    inner = OSError(f"http://me:{CANARY}@host/")
    outer = ValueError("nothing in it")
    outer.__cause__ = inner
    assert presentable(inner) is None
    assert presentable(outer) is None
    assert presentable(OSError(f"key {CANARY}"), CANARY) is None
    plain = OSError("Connection refused")
    assert presentable(plain) is plain


def test_an_at_sign_behind_the_host_is_no_user() -> None:
    url = "clickhouse://host/kadr?client_name=a@b"
    assert percent_encoded(url) == url
