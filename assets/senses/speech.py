"""The asset ``asr``: what is said, by segment, recognised in batches across videos."""

from __future__ import annotations

from assets.senses.model_step import model_asset
from assets.stores.resources import Models
from ml.schemas import ASR, AUDIO

asr = model_asset(ASR, AUDIO, Models.speech_model)
