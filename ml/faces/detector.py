"""Finds faces and five landmarks of each: MTCNN's cascade over many pictures at a time.

A first network looks at every place of an image pyramid, a second one at what that proposes, a
third at what is left. Pictures of one size go through the first together, the crops of all
pictures through the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ml.faces.batches import in_batches
from ml.faces.boxes import F32, U8, best_of_overlapping, moved, squared
from ml.models.device import FittingBatches

_WINDOW_PX = 12  # the first network's window, at every second pixel
_STEP_PX = 2
_PYRAMID = 0.709  # about the square root of 1/2, as in the paper
# The surest thing that is no face had .976 in 951 pictures without faces, and a tuft of hair .986;
# faces of 40 px and more that look this way have .995 to 1, in the dark .95 to .99.
SURE_SCORE = 0.99
_PICTURES_PER_BATCH = 64  # the finder gives fewer unless they are small
_CROPS_PER_BATCH = 512  # of 48 px and float32: 14 MB


@dataclass(frozen=True)
class Detections:
    """The faces of one picture, the surest first; pixels of the picture as given.

    Attributes:
        boxes: float32[n, 4], x0, y0, x1, y1; may leave the picture.
        scores: float32[n], 0 to 1.
        landmarks: float32[n, 5, 2], x and y of the eyes, the nose's tip and the mouth's corners;
            the one further left in the picture first.
    """

    boxes: F32
    scores: F32
    landmarks: F32


@dataclass(frozen=True)
class DetectorOptions:
    """How faces are looked for.

    Attributes:
        side_px: pictures are searched at this longer side, or at their own if that is less.
        smallest_px: smallest face that is looked for, at that size; faces a little smaller are
            still found. With 32 instead of 24 px no face of 40 px or more of a 768 px frame was
            missed (33 faces pasted into one, 114 in recordings), in .67 of the time.
        thresholds: least score after each network. The last is the least score of a row: of 951
            pictures without faces 13 had something at .9 and more, nothing above `SURE_SCORE`.
    """

    side_px: int = 640
    smallest_px: int = 32
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.9)


class Detector:
    """MTCNN on a device.

    Args:
        device: of torch, such as ``cpu`` or ``cuda``.
        options: see there.
    """

    def __init__(self, device: str = "cpu", options: DetectorOptions | None = None) -> None:
        from ml.faces.mtcnn_nets import load_nets

        self._device, self._options = device, options or DetectorOptions()
        self._propose, self._refine, self._decide = load_nets(device)
        self._pictures = FittingBatches(_PICTURES_PER_BATCH)
        self._crops = FittingBatches(_CROPS_PER_BATCH)

    def detect(self, pictures: Sequence[U8]) -> list[Detections]:
        """The faces of RGB pictures ``uint8[h, w, 3]``, of any sizes, in their order."""
        import torch

        if not pictures:
            return []
        small = [at_most(picture, self._options.side_px) for picture in pictures]
        with torch.inference_mode():
            found = self._third(small, self._second(small, self._first(small)))
        return [
            enlarged(faces, max(picture.shape[:2]) / max(reduced.shape[:2]))
            for faces, picture, reduced in zip(found, pictures, small, strict=True)
        ]

    def _first(self, pictures: Sequence[U8]) -> list[F32]:
        """Each picture's proposals, squares float32[n, 4]."""
        proposals: list[F32] = [np.zeros((0, 4), np.float32)] * len(pictures)
        for shape in sorted({picture.shape for picture in pictures}):
            same = [i for i, picture in enumerate(pictures) if picture.shape == shape]
            blocks = self._pictures.run(self._pyramids, [pictures[i] for i in same])
            for i, levels in zip(same, chain.from_iterable(blocks), strict=True):
                proposals[i] = _proposals(levels)
        return proposals

    def _pyramids(self, pictures: Sequence[U8]) -> list[list[tuple[F32, F32, F32]]]:
        """Each picture's levels; the pictures are of one shape."""
        stack = self._tensor(np.stack(pictures))
        levels = [self._level(stack, scale) for scale in self._scales(pictures[0].shape)]
        return [[level[place] for level in levels] for place in range(len(pictures))]

    def _scales(self, shape: tuple[int, ...]) -> list[float]:
        """What the picture is scaled by, until its shorter side is smaller than the window."""
        scales = []
        scale = _WINDOW_PX / self._options.smallest_px
        while min(shape[:2]) * scale >= _WINDOW_PX:
            scales.append(scale)
            scale *= _PYRAMID
        return scales

    def _level(self, stack: Any, scale: float) -> list[tuple[F32, F32, F32]]:
        """Boxes, scores and offsets of each picture, at one level of the pyramid."""
        import torch

        size = [int(length * scale) + 1 for length in stack.shape[2:]]
        level = torch.nn.functional.interpolate(stack, size=size, mode="area")
        probability, offsets = self._propose(level)
        place, row, column = (probability >= self._options.thresholds[0]).nonzero(as_tuple=True)
        scores = probability[place, row, column].cpu().numpy()
        moves = offsets[place, :, row, column].cpu().numpy()
        corner = torch.stack([column, row], dim=1).cpu().numpy().astype(np.float32) * _STEP_PX
        boxes = np.hstack([corner, corner + _WINDOW_PX]) / np.float32(scale)
        places = place.cpu().numpy()
        return [
            (boxes[places == i], scores[places == i], moves[places == i]) for i in range(len(stack))
        ]

    def _second(self, pictures: Sequence[U8], proposals: Sequence[F32]) -> list[F32]:
        """The proposals that the second network keeps, as squares that fit better."""
        scores, offsets = self._ask(self._refine, pictures, proposals, 24)
        kept = []
        for boxes, score, offset in _by_picture(proposals, scores, offsets):
            sure = score > self._options.thresholds[1]
            boxes, score, offset = boxes[sure], score[sure], offset[sure]
            best = best_of_overlapping(boxes, score, 0.7)
            kept.append(squared(moved(boxes[best], offset[best])))
        return kept

    def _third(self, pictures: Sequence[U8], proposals: Sequence[F32]) -> list[Detections]:
        scores, offsets, landmarks = self._ask(self._decide, pictures, proposals, 48)
        found = []
        for boxes, score, offset, points in _by_picture(proposals, scores, offsets, landmarks):
            sure = score > self._options.thresholds[2]
            boxes, score = boxes[sure], score[sure]
            places = points[sure].reshape(-1, 2, 5).transpose(0, 2, 1)
            places = boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2])
            boxes = moved(boxes, offset[sure])
            best = best_of_overlapping(boxes, score, 0.7, of_smaller=True)
            found.append(Detections(boxes[best], score[best], places[best]))
        return found

    def _ask(
        self, net: Any, pictures: Sequence[U8], proposals: Sequence[F32], side_px: int
    ) -> list[F32]:
        """A network's answers on the crops of all pictures' proposals, one after another."""
        import torch

        crops = [
            _crop(picture, box, side_px)
            for picture, boxes in zip(pictures, proposals, strict=True)
            for box in boxes
        ]
        blank = np.zeros((0, side_px, side_px, 3), np.uint8)

        def ask(some: Sequence[U8]) -> list[Any]:
            return [answer.cpu() for answer in net(self._tensor(np.stack(some) if some else blank))]

        blocks = list(in_batches(ask, crops, self._crops)) or [ask([])]
        return [torch.cat(parts).numpy() for parts in zip(*blocks, strict=True)]

    def _tensor(self, pictures: U8) -> Any:
        """uint8[n, h, w, 3] to float32[n, 3, h, w] of about -1 to 1, on the device."""
        import torch

        pixels = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)
        return (pixels.float() - 127.5) / 128


def at_most(picture: U8, side_px: int) -> U8:
    """A picture whose longer side is at most `side_px`: the same one, or one scaled down."""
    import cv2

    scale = side_px / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(length * scale)) for length in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _proposals(levels: Sequence[tuple[F32, F32, F32]]) -> F32:
    """What stays of one picture's levels, moved and squared."""
    if not levels:
        return np.zeros((0, 4), np.float32)
    best = [best_of_overlapping(boxes, scores, 0.5) for boxes, scores, _ in levels]
    boxes, scores, offsets = (
        np.concatenate([level[part][keep] for level, keep in zip(levels, best, strict=True)])
        for part in range(3)
    )
    keep = best_of_overlapping(boxes, scores, 0.7)
    return squared(moved(boxes[keep], offsets[keep]))


def _by_picture(proposals: Sequence[F32], *answers: F32) -> list[tuple[F32, ...]]:
    """Each picture's proposals, with its part of each answer."""
    ends = np.cumsum([len(boxes) for boxes in proposals])[:-1]
    parts = [np.split(answer, ends) for answer in answers]
    return list(zip(proposals, *parts, strict=True))


def _crop(picture: U8, box: F32, side_px: int) -> U8:
    """A square's pixels at `side_px`; what lies outside the picture is black."""
    import cv2

    x0, y0, x1, y1 = np.rint(box).astype(int)
    height, width = picture.shape[:2]
    inside = picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if not inside.size:
        return np.zeros((side_px, side_px, 3), np.uint8)
    edges = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
    if any(edges):
        inside = np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_CONSTANT), np.uint8)
    grows = inside.shape[0] < side_px
    how = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(inside, (side_px, side_px), interpolation=how), np.uint8)


def enlarged(faces: Detections, scale: float) -> Detections:
    """The faces in a picture that is `scale` times as large."""
    factor = np.float32(scale)
    return Detections(faces.boxes * factor, faces.scores, faces.landmarks * factor)
