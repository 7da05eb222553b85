"""Rows of `frames`, `motion` and `audio`: each kind is made as its pictures or sound come.

Nothing is collected but what one row needs: one JPEG, and 300 s of compressed sound and of
thumbnails.
"""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.media.pictures import Picture
from ml.media.sampling import Kept
from ml.media.sound import SAMPLE_RATE_HZ, AudioPart, PartWriter, Sound
from ml.media.spool import Spool

_MOTION_PART_S = 300.0


class FrameRows:
    """Rows of `frames`. The last one waits for the next, which says how long it stands.

    ``max_side`` px is the longer side at most; ``count`` is how many rows there are.
    """

    def __init__(self, video_id: str, spool: Spool, max_side: int, jpeg_quality: int) -> None:
        self._video_id, self._spool = video_id, spool
        self._max_side, self._jpeg_quality = max_side, jpeg_quality
        self._waiting: dict[str, Any] | None = None
        self.count = 0

    def keep(self, kept: Kept[Picture]) -> None:
        """Convert and compress a kept picture; the one before stood until it starts."""
        self._close(kept.start_s)
        rgb = kept.item.rgb(self._max_side)
        self._waiting = {
            "video_id": self._video_id,
            "frame_no": kept.frame_no,
            "start_s": kept.start_s,
            "is_shot_start": kept.is_shot_start,
            "width": rgb.shape[1],
            "height": rgb.shape[0],
            "jpeg": encode_jpeg(rgb, self._jpeg_quality),
        }
        self.count += 1

    def finish(self, end_s: float) -> None:
        """The last row, which stands until ``end_s``."""
        self._close(end_s)

    def _close(self, end_s: float) -> None:
        row, self._waiting = self._waiting, None
        if row is not None:
            self._spool.add({**row, "duration_s": end_s - row["start_s"]}, len(row["jpeg"]))


class MotionRows:
    """Rows of `motion`: thumbnails are collected for 300 s (2.5 MB), then compressed.

    They come ``fps`` a second and are ``uint8[size, size]``.
    """

    def __init__(self, video_id: str, spool: Spool, fps: float, size: int) -> None:
        self._video_id, self._spool = video_id, spool
        self._fps, self._size = fps, size
        self._per_part = round(_MOTION_PART_S * fps)
        self._pixels = bytearray()
        self._start_s = 0.0
        self._count = self._part_no = 0

    def add(self, tick_s: float, thumbnail: npt.NDArray[np.uint8]) -> None:
        """What is on screen at ``tick_s``; ticks come in turn."""
        if self._count == 0:
            self._start_s = tick_s
        self._pixels += thumbnail.tobytes()
        self._count += 1
        if self._count == self._per_part:
            self.finish()

    def finish(self) -> None:
        """A row of what was collected, if anything was."""
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


class SoundRows:
    """Rows of `audio`; ``writer.end_s`` is where its sound ends."""

    def __init__(self, video_id: str, spool: Spool) -> None:
        self._video_id, self._spool = video_id, spool
        self.writer = PartWriter()
        self.part_count = 0

    def take(self, sound: Sound) -> None:
        """The next run of samples."""
        for part in self.writer.add(sound.start_s, sound.samples):
            self._write(part)

    def finish(self) -> None:
        """The last row, if any."""
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


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Baseline 4:2:0 JPEG of ``uint8[height, width, 3]``.

    Pillow took 1.2 ms for 768 x 432, cv2 1.9 ms for a file of the same length. FFmpeg's own encoder
    could leave out the conversion to RGB; it was not timed.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return file.getvalue()


def decode_motion(luma_zstd: bytes, thumbnail_count: int, size: int) -> npt.NDArray[np.uint8]:
    """``uint8[thumbnail_count, size, size]`` of a `motion` row."""
    length = thumbnail_count * size * size
    raw = pa.decompress(luma_zstd, decompressed_size=length, codec="zstd", asbytes=True)
    return np.frombuffer(raw, np.uint8).reshape(thumbnail_count, size, size)
