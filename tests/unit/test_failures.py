from __future__ import annotations

from ml.failures import failure_from


def test_network_errors_are_retryable_and_others_are_not() -> None:
    assert failure_from(TimeoutError("slow")).kind == "retryable"
    assert failure_from(OSError(5, "Input/output error")).kind == "retryable"
    assert failure_from(PermissionError(13, "denied")).kind == "permanent"
    assert failure_from(ValueError("bad")).kind == "permanent"


def test_every_error_becomes_words_without_the_path_of_a_scratch_folder() -> None:
    lost = OSError(5, "Input/output error", "/tmp/extract-x1/3/source-ab.mp4")
    assert str(failure_from(lost)) == "the system says: Input/output error"
    for error in (IndexError("list index out of range"), KeyError(), RuntimeError("a\nb")):
        assert str(failure_from(error)).startswith("an error that nobody has foreseen, please")
        assert "\n" not in str(failure_from(error))
