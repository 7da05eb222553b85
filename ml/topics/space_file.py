"""The file of a space of topics: NumPy arrays in a zip and a JSON header, without pickles."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from ml.text.lexical import LexicalSpace
from ml.topics.channels import ChannelScale

# Raise when what the arrays mean changes.
VERSION = 1
_HEADER = "header.json"
# The earliest time a zip can say; the time of writing would make equal spaces differ.
_TIME = (1980, 1, 1, 0, 0, 0)
_ARRAYS = ("slope", "mean", "factor")


def packed(
    facts: Mapping[str, Any],
    scales: Mapping[str, ChannelScale],
    lexical: LexicalSpace | None,
    arrays: Mapping[str, np.ndarray],
) -> bytes:
    """A space as bytes; the same for the same space."""
    header = {
        "version": VERSION,
        **facts,
        "scales": {name: _plain(scale) for name, scale in scales.items()},
        "lexical": None if lexical is None else {"model": lexical.model, "words": lexical.words},
    }
    every = dict(arrays)
    for name, scale in scales.items():
        every |= {f"{name}/{part}": getattr(scale, part) for part in _ARRAYS}
    if lexical is not None:
        every |= {"words/weights": lexical.weights, "words/axes": lexical.axes}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        text = json.dumps(header, ensure_ascii=False, sort_keys=True)
        file.writestr(zipfile.ZipInfo(_HEADER, _TIME), text)
        for name, array in sorted(every.items()):
            file.writestr(zipfile.ZipInfo(f"{name}.npy", _TIME), _bytes_of(array))
    return data.getvalue()


def unpacked(
    data: bytes,
) -> tuple[dict[str, Any], dict[str, ChannelScale], LexicalSpace | None, dict[str, np.ndarray]]:
    """Facts, scales, words and arrays, as `packed` took them.

    Raises:
        ValueError: other bytes, or another version's.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            header = json.loads(file.read(_HEADER))
            names = [name for name in file.namelist() if name != _HEADER]
            arrays = {name.removesuffix(".npy"): _array_of(file.read(name)) for name in names}
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"not a space of topics ({error}): cluster the topics anew") from error
    if header["version"] != VERSION:
        raise ValueError(
            f"the space of topics is of version {header['version']}, not {VERSION}: "
            "cluster the topics anew"
        )
    scales = {
        name: ChannelScale(
            plain["weight"],
            plain["is_levelled"],
            plain["foreign_mean"],
            *(arrays[f"{name}/{part}"] for part in _ARRAYS),
        )
        for name, plain in sorted(header["scales"].items())
    }
    lexical = None
    if header["lexical"] is not None:
        lexical = LexicalSpace(
            header["lexical"]["model"],
            tuple(header["lexical"]["words"]),
            arrays["words/weights"],
            arrays["words/axes"],
        )
    return header, scales, lexical, arrays


def _plain(scale: ChannelScale) -> dict[str, object]:
    return {
        "weight": scale.weight,
        "is_levelled": scale.is_levelled,
        "foreign_mean": scale.foreign_mean,
    }


def _bytes_of(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
    return data.getvalue()


def _array_of(data: bytes) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
