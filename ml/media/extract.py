"""One pass over a video file: frames, motion, sound, and what `videos` says of it.

Runs in a worker process (ml/workers.py). Pixels are never collected: rows go to spool files
(ml/media/spool.py) as they come, and the parent streams those on. What is held is one or two
decoded pictures, one JPEG, and 300 s of compressed sound and of thumbnails.

Times are on the container's presentation timeline (ml/media/timestamps.py): the first picture's
``start_s`` is above 0 where the sound begins earlier. ``duration_s`` of the frames adds up to the
length of the picture track, from its first picture to the end of its last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from ml.failures import Filtered, PermanentFailure
from ml.media.info import MediaInfo
from ml.media.pictures import Picture
from ml.media.readers import READERS, MediaReader, open_media
from ml.media.rows import FrameRows, MotionRows, SoundRows
from ml.media.sampling import Sampler, Seen, plain_frame_count
from ml.media.sound import Sound
from ml.media.source_file import check_unchanged, content_hash_of, opened
from ml.media.spool import SPOOLED, Spool
from ml.media.timestamps import last_duration_s

VERSION = 1  # raise it when the same options give other rows
# A file may end this much before its stated length without being called truncated.
_SHORT_S, _SHORT_SHARE = 1.0, 0.02


@dataclass(frozen=True)
class Source:
    """A local file to read. ``path`` may hold undecodable bytes, as ``os.fsdecode`` gives them."""

    video_id: str
    path: str


@dataclass(frozen=True)
class ExtractOptions:
    """What the pass makes.

    ``max_side`` 768 px: on one 1080p test picture with captions of 2 % of the height, RapidOCR's
    text was 0.99 like the original (0.93 at 640 px, 0.64 at 512, 1.00 at 960 for 44 % more bytes);
    CLIP takes 384. ``jpeg_quality`` 85: 10-66 KB a frame on the real clips. ``motion_fps`` and
    ``motion_size`` are what copy verification compares.
    """

    reader: str = "pyav"
    frame_rate: float = 1.0
    max_side: int = 768
    jpeg_quality: int = 85
    motion_fps: float = 8.0
    motion_size: int = 32
    min_duration_s: float = 0.0
    max_duration_s: float = 12 * 3600.0

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise ValueError(f"no reader {self.reader!r}; there are: {', '.join(READERS)}")
        if not 0 < self.frame_rate <= self.motion_fps:
            raise ValueError(
                f"frame_rate must be above 0 and at most motion_fps ({self.motion_fps:g}), "
                f"got {self.frame_rate:g}"
            )

    @property
    def maker(self) -> str:
        """Names version and options; rows made by another maker are made again."""
        options = ",".join(f"{name}={value}" for name, value in asdict(self).items())
        return f"extract-{VERSION}({options})"


@dataclass(frozen=True)
class Extracted:
    """The media columns of a `videos` row; names and meanings as in ml/schemas.py.

    And ``decode_s``: wall seconds the worker spent on the file, for the run's own metadata.
    """

    content_hash: str
    source_bytes: int
    container: str
    video_codec: str
    audio_codec: str
    pixel_format: str
    width: int
    height: int
    rotation_deg: int
    fps: float
    duration_s: float
    has_audio: bool
    frame_count: int
    kept_frame_count: int
    plain_1fps_frame_count: int
    decoder: str
    decode_s: float
    warning: str


def limit_s(source_bytes: int) -> float:
    """Seconds after which a worker on a file of this size is taken to hang.

    Ten minutes, plus 20 s for each MB. The leanest files cost most for their size: a 2-hour
    screen recording of 50 MB is allowed 1,600 s, so it must decode at 4.5 times real time. That is
    generous because a hanging decoder is rare and costs only its core.
    """
    return 600.0 + 20.0 * source_bytes / 1e6


def extract(
    source: Source, spool_dir: str | os.PathLike[str], options: ExtractOptions
) -> Extracted:
    """Read the file once; rows of `frames`, `motion` and `audio` go to files in ``spool_dir``.

    ``spool_dir`` must exist and be this video's own. After a failure its content means nothing.

    Raises:
        PermanentFailure: not a readable video, or nothing to read.
        Filtered: no video stream, or longer, shorter or larger than wanted.
        RetryableFailure: the file changed while it was read, or reading it failed.
    """
    began = time.perf_counter()
    with opened(source.path) as descriptor:
        before = os.fstat(descriptor)
        content_hash = content_hash_of(descriptor)
        with ExitStack() as files:
            media = files.enter_context(closing(open_media(descriptor, options.reader)))
            _check_length(media.info.stated_length_s, options, stated=True)
            spool = {name: files.enter_context(Spool(spool_dir, name)) for name in SPOOLED}
            one_pass = _Pass(source.video_id, options, spool)
            for event in media.events():
                one_pass.take(event)
            one_pass.finish()
        check_unchanged(source.path, descriptor, before)
    _check_length(one_pass.pictures.duration_s, options, stated=False)
    return _summary(media, one_pass, content_hash, before.st_size, time.perf_counter() - began)


def _summary(
    media: MediaReader, one_pass: _Pass, content_hash: str, source_bytes: int, decode_s: float
) -> Extracted:
    info, pictures = media.info, one_pass.pictures
    has_audio = one_pass.sound.part_count > 0
    warnings = [*media.damage, *_shortfall(info, one_pass)]
    return Extracted(
        content_hash=content_hash,
        source_bytes=source_bytes,
        container=info.container,
        video_codec=info.video_codec,
        audio_codec=info.audio_codec,
        pixel_format=info.pixel_format,
        width=info.width,
        height=info.height,
        rotation_deg=info.rotation_deg,
        fps=pictures.count / pictures.duration_s,
        duration_s=pictures.duration_s,
        has_audio=has_audio,
        frame_count=pictures.count,
        kept_frame_count=pictures.frames.count,
        plain_1fps_frame_count=plain_frame_count(pictures.duration_s),
        decoder=media.decoder,
        decode_s=decode_s,
        warning="; ".join(warnings),
    )


def _shortfall(info: MediaInfo, one_pass: _Pass) -> Iterator[str]:
    """A sentence when the file ends well before its header says it should."""
    stated_s, found_s = info.video_length_s, one_pass.pictures.duration_s
    if stated_s is None:  # Matroska states only the whole: picture and sound
        stated_s = info.length_s
        found_s = max(one_pass.pictures.end_s, one_pass.sound.writer.end_s)
    if stated_s is None or not info.length_is_stated:
        return
    if stated_s - found_s > max(_SHORT_S, _SHORT_SHARE * stated_s):
        yield f"ends after {found_s:.1f} s of the stated {stated_s:.1f} s: truncated?"


def _check_length(length_s: float | None, options: ExtractOptions, stated: bool) -> None:
    if length_s is None:
        return
    claim = "its header says it is " if stated else "it is "
    if length_s > options.max_duration_s:
        raise Filtered(f"{claim}{length_s:.1f} s long; the limit is {options.max_duration_s:g} s")
    if not stated and length_s < options.min_duration_s:
        raise Filtered(
            f"{claim}{length_s:.2f} s long; at least {options.min_duration_s:g} s wanted"
        )


class _Pass:
    """Hands each event to what makes rows of it."""

    def __init__(self, video_id: str, options: ExtractOptions, spool: dict[str, Spool]) -> None:
        motion = MotionRows(video_id, spool["motion"], options.motion_fps, options.motion_size)
        frames = FrameRows(video_id, spool["frames"], options.max_side, options.jpeg_quality)
        self.pictures = _Pictures(options, motion, frames)
        self.sound = SoundRows(video_id, spool["audio"])

    def take(self, event: Picture | Sound) -> None:
        if isinstance(event, Picture):
            self.pictures.take(event)
        else:
            self.sound.take(event)

    def finish(self) -> None:
        self.pictures.finish()
        self.sound.finish()


class _Pictures:
    """Shows the right picture at every tick of the motion clock.

    A picture is on screen until the next one starts, so each waits for its successor; only those
    that are on screen at a tick are converted, the others only decoded.
    """

    def __init__(self, options: ExtractOptions, motion: MotionRows, frames: FrameRows) -> None:
        self._options = options
        self._motion, self.frames = motion, frames
        self._sampler: Sampler[Picture] = Sampler(rate=options.frame_rate)
        self._current: Picture | None = None
        self._start_s = 0.0
        self._ticks = 0
        self._longest_step_s = 0.0
        self.count = 0
        self.end_s = 0.0

    @property
    def duration_s(self) -> float:
        return self.end_s - self._start_s

    def take(self, picture: Picture) -> None:
        if self._current is None:
            self._start_s = picture.start_s
        else:
            step_s = picture.start_s - self._current.start_s
            self._longest_step_s = max(self._longest_step_s, step_s)
            self._show(self._current, picture.start_s)
        self._current = picture
        self.count += 1
        if picture.start_s - self._start_s > self._options.max_duration_s:
            raise Filtered(f"longer than the limit of {self._options.max_duration_s:g} s")

    def finish(self) -> None:
        if self._current is None:
            raise PermanentFailure("no frame could be decoded")
        steps, steps_s = self.count - 1, self._current.start_s - self._start_s
        self.end_s = self._current.start_s + last_duration_s(
            self._current.duration_s, steps, steps_s, self._longest_step_s
        )
        self._show(self._current, self.end_s)
        for kept in self._sampler.finish():
            self.frames.keep(kept)
        self.frames.finish(self.end_s)
        self._motion.finish()

    def _show(self, picture: Picture, until_s: float) -> None:
        thumbnail: npt.NDArray[np.uint8] | None = None
        while (tick_s := self._start_s + self._ticks / self._options.motion_fps) < until_s - 1e-6:
            if thumbnail is None:
                thumbnail = picture.luma(self._options.motion_size)
            self._motion.add(tick_s, thumbnail)
            seen = Seen(picture, self.count - 1, picture.start_s, thumbnail)
            for kept in self._sampler.see(seen, tick_s):
                self.frames.keep(kept)
            self._ticks += 1
