"""The asset ``ocr``: text on screen, a line of it with its time and place."""

from __future__ import annotations

from assets.senses.model_step import model_asset
from assets.stores.resources import Models
from ml.schemas import FRAMES, OCR

ocr = model_asset(OCR, FRAMES, Models.text_reader)
