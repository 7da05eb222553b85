"""Files in and out through PyAV, the same bytes every time.

Encoders run on one thread with FFmpeg's bitexact flags, and containers carry no dates or random
ids, so equal pictures and sound give equal files (with one build of PyAV).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from samples.sound import RATE_HZ

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.codec.context import CodecContext
    from av.container import OutputContainer
    from av.video.stream import VideoStream

# Without mbtree: with it, x264's SIMD lookahead gave up to 3 different files in 8 encodes of the
# same frames (widths such as 360 and 480); without it, one file in 384 encodes.
_X264 = {"preset": "veryfast", "crf": "26", "x264-params": "mbtree=0"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "36", "b": "0"}


@dataclass(frozen=True)
class FileType:
    """A container with its codecs, as FFmpeg names them."""

    suffix: str
    container: str
    video: str
    audio: str
    options: dict[str, str] = field(default_factory=dict)


FILE_TYPES = {
    "mp4": FileType(".mp4", "mp4", "libx264", "aac", _X264),
    "mp4-mpeg4": FileType(".mp4", "mp4", "mpeg4", "aac", {"b": "700000"}),
    "mp4-low": FileType(".mp4", "mp4", "libx264", "aac", {**_X264, "crf": "37"}),
    "mov": FileType(".mov", "mov", "libx264", "aac", _X264),
    "mkv": FileType(".mkv", "matroska", "libx264", "libmp3lame", _X264),
    "webm": FileType(".webm", "webm", "libvpx-vp9", "libopus", _VP9),
    "mpg": FileType(".mpg", "mpeg", "mpeg2video", "mp2", {"b": "900000"}),
    "avi": FileType(".avi", "avi", "mpeg4", "libmp3lame", {"b": "350000"}),
}


def write_video(
    path: Path,
    frames: Iterator[np.ndarray],
    fps: int,
    sound: np.ndarray | None,
    file_type: FileType,
) -> int:
    """Encode RGB uint8 frames and sound to ``path``; returns the number of frames.

    ``sound`` is float32 [samples] at `RATE_HZ`, cut to the length of the picture; None writes no
    sound track. Raises ValueError when there are no frames.
    """
    import av

    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path.name}: no frames to write")
    options = {"fflags": "+bitexact"}
    with av.open(str(path), "w", format=file_type.container, options=options) as container:
        video = _video_stream(container, file_type, fps, first)
        voice = None if sound is None else _audio_stream(container, file_type)
        count, heard = 0, 0
        for picture in chain([first], frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = count, Fraction(1, fps)
            container.mux(video.encode(frame))
            count += 1
            if sound is not None and voice is not None:
                until = min(round(count / fps * RATE_HZ), len(sound))
                container.mux(voice.encode(_audio_frame(sound[heard:until], heard)))
                heard = until
        for stream in (video, voice):
            if stream is not None:
                container.mux(stream.encode(None))
    return count


def _video_stream(
    container: OutputContainer, file_type: FileType, fps: int, first: np.ndarray
) -> VideoStream:
    options = dict(file_type.options)
    stream = cast("VideoStream", container.add_stream(file_type.video, fps, options))
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    _reproducible(stream.codec_context)
    return stream


def _audio_stream(container: OutputContainer, file_type: FileType) -> AudioStream:
    stream = container.add_stream(file_type.audio, RATE_HZ, layout="mono")
    _reproducible(stream.codec_context)
    return cast("AudioStream", stream)


def _reproducible(codec_context: CodecContext) -> None:
    import av

    codec_context.flags |= av.codec.context.Flags.bitexact.value
    codec_context.thread_count = 1


def _audio_frame(samples: np.ndarray, start: int) -> AudioFrame:
    """A 16 bit mono frame of float32 samples; ``start`` counts samples from the beginning."""
    import av

    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
    return frame


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """The pictures of a file in order, RGB uint8 [height, width, 3]."""
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def stretched(sound: np.ndarray, speed: float) -> np.ndarray:
    """``sound`` at ``speed`` times its tempo and its old pitch (FFmpeg's atempo)."""
    import av

    if speed == 1 or not len(sound):
        return sound
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=RATE_HZ, format="flt", layout="mono", time_base=Fraction(1, RATE_HZ)
    )
    graph.link_nodes(source, graph.add("atempo", str(speed)), graph.add("abuffersink"))
    graph.configure()
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sound, np.float32)[None, :], format="flt", layout="mono"
    )
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    graph.push(frame)
    graph.push(None)
    parts: list[np.ndarray] = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray().ravel())
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate(parts)
