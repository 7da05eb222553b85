"""The text reader: frames in, lines of text with start and end out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ml.failures import ModelUnavailable
from ml.ocr.changes import Glance, glance, may_hold_new_text
from ml.ocr.engines import (
    Crop,
    CyrillicReader,
    LineDetector,
    LineRecogniser,
    Reading,
    find_russian_data,
    ocr_engine,
    require_provider,
)
from ml.ocr.merge import Line, LineMerger
from ml.ocr.models import PACKAGED, recogniser_file, short_hash
from ml.ocr.script import latin_confidence, looks_cyrillic, respelled, without_specks
from ml.schemas import OCR

# Frames that are decoded and read together: 16 of 640 x 360 are 11 MB.
CHUNK_FRAMES = 16
# 248 English captions: all but one are read with .94 or more. Textures of photographs give longer
# readings at up to .66 (and single symbols at up to .99, which `MIN_SYMBOLS` drops).
MIN_CONFIDENCE = 0.75
# Eyes and wheels are read as "0.0" at up to .88, so few symbols must be surer.
FEW_SYMBOLS = 3
MIN_CONFIDENCE_OF_FEW = 0.93
# Tesseract's confidence runs lower: of 120 Russian captions that were read right or one letter
# off, all but two had .6 or more.
MIN_CYRILLIC_CONFIDENCE = 0.6
# Single letters and digits are noise far more often than they are text.
MIN_SYMBOLS = 2


class Frame(NamedTuple):
    """A row of `frames`, without the columns that reading does not need."""

    video_id: str
    start_s: float
    duration_s: float
    jpeg: bytes


@dataclass
class _Video:
    """What the reader remembers of the video it is in."""

    video_id: str
    merger: LineMerger = field(default_factory=LineMerger)
    last_read: Glance | None = None


class TextReader:
    """Reads the text in frames. Build it with `load_reader`.

    Attributes:
        model: engines, versions and model files, as stored in the ``model`` column.
        frame_count: frames seen so far.
        read_count: frames that text was looked for in; the others had not changed.
    """

    def __init__(
        self,
        model: str,
        detector: LineDetector,
        recogniser: LineRecogniser,
        *,
        knows_cyrillic: bool,
        cyrillic: CyrillicReader | None = None,
        workers: int = 1,
    ) -> None:
        self.model = model
        self.frame_count = self.read_count = 0
        self._detector, self._recogniser, self._cyrillic = detector, recogniser, cyrillic
        self._knows_cyrillic = knows_cyrillic
        self._workers = workers

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`frames` in (``FRAMES`` rows, by video and time), `ocr` out: a batch for each video."""
        frames = _frames(batches)
        video: _Video | None = None
        with ThreadPoolExecutor(self._workers, "kadr-ocr") as pool:
            while chunk := list(islice(frames, CHUNK_FRAMES)):
                pictures = list(pool.map(decode_jpeg, chunk))
                glances = list(pool.map(glance, pictures))
                for video_id, group in groupby(range(len(chunk)), lambda i: chunk[i].video_id):
                    if video is None or video.video_id != video_id:
                        yield from self._rows(video)
                        video = _Video(video_id)
                    self._read_group(video, list(group), chunk, pictures, glances, pool)
            yield from self._rows(video)

    def _read_group(
        self,
        video: _Video,
        group: Sequence[int],
        chunk: Sequence[Frame],
        pictures: Sequence[np.ndarray],
        glances: Sequence[Glance],
        pool: ThreadPoolExecutor,
    ) -> None:
        changed = []
        for i in group:
            if video.last_read is None or may_hold_new_text(video.last_read, glances[i]):
                video.last_read = glances[i]
                changed.append(i)
        lines = dict(zip(changed, self._lines([pictures[i] for i in changed], pool), strict=True))
        self.frame_count += len(group)
        self.read_count += len(changed)
        for i in group:
            frame = chunk[i]
            if i in lines:
                video.merger.add(frame.start_s, frame.duration_s, lines[i])
            else:
                video.merger.stay(frame.start_s, frame.duration_s)

    def _lines(self, pictures: list[np.ndarray], pool: ThreadPoolExecutor) -> list[list[Line]]:
        """The lines of each picture; all their crops are recognised together."""
        found = list(pool.map(self._detector.find, pictures))
        readings = iter(self._recogniser.read([c.pixels for crops in found for c in crops]))
        return [
            [line for crop in crops if (line := self._line(crop, next(readings)))]
            for crops in found
        ]

    def _line(self, crop: Crop, reading: Reading) -> Line | None:
        """The line in a crop, or None when it is noise or in letters that nothing here reads."""
        if self._knows_cyrillic or not looks_cyrillic(reading):
            text = reading.text if self._knows_cyrillic else respelled(reading.text)
            return _kept(text, reading.confidence, MIN_CONFIDENCE, crop)
        if self._cyrillic is None:
            return None
        cyrillic = self._cyrillic.read(crop.pixels)
        if cyrillic.confidence < latin_confidence(reading):
            return None
        text = without_specks(cyrillic.text)
        return _kept(text, cyrillic.confidence, MIN_CYRILLIC_CONFIDENCE, crop)

    def _rows(self, video: _Video | None) -> Iterator[pa.RecordBatch]:
        lines = video.merger.finish() if video else []
        if video is None or not lines:
            return
        n = len(lines)
        boxes = np.array([t.line.box for t in lines], np.float32)
        columns = {
            "video_id": [video.video_id] * n,
            "line_no": range(n),
            "start_s": [t.start_s for t in lines],
            "end_s": [t.end_s for t in lines],
            "text": [t.line.text for t in lines],
            "confidence": [t.line.confidence for t in lines],
            **dict(zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True)),
            "model": [self.model] * n,
        }
        arrays = [pa.array(columns[f.name], f.type) for f in OCR.schema]
        yield pa.record_batch(arrays, schema=OCR.schema)


def _kept(text: str, confidence: float, least: float, crop: Crop) -> Line | None:
    symbols = sum(c.isalnum() for c in text)
    if symbols <= FEW_SYMBOLS:
        least = max(least, MIN_CONFIDENCE_OF_FEW)
    kept = symbols >= MIN_SYMBOLS and confidence >= least
    return Line(text, confidence, crop.box) if kept else None


def decode_jpeg(frame: Frame) -> np.ndarray:
    """uint8[h, w, 3] BGR.

    Raises:
        ValueError: the bytes are not a picture.
    """
    import cv2

    picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"frame at {frame.start_s} s of video {frame.video_id} is not a picture")
    return np.asarray(picture)


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[Frame]:
    for batch in batches:
        columns = [batch.column(name) for name in Frame._fields]
        for row in zip(*columns, strict=True):
            yield Frame(*(value.as_py() for value in row))


def load_reader(
    model_id: str,
    *,
    profile: str,
    device: str = "cpu",
    workers: int = 1,
    threads: int = 1,
    tessdata_dir: str | Path | None = None,
) -> TextReader:
    """Build the text reader of a profile.

    Args:
        model_id: ``packaged:rapidocr`` (Latin and Chinese; Cyrillic lines go to Tesseract when
            its Russian data is found, and are left out when it is not), ``rapidocr:eslav`` (the
            Cyrillic and Latin recogniser, see `ml.ocr.models`), or ``rapidocr:/path/rec.onnx``.
        profile: the profile's name, for the error message.
        device: ``cpu`` or ``cuda``.
        workers: frames that are looked at in parallel.
        threads: threads onnxruntime uses for one frame.
        tessdata_dir: where to look for ``rus.traineddata`` instead of the usual places.

    Raises:
        ModelUnavailable: no such model, or its file is missing or damaged.
    """
    packaged = model_id == PACKAGED
    file = None if packaged else recogniser_file(model_id, profile)
    try:
        engine = ocr_engine(threads, device, file)
        detector, recogniser = LineDetector(engine), LineRecogniser(engine)
        require_provider(engine, device)
    except Exception as error:
        raise ModelUnavailable(model_id, profile, f"{type(error).__name__}: {error}") from error
    data = find_russian_data(tessdata_dir) if packaged else None
    return TextReader(
        _identity(file, data),
        detector,
        recogniser,
        knows_cyrillic=not packaged,
        cyrillic=CyrillicReader(data) if data else None,
        workers=workers,
    )


def _identity(recogniser: Path | None, russian_data: Path | None) -> str:
    from importlib.metadata import version

    name = f"rapidocr@{version('rapidocr')}"
    if recogniser is not None:
        return f"{name}+{recogniser.stem}@{short_hash(recogniser)}"
    if russian_data is None:
        return name
    return f"{name}+tesseract-rus@{short_hash(russian_data / 'rus.traineddata')}"
