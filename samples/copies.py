"""The planted copies: which seconds of which clip each shows, what was done to it, and the verdict.

A copy is a row of parts: stretches of original clips and foreign stretches. Copies are made from
the finished originals, decoded again, so they carry real recompression.

Verdicts: ``duplicate``, the whole copy comes from the original (it may be shorter than it) or,
picture in picture, shows all of it; ``partial``, it also holds foreign seconds;
``hard_same_video_other_audio`` and ``hard_other_video_same_audio``, one of the two tracks only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samples.canvas import Canvas
from samples.captions import Caption
from samples.scenes import drawn_scene
from samples.shots import Scene, Shot, View

_WHOLE = View(0.5, 0.5, 1)
Edit = Callable[[np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Part:
    """Seconds ``start_s`` to ``end_s`` of an original, at ``speed`` times its tempo."""

    original_id: str
    start_s: float
    end_s: float
    speed: float = 1.0

    @property
    def seconds(self) -> float:
        return (self.end_s - self.start_s) / self.speed


@dataclass(frozen=True)
class Copy:
    """One planted copy. ``sound`` is kept, none, or the id of a sentence said instead.

    ``sound_from`` names a part whose sound lies under foreign pictures. ``sibling_id`` names an
    earlier copy of the same original. ``caption`` is text that the copy adds.
    """

    video_id: str
    kind: str
    verdict: str
    published_at: str
    title: str
    description: str
    parts: tuple[Part | Shot, ...]
    edits: tuple[str, ...] = ()
    sound: str = "kept"
    sound_from: Part | None = None
    sibling_id: str = ""
    caption: Caption | None = None
    keeps_captions: bool = True
    file_type: str = "mp4"
    size: tuple[int, int] = (640, 360)
    fps: int = 25

    @property
    def original_parts(self) -> tuple[Part, ...]:
        own = tuple(part for part in self.parts if isinstance(part, Part))
        return own if self.sound_from is None else (self.sound_from,)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)


def _foreign(seconds: float, picture: str) -> Shot:
    return Shot(seconds, picture, _WHOLE, _WHOLE)


COPIES = (
    Copy(
        "copy-recompressed", "recompressed", "duplicate", "2026-05-04T08:00:00Z",
        "hubble galaxies (low quality)", "reupload",
        (Part("space-01", 0, 8),),
        file_type="mp4-low", size=(320, 180),
    ),
    Copy(
        "copy-mirrored", "mirrored", "duplicate", "2026-05-06T08:00:00Z",
        "Astronaut interview", "Two weeks in space.",
        (Part("space-04", 0, 6.5),), ("mirrored",), keeps_captions=False,
    ),
    Copy(
        "copy-letterboxed", "letterboxed", "duplicate", "2026-05-08T08:00:00Z",
        "Summer palace, Beijing, my trip", "",
        (Part("travel-01", 0, 6.5),), ("bordered",), size=(480, 480),
    ),
    Copy(
        "copy-trimmed", "trimmed", "duplicate", "2026-05-11T08:00:00Z",
        "Red car by the sea", "The best seconds.",
        (Part("cars-01", 4.6, 10.6),), file_type="mkv",
    ),
    Copy(
        "copy-logo", "logo", "duplicate", "2026-05-13T08:00:00Z",
        "Эспрессо дома", "Рецепт хорошего кофе.",
        (Part("cooking-01", 0, 6.5),), ("logo",),
    ),
    Copy(
        "copy-faster", "faster", "duplicate", "2026-05-15T08:00:00Z",
        "Final lap!!!", "race, fast version",
        (Part("cars-03", 0, 7.5, 1.25),), fps=30,
    ),
    Copy(
        "copy-pip", "picture_in_picture", "duplicate", "2026-05-18T08:00:00Z",
        "Inflation: my reaction", "Watching a video about prices together.",
        (Part("money-02", 0, 6.8),), ("in_corner",),
    ),
    Copy(
        "copy-muted", "muted", "duplicate", "2026-05-20T08:00:00Z",
        "Cat at the window, no sound", "",
        (Part("pets-01", 0, 6),), sound="none", file_type="webm",
    ),
    Copy(
        "copy-redubbed", "other_sound", "hard_same_video_other_audio", "2026-05-22T08:00:00Z",
        "Sales chart, another story", "Same chart, other words.",
        (Part("money-04", 0, 6.8),), sound="dancing", size=(480, 270),
    ),
    Copy(
        "copy-soundtrack", "other_pictures", "hard_other_video_same_audio", "2026-05-25T08:00:00Z",
        "Calm music with ribbons", "Background music to relax.",
        (_foreign(6.5, "ribbons"),), sound_from=Part("travel-05", 0, 6.5),
    ),
    Copy(
        "copy-cropped", "cropped_brighter", "duplicate", "2026-05-27T08:00:00Z",
        "Кормим кошку правильно", "Сколько раз в день кормить кошку.",
        (Part("pets-03", 0, 7.5),), ("cropped", "brighter"), keeps_captions=False,
        caption=Caption("Кормим кошку", 0.0, 7.5, "ru", "bottom"), fps=30,
    ),
    Copy(
        "copy-inserted", "foreign_intro_and_outro", "partial", "2026-05-29T08:00:00Z",
        "Garage stories: a motorcycle", "Our new show about motorcycles.",
        (_foreign(2.5, "tiles"), Part("cars-02", 0, 6.4), _foreign(1.6, "tiles")),
    ),
    Copy(
        "copy-compilation", "compilation", "partial", "2026-06-01T08:00:00Z",
        "Best of the week: rocket, sleeping cat, soup", "A compilation.",
        (Part("space-03", 0, 5), Part("pets-02", 0, 4.5), Part("cooking-02", 0, 4.5)),
    ),
    Copy(
        "copy-combined", "mirrored_faster_bordered", "duplicate", "2026-06-03T08:00:00Z",
        "galaxies short", "",
        (Part("space-01", 0, 8, 1.15),), ("mirrored", "bordered"), keeps_captions=False,
        sibling_id="copy-recompressed", size=(360, 640),
    ),
)  # fmt: skip


def edit(name: str, size: tuple[int, int], rng: np.random.Generator) -> Edit:
    """The picture edit ``name`` for a copy of ``size`` (width, height). Raises KeyError."""
    builders: dict[str, Callable[[], Edit]] = {
        "mirrored": lambda: lambda picture, _: np.ascontiguousarray(picture[:, ::-1]),
        "bordered": lambda: lambda picture, _: _inside(picture, size),
        "cropped": lambda: lambda picture, _: _cropped(picture, 0.8),
        "brighter": lambda: lambda picture, _: _brighter(picture),
        "logo": lambda: _logo(size),
        "in_corner": lambda: _in_corner(drawn_scene(_foreign(60, "confetti"), *size, rng), 0.55),
    }
    return builders[name]()


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """``picture`` as RGB uint8 [height, width, 3]."""
    import cv2

    if picture.shape[:2] == (height, width):
        return picture
    shrinks = width < picture.shape[1]
    flags = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=flags)


def _inside(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole picture within ``size``, on black bars."""
    width, height = size
    scale = min(width / picture.shape[1], height / picture.shape[0])
    small = resized(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    framed = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    framed[top : top + small.shape[0], left : left + small.shape[1]] = small
    return framed


def _cropped(picture: np.ndarray, share: float) -> np.ndarray:
    """The lower ``share`` of the picture, right of the middle, blown up to its old size."""
    height, width = picture.shape[:2]
    rows, columns = round(height * share), round(width * share)
    top, left = height - rows, round((width - columns) * 0.7)
    return resized(picture[top : top + rows, left : left + columns], width, height)


def _brighter(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture.astype(np.float32) * 1.15 + 14, 0, 255).astype(np.uint8)


def _logo(size: tuple[int, int]) -> Edit:
    """A half-transparent badge in the upper right corner: a ring around a triangle."""
    side = min(size) // 4
    canvas = Canvas(side, side, _WHOLE)
    canvas.disc(8, 4.5, 4.2, (255, 255, 255))
    canvas.disc(8, 4.5, 3.5, (20, 90, 200))
    canvas.polygon([(6.8, 2.6), (6.8, 6.4), (10.6, 4.5)], (255, 255, 255))
    badge = canvas.pixels
    opacity = 0.8 * (badge.max(axis=2, keepdims=True) > 0)

    def stamp(picture: np.ndarray, _: float) -> np.ndarray:
        stamped = picture.copy()
        under = stamped[10 : 10 + side, -side - 10 : -10]
        stamped[10 : 10 + side, -side - 10 : -10] = under * (1 - opacity) + badge * opacity
        return stamped

    return stamp


def _in_corner(background: Scene, share: float) -> Edit:
    def place(picture: np.ndarray, time_s: float) -> np.ndarray:
        framed = background(time_s, time_s)
        height, width = framed.shape[:2]
        small = resized(picture, round(width * share), round(height * share))
        top, left = height - small.shape[0] - 16, width - small.shape[1] - 16
        framed[top : top + small.shape[0], left : left + small.shape[1]] = small
        return framed

    return place
