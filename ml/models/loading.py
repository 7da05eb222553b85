"""Loading models by hub id or local path, with one clear error, and naming what was loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ml.failures import ModelUnavailable

T = TypeVar("T")

PACKAGED = "packaged:"
OFF = "off"
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".onnx")
# Weights of other frameworks; a hub repository often holds three of them.
OTHER_FRAMEWORKS = (
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.tflite",
    "*.onnx",
    "*.gguf",
    "onnx/*",
    "openvino/*",
    "coreml/*",
)


def split_revision(model_id: str) -> tuple[str, str | None]:
    """``name@revision`` as (name, revision); the revision is None when there is none.

    A local path that exists is never split, whatever is in its name.
    """
    if Path(model_id).exists() or "@" not in model_id:
        return model_id, None
    name, revision = model_id.rsplit("@", 1)
    return name, revision


def load(model_id: str, profile: str, loader: Callable[..., T], **options: Any) -> T:
    """``loader(name, revision=…, **options)``, any failure as one error.

    Args:
        model_id: hub id or local path, possibly with ``@revision``.
        profile: the profile's name, for the error message.
        loader: a ``from_pretrained`` of transformers.

    Raises:
        ModelUnavailable: it cannot be loaded, for whatever reason.
    """
    name, revision = split_revision(model_id)
    if revision is not None:
        options["revision"] = revision
    try:
        return loader(name, **options)
    except Exception as error:
        reason = (
            f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
        )
        raise ModelUnavailable(model_id, profile, reason) from error


def load_model(model_id: str, profile: str, optional: Iterable[str] = (), **options: Any) -> Any:
    """An ``AutoModel`` with every one of its weights from the checkpoint, in eval mode.

    transformers fills weights that a checkpoint lacks with random numbers and a warning; here
    that is an error. ``optional`` names prefixes of weights that are not used and may be missing.

    Raises:
        ModelUnavailable: it cannot be loaded, or weights are missing.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    # Its bars and its report of unused heads would break the progress display of a run.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    model, report = load(
        model_id, profile, AutoModel.from_pretrained, output_loading_info=True, **options
    )
    missing = [k for k in report["missing_keys"] if not k.startswith(tuple(optional))]
    if missing:
        reason = f"the checkpoint lacks {len(missing)} of its weights, such as {missing[0]}"
        raise ModelUnavailable(model_id, profile, reason)
    return model.eval()


def identity(model_id: str, model: Any = None) -> str:
    """What is stored in the ``model`` column: ``id@commit``, or ``folder@hash`` for a local copy.

    Args:
        model_id: as given to `load`.
        model: the loaded transformers model, whose config knows the hub commit.
    """
    name, revision = split_revision(model_id)
    if Path(name).exists():
        return f"{Path(name).resolve().name}@{weights_hash(Path(name))}"
    commit = getattr(getattr(model, "config", None), "_commit_hash", None)
    return f"{name}@{(commit or revision or 'main')[:12]}"


def commit_of(model_id: str, profile: str, filename: str = "config.json") -> str:
    """A hub id with the commit that it stands for now, ``name@commit``, without loading it.

    ``filename`` is a file that the repository holds; it is fetched.

    Asks the hub where it can be reached, and takes the local copy where not.

    Raises:
        ModelUnavailable: neither knows the model.
    """
    from huggingface_hub import hf_hub_download

    name, _ = split_revision(model_id)
    config = load(model_id, profile, hf_hub_download, filename=filename)
    return f"{name}@{Path(config).parent.name}"


def weights_hash(path: Path) -> str:
    """The first 12 hex digits of SHA-256 over a file, or over a folder's weight files by name."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    digest = hashlib.sha256()
    for file in files:
        if file.is_file() and (file == path or file.suffix in WEIGHT_SUFFIXES):
            with file.open("rb") as data:
                digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()[:12]


def fetch(model_id: str, profile: str) -> Path | None:
    """Bring a model onto this machine, for `kadr models pull`.

    Speech, faces and text on screen have their own.

    Args:
        model_id: a hub id (``name@revision`` too), a local path, ``packaged:NAME`` or ``off``.
        profile: the profile's name, for the error message.

    Returns:
        Where it lies; None for what needs no fetching (packaged, or off).

    Raises:
        ModelUnavailable: it is not there, or cannot be reached.
    """
    if model_id == OFF or model_id.startswith(PACKAGED):
        return None
    if Path(model_id).exists():
        return Path(model_id)
    from huggingface_hub import snapshot_download

    ignored = list(OTHER_FRAMEWORKS)
    return Path(load(model_id, profile, snapshot_download, ignore_patterns=ignored))
