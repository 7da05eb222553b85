"""A trained model as two files: arrays without pickle, and a card for people and programs.

``tag_model.npz`` holds arrays of numbers and text. ``tag_model.json``, written last, says what it
was trained on, how it was judged and when, holds the taxonomy's paths and a checksum of the arrays.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ml.indexes.files import checked_text, checked_values
from ml.tags.decode import LabelSets
from ml.tags.features import Features, View
from ml.tags.neighbours import Kernel, Projection, Ridge
from ml.tags.network import Network
from ml.tags.selection import Choice
from ml.tags.train import TagModel
from ml.tags.tree import TagError, TagTree
from ml.taxonomy import Taxonomy, path_text

ARRAYS, CARD = "tag_model.npz", "tag_model.json"
FORMAT = 1
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "simplemma", "torch")
# What a model is made of besides features, and its arrays.
_PARTS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "projection": (Projection, ("landmarks", "axes")),
    "ridge": (Ridge, ("weights", "mean", "centre")),
    "network": (Network, ("nodes", "weights", "bias", "rounds")),
}


class TagModelDamaged(TagError):
    """Files of a model that are missing, altered or of another format; says what mends it."""

    def __init__(self, folder: Path, found: str) -> None:
        super().__init__(f"the tag model in {folder} can't be used: {found}. Train it anew")


def save(
    model: TagModel,
    folder: Path,
    *,
    date: str,
    data: str,
    evaluations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes a model's files, the card last; an older model there is replaced.

    Args:
        model: a trained one.
        folder: made when missing.
        date: when it was trained, as the caller writes it.
        data: what it was trained on, in words.
        evaluations: split to `TagEvaluation.as_dict`, kept in the card.

    Returns:
        The card.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{ARRAYS}.partial"
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **_arrays(model))
    card = _card(model, date, data, evaluations or {}) | {"checksum": _checksum(partial)}
    (folder / CARD).unlink(missing_ok=True)
    partial.replace(folder / ARRAYS)
    text = checked_text(card)
    draft = folder / f"{CARD}.partial"
    draft.write_text(text, encoding="utf-8")
    draft.replace(folder / CARD)
    return card


def read_card(folder: Path) -> dict[str, Any]:
    """A model's card.

    Raises:
        TagModelDamaged: it is missing, no card, or of another format.
    """
    try:
        card = checked_values((folder / CARD).read_bytes())
    except FileNotFoundError:
        raise TagModelDamaged(folder, f"there is no {CARD}") from None
    except (OSError, ValueError) as error:
        raise TagModelDamaged(folder, f"{CARD} can't be read ({error})") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else None
        raise TagModelDamaged(folder, f"its format is {found}, this is {FORMAT}")
    return card


def load(folder: Path, taxonomy: Taxonomy) -> TagModel:
    """A model from its files.

    Args:
        folder: where `save` put them.
        taxonomy: the one it was trained with.

    Raises:
        TagModelDamaged: files that are missing or altered, or a taxonomy of other paths.
    """
    card, tree = read_card(folder), TagTree.of(taxonomy)
    try:
        if card["checksum"] != _checksum(folder / ARRAYS):
            raise TagModelDamaged(folder, f"{ARRAYS} was altered: its checksum is another")
        if card["paths"] != [path_text(path) for path in tree.paths]:
            raise TagModelDamaged(folder, "the taxonomy has other tags than it was trained with")
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            return _model(card, dict(arrays), tree)
    except FileNotFoundError:
        raise TagModelDamaged(folder, f"there is no {ARRAYS}") from None
    except (OSError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise TagModelDamaged(folder, f"its files hold something else ({error!r})") from error
    except ValueError as error:
        if isinstance(error, TagError):
            raise
        raise TagModelDamaged(folder, f"{ARRAYS} can't be read ({error})") from error


def _arrays(model: TagModel) -> dict[str, np.ndarray]:
    labelled, features = model.labelled, model.features
    arrays = {
        "labelled/data": labelled.data.astype(np.float32),
        "labelled/indices": labelled.indices.astype(np.int32),
        "labelled/indptr": labelled.indptr.astype(np.int64),
        "labelled/shape": np.array(labelled.shape, np.int64),
        "sets/seen": model.sets.seen,
        "sets/answers": model.sets.answers,
        "sets/of": model.set_of,
    }
    for number, view in enumerate(features.views):
        arrays[f"terms/{number}"] = features.terms[view.name]
        arrays[f"idf/{number}"] = features.idf[view.name]
    arrays |= {f"means/{channel}": mean for channel, mean in features.means.items()}
    for part, (_, names) in _PARTS.items():
        made = getattr(model, part)
        if made is not None:
            arrays |= {f"{part}/{name}": np.asarray(getattr(made, name)) for name in names}
    return arrays


def _card(model: TagModel, date: str, data: str, evaluations: Mapping[str, Any]) -> dict[str, Any]:
    views = [[*view, share] for view, share in model.features.views.items()]
    return {
        "format": FORMAT,
        "date": date,
        "data": data,
        "videos": len(model.set_of),
        "tags": int(model.sets.seen.any(axis=0).sum()),
        "taxonomy": model.tree.taxonomy.version,
        "metric": "mean intersection over union of tag sets with all prefixes",
        "split": model.choice.split,
        "choice": asdict(model.choice),
        "evaluations": dict(evaluations),
        "versions": {name: version(name) for name in _LIBRARIES},
        "paths": [path_text(path) for path in model.tree.paths],
        "views": views,
        "channels": list(model.features.means),
    }


def _model(card: Mapping[str, Any], arrays: Mapping[str, np.ndarray], tree: TagTree) -> TagModel:
    from scipy import sparse

    rows = (arrays["labelled/data"], arrays["labelled/indices"], arrays["labelled/indptr"])
    shape = tuple(int(n) for n in arrays["labelled/shape"])
    sets = LabelSets(tree, arrays["sets/seen"], arrays["sets/answers"])
    parts = {
        part: kind(*(_value(arrays[f"{part}/{name}"]) for name in names))
        if f"{part}/{names[0]}" in arrays
        else None
        for part, (kind, names) in _PARTS.items()
    }
    return TagModel(
        tree,
        _features(card, arrays),
        sparse.csr_array(rows, shape=shape),
        sets,
        arrays["sets/of"],
        **parts,
        choice=_choice(card["choice"]),
    )


def _features(card: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Features:
    views = {View(v[0], tuple(v[1]), *v[2:-1]): float(v[-1]) for v in card["views"]}
    return Features(
        views,
        {view.name: arrays[f"terms/{n}"] for n, view in enumerate(views)},
        {view.name: arrays[f"idf/{n}"] for n, view in enumerate(views)},
        {channel: arrays[f"means/{channel}"] for channel in card["channels"]},
    )


def _choice(said: Mapping[str, Any]) -> Choice:
    return Choice(**{**said, "kernel": Kernel(**said["kernel"]), "notes": tuple(said["notes"])})


def _value(array: np.ndarray) -> Any:
    return array if array.ndim else array.item()


def _checksum(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()
