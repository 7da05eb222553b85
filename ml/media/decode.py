"""PyAV decodes: packets in file order in, pictures and sound out as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ml.failures import PermanentFailure
from ml.media.containers import open_container, packets_of
from ml.media.damage import Damage, decode_errors
from ml.media.info import MediaInfo, info_of
from ml.media.pictures import Orientation, Picture, Scaler, aspect_of, orientation_of
from ml.media.sound import MonoResampler, Sound
from ml.media.streams import sound_stream, video_stream
from ml.media.timestamps import Clock, origin_of, seconds_from

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


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
        self._container = open_container(self.descriptor)
        try:
            self.info = info_of(self._container)
        except Exception:
            self.close()
            raise

    def events(self) -> Iterator[Picture | Sound]:
        """As ``MediaReader.events``; the file is read once, so this can be called once."""
        try:
            yield from self._events(self._container)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file, also of one that was not read to its end or at all."""
        self._container.close()

    def _events(self, container: InputContainer) -> Iterator[Picture | Sound]:
        video = video_stream(container)
        origin_s = origin_of(container)
        pictures = PictureSource(video, origin_s, self.info)
        sounds = SoundSource(container, origin_s)
        broken = Damage()
        for packet in packets_of(self.descriptor, container, [video, *sounds.streams], broken):
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


class PictureSource:
    """Packets of the video stream in, pictures out.

    ``info`` is corrected by the first picture; ``count`` is how many pictures came. Damage is
    counted, never raised.
    """

    def __init__(self, stream: VideoStream, origin_s: float, info: MediaInfo) -> None:
        self.info = info
        self.count = 0
        self.damage = Damage()
        self._origin_s = origin_s
        self._codec: VideoCodecContext = stream.codec_context
        self._time_base = stream.time_base
        self._scaler = Scaler()
        self._aspect = aspect_of(stream)
        self._rotation: int | None = None
        self._orientation = Orientation()
        self.clock = Clock(1.0 / info.fps, info.stated_length_s)

    def take(self, packet: Any) -> Iterator[Picture]:
        """What ``packet`` completes; None for what is left in the decoder at the end."""
        try:
            frames = self._codec.decode(packet)
        except decode_errors() as error:
            self.damage.note(error)
            return
        for frame in frames:
            yield self._picture(frame)

    def _picture(self, frame: VideoFrame) -> Picture:
        base = frame.time_base or self._time_base
        orientation = self._oriented(frame)
        start_s = self.clock.place(seconds_from(frame.pts, base, self._origin_s))
        duration_s = seconds_from(frame.duration or None, base, 0.0) or 0.0
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
            self._orientation = orientation_of(frame)
        return self._orientation


class SoundSource:
    """Packets of the sound stream in, 16 kHz mono out. Damage is counted, never raised.

    ``streams`` are those whose packets are to be handed to ``take``; empty without sound.
    """

    def __init__(self, container: InputContainer, origin_s: float) -> None:
        best = sound_stream(container)
        self.streams = [best] if best is not None and best.codec_context is not None else []
        self.damage = Damage()
        if best is not None and not self.streams:
            self.damage.note(ValueError("this build of FFmpeg has no decoder for the sound"))
        self._codec: Any = best.codec_context if best is not None else None
        self._origin_s = origin_s
        self._resampler = MonoResampler()

    def take(self, packet: Any) -> Iterator[Sound]:
        """What ``packet`` completes; None for what is left in the decoder at the end."""
        if not self.streams:
            return
        try:
            for frame in self._codec.decode(packet):
                start_s = seconds_from(frame.pts, frame.time_base, self._origin_s)
                yield Sound(start_s, self._resampler.push(frame))
        except decode_errors() as error:
            self.damage.note(error)
        if packet is None:
            yield Sound(None, self._resampler.flush())


def _sentences(broken: Damage, pictures: PictureSource, sounds: SoundSource) -> Iterator[str]:
    if broken.packets:
        yield f"the file breaks off: {broken.reason}"
    if pictures.damage.packets:
        yield f"damaged picture packets: {pictures.damage.packets} ({pictures.damage.reason})"
    if sounds.damage.packets:
        yield f"damaged sound packets: {sounds.damage.packets} ({sounds.damage.reason})"
    if pictures.clock.repaired:
        yield f"wrong time stamps repaired: {pictures.clock.repaired}"
