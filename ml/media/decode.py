"""Readers: one pass over a local file that yields its pictures and its sound as they come.

PyAV is the default; decord and torchcodec can be chosen for the pictures (see
benchmarks/decode.py for what each costs and survives). FFmpeg is given an open file descriptor and
never a name, with every protocol but that descriptor refused: no file name can be taken for a URL,
and a playlist dressed up as a video reaches neither the network nor other files. Files go to decord
and torchcodec, which can't be held to this, only after FFmpeg has so found a video in them.

Timeline: 0 is the container's presentation start, the earliest of its streams, so sound and picture
share one origin (the file's own 0 where it names no start). A start up to 0.25 s before 0 is
encoder priming, which players skip: then 0 is 0.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from ml.failures import Filtered, PermanentFailure, failure_from
from ml.media.sound import MonoResampler, Samples

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Array = npt.NDArray[np.uint8]

READERS = ("pyav", "decord", "torchcodec")
# 8K is 33 million pixels; twice that is still decoded. A header that claims more is hostile or
# a scan, and one decoded picture of it would fill a worker.
MAX_PIXELS = 67_108_864
_PRIMING_S = 0.25
# A step this far beyond the file's own length is a broken time stamp, not a long still picture.
_BEYOND_LENGTH_S = 10.0
_STILL_CONTAINERS = ("image2", "_pipe", "tty")
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


@dataclass(frozen=True)
class Orientation:
    """How a decoded picture is made upright: mirrored left to right, then turned clockwise."""

    quarter_turns: int = 0
    mirrored: bool = False

    def upright(self, picture: Array) -> Array:
        """The upright picture, ``uint8[height, width, ...]``, contiguous."""
        if self.mirrored:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(np.rot90(picture, -self.quarter_turns))


@dataclass(frozen=True)
class Picture:
    """A decoded picture and when it is shown. Nothing is converted until it is asked for."""

    frame: VideoFrame
    start_s: float
    duration_s: float  # the file's claim; 0 when it makes none
    aspect: float  # width of a pixel over its height
    orientation: Orientation
    scaler: Scaler

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed."""
        width = max(1, round(self.frame.width * self.aspect))
        height = self.frame.height
        return (height, width) if self.orientation.quarter_turns % 2 else (width, height)

    def luma(self, size: int) -> Array:
        """``uint8[size, size]``, upright, each value the mean over its cell, full range."""
        return self.orientation.upright(self.scaler.thumbnail(self.frame, size))

    def rgb(self, max_side: int) -> Array:
        """``uint8[height, width, 3]``, upright, square pixels, no side above ``max_side``."""
        width, height = self.frame.width * self.aspect, self.frame.height
        scale = min(1.0, max_side / max(width, height))
        target = max(1, round(width * scale)), max(1, round(height * scale))
        return self.orientation.upright(self.scaler.rgb(self.frame, *target))


@dataclass(frozen=True)
class Sound:
    """A run of samples. ``start_s`` is None where the file has no time stamp."""

    start_s: float | None
    samples: Samples


class Scaler:
    """swscale contexts, kept between pictures: setting one up costs more than a thumbnail.

    AREA averages every source pixel, at 0.15 ms for a 1080p thumbnail and 1.3 ms for 768 px RGB;
    bicubic costs 2 to 3 times as much, and cv2's area resize 20 times.
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._thumbnails, self._pictures = VideoReformatter(), VideoReformatter()

    def thumbnail(self, frame: VideoFrame, size: int) -> Array:
        small = self._thumbnails.reformat(
            frame, size, size, "gray", interpolation="AREA", threads=1
        )
        return cast(Array, small.to_ndarray())

    def rgb(self, frame: VideoFrame, width: int, height: int) -> Array:
        grows = width > frame.width or height > frame.height
        method = "BICUBIC" if grows else "AREA"
        picture = self._pictures.reformat(
            frame, width, height, "rgb24", interpolation=method, threads=1
        )
        return cast(Array, picture.to_ndarray())


@dataclass
class Clock:
    """Repairs the time stamps of pictures: they must rise, and stay near the file's length.

    A missing stamp is one step after the last. A single wrong one is replaced; where the clock
    itself jumps (joined streams, a wrapped counter), all later stamps are shifted.
    """

    step_s: float
    length_s: float | None
    repaired: int = 0
    _last: float | None = None
    _shift: float = 0.0

    def place(self, stamp_s: float | None) -> float:
        """Where a picture stamped ``stamp_s`` (None: not stamped) stands on the timeline."""
        if self._last is not None:
            placed = self._after(self._last, stamp_s)
        elif stamp_s is None or not self._sane(stamp_s):
            placed, self._shift = 0.0, -(stamp_s or 0.0)
        else:
            placed = max(0.0, stamp_s)
        self._last = placed
        return placed

    def _after(self, last: float, stamp_s: float | None) -> float:
        if stamp_s is not None:
            for shift in (0.0, self._shift):
                if last < stamp_s + shift and self._sane(stamp_s + shift, last):
                    self._shift = shift
                    return stamp_s + shift
            self._shift = last + self.step_s - stamp_s
        self.repaired += stamp_s is not None
        return last + self.step_s

    def _sane(self, stamp_s: float, last: float = 0.0) -> bool:
        """Within the stated length (or, if none is stated, within an hour of the last)."""
        if self.length_s is None:
            return stamp_s - last < 3600.0
        return stamp_s <= max(self.length_s, last) + _BEYOND_LENGTH_S


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


def describe(descriptor: int) -> MediaInfo:
    """What the file's header says; decodes at most its first picture's parameters."""
    container = _open_container(descriptor)
    try:
        return _info(container, _video_stream(container))
    finally:
        container.close()


# ---------------------------------------------------------------- PyAV


@dataclass
class _Damage:
    """Counts what was skipped, and keeps the first reason."""

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
            self.reason = self.reason or _reason(error)


@dataclass
class PyavReader:
    """Demultiplexes once, decodes picture and sound with one thread.

    One thread, because there is a worker per core: FFmpeg's frame threads cost 5-14 % more CPU
    and several pictures of memory.

    All pictures are decoded. Skipping the non-reference ones (``skip_frame=NONREF``) saved 5-37 %
    of the CPU on seven clips with B-frames, but put thumbnails up to 0.2 s off: an error of
    20-52 % of the change between thumbnails on six of them, which is what they are there to show.
    """

    descriptor: int
    damage: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        import av

        self.decoder = f"pyav {av.__version__} (ffmpeg {av.ffmpeg_version_info})"
        # Opened once: the index of a 2-hour MP4 takes 25 MB, and a second one would lie beside it.
        self._container = _open_container(self.descriptor)
        self.info = _info(self._container, _video_stream(self._container))

    def events(self) -> Iterator[Picture | Sound]:
        try:
            yield from self._events(self._container)
        finally:
            self._container.close()

    def _events(self, container: InputContainer) -> Iterator[Picture | Sound]:
        video = _video_stream(container)
        origin_s = _origin_s(container)
        pictures = _PictureSource(video, origin_s, self.info)
        sounds = _SoundSource(container, origin_s)
        broken = _Damage()
        for packet in _packets(container, [video, *sounds.streams], broken):
            if packet.stream_index == video.index:
                yield from pictures.take(packet)
            else:
                yield from sounds.take(packet)
        yield from pictures.take(None)
        yield from sounds.take(None)
        self.info = pictures.info
        self.damage += [*_sentences(broken, pictures, sounds)]
        if not pictures.count:
            reason = pictures.damage.reason or broken.reason or "the video stream is empty"
            raise PermanentFailure(f"no frame could be decoded: {reason}")


class _PictureSource:
    """Packets of the video stream in, pictures out."""

    def __init__(self, stream: VideoStream, origin_s: float, info: MediaInfo) -> None:
        self.info = info
        self.count = 0
        self.damage = _Damage()
        self._origin_s = origin_s
        self._codec: VideoCodecContext = stream.codec_context
        self._time_base = stream.time_base
        self._scaler = Scaler()
        self._aspect = _aspect(stream)
        self._rotation: int | None = None
        self._orientation = Orientation()
        self.clock = _clock(info)

    def take(self, packet: Any) -> Iterator[Picture]:
        try:
            frames = self._codec.decode(packet)
        except _decode_errors() as error:
            self.damage.note(error)
            return
        for frame in frames:
            yield self._picture(frame)

    def _picture(self, frame: VideoFrame) -> Picture:
        base = frame.time_base or self._time_base
        orientation = self._oriented(frame)
        start_s = self.clock.place(_seconds(frame.pts, base, self._origin_s))
        duration_s = _seconds(frame.duration or None, base, 0.0) or 0.0
        picture = Picture(frame, start_s, duration_s, self._aspect, orientation, self._scaler)
        if self.count == 0:
            width, height = picture.size
            rotation = orientation.quarter_turns * 90
            self.info = replace(
                self.info,
                pixel_format=frame.format.name,
                width=width,
                height=height,
                rotation_deg=rotation,
            )
        self.count += 1
        return picture

    def _oriented(self, frame: VideoFrame) -> Orientation:
        """Read anew only when the rotation changes: a frame whose ``side_data`` was touched is in
        a reference cycle, and lives until the garbage collector runs (600 MB of 1080p pictures).
        """
        if self._rotation != frame.rotation:
            self._rotation = frame.rotation
            self._orientation = _orientation(frame)
        return self._orientation


class _SoundSource:
    """Packets of the best sound stream in, 16 kHz mono out. Damage is counted, never raised."""

    def __init__(self, container: InputContainer, origin_s: float) -> None:
        best = container.streams.best("audio")
        self.streams = [best] if best is not None and best.codec_context is not None else []
        self.damage = _Damage()
        if best is not None and not self.streams:
            self.damage.note(ValueError("this build of FFmpeg has no decoder for the sound"))
        self._codec: Any = best.codec_context if best is not None else None
        self._origin_s = origin_s
        self._resampler = MonoResampler()

    def take(self, packet: Any) -> Iterator[Sound]:
        if not self.streams:
            return
        try:
            for frame in self._codec.decode(packet):
                start_s = _seconds(frame.pts, frame.time_base, self._origin_s)
                yield Sound(start_s, self._resampler.push(frame))
        except _decode_errors() as error:
            self.damage.note(error)
        if packet is None:
            yield Sound(None, self._resampler.flush())


def _decode_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises on damaged data; some FFmpegErrors are neither OSError nor ValueError."""
    import av

    return av.error.FFmpegError, OSError, ValueError, RuntimeError


def _packets(container: InputContainer, streams: list[Any], broken: _Damage) -> Iterator[Any]:
    """Packets with data in file order. An unreadable rest ends the file and is noted."""
    import av

    for stream in container.streams:
        if stream not in streams:
            stream.discard = av.stream.Discard.all
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            if failure_from(error).kind == "retryable":
                raise
            broken.note(error)
            return
        if packet.size:
            yield packet


def _sentences(broken: _Damage, pictures: _PictureSource, sounds: _SoundSource) -> Iterator[str]:
    if broken.packets:
        yield f"the file breaks off: {broken.reason}"
    if pictures.damage.packets:
        yield f"damaged picture packets: {pictures.damage.packets} ({pictures.damage.reason})"
    if sounds.damage.packets:
        yield f"damaged sound packets: {sounds.damage.packets} ({sounds.damage.reason})"
    if pictures.clock.repaired:
        yield f"wrong time stamps repaired: {pictures.clock.repaired}"


def _open_container(descriptor: int) -> InputContainer:
    import av

    os.lseek(descriptor, 0, os.SEEK_SET)
    options = {"fd": str(descriptor), "protocol_whitelist": "fd"}
    try:
        container = av.open("fd:", container_options=options, metadata_errors="ignore")
    except av.error.FFmpegError as error:
        failure = failure_from(error)
        if failure.kind == "retryable":
            raise failure from error
        raise PermanentFailure(_why_unreadable(descriptor, error)) from error
    if any(name in container.format.name for name in _STILL_CONTAINERS):
        container.close()
        raise Filtered("a still picture or text, not a video")
    return container


def _why_unreadable(descriptor: int, error: BaseException) -> str:
    if _lacks_index(descriptor):
        return (
            "the index (moov) is missing: the file is truncated, or was still being written. "
            "Copy it again from its source"
        )
    return f"not a video that can be read: {_reason(error)}"


def _lacks_index(descriptor: int) -> bool:
    """Whether this is an MP4/MOV without its ``moov`` box (ISO/IEC 14496-12, section 4.2)."""
    size, offset = os.fstat(descriptor).st_size, 0
    kinds: list[bytes] = []
    while offset + 8 <= size and len(kinds) < 64:
        length, kind = struct.unpack(">I4s", os.pread(descriptor, 8, offset))
        if length == 1:  # a 64 bit length follows
            length = int.from_bytes(os.pread(descriptor, 8, offset + 8), "big")
        kinds.append(kind)
        offset += length if length >= 8 else size
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def _video_stream(container: InputContainer) -> VideoStream:
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


def _info(container: InputContainer, video: VideoStream) -> MediaInfo:
    audio = container.streams.best("audio")
    codec = video.codec_context
    return MediaInfo(
        container=container.format.name,
        video_codec=codec.name,
        audio_codec=audio.codec_context.name if audio and audio.codec_context else "",
        pixel_format=codec.pix_fmt or "",
        width=max(1, round(codec.width * _aspect(video))),
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


def _clock(info: MediaInfo) -> Clock:
    return Clock(1.0 / info.fps, info.length_s if info.length_is_stated else None)


def _positive_s(length: int | None, base: Fraction | None) -> float | None:
    return float(length * base) if length and base and length > 0 else None


def _origin_s(container: InputContainer) -> float:
    start_s = (container.start_time or 0) / 1_000_000
    return 0.0 if -_PRIMING_S <= start_s < 0 else start_s


def _aspect(video: VideoStream) -> float:
    """Pixel width over height; 1 where the file says nothing or nonsense."""
    ratio = video.sample_aspect_ratio
    return float(ratio) if ratio and Fraction(1, 4) <= ratio <= 4 else 1.0


def _orientation(frame: VideoFrame) -> Orientation:
    """From the display matrix: 9 int32, (x, y) -> (a x + c y, b x + d y) with y downwards.

    Angles that are no quarter turns are taken for the nearest one.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", bytes(cast(Any, matrix))[:20])
    mirrored = a * d - b * c < 0
    if mirrored:  # mirrored left to right first, so what is left is a turn
        a, b = -a, -b
    return Orientation(round(np.degrees(np.arctan2(b, a)) / 90) % 4, mirrored)


def _seconds(stamp: int | None, base: Fraction | None, origin_s: float) -> float | None:
    if stamp is None or base is None:
        return None
    return stamp * base.numerator / base.denominator - origin_s  # 5 x as fast as a Fraction


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


# ---------------------------------------------------------------- decord and torchcodec


@dataclass
class LibraryReader:
    """Pictures from decord or torchcodec; the header and the sound from PyAV.

    These libraries convert every picture to RGB at full size, asked for or not, apply the
    rotation themselves, and stop at the first damage.
    """

    descriptor: int
    name: str
    damage: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.info = describe(self.descriptor)  # refuses whatever is no plain video file
        version = {"decord": _decord_version, "torchcodec": _torchcodec_version}[self.name]()
        self.decoder = f"{self.name} {version}"

    def events(self) -> Iterator[Picture | Sound]:
        yield from self._pictures()
        container = _open_container(self.descriptor)
        try:
            yield from self._sounds(container)
        finally:
            container.close()

    def _pictures(self) -> Iterator[Picture]:
        first, origin_s = self._first_picture()
        aspect = 1 / first.aspect if first.orientation.quarter_turns % 2 else first.aspect
        clock = _clock(self.info)
        read = {"decord": _decord_pictures, "torchcodec": _torchcodec_pictures}[self.name]
        for rgb, start_s, duration_s in read(self.descriptor, first.start_s, origin_s):
            start_s = clock.place(start_s)
            frame = _frame(rgb)
            yield Picture(frame, start_s, duration_s, aspect, Orientation(), first.scaler)

    def _first_picture(self) -> tuple[Picture, float]:
        """The first picture as PyAV sees it (it knows the rotation), and the file's origin."""
        pyav = PyavReader(self.descriptor)
        pictures = (event for event in pyav.events() if isinstance(event, Picture))
        first = next(pictures)
        width, height = first.size
        rotation = first.orientation.quarter_turns * 90
        self.info = replace(self.info, width=width, height=height, rotation_deg=rotation)
        pictures.close()
        container = _open_container(self.descriptor)
        origin_s = _origin_s(container)
        container.close()
        return first, origin_s

    def _sounds(self, container: InputContainer) -> Iterator[Sound]:
        sounds, broken = _SoundSource(container, _origin_s(container)), _Damage()
        if not sounds.streams:
            return
        for packet in _packets(container, sounds.streams, broken):
            yield from sounds.take(packet)
        yield from sounds.take(None)
        if sounds.damage.packets:
            self.damage.append(f"damaged sound packets: {sounds.damage.packets}")


def _frame(rgb: Array) -> VideoFrame:
    from av.video.frame import VideoFrame

    return VideoFrame.from_ndarray(np.ascontiguousarray(rgb[..., :3]), format="rgb24")


def _decord_version() -> str:
    import decord

    return str(decord.__version__)


def _decord_pictures(
    descriptor: int, first_s: float, origin_s: float
) -> Iterator[tuple[Array, float, float]]:
    """``(rgb, start_s, duration_s)``; decord counts its time from the first picture."""
    import decord

    try:
        video = decord.VideoReader(_path(descriptor), ctx=decord.cpu(0), num_threads=1)
        for index in range(len(video)):
            start_s, end_s = video.get_frame_timestamp(index)
            yield video.next().asnumpy(), float(start_s) + first_s, float(end_s - start_s)
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise PermanentFailure(f"decord can't read it: {_first_line(error)}") from error


def _torchcodec_version() -> str:
    import torchcodec

    return str(torchcodec.__version__)


def _torchcodec_pictures(
    descriptor: int, first_s: float, origin_s: float
) -> Iterator[tuple[Array, float, float]]:
    """``(rgb, start_s, duration_s)``."""
    from torchcodec.decoders import VideoDecoder

    try:
        video = VideoDecoder(_path(descriptor), num_ffmpeg_threads=1, dimension_order="NHWC")
        for index in range(len(video)):
            picture = video.get_frame_at(index)
            start_s = float(picture.pts_seconds) - origin_s
            yield picture.data.numpy(), start_s, float(picture.duration_seconds)
    except (RuntimeError, ValueError, IndexError) as error:
        raise PermanentFailure(f"torchcodec can't read it: {_first_line(error)}") from error


def _path(descriptor: int) -> str:
    """A name for an open file that is plain ASCII whatever the file is called."""
    return f"/dev/fd/{descriptor}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
