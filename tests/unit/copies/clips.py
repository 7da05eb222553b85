"""Moving pictures with sound, and what the project would know of them, without encoding a video.

A ``Film`` is a function from seconds to pictures. ``evidence`` looks at it as extraction does: the
thumbnails eight times a second, the frames that ``ml.media.sampling.Sampler`` keeps of them,
described by ``ml.copies.features``, the sound fingerprinted by ``ml.copies.sound.bands``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from ml.copies.evidence import Evidence, Motion, Pictures, Sound
from ml.copies.features import FrameDescription, describe_picture, empty_pictures
from ml.copies.sound.bands import SoundFingerprinter, sound_of
from ml.media.sampling import Kept, Sampler, Seen
from ml.media.sound import SAMPLE_RATE_HZ
from samples.canvas import Canvas
from samples.drawings import DRAWINGS
from samples.scenes import photo_scene
from samples.shots import Shot, View
from samples.sound import RATE_HZ as MUSIC_RATE_HZ
from samples.sound import music
from tests.unit.speech.sounds import audio, speech

WIDTH, HEIGHT, FPS = 320, 180, 8.0
RGB = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]
Edit = Callable[[RGB], RGB]


@dataclass(frozen=True)
class Film:
    """``sound`` is mono at 16 kHz, -1 to 1; None without a sound track."""

    seconds: float
    picture_at: Callable[[float], RGB]
    sound: Samples | None = None


# Scenes -------------------------------------------------------------------------------------------


def drawn(name: str, seconds: float, seed: int = 0) -> Film:
    """A drawing of the sample library that moves, without sound."""
    paint = DRAWINGS[name](np.random.default_rng(seed))

    def at(time_s: float) -> RGB:
        canvas = Canvas(WIDTH, HEIGHT, View(0.5, 0.5, 1.0))
        paint(canvas, time_s)
        return canvas.pixels

    return Film(seconds, at)


def panned(name: str, seconds: float) -> Film:
    """A camera that moves over a photograph."""
    shot = Shot(seconds, name, View(0.42, 0.45, 1.5), View(0.58, 0.55, 1.2))
    scene = photo_scene(shot, WIDTH, HEIGHT)
    return Film(seconds, lambda time_s: scene(time_s, time_s))


def in_a_room(seconds: float, take: int, room: str = "motorcycle") -> Film:
    """A camera that never moves: a photograph, and before it things that move, by take."""
    shot = Shot(seconds, room, View(0.5, 0.5, 1.0), View(0.5, 0.5, 1.0))
    back = photo_scene(shot, WIDTH, HEIGHT)(0.0, 0.0)
    rng = np.random.default_rng(take)
    rate, phase = rng.uniform(0.7, 2.3, (3, 2)), rng.uniform(0, 6.3, (3, 2))

    def at(time_s: float) -> RGB:
        picture = back.copy()
        for number in range(3):
            x, y = 0.5 + 0.22 * np.sin(rate[number] * time_s + phase[number])
            centre = round(x * WIDTH), round(y * HEIGHT)
            cv2.circle(picture, centre, 13, (235 - 90 * number, 40 + 80 * number, 60), -1)
        return picture

    return Film(seconds, at)


def flat(seconds: float, level: int = 0) -> Film:
    """One grey all over, for ever."""
    picture = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    return Film(seconds, lambda _: picture)


def snow(seconds: float, seed: int) -> Film:
    """Digital noise: no two pictures alike."""

    def at(time_s: float) -> RGB:
        rng = np.random.default_rng([seed, round(1000 * time_s)])
        return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)

    return Film(seconds, at)


# Sounds -------------------------------------------------------------------------------------------


@cache
def tune(seconds: float, seed: int) -> Samples:
    """Music that ``seed`` decides."""
    made = music(np.random.default_rng(seed), seconds)
    samples = np.array(made[:: MUSIC_RATE_HZ // SAMPLE_RATE_HZ], np.float32)
    samples.flags.writeable = False
    return samples


def words(names: Sequence[str], seconds: float) -> Samples:
    """Sentences of the sample library, 0.4 s apart, cut or filled up to ``seconds``."""
    pause = np.zeros(round(0.4 * SAMPLE_RATE_HZ), np.int16)
    track = np.concatenate([part for name in names for part in (pause, speech(name))])
    return of_length(np.asarray(track / 32768, np.float32), seconds)


def of_length(sound: Samples, seconds: float) -> Samples:
    count = round(seconds * SAMPLE_RATE_HZ)
    return np.pad(sound[:count], (0, max(0, count - len(sound))))


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def tone(seconds: float, hz: float = 1000.0) -> Samples:
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.2 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def hiss(seconds: float, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    return (0.2 * rng.normal(0, 1, round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


# Edits --------------------------------------------------------------------------------------------


def joined(*films: Film) -> Film:
    """One after another; those without sound are silent where others have some."""
    starts = np.cumsum([0.0, *(film.seconds for film in films)])

    def at(time_s: float) -> RGB:
        number = min(int(np.searchsorted(starts, time_s + 1e-6, "right")) - 1, len(films) - 1)
        return films[number].picture_at(time_s - starts[number])

    sound = None
    if any(film.sound is not None for film in films):
        parts = [silence(f.seconds) if f.sound is None else f.sound for f in films]
        sound = np.concatenate([of_length(p, f.seconds) for p, f in zip(parts, films, strict=True)])
    return Film(float(starts[-1]), at, sound)


def cut(film: Film, start_s: float, end_s: float) -> Film:
    sound = film.sound
    if sound is not None:
        sound = sound[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
    return Film(end_s - start_s, lambda time_s: film.picture_at(time_s + start_s), sound)


def faster(film: Film, speed: float) -> Film:
    """Pictures and sound, whose pitch goes along."""
    sound = film.sound
    if sound is not None:
        places = np.arange(0, len(sound) - 1, speed)
        sound = np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
    return Film(film.seconds / speed, lambda time_s: film.picture_at(time_s * speed), sound)


def edited(film: Film, edit: Edit) -> Film:
    """Every picture through ``edit``."""
    return replace(film, picture_at=lambda time_s: edit(film.picture_at(time_s)))


def with_sound(film: Film, sound: Samples | None) -> Film:
    return replace(film, sound=sound)


def recompressed(picture: RGB) -> RGB:
    """Half the size and back, and JPEG of quality 30."""
    small = cv2.resize(picture, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return resized(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8), WIDTH, HEIGHT)


def resized(picture: RGB, width: int, height: int) -> RGB:
    grown = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.uint8)


def cropped(picture: RGB) -> RGB:
    """The middle 70 % across and down, as large as before."""
    x, y = round(0.15 * WIDTH), round(0.15 * HEIGHT)
    return resized(picture[y : HEIGHT - y, x : WIDTH - x], WIDTH, HEIGHT)


def letterboxed(picture: RGB) -> RGB:
    """Whole, between black bars, on a square."""
    bar = (WIDTH - HEIGHT) // 2
    return np.pad(picture, ((bar, bar), (0, 0), (0, 0)))


def quarter_turned(picture: RGB) -> RGB:
    """Turned by 90 degrees clockwise."""
    return np.ascontiguousarray(np.rot90(picture, -1))


def mirrored(picture: RGB) -> RGB:
    return np.ascontiguousarray(picture[:, ::-1])


def in_corner_of(film: Film, background: Film, share: float = 0.5) -> Film:
    """``film`` small over ``background``, near its lower right corner."""
    width, height = round(share * WIDTH), round(share * HEIGHT)

    def at(time_s: float) -> RGB:
        picture = background.picture_at(time_s).copy()
        small = cv2.resize(film.picture_at(time_s), (width, height), interpolation=cv2.INTER_AREA)
        picture[-8 - height : -8, -8 - width : -8] = small
        return picture

    return replace(film, picture_at=at)


# What is known of them ----------------------------------------------------------------------------


def evidence(video_id: str, film: Film) -> Evidence:
    """What extraction and description would have found in it."""
    shown = [film.picture_at(tick / FPS) for tick in range(max(1, round(film.seconds * FPS)))]
    luma = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in shown]
    thumbnails = [cv2.resize(p, (32, 32), interpolation=cv2.INTER_AREA) for p in luma]
    small = np.stack(thumbnails).astype(np.uint8)
    return Evidence(
        video_id,
        film.seconds,
        _pictures(_kept(shown, small), film.seconds),
        Motion(FPS, small),
        None if film.sound is None else heard(film.sound),
    )


def heard(sound: Samples) -> Sound | None:
    """The fingerprints of 16 kHz samples."""
    samples = np.rint(np.clip(sound, -1, 1) * 32767).astype(np.int16)
    return sound_of(SoundFingerprinter().fingerprint(iter([audio("v", (0.0, samples))])))


def _kept(shown: Sequence[RGB], small: npt.NDArray[np.uint8]) -> list[Kept[RGB]]:
    sampler: Sampler[RGB] = Sampler()
    kept: list[Kept[RGB]] = []
    for tick, (picture, thumbnail) in enumerate(zip(shown, small, strict=True)):
        kept += sampler.see(Seen(picture, tick, tick / FPS, thumbnail), tick / FPS)
    return sorted(kept + sampler.finish(), key=lambda one: one.start_s)


def _pictures(kept: Sequence[Kept[RGB]], seconds: float) -> Pictures:
    starts = np.array([one.start_s for one in kept])
    described = [_described(one.item.tobytes(), one.item.shape) for one in kept]
    aspects = [one.item.shape[1] / one.item.shape[0] for one in kept]
    return pictures_of_descriptions(described, starts, seconds, aspects)


# A film and its copies share many pictures, and describing one takes 14 ms.
@lru_cache(1024)
def _described(pixels: bytes, shape: tuple[int, ...]) -> FrameDescription:
    return describe_picture(np.frombuffer(pixels, np.uint8).reshape(shape))


def pictures_of_descriptions(
    described: Sequence[FrameDescription],
    starts_s: npt.NDArray[np.float64],
    seconds: float,
    aspects: Sequence[float],
) -> Pictures:
    """Frames that each stand until the next."""
    if not described:
        return empty_pictures()
    counts = [len(one.geometry) for one in described]
    return Pictures(
        start_s=starts_s,
        duration_s=np.diff(np.append(starts_s, seconds)),
        aspect=np.array(aspects, np.float32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        geometry=np.concatenate([one.geometry for one in described]),
        descriptors=np.concatenate([one.descriptors for one in described]),
        hashes=np.stack([one.hash for one in described]),
        detail=np.array([one.detail for one in described], np.float32),
    )
