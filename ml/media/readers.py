"""Readers by name: one pass over a local file that yields its pictures and its sound as they come.

PyAV is the default; decord and torchcodec can be chosen for the pictures (see
benchmarks/decode.py for what each costs and survives).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ml.media.decode import PyavReader
from ml.media.info import MediaInfo
from ml.media.library_readers import LibraryReader
from ml.media.pictures import Picture
from ml.media.sound import Sound

READERS = ("pyav", "decord", "torchcodec")


class MediaReader(Protocol):
    """One pass over one file."""

    decoder: str
    info: MediaInfo
    damage: list[str]

    def events(self) -> Iterator[Picture | Sound]:
        """Pictures and sound as they come; pictures in order of time. ``damage`` fills up.

        Raises:
            PermanentFailure: not one picture can be decoded.
        """

    def close(self) -> None:
        """Let go of the file; ``events`` does so at its end."""


def open_media(descriptor: int, reader: str = "pyav") -> MediaReader:
    """The named reader over an open, regular, seekable file. The caller closes ``descriptor``.

    Raises:
        PermanentFailure: not a video that can be read.
        Filtered: nothing is wrong, but there is no video in it, or its pictures are too large.
        RetryableFailure: reading failed, not the file.
        ValueError: no such reader.
    """
    if reader not in READERS:
        raise ValueError(f"no reader {reader!r}; there are: {', '.join(READERS)}")
    if reader == "pyav":
        return PyavReader(descriptor)
    return LibraryReader(descriptor, reader)
