"""Photographs, what people do to them, and the features of the result."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ml.copies.evidence import FrameMatches, Pictures
from ml.copies.features import describe_picture
from samples.photographs import photograph

WIDTH, HEIGHT = 480, 270
NAMES = ("china", "coffee", "motorcycle", "flower", "astronaut")
# A match of less weight is no evidence worth having.
SURE = 0.5


def picture(name: str, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    source = photograph(name)
    factor = max(width / source.shape[1], height / source.shape[0])
    size = [int(np.ceil(n * factor)) for n in source.shape[1::-1]]
    return cv2.resize(source, size, interpolation=cv2.INTER_AREA)[:height, :width].copy()


def pictures(some: Sequence[np.ndarray]) -> Pictures:
    each = [describe_picture(np.ascontiguousarray(p)) for p in some]
    counts = [len(d.geometry) for d in each]
    return Pictures(
        start_s=np.arange(len(each), dtype=np.float64),
        duration_s=np.ones(len(each)),
        aspect=np.array([p.shape[1] / p.shape[0] for p in some], np.float32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        geometry=np.concatenate([d.geometry for d in each]),
        descriptors=np.concatenate([d.descriptors for d in each]),
        hashes=np.stack([d.hash for d in each]),
        detail=np.array([d.detail for d in each], np.float32),
    )


def pairs(matches: FrameMatches, least_weight: float = SURE) -> set[tuple[int, int]]:
    kept = matches.weight >= least_weight
    both = zip(matches.query_frame[kept], matches.reference_frame[kept], strict=True)
    return {(int(q), int(r)) for q, r in both}


def recompressed(p: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", p, [1, 20])[1], 1))


def small(p: np.ndarray) -> np.ndarray:
    return cv2.resize(p, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


def cropped(p: np.ndarray) -> np.ndarray:
    return cv2.resize(p[70:205, 100:340], (WIDTH, HEIGHT))


def turned(p: np.ndarray, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), -degrees, 1)
    return cv2.warpAffine(p, matrix, (WIDTH, HEIGHT))


def in_corner(p: np.ndarray) -> np.ndarray:
    outer = picture("chelsea")
    inner = cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    outer[20 : 20 + inner.shape[0], 260 : 260 + inner.shape[1]] = inner
    return outer


def filmed(p: np.ndarray) -> np.ndarray:
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    seen = np.array([[50, 25], [460, 8], [440, 250], [25, 240]], np.float32)
    return cv2.warpPerspective(p, cv2.getPerspectiveTransform(corners, seen), (WIDTH, HEIGHT))


def captioned(p: np.ndarray, text: str) -> np.ndarray:
    p = p.copy()
    cv2.putText(p, text, (30, 240), 0, 1.1, (0, 0, 0), 6, cv2.LINE_AA)
    cv2.putText(p, text, (30, 240), 0, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
    return p


def with_logo(p: np.ndarray) -> np.ndarray:
    p = p.copy()
    cv2.circle(p, (430, 45), 32, (200, 30, 40), -1)
    cv2.putText(p, "TV5", (404, 54), 0, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    return p


def letterboxed(p: np.ndarray) -> np.ndarray:
    return np.pad(p, ((105, 105), (0, 0), (0, 0)))
