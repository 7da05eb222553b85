"""Text over a clip's pictures, in a font that has Latin and Russian letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FONT = Path(__file__).parent / "fonts" / "DejaVuSans-Bold-subset.ttf"
# Letters are this share of the frame's shorter side high: 29 px of 360, easy to read for people
# and for text recognisers.
_LETTER_SHARE = {"bottom": 0.08, "top": 0.08, "centre": 0.11}


@dataclass(frozen=True)
class Caption:
    """A line on screen. ``place`` is bottom, top or centre; ``language`` is ISO 639-1."""

    text: str
    start_s: float
    end_s: float
    language: str = "en"
    place: str = "bottom"


def caption_overlay(
    caption: Caption, width: int, height: int
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that writes ``caption`` on an RGB uint8 [height, width, 3] picture."""
    alpha, colour, top, left = _plate(caption, width, height)
    rows, columns = slice(top, top + len(alpha)), slice(left, left + alpha.shape[1])

    def write(picture: np.ndarray) -> np.ndarray:
        written = picture.copy()
        under = written[rows, columns]
        written[rows, columns] = (under * (1 - alpha) + colour * alpha).astype(np.uint8)
        return written

    return write


def _plate(caption: Caption, width: int, height: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Opacity [rows, columns, 1], colour [rows, columns, 3] and the top left corner."""
    from PIL import Image, ImageDraw, ImageFont

    letter = round(min(width, height) * _LETTER_SHARE[caption.place])
    font = ImageFont.truetype(str(FONT), letter, layout_engine=ImageFont.Layout.BASIC)
    while font.getlength(caption.text) > 0.9 * width:
        letter -= 1
        font = ImageFont.truetype(str(FONT), letter, layout_engine=ImageFont.Layout.BASIC)
    plate_width = round(font.getlength(caption.text) + 1.2 * letter)
    plate_height = round(1.7 * letter)
    image = Image.new("RGBA", (plate_width, plate_height), (12, 14, 24, 225))
    draw = ImageDraw.Draw(image)
    draw.text((plate_width / 2, plate_height / 2), caption.text, "white", font, anchor="mm")
    pixels = np.asarray(image, dtype=np.float32)
    share = {"bottom": 0.94, "top": 0.06, "centre": 0.5}[caption.place]
    top = round(share * (height - plate_height))
    return pixels[..., 3:] / 255, pixels[..., :3], top, (width - plate_width) // 2
