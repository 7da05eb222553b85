"""A hash of a whole picture, and how much of it can be trusted.

It is PDQ's DCT hash, but with the signs of the coefficients instead of their median as the
threshold: mirroring and quarter turns then are exact operations on its bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import F32, U8

HASH_SIDE = 16
THUMBNAIL_SIDE = 64
# An orthonormal DCT keeps the size of noise: compression leaves 1 to 3 luma steps in a thumbnail.
CERTAIN_FREQUENCY = 8.0


def hash_and_detail(luma: npt.NDArray[np.uint8]) -> tuple[U8, float]:
    """The hash uint8[32] of ``uint8[h, w]`` and its detail, 0 to 1; a flat picture has 0."""
    frequencies = _frequencies(_thumbnail(luma))
    return np.packbits(frequencies > 0), _detail(frequencies)


def _thumbnail(luma: Any) -> F32:
    import cv2

    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def _frequencies(thumbnail: F32) -> F32:
    """float32[16, 16]: the lowest frequencies down and across, without the constant ones."""
    import cv2

    lowest = slice(1, HASH_SIDE + 1)
    return np.asarray(cv2.dct(thumbnail), np.float32)[lowest, lowest]


def _detail(frequencies: F32) -> float:
    """The share of the hash's bits that are not noise.

    PDQ sums the steps between neighbouring pixels instead, and so trusts the hash of a brick
    wall: two walls of one period were 27 bits apart. Here they have 0, real frames .31 or more.
    """
    return float((np.abs(frequencies) > CERTAIN_FREQUENCY).mean())


def _odd_frequencies() -> npt.NDArray[np.bool_]:
    return np.arange(1, HASH_SIDE + 1) % 2 == 1


def mirrored_hashes(hashes: U8) -> U8:
    """The hashes ``uint8[n, 32]`` of the same pictures shown left for right, exactly.

    A cosine of odd frequency changes its sign when it is mirrored, one of even frequency does not.
    """
    mask = np.packbits(np.tile(_odd_frequencies(), (HASH_SIDE, 1)))
    return hashes ^ mask


def turned_hashes(hashes: U8, quarter_turns: int) -> U8:
    """The hashes ``uint8[n, 32]`` of the same pictures turned clockwise, exactly.

    A quarter turn clockwise is a transposition and then a mirroring; the hash is of a square.
    """
    for _ in range(quarter_turns % 4):
        bits = np.unpackbits(hashes, axis=1).reshape(-1, HASH_SIDE, HASH_SIDE)
        turned = np.packbits(bits.transpose(0, 2, 1).reshape(-1, HASH_SIDE**2), axis=1)
        hashes = mirrored_hashes(turned)
    return hashes
