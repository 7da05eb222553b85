"""The three networks of MTCNN (Zhang et al., "Joint Face Detection and Alignment using Multi-task
Cascaded Convolutional Networks", IEEE SPL 2016), as torch modules.

Names of the layers are those of the weights that the package facenet-pytorch carries. Its files
are read without importing it: that needs torchvision.
"""

from __future__ import annotations

import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

PACKAGE = "facenet-pytorch"


class ProposalNet(nn.Module):
    """Pictures float32[n, 3, h, w] to face probability [n, h', w'] and box offsets [n, 4, h', w'].

    Fully convolutional: a window of 12 px at every second pixel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(dim=1)[:, 1], self.conv4_2(x)


class RefinementNet(nn.Module):
    """Crops float32[n, 3, 24, 24] to face probability [n] and box offsets [n, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.pool2(self.prelu2(self.conv2(x)))))
        x = self.prelu4(self.dense4(_flat(x)))
        return self.dense5_1(x).softmax(dim=1)[:, 1], self.dense5_2(x)


class OutputNet(nn.Module):
    """Crops float32[n, 3, 48, 48] to face probability [n], box offsets [n, 4], landmarks [n, 10].

    Landmarks are five x, then five y, in shares of the crop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2 = nn.Linear(256, 2), nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.prelu4(self.conv4(self.pool3(self.prelu3(self.conv3(x)))))
        x = self.prelu5(self.dense5(_flat(x)))
        return self.dense6_1(x).softmax(dim=1)[:, 1], self.dense6_2(x), self.dense6_3(x)


def _flat(x: torch.Tensor) -> torch.Tensor:
    """[n, channels, h, w] to [n, w * h * channels]: the weights come from column-major Caffe."""
    return x.permute(0, 3, 2, 1).flatten(1)


def load_nets(device: str) -> tuple[ProposalNet, RefinementNet, OutputNet]:
    """The networks with their weights.

    Raises:
        FileNotFoundError: the package facenet-pytorch is not installed.
    """
    folder = _weights_folder()
    nets = ProposalNet(), RefinementNet(), OutputNet()
    for net, name in zip(nets, ("pnet.pt", "rnet.pt", "onet.pt"), strict=True):
        net.load_state_dict(torch.load(folder / name, weights_only=True, map_location="cpu"))
        net.eval().to(device)
    return nets


def package_identity() -> str:
    """``facenet-pytorch-2.6.0``."""
    _weights_folder()
    return f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"


def _weights_folder() -> Path:
    spec = find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed (pip install --no-deps)")
    return Path(spec.origin).parent / "data"
