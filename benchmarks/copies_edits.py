"""What people do to a video that they copy: edits of pictures and of sound.

A picture edit is a function of an RGB picture, uint8 [height, width, 3], and the copy's time in
seconds; it may change the size, to one size for the whole video. A sound edit takes and gives
float32 [samples] at 48 kHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.copies_sources import MAX_SIDE, fitted, resized
from samples.sound import RATE_HZ, music

Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]
Edit = Callable[[Picture, float], Picture]
Size = tuple[int, int]
Maker = Callable[[Size, np.random.Generator], Edit]

_WORDS = (
    "YOU WON'T BELIEVE", "WATCH TILL THE END", "part 2 in my profile", "LIKE AND SUBSCRIBE",
    "this is so good!!!", "100% REAL", "breaking news", "what happened next", "DAY 47 OF TRYING",
)  # fmt: skip


def _downscaled(size: Size, rng: np.random.Generator) -> Edit:
    small = fitted(*size, int(rng.integers(160, 260)))
    return lambda picture, _: resized(picture, small)


def _crop(low: float, high: float) -> Maker:
    def make(size: Size, rng: np.random.Generator) -> Edit:
        share = float(rng.uniform(low, high))
        width, height = round(size[0] * share), round(size[1] * share)
        left = round((size[0] - width) * float(rng.uniform(0.1, 0.9)))
        top = round((size[1] - height) * float(rng.uniform(0.1, 0.9)))

        def edit(picture: Picture, _: float) -> Picture:
            part = picture[top : top + height, left : left + width]
            return resized(np.ascontiguousarray(part), size)

        return edit

    return make


def _mirrored(size: Size, rng: np.random.Generator) -> Edit:
    return lambda picture, _: np.ascontiguousarray(picture[:, ::-1])


def _tilted(size: Size, rng: np.random.Generator) -> Edit:
    """Turned by 5-8 degrees; half of the time zoomed in until no corner is black."""
    import cv2

    angle = float(rng.uniform(5, 8) * rng.choice([-1, 1]))
    turn = np.radians(abs(angle))
    ratio = max(size) / min(size)
    zoom = float(np.cos(turn) + ratio * np.sin(turn)) if rng.random() < 0.5 else 1.0
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), angle, zoom)
    return lambda picture, _: np.asarray(cv2.warpAffine(picture, matrix, size), np.uint8)


def _quarter_turn(size: Size, rng: np.random.Generator) -> Edit:
    quarters = int(rng.choice([1, 3]))
    return lambda picture, _: np.ascontiguousarray(np.rot90(picture, quarters))


def _logo(size: Size, rng: np.random.Generator) -> Edit:
    import cv2

    side = round(min(size) * float(rng.uniform(0.18, 0.3)))
    badge, middle = np.zeros((side, side, 3), np.uint8), (side // 2, side // 2)
    colour, other = rng.integers(30, 255, 3).tolist(), rng.integers(30, 255, 3).tolist()
    cv2.circle(badge, middle, side // 2 - 2, colour, -1, cv2.LINE_AA)
    cv2.ellipse(badge, middle, (side // 3, side // 6), 30, 0, 360, other, -1, cv2.LINE_AA)
    letter = str(rng.choice(list("KTVMX")))
    at = (side // 4, side * 2 // 3)
    cv2.putText(badge, letter, at, cv2.FONT_HERSHEY_DUPLEX, side / 60, (255,) * 3, 2, cv2.LINE_AA)
    opacity = float(rng.uniform(0.7, 1)) * (badge.max(axis=2, keepdims=True) > 0)
    top = 10 if rng.random() < 0.6 else size[1] - side - 10
    left = 10 if rng.random() < 0.5 else size[0] - side - 10

    def edit(picture: Picture, _: float) -> Picture:
        made = picture.copy()
        under = made[top : top + side, left : left + side]
        made[top : top + side, left : left + side] = under * (1 - opacity) + badge * opacity
        return made

    return edit


def _captions(size: Size, rng: np.random.Generator) -> Edit:
    """Two large lines, on a plate or not, others every 1.5 to 3 seconds."""
    import cv2

    change_s, plate = float(rng.uniform(1.5, 3)), bool(rng.random() < 0.5)
    first = int(rng.integers(len(_WORDS)))
    colour = tuple(int(value) for value in rng.choice([[255, 255, 255], [255, 230, 0]]))
    font = cv2.FONT_HERSHEY_DUPLEX

    def edit(picture: Picture, time_s: float) -> Picture:
        made = picture.copy()
        number = first + 2 * int(time_s / change_s)
        for line, share in ((number, 0.14), (number + 1, 0.9)):
            text = _WORDS[line % len(_WORDS)]
            wide = cv2.getTextSize(text, font, 1, 2)[0]
            scale = min(size[0] * 0.85 / wide[0], size[1] * 0.12 / wide[1])
            at = (round((size[0] - wide[0] * scale) / 2), round(size[1] * share))
            if plate:
                top = round(at[1] - wide[1] * scale * 1.4)
                made[max(top, 0) : round(at[1] + wide[1] * scale * 0.5)] = 20
            cv2.putText(made, text, at, font, scale, (0, 0, 0), 7, cv2.LINE_AA)
            cv2.putText(made, text, at, font, scale, colour, 2, cv2.LINE_AA)
        return made

    return edit


def within(picture: Picture, ground: Picture) -> Picture:
    """The whole picture in the middle of ``ground``, as large as it fits."""
    rows, columns = ground.shape[:2]
    scale = min(columns / picture.shape[1], rows / picture.shape[0])
    small = resized(picture, (round(picture.shape[1] * scale), round(picture.shape[0] * scale)))
    top, left = (rows - small.shape[0]) // 2, (columns - small.shape[1]) // 2
    ground[top : top + small.shape[0], left : left + small.shape[1]] = small
    return ground


def _other_shape(size: Size) -> Size:
    """A frame that leaves bars: upright or square for wide pictures, wide for upright ones."""
    return (360, 640) if size[0] >= size[1] else (640, 360)


def _letterbox(size: Size, rng: np.random.Generator) -> Edit:
    """Black bars on two sides, of a square, upright or wide frame."""
    width, height = (480, 480) if rng.random() < 0.5 else _other_shape(size)
    return lambda picture, _: within(picture, np.zeros((height, width, 3), np.uint8))


def _blurred_bars(size: Size, rng: np.random.Generator) -> Edit:
    """The picture before an enlarged, blurred copy of itself."""
    import cv2

    width, height = _other_shape(size)
    scale = max(width / size[0], height / size[1])

    def edit(picture: Picture, _: float) -> Picture:
        tiny = resized(picture, (round(size[0] * scale / 8 + 1), round(size[1] * scale / 8 + 1)))
        top, left = (tiny.shape[0] - height // 8) // 2, (tiny.shape[1] - width // 8) // 2
        tiny = np.ascontiguousarray(tiny[top : top + height // 8, left : left + width // 8])
        soft = np.asarray(cv2.GaussianBlur(tiny, (0, 0), 2.5), np.uint8)
        return within(picture, resized(soft, (width, height)).copy())

    return edit


def _border(size: Size, rng: np.random.Generator) -> Edit:
    colour = rng.integers(0, 256, 3).astype(np.uint8)
    margin = round(min(size) * float(rng.uniform(0.08, 0.16)))
    inner = (size[0] - 2 * margin, size[1] - 2 * margin)

    def edit(picture: Picture, _: float) -> Picture:
        made: Picture = np.broadcast_to(colour, (size[1], size[0], 3)).copy()
        made[margin : margin + inner[1], margin : margin + inner[0]] = resized(picture, inner)
        return made

    return edit


def _table(curve: npt.NDArray[np.float64]) -> Edit:
    import cv2

    levels = np.clip(curve, 0, 255).astype(np.uint8)
    return lambda picture, _: np.asarray(cv2.LUT(picture, levels), np.uint8)


def _brightness(size: Size, rng: np.random.Generator) -> Edit:
    level = np.arange(256) / 255
    if rng.random() < 0.5:
        return _table(255 * level ** float(rng.choice([0.55, 1.8])))
    gain = float(rng.choice([0.6, 0.7, 1.3, 1.5]))
    return _table(255 * gain * level + float(rng.uniform(-15, 25)))


def _colour_filter(size: Size, rng: np.random.Generator) -> Edit:
    import cv2

    how = str(rng.choice(["grey", "sepia", "hue"]))
    if how == "hue":
        turn = int(rng.integers(25, 150))

        def edit(picture: Picture, _: float) -> Picture:
            hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
            hsv[..., 0] = (hsv[..., 0].astype(np.int32) + turn) % 180
            return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)

        return edit
    grey = np.tile([[0.299, 0.587, 0.114]], (3, 1))
    sepia = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    matrix = grey if how == "grey" else sepia
    return lambda picture, _: np.asarray(cv2.transform(picture, matrix), np.uint8)


def _noise(size: Size, rng: np.random.Generator) -> Edit:
    # 1.2 million random numbers a picture would be the slowest edit: one field, shifted about.
    spread = float(rng.uniform(12, 24))
    field = rng.normal(0, spread, (size[1] + 64, size[0] + 64, 3)).astype(np.int16)

    def edit(picture: Picture, _: float) -> Picture:
        top, left = rng.integers(0, 64, 2)
        part = field[top : top + picture.shape[0], left : left + picture.shape[1]]
        return np.clip(picture + part, 0, 255).astype(np.uint8)

    return edit


def _blur(size: Size, rng: np.random.Generator) -> Edit:
    import cv2

    spread = float(rng.uniform(1.5, 3)) * max(size) / MAX_SIDE
    return lambda picture, _: np.asarray(cv2.GaussianBlur(picture, (0, 0), spread), np.uint8)


def _filmed(size: Size, rng: np.random.Generator) -> Edit:
    """As filmed from a screen: from the side, by a shaking hand, with moire and uneven light."""
    import cv2

    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inward = np.sign(np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]))
    target = corners + inward * rng.uniform(0.02, 0.12, (4, 2)) * size
    y, x = np.mgrid[0:height, 0:width]
    wave = float(rng.uniform(0.25, 0.6))
    angle = float(rng.uniform(0, np.pi))
    stripes = 1 + 0.06 * np.sin(wave * 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / 3)
    light = 1.1 - 0.35 * ((x / width - 0.4) ** 2 + (y / height - 0.5) ** 2)
    gain = (stripes * light)[..., None].astype(np.float32)
    room = rng.integers(15, 60, 3).tolist()
    phase = rng.uniform(0, 6, 2)

    def edit(picture: Picture, time_s: float) -> Picture:
        shake = 0.006 * width * np.sin(np.array([2.1, 2.9]) * time_s + phase)
        lens = cv2.getPerspectiveTransform(corners, (target + shake).astype(np.float32))
        seen = cv2.warpPerspective(picture, lens, size, borderValue=room)
        seen = cv2.GaussianBlur(seen, (0, 0), 0.8)
        return np.clip(seen * gain + 6, 0, 255).astype(np.uint8)

    return edit


def _unchanged(size: Size, rng: np.random.Generator) -> Edit:
    return lambda picture, _: picture


PICTURE_EDITS: dict[str, Maker] = {
    "unchanged": _unchanged,
    "downscaled": _downscaled,
    "cropped_light": _crop(0.85, 0.9),
    "cropped_heavy": _crop(0.5, 0.6),
    "cropped": _crop(0.7, 0.8),
    "mirrored": _mirrored,
    "rotated_little": _tilted,
    "rotated_90": _quarter_turn,
    "logo": _logo,
    "captions": _captions,
    "letterbox": _letterbox,
    "blurred_bars": _blurred_bars,
    "border": _border,
    "brightness": _brightness,
    "colour_filter": _colour_filter,
    "noise": _noise,
    "blur": _blur,
    "filmed": _filmed,
}


def edit(name: str, size: Size, rng: np.random.Generator) -> Edit:
    """The picture edit ``name`` for pictures of ``size`` (width, height). Raises KeyError."""
    return PICTURE_EDITS[name](size, rng)


def beside(
    layout: str,
    own: Iterator[Picture],
    foreign: Callable[[Size], Iterator[Picture]],
    size: Size,
    rng: np.random.Generator,
) -> Iterator[Picture]:
    """Pictures with foreign footage in the same frame.

    ``layout``: small_in_foreign (the copy in a corner, 35-50 % of the width), foreign_over (foreign
    footage in a corner of the copy, 25-35 %), duet (side by side or one above the other).
    """
    if layout == "duet":
        across = bool(rng.random() < 0.6)
        half = (320, 360) if across else (480, 270)
        fills, first = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        for one, other in zip(own, foreign(half), strict=False):
            mine = _cover(one, half) if fills else within(one, np.zeros((*half[::-1], 3), "u1"))
            both = [mine, other] if first else [other, mine]
            yield np.concatenate(both, axis=1 if across else 0)
        return
    if layout not in ("small_in_foreign", "foreign_over"):
        raise ValueError(f"unknown layout {layout!r}")
    is_small = layout == "small_in_foreign"
    frame: Size = (640, 360) if is_small else size
    share = float(rng.uniform(0.35, 0.5) if is_small else rng.uniform(0.25, 0.35))
    inner = _shrunk(size if is_small else (480, 270), frame, share)
    margin, corner = 12, rng.integers(0, 2, 2)
    free = [outer - small - margin for outer, small in zip(frame, inner, strict=True)]
    left, top = (margin if at_start else end for at_start, end in zip(corner, free, strict=True))
    for one, other in zip(own, foreign(frame if is_small else inner), strict=False):
        ground, small = (other, one) if is_small else (one, other)
        made = ground.copy()
        made[top : top + inner[1], left : left + inner[0]] = resized(small, inner)
        yield made


def _shrunk(size: Size, frame: Size, share: float) -> Size:
    """``size`` in proportion, ``share`` of the frame's width and at most that and 0.2 high."""
    scale = min(share * frame[0] / size[0], (share + 0.2) * frame[1] / size[1])
    return round(size[0] * scale), round(size[1] * scale)


def _cover(picture: Picture, size: Size) -> Picture:
    rows, columns = picture.shape[:2]
    scale = max(size[0] / columns, size[1] / rows)
    big = resized(picture, (round(columns * scale + 0.5), round(rows * scale + 0.5)))
    top, left = (big.shape[0] - size[1]) // 2, (big.shape[1] - size[0]) // 2
    return np.ascontiguousarray(big[top : top + size[1], left : left + size[0]])


def at_speed(sound: Sound, speed: float, keeps_pitch: bool) -> Sound:
    """``sound`` played ``speed`` times as fast, by tempo (old pitch) or by resampling."""
    from samples.encode import stretched

    if speed == 1 or not len(sound):
        return sound
    if keeps_pitch:
        return stretched(sound, speed).astype(np.float32)
    wanted = np.arange(round(len(sound) / speed)) * speed
    return np.interp(wanted, np.arange(len(sound)), sound).astype(np.float32)


def degraded(sound: Sound, rng: np.random.Generator) -> Sound:
    """Telephone band, coarse steps, or noise 12-20 dB below the sound."""
    how = str(rng.choice(["telephone", "coarse", "noisy"]))
    level = float(np.sqrt(np.mean(sound**2)) + 1e-9)
    if how == "noisy":
        depth = level * 10 ** (-float(rng.uniform(12, 20)) / 20)
        return (sound + rng.normal(0, depth, len(sound))).astype(np.float32)
    if how == "coarse":
        step = level / 4
        return (np.round(banded(sound, 60, 5500) / step) * step).astype(np.float32)
    return banded(sound, 300, 3400)


def banded(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    """What lies between two frequencies, with edges an eighth of an octave wide."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ) + 1e-9
    edges = (np.log2(hz / low_hz) * 8, np.log2(high_hz / hz) * 8)
    keep = np.minimum(*(np.clip(edge + 0.5, 0, 1) for edge in edges))
    return np.fft.irfft(spectrum * keep, len(sound)).astype(np.float32)


def mixed(sound: Sound, rng: np.random.Generator) -> Sound:
    """Music under it, about as loud (-2 to +2 dB)."""
    tune = music(rng, len(sound) / RATE_HZ)[: len(sound)]
    tune = np.pad(tune, (0, len(sound) - len(tune)))
    level = np.sqrt(np.mean(sound**2) / (np.mean(tune**2) + 1e-12)) * 10 ** (
        float(rng.uniform(-2, 2)) / 20
    )
    both = sound + level * tune
    return (both / max(1.0, float(np.abs(both).max()))).astype(np.float32)
