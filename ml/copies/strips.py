"""A strip of matching moments: the copy's frames above, the original's frames below."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

TILE_PX = (192, 128)
QUALITY = 85
_LEAST_QUALITY = 25
_LABEL_PX = 18
_GAP_PX = 4
_LEAST_COLUMN_PX = 64  # its label: "36000.0 s"
_BACKGROUND = (24, 24, 27)
_INK = (235, 235, 235)
# Kept frames come about once a second, so a frame's picture is at most this old unless it stands
# still, when it does not age.
_OLDEST_S = 0.5
_OTHER_SHOT_S = 1000.0

Times = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """A moment of the copy and the moment of the original it shows, as JPEG files."""

    copy_s: float
    copy_jpeg: bytes
    original_s: float
    original_jpeg: bytes


@dataclass(frozen=True)
class Segments:
    """What matches, by segment: as in ``ml.schemas.PAIR_COLUMNS``."""

    copy_starts_s: Times
    copy_ends_s: Times
    original_starts_s: Times
    original_ends_s: Times


# Which moments ------------------------------------------------------------------------------------


def moments_of(segments: Segments, frame_starts_s: Times, count: int) -> list[tuple[float, float]]:
    """At most ``count`` pairs of times, spread over the copy's frames that lie in the segments.

    The copy's times are those at which frames start, so that a picture that stands still comes
    once; a segment in which none starts gives its middle. The original's lie on the alignment: the
    same share of both sides has passed.

    Args:
        segments: the pair's.
        frame_starts_s: when the copy's kept frames are shown.
        count: moments at most.
    """
    frames = np.asarray(frame_starts_s, np.float64)
    times: list[tuple[float, float]] = []
    for start, end, other_start, other_end in zip(*vars(segments).values(), strict=True):
        inside = frames[(frames >= start) & (frames < end)].tolist() or [(start + end) / 2]
        speed = (other_end - other_start) / max(end - start, 1e-3)
        times += [(at, other_start + speed * (at - start)) for at in inside]
    times.sort()
    if len(times) <= count:
        return times
    return [times[int((i + 0.5) * len(times) / count)] for i in range(count)]


def frames_at(rows: Iterable[pa.RecordBatch], times_s: Times) -> list[bytes]:
    """The JPEG file of the frame that shows each time best; none at all without rows.

    A frame that started long before stands still, so it shows every time until its end; the first
    frame of a shot shows nothing of the time before it.

    Args:
        rows: one video's rows of `frames`, in their order. Memory holds one batch.
        times_s: seconds of the video.
    """
    times = np.asarray(times_s, np.float64)
    least = np.full(len(times), np.inf)
    best = [b""] * len(times)
    first_s = None
    for batch in rows:
        if not batch.num_rows:
            continue
        if first_s is None:  # before it there is nothing to show
            first_s = batch.column("start_s")[0].as_py()
            times = np.maximum(times, first_s)
        costs = _costs(batch, times)
        chosen = costs.argmin(axis=0)
        for place in np.flatnonzero(costs.min(axis=0) < least):
            least[place] = costs[chosen[place], place]
            best[place] = batch.column("jpeg")[int(chosen[place])].as_py()
    return best if np.isfinite(least).all() else []


def _costs(rows: pa.RecordBatch, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How badly each row shows each time: [rows, times], in seconds."""
    starts, durations = (
        rows.column(name).to_numpy()[:, None] for name in ("start_s", "duration_s")
    )
    opens_shot = rows.column("is_shot_start").to_numpy(zero_copy_only=False)[:, None]
    early = np.maximum(starts - times, 0.0)
    late = np.maximum(times - starts - durations, 0.0)
    age = np.clip(times - starts, 0.0, _OLDEST_S)
    return np.asarray(early + (early > 0) * opens_shot * _OTHER_SHOT_S + age + late)


# The picture --------------------------------------------------------------------------------------


def strip(
    moments: Sequence[Moment],
    copy_name: str,
    original_name: str,
    *,
    tile_px: tuple[int, int] = TILE_PX,
    most_bytes: int | None = None,
) -> bytes:
    """The strip as a JPEG file: a column per moment, times under the pictures.

    Args:
        moments: from left to right.
        copy_name: what stands over the upper row.
        original_name: what stands over the lower row.
        tile_px: the box, width and height, that each picture is fitted into.
        most_bytes: the file is made coarser until it is no larger, as far as that goes.

    Raises:
        ValueError: no moments.
    """
    if not moments:
        raise ValueError("a strip needs a moment")
    picture = _drawn(moments, (f"copy: {copy_name}", f"original: {original_name}"), tile_px)
    quality = QUALITY
    file = _jpeg(picture, quality)
    while most_bytes is not None and len(file) > most_bytes and quality > _LEAST_QUALITY:
        quality -= 10
        file = _jpeg(picture, quality)
    return file


def _drawn(
    moments: Sequence[Moment], names: tuple[str, str], tile_px: tuple[int, int]
) -> Image.Image:
    from PIL import Image, ImageDraw

    sides = (
        [(_tile(m.copy_jpeg, tile_px), m.copy_s) for m in moments],
        [(_tile(m.original_jpeg, tile_px), m.original_s) for m in moments],
    )
    heights = [max(tile.height for tile, _ in side) for side in sides]
    column_px = max(_LEAST_COLUMN_PX, *(tile.width for side in sides for tile, _ in side))
    width = (column_px + _GAP_PX) * len(moments) + _GAP_PX
    picture = Image.new("RGB", (width, sum(heights) + 4 * _LABEL_PX + _GAP_PX), _BACKGROUND)
    draw, top = ImageDraw.Draw(picture), 0
    for name, side, height in zip(names, sides, heights, strict=True):
        _write(draw, (_GAP_PX, top + 2), name, width - 2 * _GAP_PX)
        for column, (tile, seconds) in enumerate(side):
            left = _GAP_PX + column * (column_px + _GAP_PX)
            across, down = (column_px - tile.width) // 2, (height - tile.height) // 2
            picture.paste(tile, (left + across, top + _LABEL_PX + down))
            place = (left, top + _LABEL_PX + height + 2)
            _write(draw, place, f"{seconds:.1f} s", column_px)
        top += height + 2 * _LABEL_PX
    return picture


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """One line, cut where it would leave the width."""
    line = " ".join(text.split())
    while len(line) > 1 and draw.textlength(line) > width:
        line = f"{line[:-2].rstrip()}…"
    draw.text(place, line, _INK)


def _jpeg(picture: Any, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _tile(jpeg: bytes, box_px: tuple[int, int]) -> Image.Image:
    from PIL import Image

    tile = Image.open(io.BytesIO(jpeg)).convert("RGB")
    tile.thumbnail(box_px)
    return tile
