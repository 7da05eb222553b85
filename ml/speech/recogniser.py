"""Which recogniser a model id stands for."""

from __future__ import annotations

from ml.failures import ModelUnavailable
from ml.speech import pocketsphinx
from ml.speech.segments import Recogniser


def load_recogniser(
    model_id: str, *, profile: str, device: str = "cpu", batch_size: int = 16, workers: int = 1
) -> Recogniser:
    """Load a speech model.

    Args:
        model_id: ``packaged:pocketsphinx-en-us``; a hub id of a Whisper checkpoint, as ``name`` or
            ``name@revision``, or the folder of one; a ``.pt`` file of the `whisper` package, or
            ``whisper:NAME`` for one that it knows by name.
        profile: named in errors.
        device: where Whisper runs: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: windows of up to 30 s that Whisper takes at once.
        workers: processes of the packaged recogniser.

    Raises:
        ModelUnavailable: it cannot be found, fetched or loaded.
    """
    if _is_packaged(model_id, profile):
        return pocketsphinx.load_pocketsphinx(profile=profile, workers=workers)
    from ml.speech.engines import load_engine
    from ml.speech.whisper import WhisperRecogniser

    engine = load_engine(model_id, profile=profile, device=device)
    return WhisperRecogniser(engine, batch_size)


def fetch(model_id: str, profile: str) -> None:
    """Download a speech model ahead, for machines without a network. Packaged ones are there.

    Raises:
        ModelUnavailable: it cannot be found or fetched.
    """
    if _is_packaged(model_id, profile):
        return
    from ml.speech.engines import fetch_checkpoint

    fetch_checkpoint(model_id, profile=profile)


def _is_packaged(model_id: str, profile: str) -> bool:
    if model_id == pocketsphinx.MODEL_ID:
        return True
    if model_id.startswith("packaged:"):
        reason = f"no such packaged model; there is {pocketsphinx.MODEL_ID}"
        raise ModelUnavailable(model_id, profile, reason)
    return False
