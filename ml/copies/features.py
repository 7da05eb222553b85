"""Local features and a hash of every kept frame, for finding copies.

SIFT (Lowe 2004) finds places that look the same after scaling, turning, cropping and covering a
part of the picture; RootSIFT (Arandjelovic and Zisserman, CVPR 2012) makes Euclidean distance
between their descriptors behave like the Hellinger distance. The hash (``picture_hash``) finds
pictures that have too few such places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.copies.evidence import F32, U8, Pictures
from ml.copies.picture_hash import hash_and_detail, mirrored_hashes
from ml.schemas import COPY_DESCRIPTORS

# Raise it when the same picture would be described otherwise: all frames are then described anew.
VERSION = 1
SIDE_PX = 320
MAX_FEATURES = 240
# SIFT's contrast threshold (OpenCV's default is 0.04): low, for pictures of faint things. Where
# there are enough strong features the faint ones are not selected.
CONTRAST = 0.005
# Cells across the longer side of the part that has features; each gives its best in turn.
CELLS = 8
# A place without one clear direction is described in several: the others only fill what is left.
REPEATED_STRENGTH = 0.1
# RootSIFT of 8-bit SIFT is at most 1; times 512 it fills a byte for all but single-edged patches.
UNIT = 512.0
ROWS_PER_BATCH = 64
# Frames that wait for a worker or for the consumer, for each worker: 4 of 768 px are 0.4 MB.
FRAMES_AHEAD = 4


@dataclass(frozen=True)
class FrameDescription:
    """What is kept of one picture; units as in ``Pictures``."""

    geometry: F32  # [n, 4] x, y, size in shares of the longer side; angle in radians
    descriptors: U8  # [n, 128]
    hash: U8  # [32]
    detail: float  # 0 to 1


def maker() -> str:
    """What describes pictures, as stored in the ``model`` column."""
    import cv2

    return f"sift-dct-{VERSION}@opencv-{cv2.__version__}"


# ---------------------------------------------------------------- one picture


def describe_picture(
    rgb: npt.NDArray[np.uint8], *, max_features: int = MAX_FEATURES, side_px: int = SIDE_PX
) -> FrameDescription:
    """Local features, strongest and best spread first, and the hash of ``uint8[h, w, 3]``.

    A flat picture has no features and detail 0.
    """
    import cv2

    return _describe_luma(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), max_features, side_px)


def _describe_luma(luma: Any, max_features: int, side_px: int) -> FrameDescription:
    import cv2

    small = _at_most(luma, side_px)
    sift = cv2.SIFT.create(contrastThreshold=CONTRAST, enable_precise_upscale=True)
    keypoints = sift.detect(small, None)
    keypoints = [keypoints[i] for i in _selection(keypoints, max_features)]
    if keypoints:
        keypoints, found = sift.compute(small, keypoints)
    picture_hash, detail = hash_and_detail(luma)
    return FrameDescription(
        _geometry(keypoints, max(small.shape)) if keypoints else np.zeros((0, 4), np.float32),
        root_sift(found) if keypoints else np.zeros((0, 128), np.uint8),
        picture_hash,
        detail,
    )


def _at_most(luma: Any, side_px: int) -> Any:
    import cv2

    scale = side_px / max(luma.shape)
    if scale >= 1:
        return luma
    size = [max(1, round(length * scale)) for length in luma.shape[::-1]]
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)


def _selection(keypoints: Sequence[Any], count: int) -> npt.NDArray[np.int64]:
    """Indices of at most ``count`` keypoints: each cell's best, then each one's second, ...

    Fainter ones wait: a cell's n-th best counts as if it were n times fainter.
    """
    if not keypoints:
        return np.zeros(0, np.int64)
    points = np.array([k.pt for k in keypoints], np.float32)
    response = np.array([k.response for k in keypoints], np.float32)
    size = np.array([k.size for k in keypoints], np.float32)
    strength = response * np.sqrt(size)
    order = np.argsort(-strength, kind="stable")
    repeated = _rank_within(_places(points, size)[order])
    order, repeated = order[repeated < 2], repeated[repeated < 2]
    strength[order] *= np.where(repeated > 0, np.float32(REPEATED_STRENGTH), 1)
    order = order[np.argsort(-strength[order], kind="stable")]
    rank = _rank_within(_cells(points)[order])
    return order[np.argsort(-strength[order] / (rank + 1), kind="stable")][:count]


def _places(points: F32, size: F32) -> npt.NDArray[np.int64]:
    """A number for each place and size: keypoints that differ in direction only share it."""
    keys = np.column_stack([points, size])
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel()


def _cells(points: F32) -> npt.NDArray[np.int64]:
    low = points.min(axis=0)
    step = max(float((points.max(axis=0) - low).max()), 1.0) / CELLS
    column, row = np.minimum((points - low) / step, CELLS - 1).astype(np.int64).T
    return row * CELLS + column


def _rank_within(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many earlier elements are of the same group, for each element."""
    order = np.argsort(group, kind="stable")
    sorted_group = group[order]
    first = np.searchsorted(sorted_group, sorted_group)
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - first
    return rank


def _geometry(keypoints: Sequence[Any], side_px: int) -> F32:
    rows = [
        (
            (k.pt[0] + 0.5) / side_px,
            (k.pt[1] + 0.5) / side_px,
            k.size / side_px,
            np.deg2rad(k.angle),
        )
        for k in keypoints
    ]
    return np.array(rows, np.float32)


def root_sift(descriptors: npt.NDArray[Any]) -> U8:
    """The square root of L1-normalised SIFT ``[n, 128]``, times 512, as bytes."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return np.minimum(np.rint(np.sqrt(descriptors / total) * UNIT), 255).astype(np.uint8)


def unit_vectors(descriptors: U8) -> F32:
    """RootSIFT ``[n, 128]`` as bytes back to float32 of length 1, but for rounding."""
    return np.multiply(descriptors, np.float32(1 / UNIT), dtype=np.float32)


# ---------------------------------------------------------------- many pictures


def empty_pictures() -> Pictures:
    """A video without frames."""
    return Pictures(
        start_s=np.zeros(0),
        duration_s=np.zeros(0),
        aspect=np.zeros(0, np.float32),
        offsets=np.zeros(1, np.int32),
        geometry=np.zeros((0, 4), np.float32),
        descriptors=np.zeros((0, 128), np.uint8),
        hashes=np.zeros((0, 32), np.uint8),
        detail=np.zeros(0, np.float32),
    )


def pictures_of(rows: Iterable[pa.RecordBatch]) -> Pictures:
    """One video's ``COPY_DESCRIPTORS`` rows as arrays.

    Raises:
        ValueError: the rows are of several videos, or a row's bytes don't fit its count.
    """
    columns = [n for n in COPY_DESCRIPTORS.schema.names if n not in ("frame_no", "model")]
    batches = [batch.select(columns) for batch in rows]
    if not sum(batch.num_rows for batch in batches):
        return empty_pictures()
    table = pa.Table.from_batches(batches)
    videos = table["video_id"].unique()
    if len(videos) > 1:
        raise ValueError(f"rows of one video expected, found {len(videos)}: {videos.to_pylist()}")
    counts = table["feature_count"].to_numpy()
    raw = np.frombuffer(b"".join(table["geometry"].to_pylist()), "<u2").reshape(-1, 4)
    descriptors = np.frombuffer(b"".join(table["descriptors"].to_pylist()), np.uint8)
    if not counts.sum() == len(raw) == len(descriptors) / 128:
        raise ValueError(f"video {videos[0]}: its features' bytes don't fit their count")
    return Pictures(
        start_s=table["start_s"].to_numpy(),
        duration_s=table["duration_s"].to_numpy(),
        aspect=table["aspect"].to_numpy(),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        geometry=_unpacked_geometry(raw),
        descriptors=descriptors.reshape(-1, 128),
        hashes=np.frombuffer(b"".join(table["hash"].to_pylist()), np.uint8).reshape(-1, 32),
        detail=table["detail"].to_numpy(),
    )


def _packed_geometry(geometry: F32) -> bytes:
    lengths = np.rint(np.clip(geometry[:, :3], 0, 1) * 65535)
    turns = np.rint(geometry[:, 3:] / (2 * np.pi) * 65536) % 65536
    return np.hstack([lengths, turns]).astype("<u2").tobytes()


def _unpacked_geometry(raw: npt.NDArray[np.uint16]) -> F32:
    units = np.array([1 / 65535] * 3 + [2 * np.pi / 65536], np.float32)
    return raw.astype(np.float32) * units


def mirrored(pictures: Pictures) -> Pictures:
    """The same pictures shown left for right, without looking at them again.

    The descriptor's patch is flipped across its direction: rows of cells change places, and so
    do the directions of the gradients in them.
    """
    frame = np.repeat(np.arange(pictures.frame_count), np.diff(pictures.offsets))
    width = np.minimum(pictures.aspect, 1.0)[frame]
    x, y, size, angle = pictures.geometry.T
    geometry = np.stack([width - x, y, size, np.mod(np.pi - angle, 2 * np.pi)], axis=1)
    return Pictures(
        start_s=pictures.start_s,
        duration_s=pictures.duration_s,
        aspect=pictures.aspect,
        offsets=pictures.offsets,
        geometry=geometry.astype(np.float32),
        descriptors=mirrored_descriptors(pictures.descriptors),
        hashes=mirrored_hashes(pictures.hashes),
        detail=pictures.detail,
    )


def mirrored_descriptors(descriptors: U8) -> U8:
    """SIFT descriptors ``[n, 128]``, 4 x 4 cells of 8 directions, as of a mirrored picture."""
    row, column, direction = np.indices((4, 4, 8))
    order = ((3 - row) * 4 + column) * 8 + (-direction) % 8
    return np.ascontiguousarray(descriptors[:, order.ravel()])


# ---------------------------------------------------------------- rows in, rows out


class _Row(NamedTuple):
    video_id: str
    frame_no: int
    start_s: float
    duration_s: float
    width: int
    height: int


class FrameDescriber:
    """Describes kept frames.

    Args:
        workers: frames that are described at a time: OpenCV lets go of the interpreter lock.
        max_features: local features kept of a frame.
        side_px: pictures are described at this longer side, or at their own if that is less.

    Attributes:
        model: what describes the pictures and how, as stored in the ``model`` column.
    """

    def __init__(
        self, workers: int = 1, max_features: int = MAX_FEATURES, side_px: int = SIDE_PX
    ) -> None:
        if min(workers, max_features, side_px) < 1:
            raise ValueError("workers, max_features and side_px must be at least 1")
        self.model = f"{maker()}+{max_features}x{side_px}px"
        self._workers, self._max_features, self._side_px = workers, max_features, side_px

    def describe(self, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`frames` in (``FRAMES`` rows), ``COPY_DESCRIPTORS`` rows out, in the same order.

        Raises:
            ValueError: a frame is not a picture.
        """
        described = self._described(rows)
        while some := list(islice(described, ROWS_PER_BATCH)):
            yield self._output(some)

    def _described(self, rows: Iterable[pa.RecordBatch]) -> Iterator[tuple[_Row, FrameDescription]]:
        ahead: deque[tuple[_Row, Future[FrameDescription]]] = deque()
        with ThreadPoolExecutor(self._workers, "kadr-copies") as pool:
            try:
                for row, jpeg in _frames(rows):
                    ahead.append((row, pool.submit(self._describe, row, jpeg)))
                    if len(ahead) > self._workers * FRAMES_AHEAD:
                        done, future = ahead.popleft()
                        yield done, future.result()
                while ahead:
                    done, future = ahead.popleft()
                    yield done, future.result()
            finally:
                for _, future in ahead:
                    future.cancel()

    def _describe(self, row: _Row, jpeg: bytes) -> FrameDescription:
        import cv2

        luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE) if jpeg else None
        if luma is None:
            raise ValueError(f"frame at {row.start_s} s of video {row.video_id} is not a picture")
        return _describe_luma(luma, self._max_features, self._side_px)

    def _output(self, described: list[tuple[_Row, FrameDescription]]) -> pa.RecordBatch:
        rows = [row for row, _ in described]
        pictures = [picture for _, picture in described]
        columns = {
            **dict(zip(_Row._fields, zip(*rows, strict=True), strict=True)),
            "aspect": [row.width / row.height for row in rows],
            "detail": [p.detail for p in pictures],
            "hash": [p.hash.tobytes() for p in pictures],
            "feature_count": [len(p.geometry) for p in pictures],
            "geometry": [_packed_geometry(p.geometry) for p in pictures],
            "descriptors": [p.descriptors.tobytes() for p in pictures],
            "model": [self.model] * len(rows),
        }
        arrays = [pa.array(columns[field.name], field.type) for field in COPY_DESCRIPTORS.schema]
        return pa.record_batch(arrays, schema=COPY_DESCRIPTORS.schema)


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[_Row, bytes]]:
    for batch in batches:
        columns = [batch.column(name) for name in (*_Row._fields, "jpeg")]
        for values in zip(*columns, strict=True):
            *row, jpeg = (value.as_py() for value in values)
            yield _Row(*row), jpeg
