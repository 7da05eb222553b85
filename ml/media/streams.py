"""Which streams of a container are taken: one of pictures, and one of sound or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ml.failures import Filtered, PermanentFailure

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# 8K is 33 million pixels; twice that is still decoded. A header that claims more is hostile or
# a scan, and one decoded picture of it would fill a worker.
MAX_PIXELS = 67_108_864


def video_stream(container: InputContainer) -> VideoStream:
    """The stream with most pixels, leaving out cover art.

    Raises:
        Filtered: there is none, or it is beyond ``MAX_PIXELS``.
        PermanentFailure: there is one, but no decoder for it.
    """
    from av.stream import Disposition

    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        has_sound = bool(container.streams.audio)
        raise Filtered("no video stream" + (": sound only" if has_sound else ""))
    readable = [stream for stream in videos if stream.codec_context is not None]
    if not readable:
        raise PermanentFailure("this build of FFmpeg has no decoder for the video stream")
    stream = max(readable, key=lambda s: s.codec_context.width * s.codec_context.height)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise Filtered(f"pictures of {width} x {height} are beyond {MAX_PIXELS} pixels")
    stream.codec_context.thread_count = 1
    return stream


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The stream that FFmpeg takes for the best; None without sound.

    Its ``codec_context`` is None where this build of FFmpeg has no decoder for it.
    """
    return cast("AudioStream | None", container.streams.best("audio"))
