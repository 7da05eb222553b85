"""Pictures by decord or torchcodec, which can be chosen instead of PyAV.

They can't be held to the descriptor they are given, so files go to them only after FFmpeg has so
found a video in them (ml/media/containers.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ml.failures import PermanentFailure
from ml.media.containers import open_container, packets_of
from ml.media.damage import Damage
from ml.media.decode import PyavReader, SoundSource
from ml.media.info import describe
from ml.media.pictures import Array, Orientation, Picture
from ml.media.sound import Sound
from ml.media.timestamps import Clock, origin_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame


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

    def close(self) -> None:
        """Nothing to let go of: the file is open only while it is read."""

    def events(self) -> Iterator[Picture | Sound]:
        yield from self._pictures()
        container = open_container(self.descriptor)
        try:
            yield from self._sounds(container)
        finally:
            container.close()

    def _pictures(self) -> Iterator[Picture]:
        first, origin_s = self._first_picture()
        aspect = 1 / first.aspect if first.orientation.quarter_turns % 2 else first.aspect
        clock = Clock(1.0 / self.info.fps, self.info.stated_length_s)
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
        container = open_container(self.descriptor)
        origin_s = origin_of(container)
        container.close()
        return first, origin_s

    def _sounds(self, container: InputContainer) -> Iterator[Sound]:
        sounds, broken = SoundSource(container, origin_of(container)), Damage()
        if not sounds.streams:
            return
        for packet in packets_of(self.descriptor, container, sounds.streams, broken):
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
