"""What is wrong inside a file, counted and in words, while what is whole in it is still read."""

from __future__ import annotations

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
    """What ``error`` says, without numbers and names of files; never empty."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
