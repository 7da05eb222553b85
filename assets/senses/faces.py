"""The asset ``faces``: every face in the kept frames, found in batches across videos."""

from __future__ import annotations

from assets.senses.model_step import model_asset
from assets.stores.resources import Models
from ml.schemas import FACES, FRAMES

faces = model_asset(FACES, FRAMES, Models.face_finder)
