"""Where the copy benchmark's videos come from: real clips, generated clips, foreign footage.

Sources are split into ``tuning`` and ``held-out``, families and speakers kept together, so that a
threshold chosen on one half can be measured on the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from samples.clips import CLIPS
from samples.scenes import drawn_scene
from samples.shots import Shot, View
from samples.sound import RATE_HZ, music, read_sound

Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]
TUNING, HELD_OUT = "tuning", "held-out"
SPLITS = (TUNING, HELD_OUT)
MAX_SIDE = 640
MAX_FPS = 30


@dataclass(frozen=True)
class Source:
    """A reference: seconds ``start_s`` to ``end_s`` of a real clip, or a whole generated clip.

    ``family`` holds recordings that a person could take for one another. ``speaker`` marks talking
    faces before one backdrop. ``audible`` is sound above the noise of a room; ``blank`` says that
    most of the picture is a bare wall, which no crop of it can be told by.
    """

    video_id: str
    file_name: str
    start_s: float
    end_s: float
    split: str
    family: str
    audible: bool = False
    blank: bool = False
    speaker: bool = False
    generated: bool = False

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def _real(
    video_id: str, file_name: str, start_s: float, end_s: float, split: str, **marks: bool
) -> Source:
    return Source(video_id, file_name, start_s, end_s, split, file_name.split(".")[0], **marks)


# Long clips give their first part to the library and keep the rest for negatives.
REAL_SOURCES = (
    _real("c057", "c057.mp4", 0, 10, TUNING, audible=True),
    _real("c067", "c067.mp4", 0, 6.86, TUNING),
    _real("c068", "c068.mp4", 0, 4.3, TUNING, blank=True),
    _real("c082-a", "c082.mp4", 0, 18, TUNING),
    _real("c085-a", "c085.mp4", 4, 20, TUNING),
    _real("c085-b", "c085.mp4", 64, 80, TUNING),
    _real("c108", "c108.mpg", 0, 2.96, TUNING, audible=True, speaker=True),
    _real("c111", "c111.mpg", 0, 2.96, TUNING, audible=True, speaker=True),
    _real("c058-a", "c058.webm", 0, 24, HELD_OUT, audible=True),
    _real("c069", "c069.mp4", 0, 22.4, HELD_OUT),
    _real("c083-a", "c083.mp4", 0, 14, HELD_OUT),
    _real("c105", "c105.mp4", 0, 16.5, HELD_OUT, audible=True),
    _real("c107", "c107.mpg", 0, 2.96, HELD_OUT, audible=True, speaker=True),
    _real("c109", "c109.mpg", 0, 2.96, HELD_OUT, audible=True, speaker=True),
    _real("c110", "c110.mpg", 0, 2.96, HELD_OUT, audible=True, speaker=True),
)


@dataclass(frozen=True)
class Variant:
    """A file that its authors made from a reference; second 0 of it is ``offset_s`` there.

    Offsets were measured by correlating thumbnails of the middle of the picture.
    """

    file_name: str
    original_id: str
    seconds: float
    offset_s: float


VARIANTS = (
    Variant("n005.mkv", "c058-a", 52.0, 0),
    Variant("n006.webm", "c058-a", 52.0, 0),
    Variant("n008.mp4", "c067", 6.86, 0),
    Variant("n009.mp4", "c067", 6.86, 0),
    Variant("n010.mp4", "c067", 6.86, 0),
    Variant("n011.mp4", "c067", 7.83, -0.03),
    Variant("n012.mp4", "c069", 22.4, 0),
    Variant("n013.mp4", "c069", 22.4, 0),
    Variant("n014.mp4", "c069", 18.8, 3.7),
    Variant("n015.mp4", "c069", 22.4, 0),
    Variant("n016.mp4", "c069", 22.4, 0),
    Variant("n017.mp4", "c069", 20.46, 2.0),
)

# Seconds of long clips that no reference holds, and talking faces that are no reference. Of c085,
# 50-64 s are left out: the person who stands still there does so in c085-b as well.
OTHER_SEGMENTS = (
    ("c082.mp4", 20, 39.5, TUNING, "c082-a"),
    ("c085.mp4", 24, 50, TUNING, "c085-a"),
    ("c085.mp4", 84, 138, TUNING, "c085-b"),
    ("c058.webm", 26, 51.5, HELD_OUT, "c058-a"),
    ("c083.mp4", 16, 30, HELD_OUT, "c083-a"),
)
OTHER_TAKES = (
    ("c114.mpg", TUNING),
    ("c112.mpg", TUNING),
    ("c117.mpg", TUNING),
    ("c113.mpg", HELD_OUT),
    ("c116.mpg", HELD_OUT),
    ("c115.mpg", HELD_OUT),
)
SPEAKER_SECONDS = 2.96
# Clips that are nobody's reference, by split.
FOREIGN_CLIPS = {TUNING: ("c106.mp4", 13.6), HELD_OUT: ("c084.mkv", 3.6)}
# Photographs of the packages that the sample library shows nowhere, and drawings likewise.
_FOREIGN_PHOTOGRAPHS = {
    TUNING: ("grass.png", "ihc.png", "page.png"),
    HELD_OUT: ("gravel.png", "retina.jpg", "brick.png", "text.png"),
}
_FOREIGN_DRAWINGS = {TUNING: ("confetti", "tiles"), HELD_OUT: ("ribbons", "tiles")}
_PHOTOGRAPH_SHARE = 0.45


def sources(clips: Path | None) -> list[Source]:
    """All references: real ones when ``clips`` is a folder, and the sample library's originals."""
    real = [source for source in REAL_SOURCES if clips and (clips / source.file_name).is_file()]
    tuning_themes = {"space", "cooking", "money", "other"}
    generated = [
        Source(
            clip.video_id, "", 0, clip.seconds,
            TUNING if clip.theme in tuning_themes else HELD_OUT, clip.theme,
            audible=clip.sound not in ("none", "silence", "tone"), generated=True,
        )
        for clip in CLIPS
    ]  # fmt: skip
    return [*real, *generated]


def rng_of(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each thing that is random, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def fitted(width: int, height: int, max_side: int = MAX_SIDE) -> tuple[int, int]:
    """Even width and height of at most ``max_side``, in proportion; nothing is enlarged."""
    scale = min(1.0, max_side / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def shape_of(path: Path) -> tuple[int, int, int]:
    """Width, height and frames per second (rounded, at most `MAX_FPS`) of a file, as made here."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        while rate > MAX_FPS + 0.5:
            rate /= 2
        return (*fitted(stream.width, stream.height), max(1, round(rate)))


def pictures(
    path: Path, start_s: float, seconds: float, fps: float, size: tuple[int, int], speed: float = 1
) -> Iterator[Picture]:
    """``seconds`` of a file from ``start_s`` on (from its first picture), at ``fps``, RGB.

    ``speed`` 2 plays it twice as fast; ``seconds`` are the result's. The last picture is repeated
    where the file ends early.
    """
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        decoded = container.decode(video=0)
        shown = next(decoded)
        origin_s, later = float(shown.time or 0), next(decoded, None)
        picture: Picture | None = None
        for number in range(round(seconds * fps)):
            wanted_s = start_s + number / fps * speed + 1e-4
            while later is not None and float(later.time or 0) - origin_s <= wanted_s:
                shown, later, picture = later, next(decoded, None), None
            if picture is None:
                picture = resized(np.asarray(shown.to_ndarray(format="rgb24"), np.uint8), size)
            yield picture


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """``picture`` in ``size`` (width, height), whatever its proportions."""
    import cv2

    if picture.shape[1::-1] == size:
        return picture
    shrinks = size[0] < picture.shape[1]
    made = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(made, np.uint8)


def sound_of(path: Path, start_s: float, seconds: float) -> Sound:
    """``seconds`` of a file's sound, padded with silence to that length; empty without a track."""
    whole = read_sound(path)
    if not len(whole):
        return np.zeros(0, np.float32)
    count, first = round(seconds * RATE_HZ), round(start_s * RATE_HZ)
    part = whole[first : first + count]
    return np.pad(part, (0, count - len(part))).astype(np.float32)


@dataclass(frozen=True)
class Foreign:
    """Footage that no reference holds: a clip's seconds, a photograph panned over, a drawing."""

    name: str
    start_s: float = 0.0

    def pictures(
        self, media: Path | None, seconds: float, fps: float, size: tuple[int, int], seed: int
    ) -> Iterator[Picture]:
        """``seconds`` of it, RGB, filling ``size`` (width, height)."""
        rng = rng_of(seed, self.name)
        if media is not None and (media / self.name).is_file():
            for picture in pictures(media / self.name, self.start_s, seconds, fps, (480, 360)):
                yield _filling(picture, size)
            return
        if "." in self.name:
            yield from _pan(_photograph(self.name), seconds, fps, size, rng)
            return
        view = View(0.5, 0.5, 1)
        paint = drawn_scene(Shot(60, self.name, view, view), *size, rng)
        for number in range(round(seconds * fps)):
            time_s = self.start_s + number / fps
            yield paint(time_s, time_s)

    def sound(self, seconds: float, seed: int) -> Sound:
        """Quiet music of its own."""
        return (0.5 * music(rng_of(seed, f"{self.name} sound"), seconds)).astype(np.float32)


def choose_foreign(
    split: str, seconds: float, media: Path | None, rng: np.random.Generator
) -> Foreign:
    """Foreign footage for a video of ``split``, from the split's own pool."""
    name, length = FOREIGN_CLIPS[split]
    if media is not None and (media / name).is_file() and length >= seconds and rng.random() < 0.5:
        return Foreign(name, round(float(rng.uniform(0, length - seconds)), 2))
    is_photograph = rng.random() < _PHOTOGRAPH_SHARE
    pool = _FOREIGN_PHOTOGRAPHS[split] if is_photograph else _FOREIGN_DRAWINGS[split]
    return Foreign(str(rng.choice(pool)), round(float(rng.uniform(0, 20)), 2))


def _photograph(file_name: str) -> Picture:
    from importlib.util import find_spec

    from PIL import Image

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the picture {file_name} comes with scikit-image: install it")
    with Image.open(Path(spec.origin).parent / "data" / file_name) as image:
        return np.asarray(image.convert("RGB"))


def _pan(
    picture: Picture, seconds: float, fps: float, size: tuple[int, int], rng: np.random.Generator
) -> Iterator[Picture]:
    """A camera that moves over a photograph along a straight line."""
    import cv2

    rows, columns = picture.shape[:2]
    step = min(columns / size[0], rows / size[1]) / float(rng.uniform(1.3, 2))
    free = np.array([columns - size[0] * step, rows - size[1] * step])
    begin, end = rng.random(2) * free, rng.random(2) * free
    count = round(seconds * fps)
    for number in range(count):
        left, top = begin + (end - begin) * number / max(count - 1, 1)
        crop = np.array([[step, 0, left], [0, step, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        yield np.asarray(cv2.warpAffine(picture, crop, size, flags=flags), np.uint8)


def _filling(picture: Picture, size: tuple[int, int]) -> Picture:
    """``picture`` blown up and cut to fill ``size``."""
    rows, columns = picture.shape[:2]
    scale = max(size[0] / columns, size[1] / rows)
    big = resized(picture, (round(columns * scale + 0.5), round(rows * scale + 0.5)))
    top, left = (big.shape[0] - size[1]) // 2, (big.shape[1] - size[0]) // 2
    return np.ascontiguousarray(big[top : top + size[1], left : left + size[0]])
