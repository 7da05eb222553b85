"""Made-up presenters who stand before a clip's pictures, speak and sway a little.

By dlib's face network (vectors of unit length, a frame a second of the whole library) two faces of
one presenter are at most .26 apart, and two people, the photographed one among them, at least .39.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from samples.canvas import Colour
from samples.faces import (
    HEAD,
    HEIGHT,
    LANDMARKS,
    LEFT,
    SHORT_HAIR,
    WIDTH,
    Features,
    Looks,
    Paint,
    moved_landmarks,
    paint,
    spline,
)
from samples.photographs import tinted
from samples.shots import Guest, Scene

# Found by random search for faces that dlib's network keeps apart. Without paint, even features
# bent into caricatures left the nearest two of five .62 apart by dlib's own vectors (its limit is
# .6); these have .67.
PRESENTERS = {
    "Boris Veter": Looks(
        Features(
            eyes_apart_px=-3.8, eyes_down_px=3.3, eye_size=0.97, eye_tilt=-0.19,
            brows_down_px=-2.9, brow_tilt=0.05, nose_width=0.88, nose_length=1.15,
            mouth_width=1.07, mouth_height=1.06, mouth_down_px=0.7, cheek_width=1.1,
            jaw_width=0.8,
        ),
        skin=(1.0, 0.95, 0.9), hair=(0.45, 0.4, 0.38), clothes=(52, 62, 88), brows=(45, 30, 22),
        brow_px=6, beard=(58, 42, 32), moustache=(58, 42, 32), lips=(166, 106, 98),
        short_hair=True,
    ),
    "Maria Lindqvist": Looks(
        Features(
            eyes_apart_px=-3.4, eyes_down_px=-0.8, eye_tilt=0.17, brows_down_px=3.4,
            brow_tilt=-0.08, nose_width=0.77, nose_length=1.11, mouth_width=0.93,
            mouth_height=0.73, mouth_down_px=-2.7,
        ),
        skin=(1.02, 1.0, 0.98), hair=(0.3, 0.25, 0.24), clothes=(140, 40, 60),
        brows=(60, 45, 40), brow_px=2.5, glasses=(28, 24, 30), long_hair=True, mirrored=True,
    ),
    "Nadia Okoro": Looks(
        Features(
            eyes_apart_px=-3.8, eyes_down_px=3.3, eye_size=1.04, eye_tilt=-0.19,
            brows_down_px=-2.5, brow_tilt=-0.25, nose_width=0.88, nose_length=0.82,
            mouth_width=1.15, mouth_height=0.62, mouth_down_px=0.7, cheek_width=0.97,
            jaw_width=0.91, chin_down_px=1.6,
        ),
        skin=(0.6, 0.48, 0.4), hair=(0.18, 0.16, 0.17), clothes=(225, 170, 60),
        brows=(26, 18, 16), brow_px=5.5, lips=(130, 58, 58),
    ),
    "Tom Harlan": Looks(
        Features(
            eyes_apart_px=-0.6, eyes_down_px=2.2, eye_size=0.86, brows_down_px=-2.2,
            brow_tilt=0.1, nose_width=1.31, nose_length=0.9, mouth_height=0.73,
            mouth_down_px=1.6,
        ),
        skin=(1.0, 0.92, 0.86), hair=(0.95, 1.05, 1.3), clothes=(70, 90, 70),
        brows=(150, 146, 140), brow_px=5, moustache=(175, 170, 165), glasses=(120, 82, 48),
        short_hair=True, mirrored=True,
    ),
}  # fmt: skip


def bust(looks: Looks, turn_px: float, scale: float) -> np.ndarray:
    """Head and shoulders, RGB and opacity, uint8 [300 * scale, 280 * scale, 4]."""
    import cv2

    face = Paint(scale)
    paint(looks, face)
    head = face.area(HEAD if not looks.short_hair else SHORT_HAIR, 0.7)
    painted = np.concatenate([face.pixels, 255 * head], axis=2)
    now = moved_landmarks(looks.features, turn_px)
    x, y = source_map(now, LANDMARKS, scale)
    bent = cv2.remap(painted, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    face.pixels = bent[..., :3].astype(np.float32)
    opacity = np.clip(bent[..., 3:] / 255, 0, 1)
    opacity = _dress(looks, face, opacity)
    picture = np.concatenate([face.pixels, 255 * opacity], axis=2)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(picture[:, ::-1]) if looks.mirrored else picture


def _dress(looks: Looks, face: Paint, opacity: np.ndarray) -> np.ndarray:
    """Draw clothes, and long hair behind the neck; returns the opacity of it all."""
    if looks.long_hair:
        behind = face.area(_LONG_HAIR, 2) * (1 - opacity)
        colour = tuple(round(90 * share) for share in looks.hair)
        face.pixels += (np.array(colour, np.float32) - face.pixels) * behind
        opacity = opacity + behind
    clothes = face.area(_CLOTHES, 0.7)
    folds = 1 - 0.35 * np.abs(np.linspace(-1, 1, face.pixels.shape[1], dtype=np.float32)) ** 2
    cloth = np.array(looks.clothes, np.float32) * folds[None, :, None]
    face.pixels += (cloth - face.pixels) * clothes
    dark = cast(Colour, tuple(value * 2 // 3 for value in looks.clothes))
    for side in _COLLAR:
        face.cover(face.stroke(side, 2, 0.6), dark, 0.9)
    return np.maximum(opacity, clothes)


# Below the head: from the neck to the shoulders and down, with a collar.
_CLOTHES = (
    (183, 166), (196, 181), (222, 190), (246, 181), (258, 165), (266, 182), (300, 194), (332, 212),
    (346, 250), (350, 310), (94, 310), (98, 250), (112, 212), (146, 194), (176, 182),
)  # fmt: skip
_COLLAR = (
    np.array([(183, 166), (196, 181), (222, 190), (222, 310)], float),
    np.array([(258, 165), (246, 181), (222, 190)], float),
    np.array([(176, 182), (190, 208), (210, 218)], float),
    np.array([(266, 182), (252, 208), (234, 218)], float),
)
_LONG_HAIR = (
    (160, 60), (154, 100), (158, 150), (146, 205), (164, 232), (192, 226), (190, 170), (250, 170),
    (250, 226), (282, 232), (304, 205), (292, 150), (299, 100), (290, 60),
)  # fmt: skip


def with_guests(pictures: Scene, guests: Sequence[Guest], width: int, height: int) -> Scene:
    """``pictures`` with ``guests`` before them, the first one farthest back."""
    stands = [_stand(guest, width, height) for guest in guests]

    def frame(shot_s: float, drawing_s: float) -> np.ndarray:
        picture = pictures(shot_s, drawing_s)
        for stand in stands:
            picture = stand(picture, shot_s)
        return picture

    return frame


def _stand(guest: Guest, width: int, height: int) -> Callable[[np.ndarray, float], np.ndarray]:
    """A function that puts ``guest`` on a picture; of the bust only the mouth's part is bent."""
    import cv2

    looks = PRESENTERS[guest.person]
    scale = guest.height * height / HEIGHT
    still = bust(looks, guest.turn_px, scale)
    still[..., :3] = tinted(still[..., :3], guest.tone)
    speaking, rows = _speaking(looks, guest.turn_px, scale, still.shape[1])
    phase = 7 * guest.x
    neck_x, neck_y = still.shape[1] / 2, 190 * scale

    def put(picture: np.ndarray, time_s: float) -> np.ndarray:
        open_share = max(0.0, np.sin(13 * time_s + phase) * np.sin(4 * time_s + phase))
        now = still.copy()
        x, y = speaking[0] + np.float32(open_share) * (speaking[1] - speaking[0])
        now[rows] = cv2.remap(still, x, y, cv2.INTER_LINEAR)
        turn = cv2.getRotationMatrix2D((neck_x, neck_y), 2 * np.sin(1.3 * time_s + phase), 1)
        turn[:, 2] += [
            guest.x * width - neck_x + 3 * scale * np.sin(0.9 * time_s + phase),
            height - still.shape[0] + scale * (6 + 2 * np.sin(2.1 * time_s)),
        ]
        placed = cv2.warpAffine(now, turn, (width, height), flags=cv2.INTER_LINEAR)
        return _over(picture, placed)

    return put


def _speaking(
    looks: Looks, turn_px: float, scale: float, columns: int
) -> tuple[tuple[np.ndarray, np.ndarray], slice]:
    """Where the rows of the mouth and chin come from with the mouth as it is and open."""
    rows = slice(round(110 * scale), round(205 * scale))
    shut, opened = (moved_landmarks(looks.features, turn_px, share) for share in (0, 1))
    maps = [source_map(now, shut, scale)[:, rows] for now in (shut, opened)]  # the first: no change
    if looks.mirrored:
        maps = [np.ascontiguousarray(place[..., ::-1]) for place in maps]
        for place in maps:
            place[0] = columns - 1 - place[0]
    return (maps[0], maps[1]), rows


def _over(picture: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """RGB and opacity laid on a picture of the same size."""
    import cv2

    opacity = cv2.cvtColor(placed[..., 3], cv2.COLOR_GRAY2RGB)
    below = cv2.multiply(picture, cv2.bitwise_not(opacity), scale=1 / 255)
    return cv2.add(below, cv2.multiply(placed[..., :3], opacity, scale=1 / 255))


def portrait(person: str) -> np.ndarray:
    """A picture of a presenter before a grey wall, RGB uint8 [400, 400, 3]."""
    wall = np.full((400, 400, 3), (176, 180, 186), np.uint8)
    return _stand(Guest(person, 0.5, 1.0, turn_px=2), 400, 400)(wall, 0.0)


def source_map(now: np.ndarray, before: np.ndarray, scale: float) -> np.ndarray:
    """For each pixel of a bust where it comes from: x and y as float32 [2, rows, columns].

    The spline is solved at every eighth pixel and interpolated.
    """
    import cv2

    columns, rows = round(WIDTH * scale), round(HEIGHT * scale)
    x, y = np.meshgrid(np.arange(0, columns + 8, 8), np.arange(0, rows + 8, 8))
    pixels = np.stack([x, y], axis=2).reshape(-1, 2)
    corner = np.array([LEFT, 0])
    found = spline(now, before, (pixels + 0.5) / scale - 0.5 + corner)
    coarse = ((found - corner + 0.5) * scale - 0.5).reshape(*x.shape, 2).astype(np.float32)
    fine_x, fine_y = np.meshgrid(np.arange(columns) / 8, np.arange(rows) / 8)
    fine = fine_x.astype(np.float32), fine_y.astype(np.float32)
    where = cv2.remap(coarse, *fine, cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.moveaxis(where, 2, 0))
