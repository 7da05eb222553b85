"""Photographs of the sample library, small, and how far apart their hashes are."""

from __future__ import annotations

import cv2
import numpy as np

from samples.photographs import photograph

WIDTH, HEIGHT = 320, 180


def picture(name: str) -> np.ndarray:
    return cv2.resize(photograph(name), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def bits_apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.unpackbits(one ^ other).sum())
