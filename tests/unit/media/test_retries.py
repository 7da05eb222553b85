"""How many nights a failure that may pass is believed."""

from __future__ import annotations

from collections.abc import Iterable

from assets.media.retries import Waiting, judged, met, stored, waiting_from
from ml.failures import RetryableFailure

NIGHT_S = 24 * 3600.0


def after(attempts: Iterable[tuple[float, str]]) -> Waiting:
    """What a video waits for after attempts in vain: when in nights, and why."""
    waiting = None
    for night, reason in attempts:
        waiting = met(waiting, reason, night * NIGHT_S)
    assert waiting is not None
    assert waiting_from(stored({"v": waiting})) == {"v": waiting}
    return waiting


def kind(waiting: Waiting, attempts: int = 3) -> str:
    return judged(RetryableFailure(waiting.reason), waiting, attempts).kind


def test_three_nights_with_one_reason_end_it_whatever_its_figures() -> None:
    tries = [(night, f"ended after {night} of 9 bytes") for night in range(3)]
    assert [kind(after(tries[: n + 1])) for n in range(3)] == ["retryable"] * 2 + ["permanent"]


def test_many_attempts_within_hours_are_one_night() -> None:
    assert kind(after((hour / 24, "away") for hour in range(20))) == "retryable"


def test_another_reason_begins_anew_but_not_for_ever() -> None:
    tries = [(night, "ab"[night % 2]) for night in range(9)]
    assert [kind(after(tries[:n])) for n in (3, 8, 9)] == ["retryable", "retryable", "permanent"]
    assert "in vain in 9 nights" in str(judged(RetryableFailure("b"), after(tries), 3))


def test_clock_that_was_set_back_counts_as_a_night() -> None:
    assert kind(after([(100, "away"), (2, "away"), (3, "away")])) == "permanent"
