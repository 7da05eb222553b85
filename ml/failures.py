"""The three ways a video can end without data, and the one way a model can be missing.

A failure of one video becomes its row in ``videos``; it never ends a batch.
"""

from __future__ import annotations


class VideoFailure(Exception):
    """A video gave no data. ``kind`` is stored in ``videos.failure_kind``."""

    kind = "permanent"


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
