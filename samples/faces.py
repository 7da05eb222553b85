"""Made-up people: the face of one photograph, bent and painted into others.

The only photograph of a face that can be recognised in the packages Kadr installs is scikit-image's
astronaut. A made-up person has her features moved (a thin-plate spline through 68 landmarks) and
beard, brows, glasses, lips, hair or skin painted over; dlib's face network takes the result for
somebody else (figures in `samples.presenters`). All coordinates are pixels of the photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from samples.canvas import Colour
from samples.photographs import photograph

# Where dlib's shape_predictor_68_face_landmarks finds the photograph's face, in its order: jaw
# 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67 (60-67 its inner edge). float64 [68, 2].
LANDMARKS = np.array(
    [
        (179, 102), (180, 114), (181, 126), (182, 138), (185, 150), (192, 160), (200, 168),
        (210, 175), (221, 178), (233, 177), (243, 171), (253, 164), (260, 154), (264, 143),
        (266, 131), (268, 120), (269, 107), (187, 92), (192, 84), (199, 79), (207, 79), (215, 83),
        (237, 85), (244, 82), (252, 82), (260, 86), (264, 94), (226, 99), (226, 109), (225, 118),
        (225, 127), (215, 132), (220, 133), (224, 135), (229, 134), (234, 133), (195, 101),
        (201, 98), (207, 98), (212, 103), (206, 104), (200, 103), (238, 105), (244, 100),
        (249, 100), (255, 104), (250, 106), (244, 106), (200, 138), (209, 139), (217, 139),
        (223, 141), (229, 139), (237, 140), (245, 140), (236, 151), (229, 155), (222, 155),
        (216, 155), (208, 150), (203, 140), (217, 143), (223, 145), (229, 144), (242, 142),
        (229, 149), (223, 150), (217, 149),
    ],
    dtype=float,
)  # fmt: skip
# Head and neck, as OpenCV's GrabCut cut them out, and the hair's edge above the face.
HEAD = (
    (227, 16), (212, 22), (201, 23), (189, 35), (174, 43), (156, 58), (153, 68), (154, 92),
    (157, 104), (170, 116), (174, 128), (182, 132), (182, 141), (186, 152), (187, 179), (194, 184),
    (241, 189), (250, 186), (253, 182), (256, 163), (264, 149), (266, 137), (275, 134), (294, 111),
    (299, 97), (300, 81), (296, 58), (282, 36), (276, 31), (248, 18), (237, 16),
)  # fmt: skip
HAIR_EDGE = (
    (272, 131), (270, 106), (266, 93), (258, 88), (240, 85), (220, 82), (200, 79), (188, 77),
    (184, 81), (182, 100), (179, 117), (170, 117),
)  # fmt: skip
# The same head with the hair cut short.
SHORT_HAIR = (
    *HEAD[10:23], (281, 106), (282, 80), (276, 58), (262, 41), (240, 31), (214, 32), (190, 40),
    (174, 56), (167, 76), (168, 100), (172, 120),
)  # fmt: skip
# The part of the photograph that a bust takes, which reaches below its head by half its height.
LEFT, WIDTH, HEIGHT = 84, 280, 300
_MIDDLE_X = 224.0
_JAW, _LEFT_BROW, _RIGHT_BROW = slice(0, 17), slice(17, 22), slice(22, 27)
_NOSE, _NOSTRILS = slice(28, 36), slice(31, 36)
_LEFT_EYE, _RIGHT_EYE, _MOUTH = slice(36, 42), slice(42, 48), slice(48, 68)


@dataclass(frozen=True)
class Features:
    """How far a face is from the photograph's: shifts in its pixels, sizes as ratios."""

    eyes_apart_px: float = 0
    eyes_down_px: float = 0
    eye_size: float = 1
    eye_tilt: float = 0
    brows_down_px: float = 0
    brow_tilt: float = 0
    nose_width: float = 1
    nose_length: float = 1
    mouth_width: float = 1
    mouth_height: float = 1
    mouth_down_px: float = 0
    cheek_width: float = 1
    jaw_width: float = 1
    chin_down_px: float = 0


@dataclass(frozen=True)
class Looks:
    """A made-up person. What is None is not painted; ``skin`` and ``hair`` tint by a factor."""

    features: Features
    skin: tuple[float, float, float] = (1, 1, 1)
    hair: tuple[float, float, float] = (1, 1, 1)
    clothes: Colour = (60, 70, 95)
    brows: Colour | None = None
    brow_px: float = 4
    beard: Colour | None = None
    moustache: Colour | None = None
    glasses: Colour | None = None
    lips: Colour | None = None
    long_hair: bool = False
    short_hair: bool = False
    mirrored: bool = False


def moved_landmarks(features: Features, turn_px: float = 0, speaking: float = 0) -> np.ndarray:
    """The landmarks of a face with ``features``, float64 [68, 2].

    ``turn_px`` moves the middle of the face sideways, as when the head turns; ``speaking`` 1 opens
    the mouth.
    """
    points = LANDMARKS.copy()
    for eye, brow, side in ((_LEFT_EYE, _LEFT_BROW, -1), (_RIGHT_EYE, _RIGHT_BROW, 1)):
        _scale(points[eye], features.eye_size, features.eye_size)
        _tilt(points[eye], side * features.eye_tilt)
        points[eye] += [side * features.eyes_apart_px, features.eyes_down_px]
        _tilt(points[brow], side * features.brow_tilt)
        points[brow] += [side * 0.6 * features.eyes_apart_px, features.brows_down_px]
    _scale(points[_NOSTRILS], features.nose_width, 1)
    bridge_y = LANDMARKS[27, 1]
    points[_NOSE, 1] = bridge_y + (points[_NOSE, 1] - bridge_y) * features.nose_length
    _scale(points[_MOUTH], features.mouth_width, features.mouth_height * (1 + 0.4 * speaking))
    points[_MOUTH, 1] += features.mouth_down_px + 1.5 * speaking
    down = np.clip((LANDMARKS[_JAW, 1] - 100) / 78, 0, 1)  # 0 at the ears, 1 at the chin
    width = features.cheek_width + (features.jaw_width - features.cheek_width) * down
    points[_JAW, 0] = _MIDDLE_X + (points[_JAW, 0] - _MIDDLE_X) * width
    points[_JAW, 1] += (features.chin_down_px + 4 * speaking) * down**1.5
    points[17:, 0] += turn_px
    points[_JAW, 0] += 0.4 * turn_px * down
    return points


def _scale(points: np.ndarray, across: float, down: float) -> None:
    """In place, about the points' middle."""
    middle = points.mean(axis=0)
    points[:] = middle + (points - middle) * [across, down]


def _tilt(points: np.ndarray, slope: float) -> None:
    points[:, 1] += slope * (points[:, 0] - points[:, 0].mean())


# Where nothing moves: a ring around the head.
_RING = np.stack(
    [
        224 + 110 * np.cos(np.arange(16) * np.pi / 8),
        115 + 125 * np.sin(np.arange(16) * np.pi / 8),
    ],
    axis=1,
)


def spline(now: np.ndarray, before: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where in the old picture each of ``places`` [n, 2] of the bent picture comes from.

    A thin-plate spline (Bookstein 1989) that takes ``now`` [68, 2] to ``before`` [68, 2] and leaves
    a ring around the head in its place.
    """
    knots, values = np.vstack([now, _RING]), np.vstack([before - now, np.zeros_like(_RING)])
    flat = np.column_stack([np.ones(len(knots)), knots])
    # 1 on the diagonal smooths: landmarks are whole pixels, and neighbours may be two apart.
    system = np.block(
        [[_bending(knots, knots) + np.eye(len(knots)), flat], [flat.T, np.zeros((3, 3))]]
    )
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    shift = _bending(places, knots) @ weights[: len(knots)]
    shift += np.column_stack([np.ones(len(places)), places]) @ weights[len(knots) :]
    # Beyond the ring the spline would go on growing.
    outside = np.hypot((places[:, 0] - 224) / 105, (places[:, 1] - 115) / 120)
    return places + shift * np.clip((1.15 - outside) / 0.25, 0, 1)[:, None]


def _bending(places: np.ndarray, knots: np.ndarray) -> np.ndarray:
    squares = ((places[:, None] - knots[None]) ** 2).sum(axis=2)
    return cast(np.ndarray, squares * np.log(squares + 1e-9))


class Paint:
    """The photograph's head at ``scale`` pixels per pixel, float32 [height, width, 3], to paint on.

    It shows the photograph's columns from `LEFT` on, and its rows from the first on.
    """

    def __init__(self, scale: float) -> None:
        import cv2

        self.scale = scale
        size = (round(WIDTH * scale), round(HEIGHT * scale))
        crop = photograph("astronaut")[:HEIGHT, LEFT : LEFT + WIDTH]
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        self.pixels = cv2.resize(crop, size, interpolation=flags).astype(np.float32)

    def area(
        self, points: Sequence[tuple[float, float]] | np.ndarray, soft_px: float
    ) -> np.ndarray:
        """A filled outline with a soft edge, float32 [height, width, 1] in 0..1."""
        import cv2

        mask = np.zeros(self.pixels.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self._fixed(points)], 255, cv2.LINE_AA, 4)
        return self._soft(mask, soft_px)

    def stroke(self, points: np.ndarray, width_px: float, soft_px: float) -> np.ndarray:
        """A line with a soft edge, as `area` gives it."""
        import cv2

        mask = np.zeros(self.pixels.shape[:2], np.uint8)
        width = max(1, round(width_px * self.scale))
        cv2.polylines(mask, [self._fixed(points)], False, 255, width, cv2.LINE_AA, 4)
        return self._soft(mask, soft_px)

    def cover(self, mask: np.ndarray, colour: Colour, opacity: float) -> None:
        self.pixels += (np.array(colour, np.float32) - self.pixels) * (mask * opacity)

    def tint(self, mask: np.ndarray, factors: tuple[float, float, float]) -> None:
        self.pixels *= 1 + mask * (np.array(factors, np.float32) - 1)

    def _fixed(self, points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        # The middle of a pixel of the photograph lies at (whole number + 0.5) * scale - 0.5.
        pixels = (np.asarray(points, float) - [LEFT, 0] + 0.5) * self.scale - 0.5
        return np.round(pixels * 16).astype(np.int32)

    def _soft(self, mask: np.ndarray, soft_px: float) -> np.ndarray:
        import cv2

        share = cv2.GaussianBlur(mask, (0, 0), soft_px * self.scale).astype(np.float32)
        return share[..., None] / 255


def paint(looks: Looks, face: Paint) -> None:
    """Give the photograph's face, not yet bent, the colours and the beard of ``looks``."""
    from_hair = np.vstack([HEAD[22:], HEAD[:10], HAIR_EDGE[::-1]])
    hair = face.area(from_hair, 1.5)
    face.tint(1 - hair, looks.skin)
    face.tint(hair, looks.hair)
    if looks.lips is not None:
        _close_mouth(face, looks.lips)
    if looks.beard is not None:
        cheeks = LANDMARKS[[54, 48]] + [[7, -3], [-7, -3]]
        chin = LANDMARKS[55:60] + np.array([0, 4])
        _grow(face, np.vstack([LANDMARKS[2:15], cheeks[:1], chin, cheeks[1:]]), looks.beard)
    if looks.moustache is not None:
        under_nose = LANDMARKS[[31, 33, 35]] + [[-2, 4], [0, 4], [2, 4]]
        lip = LANDMARKS[[53, 52, 51, 50, 49]] - [0, 2]
        corners = LANDMARKS[[48, 54]] + [[-4, 2], [4, 2]]
        _grow(face, np.vstack([corners[:1], under_nose, corners[1:], lip]), looks.moustache)
    if looks.brows is not None:
        for brow, inner in ((LANDMARKS[_LEFT_BROW], -1), (LANDMARKS[_RIGHT_BROW], 0)):
            # Thick beside the nose, pointed at the temple, which the first landmark lies beyond.
            thick = looks.brow_px * np.linspace(0.4, 1, 4)[:: -1 if inner == 0 else 1]
            line = brow[1:] if inner else brow[:-1]
            upper = np.column_stack([line[:, 0], line[:, 1] + 1 - thick / 2])
            lower = np.column_stack([line[:, 0], line[:, 1] + 1 + thick / 2])
            face.cover(face.area(np.vstack([upper, lower[::-1]]), 0.8), looks.brows, 0.9)
    if looks.glasses is not None:
        _put_on_glasses(face, looks.glasses)


def _close_mouth(face: Paint, lips: Colour) -> None:
    outer = np.vstack([LANDMARKS[48:55], LANDMARKS[55:60]])
    face.cover(face.area(outer, 1.2), lips, 0.85)
    between = np.vstack(
        [LANDMARKS[60], (LANDMARKS[61:64] + LANDMARKS[[67, 66, 65]]) / 2, LANDMARKS[64]]
    )
    dark = cast(Colour, tuple(value // 2 for value in lips))
    face.cover(face.stroke(between, 1, 0.7), dark, 0.9)


def _grow(face: Paint, outline: np.ndarray, colour: Colour) -> None:
    """Short hair within ``outline``, in grains."""
    import cv2

    grains = np.random.default_rng(0).random(face.pixels.shape[:2]).astype(np.float32)
    grains = cv2.GaussianBlur(grains, (0, 0), 0.5 * face.scale)[..., None]
    face.cover(np.clip(face.area(outline, 2.5) * (0.65 + 0.7 * grains), 0, 1), colour, 0.85)


def _put_on_glasses(face: Paint, colour: Colour) -> None:
    turns = np.linspace(0, 2 * np.pi, 60)
    across, down = np.cos(turns), np.sin(turns)
    # Exponent 0.7 of a superellipse: rounded rectangles.
    rim = np.stack([17 * np.sign(across) * abs(across) ** 0.7,
                    14 * np.sign(down) * abs(down) ** 0.7], axis=1)  # fmt: skip
    rims = [LANDMARKS[eye].mean(axis=0) + np.array([0, 3]) + rim for eye in (_LEFT_EYE, _RIGHT_EYE)]
    # From rim to rim over the nose, and from the rims to the ears.
    left, right = rims[0].mean(axis=0), rims[1].mean(axis=0)
    hinges = np.array([[-17, -3], [17, -3], [-17, -3], [17, -3]])
    hinges = np.array([left, left, right, right]) + hinges
    ears = np.array([(180, 100), (268, 104)])
    sides = [hinges[1:3], np.vstack([hinges[0], ears[0]]), np.vstack([hinges[3], ears[1]])]
    for line in (*rims, *sides):
        face.cover(face.stroke(line, 2.6, 0.4), colour, 0.95)
