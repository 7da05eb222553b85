"""The photographs that scikit-image and scikit-learn ship in their wheels, and their light."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

PHOTOGRAPHS = {
    "astronaut": "skimage:data/astronaut.png",
    "cameraman": "skimage:data/camera.png",
    "chelsea": "skimage:data/chelsea.png",
    "coffee": "skimage:data/coffee.png",
    "coins": "skimage:data/coins.png",
    "hubble": "skimage:data/hubble_deep_field.jpg",
    "moon": "skimage:data/moon.png",
    "motorcycle": "skimage:data/motorcycle_left.png",
    "rocket": "skimage:data/rocket.jpg",
    "horse": "skimage:data/horse.png",
    "china": "sklearn:datasets/images/china.jpg",
    "flower": "sklearn:datasets/images/flower.jpg",
}
# Photographs with a face that a detector can be asked for.
FACES = {"astronaut": "Eileen Collins"}


def photograph(name: str) -> np.ndarray:
    """RGB uint8 [height, width, 3] of one of `PHOTOGRAPHS`.

    Raises ModuleNotFoundError when the package that ships it is not installed.
    """
    from PIL import Image

    package, file_name = PHOTOGRAPHS[name].split(":")
    spec = find_spec(package)  # found, not imported: scikit-learn alone takes a second to import
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the picture {name!r} comes with {package}: install it")
    with Image.open(Path(spec.origin).parent / file_name) as image:
        return np.asarray(image.convert("RGB"))


def tinted(picture: np.ndarray, tone: str) -> np.ndarray:
    """``picture`` under another light; ``tone`` is plain, archive (dim, grey) or warm."""
    if tone == "plain":
        return picture
    if tone == "archive":
        grey = picture @ np.array([0.299, 0.587, 0.114])
        return np.clip(grey[..., None] * [0.8, 0.77, 0.7] + 14, 0, 255).astype(np.uint8)
    if tone == "warm":
        return np.clip(picture * [1.12, 1.0, 0.8], 0, 255).astype(np.uint8)
    raise ValueError(f"unknown tone {tone!r}: expected plain, archive or warm")
