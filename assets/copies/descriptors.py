"""The assets ``copy_descriptors`` and ``audio_fingerprints``: what copies are found by.

They are made from what the one decode left, by arithmetic alone: there are no weights to fetch.
"""

from __future__ import annotations

from assets.senses.model_step import model_asset
from assets.stores.needs import MANY_CORES, SMALL
from assets.stores.resources import Models
from ml.schemas import AUDIO, AUDIO_FINGERPRINTS, COPY_DESCRIPTORS, FRAMES

GROUP = "copies"

copy_descriptors = model_asset(
    COPY_DESCRIPTORS, FRAMES, Models.frame_describer, group=GROUP, needs=MANY_CORES
)
audio_fingerprints = model_asset(
    AUDIO_FINGERPRINTS, AUDIO, Models.sound_fingerprinter, group=GROUP, needs=SMALL
)
