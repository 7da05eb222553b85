from __future__ import annotations

from ml.failures import failure_from


def test_network_errors_are_retryable_and_others_are_not() -> None:
    assert failure_from(TimeoutError("slow")).kind == "retryable"
    assert failure_from(OSError(5, "Input/output error")).kind == "retryable"
    assert failure_from(PermissionError(13, "denied")).kind == "permanent"
    assert failure_from(ValueError("bad")).kind == "permanent"
