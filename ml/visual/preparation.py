"""From a frame's JPEG to what an image model takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Prepared = dict[str, np.ndarray]

# PIL's numbers for the filters that checkpoints name, as torch calls them. Its resizing of bytes is
# PIL's algorithm in vector instructions: photographs of 768 x 432 came out as PIL's but for .5 % of
# the bytes, off by 1 or 2 of 255, in .5 ms instead of 3.6.
_FILTERS = {2: "bilinear", 3: "bicubic"}


def rgb(jpeg: bytes) -> np.ndarray:
    """uint8[h, w, 3] RGB.

    Raises:
        ValueError: it cannot be decoded.
    """
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError("a frame's JPEG cannot be decoded")
    return np.asarray(picture)


@dataclass(frozen=True)
class Preparation:
    """From a JPEG to what the model takes, as the checkpoint's image processor says.

    The plain recipe (resize, centre crop, scale, normalise) is done here: resized in threads, which
    let go of Python's interpreter lock, and kept as uint8; the arithmetic runs on the device. That
    moves a quarter of the bytes. Any other recipe (SigLIP2's variable resolution, another filter)
    goes through the processor itself.
    """

    processor: Any
    plain: bool

    @classmethod
    def of(cls, processor: Any) -> Preparation:
        """Decide by the processor's settings."""
        size = dict(getattr(processor, "size", None) or {})
        plain = (
            bool(getattr(processor, "do_resize", False))
            and getattr(processor, "resample", None) in _FILTERS
            and (set(size) == {"height", "width"} or set(size) == {"shortest_edge"})
            and bool(getattr(processor, "do_rescale", False))
            and bool(getattr(processor, "do_normalize", False))
            and not getattr(processor, "do_pad", False)
            # Without a crop, a shortest edge gives pictures of different sizes: no batch.
            and ("shortest_edge" not in size or bool(getattr(processor, "do_center_crop", False)))
        )
        return cls(processor, plain)

    def __call__(self, jpeg: bytes) -> Prepared:
        """uint8[h, w, 3] ``pixels``, or the processor's own arrays for one picture."""
        picture = rgb(jpeg)
        if self.plain:
            return {"pixels": self._resized(picture)}
        arrays = self.processor(images=[picture], return_tensors="np")
        return {name: np.asarray(value)[0] for name, value in arrays.items()}

    def _resized(self, picture: np.ndarray) -> np.ndarray:
        import torch
        from torch.nn.functional import interpolate

        size = dict(self.processor.size)
        if "shortest_edge" in size:
            height, width = _shortest_edge(picture.shape[:2], int(size["shortest_edge"]))
        else:
            height, width = int(size["height"]), int(size["width"])
        resized = interpolate(
            torch.from_numpy(picture).permute(2, 0, 1)[None],
            size=(height, width),
            mode=_FILTERS[int(self.processor.resample)],
            antialias=True,
        )
        pixels = resized[0].permute(1, 2, 0).numpy()
        if not getattr(self.processor, "do_center_crop", False):
            return pixels
        crop = dict(self.processor.crop_size)
        return _centre(pixels, int(crop["height"]), int(crop["width"]))

    def normaliser(self, device: str, dtype: Any) -> Callable[[Any], Any]:
        """From uint8[n, h, w, 3] on the device to dtype[n, 3, h, w], scaled and normalised.

        The constants are brought to the device here and not for each batch: that would wait until
        the device has finished the batch before.
        """
        import torch

        mean = torch.tensor(self.processor.image_mean, device=device)
        std = torch.tensor(self.processor.image_std, device=device)
        factor = float(self.processor.rescale_factor)

        def normalised(pixels: Any) -> Any:
            values = (pixels.float() * factor - mean) / std
            return values.permute(0, 3, 1, 2).contiguous().to(dtype)

        return normalised


def _shortest_edge(shape: tuple[int, ...], edge: int) -> tuple[int, int]:
    height, width = shape
    if width <= height:
        return int(edge * height / width), edge
    return edge, int(edge * width / height)


def _centre(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crop to the middle, padding with black where the picture is smaller."""
    down, across = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    if down or across:
        before = ((down + 1) // 2, (across + 1) // 2)
        pad = ((before[0], down - before[0]), (before[1], across - before[1]), (0, 0))
        pixels = np.pad(pixels, pad)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
