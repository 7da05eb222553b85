"""Reads the layers of a network that dlib has serialised (``dlib/serialize.h``, ``dnn/layers.h``).

Only what a network of convolutions, scalings and fully connected layers needs. Whole numbers are
stored as a byte with how many bytes follow (its high bit is the sign) and then these, smallest
first; a tensor as version 2, its four dimensions, and float32, smallest byte first. Each layer
begins with its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

_LAYER = re.compile(rb"con_4|affine_|fc_2")
_TENSOR_VERSION = 2
_SIGN, _LENGTH = 0x80, 0x0F


@dataclass(frozen=True)
class Layer:
    """A layer with weights; `shape` are the numbers that stand beside them in the file.

    Of "con_4": filters, rows, columns, stride down and across, padding down and across. Of "fc_2":
    outputs, inputs. Of "affine_": nothing.
    """

    kind: str
    weights: npt.NDArray[np.float32]
    shape: tuple[int, ...]


def read_layers(file: Path) -> list[Layer]:
    """The layers that have weights, from the input on.

    Raises:
        ValueError: the file is cut short, or is not of the version that dlib has written since
            2016.
    """
    data, at, layers = file.read_bytes(), 0, []
    try:
        # The search goes on behind a layer's weights, so their bytes can't be taken for a name.
        while found := _LAYER.search(data, at):
            layer, at = _layer(data, found.group().decode(), found.end())
            layers.append(layer)
    except (IndexError, ValueError) as error:
        raise ValueError(f"{file} is not a whole dlib network: {error}") from error
    if not layers:
        raise ValueError(f"{file} is not a dlib network: no layer in it has a name that is known")
    return layers


def _layer(data: bytes, kind: str, at: int) -> tuple[Layer, int]:
    before, after = {"con_4": (0, 7), "affine_": (0, 0), "fc_2": (2, 0)}[kind]
    shape, at = _integers(data, at, before)
    weights, at = _tensor(data, at)
    more, at = _integers(data, at, after)
    return Layer(kind, weights, shape + more), at


def _integers(data: bytes, at: int, count: int) -> tuple[tuple[int, ...], int]:
    values = []
    for _ in range(count):
        length = data[at] & _LENGTH
        value = int.from_bytes(data[at + 1 : at + 1 + length], "little")
        values.append(-value if data[at] & _SIGN else value)
        at += 1 + length
    return tuple(values), at


def _tensor(data: bytes, at: int) -> tuple[npt.NDArray[np.float32], int]:
    (version, *shape), at = _integers(data, at, 5)
    if version != _TENSOR_VERSION:
        raise ValueError(f"a tensor of version {version} where {_TENSOR_VERSION} was expected")
    count = prod(shape)
    weights = np.frombuffer(data, "<f4", count, at).astype(np.float32)
    return weights.reshape(shape), at + weights.nbytes
