"""The three ways a video can end without data, and the one way a model can be missing.

A failure of one video becomes its row in ``videos``; it never ends a batch. Any other error stands
for one of the three, too: ``failure_from``.
"""

from __future__ import annotations

import errno
import socket

from ml.redaction import shown

# Nothing is wrong with the file when one of these turns up: the way to it, or the machine, failed.
_TRANSIENT_ERRNOS = frozenset(
    {
        *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT),
        *(errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ESTALE, errno.EIO),
        *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)


class VideoFailure(Exception):
    """A video gave no data. ``kind`` is stored in ``videos.failure_kind``, and the text, without
    passwords and signatures of addresses, in ``failure_reason``."""

    kind = "permanent"

    def __init__(self, text: str = "") -> None:
        super().__init__(shown(text))


class PermanentFailure(VideoFailure):
    """The file itself is bad. Recorded, and not tried again until its bytes change."""


class RetryableFailure(VideoFailure):
    """The network, a server or memory failed. The next run of the batch tries again."""

    kind = "retryable"


class Filtered(VideoFailure):
    """Nothing is wrong with the file, but it is left out on purpose (too long, no video, ...)."""

    kind = "filtered"


class ModelUnavailable(Exception):
    """A model cannot be loaded: says which, for which profile, and the command that mends it."""

    def __init__(self, model: str, profile: str, reason: str, mend: str = "") -> None:
        mend = mend or f"Fetch it ahead with: kadr models pull --profile {profile}"
        super().__init__(f"cannot load model {model!r} of profile {profile!r}: {reason}. {mend}")


def failure_from(error: BaseException) -> VideoFailure:
    """The named failure that stands for ``error``, in words: no path, no bare name of a class.

    A ``VideoFailure`` stands for itself; running out of memory, and errors of the network or of the
    machine, are retryable; any other is permanent.
    """
    if isinstance(error, VideoFailure):
        return error
    said = " ".join(str(getattr(error, "strerror", None) or error).split())
    if isinstance(error, MemoryError):
        return RetryableFailure(f"out of memory: {said}" if said else "out of memory")
    if isinstance(error, OSError):
        text = f"the system says: {said or type(error).__name__}"
        return RetryableFailure(text) if _is_transient(error) else PermanentFailure(text)
    name = type(error).__name__
    named = f"{name}: {said}" if said else name
    return PermanentFailure(f"an error that nobody has foreseen, please report it ({named})")


def _is_transient(error: OSError) -> bool:
    kinds = (ConnectionError, TimeoutError, socket.gaierror)
    return isinstance(error, kinds) or error.errno in _TRANSIENT_ERRNOS
