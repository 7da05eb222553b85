"""What is wrong inside a file, counted and in words, while what is whole in it is still read."""

from __future__ import annotations

import errno
from dataclasses import dataclass


@dataclass
class Damage:
    """Counts the packets that were skipped, and keeps the first reason."""

    packets: int = 0
    reason: str = ""

    def note(self, error: BaseException) -> None:
        """Count ``error``, unless it says no more than that the decoder is drained.

        Raises:
            MemoryError: ``error`` itself, because that is no fault of the file.
        """
        if isinstance(error, MemoryError):
            raise error
        if not isinstance(error, EOFError):
            self.packets += 1
            self.reason = self.reason or reason_of(error)


def decode_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises on damaged data; some FFmpegErrors are neither OSError nor ValueError."""
    import av

    return av.error.FFmpegError, OSError, ValueError, RuntimeError


def reason_of(error: BaseException) -> str:
    """What ``error`` says of the data, without numbers and names of files; never empty.

    The system's own words for an error are wrong where FFmpeg's parsers mean the data by it.
    """
    for kind, words in _IN_WORDS.items():
        if isinstance(error, kind):
            return words
    if getattr(error, "errno", None) == errno.EIO:
        return "it breaks off in the middle of its structure"
    said = " ".join(str(getattr(error, "strerror", None) or error).split())
    if "patches welcome" in said:
        return _NOT_IMPLEMENTED
    return said if " " in said else f"the decoder gives up ({said or type(error).__name__})"


_IN_WORDS: dict[type[BaseException], str] = {
    EOFError: "it ends before there is a picture",
    PermissionError: "its header is damaged",
}
_NOT_IMPLEMENTED = "it holds what this build of FFmpeg cannot read"
