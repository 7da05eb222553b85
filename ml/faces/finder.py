"""Finds and describes the faces of kept frames: detector, alignment, recogniser and quality.

Frames are decoded in threads ahead of the models; the models see frames of several videos at a
time. What finds and what describes are given (`FaceModels`): packaged models or an ONNX pair.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ml.faces.alignment import DLIB, Template, aligned_chip
from ml.faces.boxes import F32, U8
from ml.faces.detector import Detections, at_most
from ml.faces.quality import flaw_of, look_at, quality_of
from ml.schemas import FACES

ROWS_PER_BATCH = 64
# Pictures that go through the models together: 16 frames of 768 x 432 px. 8 took as long on a CPU.
_PIXELS_PER_BATCH = 16 * 768 * 432
# Frames that wait for a worker or for the models, for each worker: 4 of 768 px are 0.4 MB.
_FRAMES_AHEAD = 4
CROP_PX = 160
_CROP_MARGIN = 0.25  # of the box's sides, on each side
_CROP_JPEG_QUALITY = 85


class FaceModels(Protocol):
    """What finds faces in pictures and makes vectors of them.

    Attributes:
        identity: names and revisions, as stored in the ``model`` column.
        template: how the recogniser wants faces to be aligned.
        sure_score: detections that score less are not trusted.
        same_person_distance: two clear faces less far apart (Euclidean, between unit-length
            vectors) are one person's.
    """

    identity: str
    template: Template
    sure_score: float
    same_person_distance: float

    def detect(self, pictures: Sequence[U8]) -> list[Detections]:
        """The faces of RGB pictures uint8[h, w, 3], of any sizes."""
        ...

    def embed(self, chips: U8) -> F32:
        """Unit-length vectors float32[n, d] of aligned RGB chips uint8[n, side, side, 3]."""
        ...


@dataclass(frozen=True)
class Face:
    """A face of a picture; columns of the same names in ``FACES`` say what each is."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    size_px: int
    quality: float
    flaw: str
    embedding: F32
    crop: bytes


class _Row(NamedTuple):
    video_id: str
    frame_no: int
    start_s: float
    duration_s: float


class FaceFinder:
    """Finds the faces of frames and pictures.

    Args:
        models: what finds and describes.
        workers: frames that are decoded at a time.

    Attributes:
        model: the models' identity.
        same_person_distance: the models'.
    """

    def __init__(self, models: FaceModels, workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.model = models.identity
        self.same_person_distance = models.same_person_distance
        self._models, self._workers = models, workers

    def find(self, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`frames` in (``FRAMES`` rows), ``FACES`` rows out: in the frames' order, largest first.

        Frames without a face give no rows.

        Raises:
            ValueError: a frame is not a picture.
        """
        found = (
            (row, number, face)
            for some in _batched(self._decoded(rows))
            for (row, _), faces in zip(some, self._look([p for _, p in some]), strict=True)
            for number, face in enumerate(faces)
        )
        while some_faces := list(islice(found, ROWS_PER_BATCH)):
            yield self._output(some_faces)

    def faces_of(self, picture: U8) -> list[Face]:
        """The faces of one RGB picture uint8[h, w, 3], the largest first.

        Raises:
            ValueError: an array of another shape or type.
        """
        shape = picture.shape
        if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or not picture.size:
            raise ValueError(
                f"a picture must be uint8[height, width, 3], got {picture.dtype}{list(shape)}"
            )
        return self._look([picture])[0]

    def _decoded(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[_Row, U8]]:
        ahead: deque[tuple[_Row, Future[U8]]] = deque()
        with ThreadPoolExecutor(self._workers, "kadr-faces") as pool:
            try:
                for row, jpeg in _frames(batches):
                    ahead.append((row, pool.submit(_decode, row, jpeg)))
                    if len(ahead) > self._workers * _FRAMES_AHEAD:
                        done, future = ahead.popleft()
                        yield done, future.result()
                while ahead:
                    done, future = ahead.popleft()
                    yield done, future.result()
            finally:
                for _, future in ahead:
                    future.cancel()

    def _look(self, pictures: Sequence[U8]) -> list[list[Face]]:
        """The faces of each picture; the recogniser sees those of all together."""
        template = self._models.template
        found = self._models.detect(pictures)
        chips = [
            aligned_chip(picture, landmarks, template)
            for picture, faces in zip(pictures, found, strict=True)
            for landmarks in faces.landmarks
        ]
        blank = np.zeros((0, template.side_px, template.side_px, 3), np.uint8)
        vectors = self._models.embed(np.stack(chips) if chips else blank)
        parts = np.split(vectors, np.cumsum([len(faces.scores) for faces in found])[:-1])
        return [
            self._faces(picture, faces, own)
            for picture, faces, own in zip(pictures, found, parts, strict=True)
        ]

    def _faces(self, picture: U8, found: Detections, vectors: F32) -> list[Face]:
        faces = [
            self._face(picture, box, score, landmarks, vector)
            for box, score, landmarks, vector in zip(
                _inside(found.boxes, picture),
                *(found.scores, found.landmarks, vectors),
                strict=True,
            )
            if (box[2:] - box[:2]).min() >= 1  # the rest lies outside the picture
        ]
        return sorted(faces, key=lambda face: (-(face.x1 - face.x0) * (face.y1 - face.y0), face.x0))

    def _face(self, picture: U8, box: F32, score: float, landmarks: F32, vector: F32) -> Face:
        height, width = picture.shape[:2]
        size_px = int((box[2:] - box[:2]).min())
        chip = aligned_chip(picture, landmarks, DLIB)
        look = look_at(chip, landmarks, size_px, width, height)
        x0, y0, x1, y1 = (box / np.array([width, height] * 2, np.float32)).tolist()
        return Face(
            *(x0, y0, x1, y1, float(score), size_px),
            quality=quality_of(look),
            flaw=flaw_of(look, is_sure=score >= self._models.sure_score),
            embedding=vector,
            crop=crop_jpeg(picture, box),
        )

    def _output(self, found: list[tuple[_Row, int, Face]]) -> pa.RecordBatch:
        columns = {
            **dict(zip(_Row._fields, zip(*(row for row, _, _ in found), strict=True), strict=True)),
            "face_no": [number for _, number, _ in found],
            "model": [self.model] * len(found),
        }
        for name in Face.__dataclass_fields__:
            columns[name] = [getattr(face, name) for _, _, face in found]
        arrays = [pa.array(columns[field.name], field.type) for field in FACES.schema]
        return pa.record_batch(arrays, schema=FACES.schema)


def crop_jpeg(picture: U8, box: F32) -> bytes:
    """A box (pixels) with a margin as an RGB JPEG, its longer side at most 160 px."""
    import cv2

    margin = _CROP_MARGIN * np.tile(box[2:] - box[:2], 2) * np.array([-1, -1, 1, 1])
    wide = _inside((box + margin)[None], picture)[0]
    low, high = np.floor(wide[:2]).astype(int), np.ceil(wide[2:]).astype(int)
    crop = at_most(picture[low[1] : high[1], low[0] : high[0]], CROP_PX)
    options = [cv2.IMWRITE_JPEG_QUALITY, _CROP_JPEG_QUALITY]
    bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, options)[1])


def _inside(boxes: F32, picture: U8) -> F32:
    """Boxes (pixels) without what leaves the picture."""
    height, width = picture.shape[:2]
    return np.clip(boxes, 0, np.array([width, height] * 2)).astype(np.float32)


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[_Row, bytes]]:
    for batch in batches:
        columns = [batch.column(name) for name in (*_Row._fields, "jpeg")]
        for values in zip(*columns, strict=True):
            *row, jpeg = (value.as_py() for value in values)
            yield _Row(*row), jpeg


def _decode(row: _Row, jpeg: bytes) -> U8:
    import cv2

    data = np.frombuffer(jpeg, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if jpeg else None
    if picture is None:
        raise ValueError(f"frame at {row.start_s} s of video {row.video_id} is not a picture")
    return np.asarray(picture, np.uint8)


def _batched(frames: Iterable[tuple[_Row, U8]]) -> Iterator[list[tuple[_Row, U8]]]:
    """Frames in groups of so many pixels, or of one that has more."""
    group: list[tuple[_Row, U8]] = []
    pixels = 0
    for row, picture in frames:
        size = picture.shape[0] * picture.shape[1]
        if group and pixels + size > _PIXELS_PER_BATCH:
            yield group
            group, pixels = [], 0
        group.append((row, picture))
        pixels += size
    if group:
        yield group
