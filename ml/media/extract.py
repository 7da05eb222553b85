"""One pass over a video file: frames, motion, sound, and what `videos` says of it.

Runs in a worker process (ml/workers.py). Pixels are never collected: rows go to Arrow IPC files in
a spool directory as they come, and the parent streams those files on with ``spooled``. What is held
is one or two decoded pictures, one JPEG, and 300 s of compressed sound and of thumbnails.

Times are on the container's presentation timeline (see ml/media/decode.py): the first picture's
``start_s`` is above 0 where the sound begins earlier. ``duration_s`` of the frames adds up to the
length of the picture track, from its first picture to the end of its last.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.failures import Filtered, PermanentFailure, RetryableFailure
from ml.media.decode import READERS, MediaInfo, MediaReader, Picture, Sound, open_media
from ml.media.sampling import Kept, Sampler, Seen, plain_frame_count
from ml.media.sound import SAMPLE_RATE_HZ, AudioPart, PartWriter
from ml.schemas import AUDIO, FRAMES, MOTION

VERSION = 1  # raise it when the same options give other rows
SPOOLED = {dataset.name: dataset for dataset in (FRAMES, MOTION, AUDIO)}
_MOTION_PART_S = 300.0
# Rows are written together in bunches of this size: small enough to hold, large enough that the
# cost of a record batch vanishes.
_BUNCH_BYTES, _BUNCH_ROWS = 4_000_000, 64
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
    with _opened(source.path) as descriptor:
        before = os.fstat(descriptor)
        content_hash = _content_hash(descriptor)
        media = open_media(descriptor, options.reader)
        if media.info.length_is_stated:
            _check_length(media.info.length_s, options, stated=True)
        with ExitStack() as files:
            spool = {name: files.enter_context(_Spool(spool_dir, name)) for name in SPOOLED}
            one_pass = _Pass(source.video_id, options, spool)
            for event in media.events():
                one_pass.take(event)
            one_pass.finish()
        _check_unchanged(source.path, descriptor, before)
    _check_length(one_pass.pictures.duration_s, options, stated=False)
    return _summary(media, one_pass, content_hash, before.st_size, time.perf_counter() - began)


def spooled(spool_dir: str | os.PathLike[str], name: str) -> Iterator[pa.RecordBatch]:
    """The rows of dataset ``name`` that ``extract`` left in ``spool_dir``, some MB at a time."""
    with pa.OSFile(str(_spool_path(spool_dir, name)), "rb") as file:
        yield from pa.ipc.open_stream(file)


def _spool_path(spool_dir: str | os.PathLike[str], name: str) -> Path:
    return Path(spool_dir) / f"{name}.arrow"


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


# ---------------------------------------------------------------- the file


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """A descriptor of the regular, non-empty file at ``path``, or a failure made for people."""
    try:
        # O_NONBLOCK: opening a named pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_open(path, error) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise PermanentFailure("this is a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise PermanentFailure("this is not a regular file (a device, socket or pipe)")
        if status.st_size == 0:
            raise PermanentFailure("the file is empty (0 bytes)")
        yield descriptor
    finally:
        os.close(descriptor)


def _cannot_open(path: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
        return PermanentFailure(f"broken symbolic link, to {str(Path(path).readlink())!r}")
    if isinstance(error, FileNotFoundError):
        return PermanentFailure("the file does not exist (any more)")
    if isinstance(error, PermissionError):
        return PermanentFailure("no permission to read the file; check its owner and mode")
    return error


def _content_hash(descriptor: int) -> str:
    """BLAKE2b-128 of all bytes, hex."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _check_unchanged(path: str, descriptor: int, before: os.stat_result) -> None:
    """Raise unless the open file, and the one that now has its name, are as they were."""
    try:
        now = (os.fstat(descriptor), Path(path).stat())
    except OSError as error:
        raise RetryableFailure(f"the file changed while it was read: {error.strerror}") from error
    if any(_version(status) != _version(before) for status in now):
        raise RetryableFailure(
            f"the file changed while it was read ({before.st_size} bytes before, "
            f"{now[1].st_size} after); the next run reads it again"
        )


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


# ---------------------------------------------------------------- the pass


class _Pass:
    """Hands each event to what makes rows of it."""

    def __init__(self, video_id: str, options: ExtractOptions, spool: dict[str, _Spool]) -> None:
        motion = _Motion(video_id, options, spool["motion"])
        frames = _Frames(video_id, options, spool["frames"])
        self.pictures = _Pictures(options, motion, frames)
        self.sound = _SoundRows(video_id, spool["audio"])

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

    def __init__(self, options: ExtractOptions, motion: _Motion, frames: _Frames) -> None:
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
        self.end_s = self._current.start_s + self._last_step_s(self._current)
        self._show(self._current, self.end_s)
        for kept in self._sampler.finish():
            self.frames.keep(kept)
        self.frames.finish(self.end_s)
        self._motion.finish()

    def _last_step_s(self, last: Picture) -> float:
        """How long the last picture stands: as the file says, unless that is out of proportion."""
        usual_s = 1.0 / 25.0
        if self.count > 1:
            usual_s = (last.start_s - self._start_s) / (self.count - 1)
        credible_s = max(1.0, 2 * self._longest_step_s) if self.count > 1 else 60.0
        return last.duration_s if 0 < last.duration_s <= credible_s else usual_s

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


class _Frames:
    """Rows of `frames`. The last one waits for the next, which says how long it stands."""

    def __init__(self, video_id: str, options: ExtractOptions, spool: _Spool) -> None:
        self._video_id, self._options, self._spool = video_id, options, spool
        self._waiting: dict[str, Any] | None = None
        self.count = 0

    def keep(self, kept: Kept[Picture]) -> None:
        self._close(kept.start_s)
        rgb = kept.item.rgb(self._options.max_side)
        self._waiting = {
            "video_id": self._video_id,
            "frame_no": kept.frame_no,
            "start_s": kept.start_s,
            "is_shot_start": kept.is_shot_start,
            "width": rgb.shape[1],
            "height": rgb.shape[0],
            "jpeg": encode_jpeg(rgb, self._options.jpeg_quality),
        }
        self.count += 1

    def finish(self, end_s: float) -> None:
        self._close(end_s)

    def _close(self, end_s: float) -> None:
        row, self._waiting = self._waiting, None
        if row is not None:
            self._spool.add({**row, "duration_s": end_s - row["start_s"]}, len(row["jpeg"]))


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Baseline 4:2:0 JPEG of ``uint8[height, width, 3]``.

    Pillow took 1.2 ms for 768 x 432, cv2 1.9 ms for a file of the same length. FFmpeg's own encoder
    could leave out the conversion to RGB; it was not timed.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return file.getvalue()


class _Motion:
    """Rows of `motion`: thumbnails are collected for 300 s (2.5 MB), then compressed."""

    def __init__(self, video_id: str, options: ExtractOptions, spool: _Spool) -> None:
        self._video_id, self._spool = video_id, spool
        self._fps, self._size = options.motion_fps, options.motion_size
        self._per_part = round(_MOTION_PART_S * options.motion_fps)
        self._pixels = bytearray()
        self._start_s = 0.0
        self._count = self._part_no = 0

    def add(self, tick_s: float, thumbnail: npt.NDArray[np.uint8]) -> None:
        if self._count == 0:
            self._start_s = tick_s
        self._pixels += thumbnail.tobytes()
        self._count += 1
        if self._count == self._per_part:
            self.finish()

    def finish(self) -> None:
        if self._count == 0:
            return
        packed = pa.compress(
            self._pixels, codec="zstd", asbytes=True, memory_pool=pa.system_memory_pool()
        )
        row = {
            "video_id": self._video_id,
            "part_no": self._part_no,
            "start_s": self._start_s,
            "fps": self._fps,
            "size": self._size,
            "thumbnail_count": self._count,
            "luma_zstd": packed,
        }
        self._spool.add(row, len(packed))
        self._part_no += 1
        self._pixels, self._count = bytearray(), 0


def decode_motion(luma_zstd: bytes, thumbnail_count: int, size: int) -> npt.NDArray[np.uint8]:
    """``uint8[thumbnail_count, size, size]`` of a `motion` row."""
    length = thumbnail_count * size * size
    raw = pa.decompress(luma_zstd, decompressed_size=length, codec="zstd", asbytes=True)
    return np.frombuffer(raw, np.uint8).reshape(thumbnail_count, size, size)


class _SoundRows:
    """Rows of `audio`."""

    def __init__(self, video_id: str, spool: _Spool) -> None:
        self._video_id, self._spool = video_id, spool
        self.writer = PartWriter()
        self.part_count = 0

    def take(self, sound: Sound) -> None:
        for part in self.writer.add(sound.start_s, sound.samples):
            self._write(part)

    def finish(self) -> None:
        for part in self.writer.finish():
            self._write(part)

    def _write(self, part: AudioPart) -> None:
        row = {
            "video_id": self._video_id,
            "part_no": self.part_count,
            "sample_rate_hz": SAMPLE_RATE_HZ,
            **asdict(part),
        }
        self._spool.add(row, len(part.flac))
        self.part_count += 1


@dataclass
class _Spool:
    """An Arrow IPC stream file that grows in bunches of rows.

    From the system's memory pool: Arrow's own keeps what it once had, 25 MB of a 200 MB worker.
    """

    spool_dir: str | os.PathLike[str]
    name: str
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _bytes: int = 0

    def __enter__(self) -> _Spool:
        self._file = pa.OSFile(str(_spool_path(self.spool_dir, self.name)), "wb")
        self._writer = pa.ipc.new_stream(self._file, SPOOLED[self.name].schema)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()
        self._file.close()

    def add(self, row: dict[str, Any], size: int) -> None:
        self._rows.append(row)
        self._bytes += size
        if self._bytes >= _BUNCH_BYTES or len(self._rows) >= _BUNCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            schema = SPOOLED[self.name].schema
            columns = [_column(field, [row[field.name] for row in self._rows]) for field in schema]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        self._rows, self._bytes = [], 0


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    """The values as an array; a single blob (300 s of sound) is not copied."""
    if pa.types.is_binary(field.type) and len(values) == 1:
        ends = pa.array([0, len(values[0])], pa.int32()).buffers()[1]
        return pa.Array.from_buffers(field.type, 1, [None, ends, pa.py_buffer(values[0])])
    return pa.array(values, field.type, memory_pool=pa.system_memory_pool())
