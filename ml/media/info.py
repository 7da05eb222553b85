"""What a file says of itself, before anything in it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ml.media.containers import open_container
from ml.media.pictures import aspect_of
from ml.media.streams import sound_stream, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Containers whose header states the length; the others' length is a guess from the bit rate.
_STATES_LENGTH = ("mov", "matroska", "avi", "flv", "asf", "ogg")


@dataclass(frozen=True)
class MediaInfo:
    """What the file says of itself. ``width`` and ``height`` are as displayed: pixels made square,
    rotation applied. ``video_length_s`` and ``length_s`` (the whole file's) are None if unknown;
    ``length_is_stated`` tells whether they stand in the header or are a guess from the bit rate.
    """

    container: str
    video_codec: str
    audio_codec: str
    pixel_format: str
    width: int
    height: int
    rotation_deg: int
    fps: float
    video_length_s: float | None
    length_s: float | None
    length_is_stated: bool

    @property
    def stated_length_s(self) -> float | None:
        """``length_s`` where the header states it, else None."""
        return self.length_s if self.length_is_stated else None


def describe(descriptor: int) -> MediaInfo:
    """What the header of an open file says; decodes at most its first picture's parameters.

    Raises:
        PermanentFailure, Filtered, RetryableFailure: as ``readers.open_media``.
    """
    container = open_container(descriptor)
    try:
        return info_of(container)
    finally:
        container.close()


def info_of(container: InputContainer) -> MediaInfo:
    """What the header says of the streams that are taken (ml/media/streams.py).

    Raises:
        Filtered, PermanentFailure: there is no stream of pictures to take.
    """
    video, audio = video_stream(container), sound_stream(container)
    codec = video.codec_context
    return MediaInfo(
        container=container.format.name,
        video_codec=codec.name,
        audio_codec=audio.codec_context.name if audio and audio.codec_context else "",
        pixel_format=codec.pix_fmt or "",
        width=max(1, round(codec.width * aspect_of(video))),
        height=codec.height,
        rotation_deg=0,
        fps=_stated_fps(video),
        video_length_s=_positive_s(video.duration, video.time_base),
        length_s=_positive_s(container.duration, Fraction(1, 1_000_000)),
        length_is_stated=any(name in container.format.name for name in _STATES_LENGTH),
    )


def _stated_fps(video: VideoStream) -> float:
    """Used only where time stamps are missing; 25 where the file says nothing credible."""
    for rate in (video.average_rate, video.guessed_rate, video.base_rate):
        if rate and 0.01 <= rate <= 1000:
            return float(rate)
    return 25.0


def _positive_s(length: int | None, base: Fraction | None) -> float | None:
    return float(length * base) if length and base and length > 0 else None
