"""The asset ``visual``: an embedding of every kept frame, in batches across videos."""

from __future__ import annotations

from assets.senses.model_step import model_asset
from assets.stores.resources import Models
from ml.schemas import FRAMES, VISUAL

visual = model_asset(VISUAL, FRAMES, Models.image_embedder)
