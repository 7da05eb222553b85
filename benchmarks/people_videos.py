"""The people benchmark's videos: short pieces of real clips, changed in fifteen ways, with truth.

Eleven GRID clips show ten people (``c108`` and ``c114`` the same man), ``c084`` a woman in yellow,
scikit-image's astronaut is one photograph. Each way to change a clip takes its pictures from
another third of it, so no two videos share a frame (the photograph is panned and zoomed instead).
``c057`` and ``c085`` show several unlabelled people, each in that one video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.schemas import FRAMES

Picture = npt.NDArray[np.uint8]
ASTRONAUT = "astronaut"
# Clip to person. The halves share no person: what is chosen on one is measured on the other.
PEOPLE = {
    **{f"c{n}": f"c{n}" for n in (107, 108, 109, 110, 111, 112, 113, 115, 116, 117)},
    "c114": "c108",
    "c084": "c084",
    ASTRONAUT: ASTRONAUT,
}
TUNING = frozenset({"c107", "c108", "c110", "c112", "c115", "c084"})
STRANGERS = ("c057", "c085")
PICTURES = 4  # of each video, a second apart
_MAX_SIDE = 768


@dataclass(frozen=True)
class Span:
    """Who is shown from ``start_s`` to ``end_s`` between the shares ``x0`` and ``x1`` of a row."""

    name: str
    start_s: float = 0.0
    end_s: float = np.inf
    x0: float = 0.0
    x1: float = 1.0


@dataclass(frozen=True)
class PeopleVideo:
    """A video of the benchmark: its pictures, a second apart, and who is in them (if labelled)."""

    video_id: str
    variant: str
    pictures: list[Picture]
    spans: tuple[Span, ...]
    jpeg_quality: int = 90

    def name_at(self, time_s: float, x: float) -> str:
        """Who is at ``x`` (share of the width) at ``time_s``."""
        for span in self.spans:
            if span.start_s <= time_s < span.end_s and span.x0 <= x < span.x1:
                return span.name
        raise ValueError(f"{self.video_id}: nobody is labelled at {time_s} s, {x:.2f}")


def people_videos(clips: Path) -> Iterator[PeopleVideo]:
    """Every variant of every labelled clip, montages of two people, and the strangers' clips.

    Raises:
        FileNotFoundError: a clip is missing below ``clips``.
    """
    shown = {clip: _pictures(clips, clip) for clip in PEOPLE}
    for clip, pictures in shown.items():
        for number, (variant, change) in enumerate(VARIANTS.items()):
            piece = [change(picture) for picture in _piece(pictures, number)]
            quality = 8 if "recompressed" in variant else 90
            span = Span(PEOPLE[clip])
            yield PeopleVideo(f"{clip}-{variant}", variant, piece, (span,), quality)
    yield from _montages(shown)
    for clip in STRANGERS:
        yield PeopleVideo(f"{clip}-plain", "strangers", _frames(clips, clip, 2.0), ())


def frame_rows(video: PeopleVideo) -> pa.RecordBatch:
    """`frames` rows of a video, one a second."""
    rows = [
        {
            "video_id": video.video_id,
            "frame_no": number,
            "start_s": float(number),
            "duration_s": 1.0,
            "is_shot_start": number == 0,
            "width": picture.shape[1],
            "height": picture.shape[0],
            "jpeg": _jpeg(picture, video.jpeg_quality),
        }
        for number, picture in enumerate(video.pictures)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)


def _piece(pictures: list[Picture], number: int) -> list[Picture]:
    """`PICTURES` pictures of one third of a clip, spread over it; another offset for each round."""
    third, offset = len(pictures) // 3, number // 3
    start = (number % 3) * third
    at = start + (np.linspace(0, third - 1, PICTURES).astype(int) + offset) % third
    return [pictures[i] for i in at]


def _montages(shown: Mapping[str, list[Picture]]) -> Iterator[PeopleVideo]:
    """Two people of one half side by side, and two one after the other."""
    for half in (True, False):
        clips = [c for c in shown if (PEOPLE[c] in TUNING) is half and c != "c114"]
        for a, b in zip(clips, clips[1:] + clips[:1], strict=True):
            left, right = (_piece(shown[clip], 1) for clip in (a, b))
            both = [np.hstack([_tall(p), _tall(q)]) for p, q in zip(left, right, strict=True)]
            edge = _tall(left[0]).shape[1] / both[0].shape[1]
            spans = (Span(PEOPLE[a], x1=edge), Span(PEOPLE[b], x0=edge))
            yield PeopleVideo(f"{a}-beside-{b}", "side by side", both, spans)
            row = [_tall(p)[:, :280] for p in left] + [_tall(p)[:, :280] for p in right]
            spans = (Span(PEOPLE[a], end_s=PICTURES), Span(PEOPLE[b], start_s=PICTURES))
            yield PeopleVideo(f"{a}-then-{b}", "one after another", row, spans)


def _pictures(clips: Path, clip: str) -> list[Picture]:
    if clip != ASTRONAUT:
        return _frames(clips, clip, 0.0)
    from skimage import data

    whole = np.asarray(data.astronaut(), np.uint8)
    return [_turned(whole, 0.0, 1 + 0.004 * n, (n % 7 - 3) / 100) for n in range(45)]


def _frames(clips: Path, clip: str, every_s: float) -> list[Picture]:
    import av

    path = next(iter(sorted(clips.glob(f"{clip}.*"))), None)
    if path is None:
        raise FileNotFoundError(f"no clip {clip} in {clips}")
    kept: list[Picture] = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            if float(frame.time or 0) >= len(kept) * every_s:
                kept.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    return kept


def _tall(picture: Picture) -> Picture:
    """As high as the GRID clips, and of at most 384 px width about the middle."""
    tall = _resized(picture, 288 / picture.shape[0])
    cut = max(0, tall.shape[1] - 384) // 2
    return tall[:, cut : tall.shape[1] - cut]


def _resized(picture: Picture, scale: float) -> Picture:
    import cv2

    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)


def _light(picture: Picture, gain: float, lift: float, gamma: float) -> Picture:
    level = np.clip(np.arange(256) / 255 * gain + lift, 0, 1) ** gamma
    return np.asarray(np.round(level * 255)[picture], np.uint8)


def _grey(picture: Picture) -> Picture:
    luma = picture @ np.array([0.299, 0.587, 0.114])
    return np.repeat(np.round(luma)[..., None], 3, axis=2).astype(np.uint8)


def _blurred(picture: Picture) -> Picture:
    import cv2

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def _turned(picture: Picture, degrees: float, zoom: float, aside: float = 0.0) -> Picture:
    """Turned and enlarged about a point a little above the middle, where faces are."""
    import cv2

    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width * (0.5 + aside), height * 0.42), degrees, zoom)
    size = (width, height)
    return np.asarray(cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


VARIANTS: dict[str, Callable[[Picture], Picture]] = {
    "plain": lambda p: p,
    "1/1.5": lambda p: _resized(p, 1 / 1.5),
    "1/2": lambda p: _resized(p, 0.5),
    "recompressed": lambda p: p,
    "darker": lambda p: _light(p, 0.45, 0.0, 1.2),
    "brighter": lambda p: _light(p, 1.3, 0.12, 0.8),
    "grey": _grey,
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "blurred": _blurred,
    "turned 8°": lambda p: _turned(p, 8, 1.1),
    "turned -8°": lambda p: _turned(p, -8, 1.1),
    "zoomed": lambda p: _turned(p, 0, 1.5),
    "grey, darker, mirrored": lambda p: _light(_grey(p), 0.5, 0.0, 1.1)[:, ::-1].copy(),
    "1/1.5, recompressed": lambda p: _resized(p, 1 / 1.5),
    "zoomed, brighter, turned": lambda p: _light(_turned(p, 5, 1.3), 1.25, 0.1, 0.9),
}


def _jpeg(picture: Picture, quality: int) -> bytes:
    import cv2

    longest = max(picture.shape[:2])
    small = _resized(picture, _MAX_SIDE / longest) if longest > _MAX_SIDE else picture
    done, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} could not be encoded")
    return data.tobytes()
