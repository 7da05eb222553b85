"""Trains the fixed quantiser of local features, ``ml/copies/quantiser.npz``, anew.

Run: ``python -m benchmarks.copies_quantiser [--views 70] [--write FILE]``

The pictures are those of the sample library: photographs and textures that scikit-image and
scikit-learn ship, and drawings, each seen in many random views (zoom, turn, mirror, light, blur,
text). Nothing of a user's library goes in, so cells and signatures mean the same in every
library, whatever came first. The project's own copies are searched with the file that ships; a new
one makes every picture index stale, so it needs a new `FORMAT` in ``ml/copies/picture_index.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ml.copies import quantiser
from ml.copies.features import describe_picture
from samples.captions import Caption, caption_overlay
from samples.drawings import DRAWINGS
from samples.photographs import PHOTOGRAPHS, photograph
from samples.scenes import drawn_scene
from samples.shots import Shot, View

_TEXTURES = (
    *("brick.png", "grass.png", "gravel.png", "cell.png", "ihc.png", "retina.jpg"),
    *("microaneurysms.png", "page.png", "text.png", "motorcycle_right.png", "color.png"),
)
_SIZES = ((640, 360), (480, 360), (360, 640))
_WORDS = ("Новости сегодня", "LIVE from the studio", "Subscribe!", "Как это сделать", "24 hours")


def pictures(views: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Random views, RGB uint8: ``views`` of every photograph and texture, a quarter of drawings."""
    for whole in _wholes():
        for _ in range(views):
            yield _lit(_view(whole, rng), rng)
    for name in DRAWINGS:
        for _ in range(max(views // 4, 1)):
            width, height = _SIZES[rng.integers(len(_SIZES))]
            x, y = rng.uniform(0.3, 0.7, 2).tolist()
            close = View(x, y, rng.uniform(1, 2.5))
            scene = drawn_scene(Shot(4, name, close, close), width, height, rng)
            yield _lit(scene(0.0, rng.uniform(0, 4)), rng)


def _wholes() -> Iterator[np.ndarray]:
    from PIL import Image

    for name in PHOTOGRAPHS:
        yield photograph(name)
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-image is missing: its pictures are what is learned from")
    for name in _TEXTURES:
        with Image.open(Path(spec.origin).parent / "data" / name) as image:
            yield np.asarray(image.convert("RGB"))


def _view(whole: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A turned, zoomed, maybe mirrored part of a picture, at a video's size."""
    import cv2

    width, height = _SIZES[rng.integers(len(_SIZES))]
    rows, columns = whole.shape[:2]
    scale = max(width / columns, height / rows) * rng.uniform(0.8, 2.5)
    turn = rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(0, 360)
    x, y = rng.uniform(0.25, 0.75, 2) * [columns, rows]
    matrix = cv2.getRotationMatrix2D((x, y), turn, scale)
    matrix[:, 2] += [width / 2 - x, height / 2 - y]
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    view = cv2.warpAffine(
        whole, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return np.ascontiguousarray(view[:, ::-1]) if rng.random() < 0.5 else view


def _lit(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The view under another light, a little blurred and noisy, at times with words on it."""
    import cv2

    height, width = view.shape[:2]
    if width > height and rng.random() < 0.4:
        words = _WORDS[rng.integers(len(_WORDS))]
        place = ("bottom", "top", "centre")[rng.integers(3)]
        view = caption_overlay(Caption(words, 0, 1, "en", place), width, height)(view)
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.5))
    light = view * rng.uniform(0.7, 1.3) + rng.normal(0, 10) + rng.normal(0, 4, view.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


def descriptors(views: int, seed: int = 0) -> np.ndarray:
    """RootSIFT, uint8 [n, 128], of random views, as the library's frames are described."""
    rng = np.random.default_rng(seed)
    found = [describe_picture(picture).descriptors for picture in pictures(views, rng)]
    return np.concatenate(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=70)
    parser.add_argument("--write", type=Path, default=quantiser.FILE)
    arguments = parser.parse_args()
    began = time.perf_counter()
    sample = descriptors(arguments.views)
    print(f"{len(sample):,} descriptors in {time.perf_counter() - began:.0f} s")
    trained = quantiser.train(sample)
    trained.save(arguments.write)
    size = arguments.write.stat().st_size
    print(f"{arguments.write}: {size:,} bytes, {time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
