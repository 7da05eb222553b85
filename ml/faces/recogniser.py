"""What tells people apart: dlib's face network, run by torch.

29 convolutions with shortcuts (Davis King, dnn_face_recognition_ex.cpp, 2017; after ResNet-34, He
et al. 2016), trained so that two pictures of one person lie less than 0.6 apart; public domain.
The weights come from the package face-recognition-models, in dlib's own format. On the same chips
dlib's descriptors and these differ by less than 1e-6, in an eighth of the time on one core.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.faces.batches import in_batches
from ml.faces.boxes import F32, U8
from ml.faces.dlib_file import Layer, read_layers
from ml.models.device import FittingBatches

PACKAGE = "face-recognition-models"
CHIP_PX = 150
DIMENSIONS = 128
# dlib takes these from the colours, and divides by 256 (``input_rgb_image_sized``).
_MEAN_RGB = (122.782, 117.001, 104.298)
_STEM_CHANNELS = 32
# Channels of the residual blocks; one that has more than the block before, or is the last,
# also halves the picture.
_BLOCK_CHANNELS = (32,) * 3 + (64,) * 4 + (128,) * 3 + (256,) * 4
_LAYERS = 2 * (1 + 2 * len(_BLOCK_CHANNELS)) + 1  # a scaling behind each convolution, and the last
_CHIPS_PER_BATCH = 64  # their largest activations: 64 x 32 x 72 x 72 in float32 are 42 MB


class _Block(nn.Module):
    """Two convolutions beside a shortcut; where sizes or channels differ, zeros fill up."""

    def __init__(self, into: int, out: int, halves: bool) -> None:
        super().__init__()
        # dlib pads a convolution only where it keeps the size.
        stride, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(into, out, 3, stride, padding)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.halves = halves

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(functional.relu(self.first(x)))
        shortcut = functional.avg_pool2d(x, 2) if self.halves else x
        shape = [max(sides) for sides in zip(y.shape[1:], shortcut.shape[1:], strict=True)]
        return functional.relu(_filled(y, shape) + _filled(shortcut, shape))


def _filled(x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """float32[n, c, h, w] with zeros behind each side, up to `shape`."""
    channels, height, width = (
        wanted - there for wanted, there in zip(shape, x.shape[1:], strict=True)
    )
    return functional.pad(x, (0, width, 0, height, 0, channels))


class FaceNet(nn.Module):
    """Normalised chips float32[n, 3, 150, 150] to vectors float32[n, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM_CHANNELS, 7, 2)
        channels = (_STEM_CHANNELS, *_BLOCK_CHANNELS)
        last = len(_BLOCK_CHANNELS) - 1
        self.blocks = nn.Sequential(
            *(
                _Block(into, out, halves=out > into or number == last)
                for number, (into, out) in enumerate(pairwise(channels))
            )
        )
        self.head = nn.Linear(_BLOCK_CHANNELS[-1], DIMENSIONS, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        return self.head(self.blocks(x).mean(dim=(2, 3)))


class Recogniser:
    """dlib's face network on a device.

    Args:
        device: of torch, such as ``cpu`` or ``cuda``.

    Raises:
        FileNotFoundError: the package face-recognition-models is not installed.
        ValueError: its file is not the network that is expected.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._net = load_net(weights_file()).to(device)
        self._mean = torch.tensor(_MEAN_RGB, device=device)[:, None, None]
        self._batches = FittingBatches(_CHIPS_PER_BATCH)

    def embed(self, chips: U8) -> F32:
        """Unit-length vectors float32[n, 128] of aligned RGB chips uint8[n, 150, 150, 3].

        Each is the mean of a chip's vector and its mirror image's: .87 instead of .82 of one
        speaker's pairs then lie within .38, with as few strangers' (.06 %). The same faces at
        unit length and at dlib's own length (1.3 to 1.6) are told apart equally well.
        """
        mirrored = np.ascontiguousarray(chips[:, :, ::-1])
        vectors = self.describe(chips) + self.describe(mirrored)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def describe(self, chips: U8) -> F32:
        """What dlib's ``compute_face_descriptor`` gives for each chip, float32[n, 128]."""
        blank = np.zeros((0, DIMENSIONS), np.float32)
        with torch.inference_mode():
            return np.concatenate([blank, *in_batches(self._vectors, chips, self._batches)])

    def _vectors(self, chips: U8) -> F32:
        some = torch.from_numpy(chips).to(self._device)
        x = (some.permute(0, 3, 1, 2).float() - self._mean) / 256
        vectors: F32 = self._net(x).cpu().numpy()
        return vectors


def load_net(file: Path) -> FaceNet:
    """The network with the weights of a dlib file.

    Raises:
        ValueError: it is another network's, or damaged.
    """
    layers = read_layers(file)
    if len(layers) != _LAYERS:
        raise ValueError(f"{file} has {len(layers)} layers with weights, not {_LAYERS}")
    net = FaceNet()
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    try:
        for at, convolution in enumerate(convolutions):
            _fill(convolution, *layers[2 * at : 2 * at + 2])
        head = layers[-1].weights.reshape(_BLOCK_CHANNELS[-1], DIMENSIONS)
    except ValueError as error:
        raise ValueError(f"{file} is not dlib's face network: {error}") from error
    net.head.weight.data = torch.from_numpy(head.T.copy())
    return net.eval()


def _fill(convolution: nn.Conv2d, filters: Layer, scaling: Layer) -> None:
    """A convolution with the scaling behind it folded in.

    Filters come as [out, in, h, w] and then biases; scalings as factors and then shifts.
    """
    out = convolution.out_channels
    weights, biases = np.split(filters.weights.ravel(), [-out])
    factors, shifts = scaling.weights.reshape(2, out)
    scaled = weights.reshape(convolution.weight.shape) * factors[:, None, None, None]
    convolution.weight.data = torch.from_numpy(scaled)
    convolution.bias = nn.Parameter(torch.from_numpy(biases * factors + shifts))


def weights_file() -> Path:
    """Where the packaged weights lie; importing the package would fail, so it is not imported.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed")
    return Path(spec.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"


def package_identity() -> str:
    """``face-recognition-models-0.3.0``."""
    weights_file()
    return f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
