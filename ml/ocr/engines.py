"""The engines under the text reader: PP-OCR finds and reads lines, Tesseract reads Cyrillic ones.

PP-OCR runs in onnxruntime through RapidOCR's own detector and recogniser objects. The
recogniser's output is decoded here, because RapidOCR gives the text and drops the places of its
characters, and those places tell a line that was read from a line that was passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Longer side of the picture the detector sees. 248 rendered captions at 640x360, JPEG 85:
# text 16-36 px high: error rate .001 at 640, .002 at 544, .002 at 416; text 9-13 px high: .006
# at 640 and 736, .005 at 544, .052 at 480, .085 at 416. A frame costs .21 s of CPU at 640,
# .16 s at 544, .11 s at 480.
DETECTION_SIDE_PX = 544
# Lines of like width are read together. More than 8 gains nothing on a CPU.
RECOGNITION_BATCH = 8
RECOGNITION_HEIGHT_PX = 48
# The recogniser's network makes one prediction for each 8 pixels of its 48 px high input.
PIXELS_PER_STEP = 8
# Wider crops are squeezed: 48 px x 2,400 px holds some 100 letters.
MAX_WIDTH_PX = 2400

Pixels = np.ndarray


@dataclass(frozen=True)
class Reading:
    """What an engine makes of one crop.

    Attributes:
        text: the line, spaces collapsed.
        confidence: mean probability of its characters, 0 to 1.
        density: characters for each line height of width, not counting spaces.
    """

    text: str
    confidence: float
    density: float


@dataclass(frozen=True)
class Crop:
    """A found line: upright uint8[h, w, 3] BGR pixels and its box as shares of the picture."""

    pixels: Pixels
    box: tuple[float, float, float, float]


def ocr_engine(threads: int, device: str = "cpu", recogniser: Path | None = None) -> Any:
    """RapidOCR with its packaged models, or with another recogniser file (ONNX)."""
    from rapidocr import RapidOCR

    from ml.models.device import device_number, quiet_onnxruntime

    quiet_onnxruntime()
    params: dict[str, Any] = {
        "Global.log_level": "error",
        "Det.limit_side_len": DETECTION_SIDE_PX,
        "Det.limit_type": "max",
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.use_cuda": device.startswith("cuda"),
        "EngineConfig.onnxruntime.cuda_ep_cfg.device_id": device_number(device),
    }
    if recogniser is not None:
        params["Rec.model_path"] = str(recogniser)
    return RapidOCR(params=params)


def require_provider(engine: Any, device: str) -> None:
    """Refuse a loaded engine that RapidOCR quietly put on the CPU.

    Raises:
        RuntimeError: a CUDA device is asked for, and onnxruntime has no CUDA.
    """
    providers = engine.text_det.session.session.get_providers()
    if device.startswith("cuda") and "CUDAExecutionProvider" not in providers:
        raise RuntimeError(f"onnxruntime has no CUDA here, only {', '.join(providers)}")


class LineDetector:
    """Finds lines of text in a picture."""

    def __init__(self, engine: Any) -> None:
        self._detector = engine._load_det_model()

    def find(self, picture: Pixels) -> list[Crop]:
        """The lines of a uint8[h, w, 3] BGR picture, from top to bottom."""
        from rapidocr.utils.process_img import get_rotate_crop_image

        height, width = picture.shape[:2]
        corners = self._detector(picture).boxes
        return [
            Crop(get_rotate_crop_image(picture, c.copy()), _box(c, width, height))
            for c in ([] if corners is None else corners.astype(np.float32))
        ]


def _box(corners: np.ndarray, width: int, height: int) -> tuple[float, float, float, float]:
    shares = np.clip(corners / np.array([width, height], np.float32), 0, 1)
    (x0, y0), (x1, y1) = shares.min(axis=0).tolist(), shares.max(axis=0).tolist()
    return x0, y0, x1, y1


class LineRecogniser:
    """Reads cropped lines with a PP-OCR recogniser (CTC)."""

    def __init__(self, engine: Any) -> None:
        recogniser = engine._load_rec_model()
        self._session = recogniser.session
        self._characters = np.array(recogniser.postprocess_op.character, dtype=object)

    def read(self, crops: Sequence[Pixels]) -> list[Reading]:
        """One reading for each crop, in order."""
        readings: dict[int, Reading] = {}
        for group in _by_width(crops):
            batch = _normalised([crops[i] for i in group])
            for i, steps in zip(group, self._session(batch), strict=True):
                readings[i] = self._decoded(steps, crops[i])
        return [readings[i] for i in range(len(crops))]

    def _decoded(self, steps: np.ndarray, crop: Pixels) -> Reading:
        """Greedy CTC: repeats collapse, blanks (class 0) fall out. ``steps`` is [t, classes]."""
        best = steps.argmax(axis=1)
        emitted = np.flatnonzero((best != 0) & (best != np.concatenate([[0], best[:-1]])))
        letters = "".join(self._characters[best[emitted]])
        text = " ".join(letters.split())
        seen = emitted[[not letter.isspace() for letter in letters]]
        confidence = float(steps[seen, best[seen]].mean()) if len(seen) else 0.0
        return Reading(text, confidence, len(seen) / _aspect(crop))


def _aspect(crop: Pixels) -> float:
    return crop.shape[1] / max(crop.shape[0], 1)


def _by_width(crops: Sequence[Pixels]) -> Iterator[list[int]]:
    order = sorted(range(len(crops)), key=lambda i: _aspect(crops[i]))
    for start in range(0, len(order), RECOGNITION_BATCH):
        yield order[start : start + RECOGNITION_BATCH]


def _normalised(crops: Sequence[Pixels]) -> np.ndarray:
    """float32[n, 3, 48, w] in -1..1, padded with zeros on the right (as PP-OCR was trained)."""
    import cv2

    widths = [min(round(RECOGNITION_HEIGHT_PX * _aspect(c)) or 1, MAX_WIDTH_PX) for c in crops]
    # 320 is the width the recogniser was trained at; narrower inputs are read worse.
    batch = np.zeros((len(crops), 3, RECOGNITION_HEIGHT_PX, max(320, *widths)), np.float32)
    for row, crop, width in zip(batch, crops, widths, strict=True):
        resized = cv2.resize(crop, (width, RECOGNITION_HEIGHT_PX))
        row[:, :, :width] = resized.transpose(2, 0, 1) / 127.5 - 1
    return batch


class CyrillicReader:
    """Reads one cropped line with Tesseract's Russian data (tesserocr's own libtesseract)."""

    def __init__(self, tessdata: Path) -> None:
        import tesserocr

        self._api = tesserocr.PyTessBaseAPI(
            path=str(tessdata), lang="rus", psm=tesserocr.PSM.SINGLE_LINE
        )

    def read(self, crop: Pixels) -> Reading:
        """The line in a uint8[h, w, 3] BGR crop; an empty text when Tesseract sees nothing.

        Tries four ways of telling letters from what is behind them and keeps the one that
        Tesseract is surest of. 120 rendered Russian captions over photographs: error rate .206
        with plain Otsu, .020 with the best of the four, 10 ms each. A margin around the crop
        makes it worse (.070 with a tenth of the height), as do further guesses (no gain).
        """
        readings = [self._read(picture, crop) for picture in binarised(crop)]
        return max(readings, key=lambda reading: reading.confidence)

    def _read(self, picture: np.ndarray, crop: Pixels) -> Reading:
        from PIL import Image

        self._api.SetImage(Image.fromarray(picture))
        words = self._api.GetUTF8Text().split()
        scores = self._api.AllWordConfidences()
        # Longer words say more about how well the line was read.
        lengths = [len(w) for w in words] if len(words) == len(scores) else None
        confidence = float(np.average(scores, weights=lengths)) / 100 if words and scores else 0.0
        return Reading(" ".join(words), confidence, sum(map(len, words)) / _aspect(crop))


# 120 rendered Russian captions: error rate .033 at 40 px, .020 at 48, .020 at 64.
TESSERACT_LINE_PX = 48
# White around the line, so that Tesseract finds its ends.
TESSERACT_BORDER_PX = 12
# Subtitles are white more often than anything else.
WHITE = 200


def binarised(crop: Pixels) -> list[np.ndarray]:
    """Black letters on white, uint8[h, w], four guesses at what is ink.

    The bright side of Otsu's threshold; the brightest and the darkest of three classes (Otsu for
    three), which take outlined letters out of a mid-grey picture; and everything near white.
    """
    import cv2
    from skimage.filters import threshold_multiotsu, threshold_otsu

    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    width = max(round(TESSERACT_LINE_PX * _aspect(crop)), 1)
    grey = cv2.resize(grey, (width, TESSERACT_LINE_PX), interpolation=cv2.INTER_CUBIC)
    masks = [grey > WHITE]
    if len(np.unique(grey)) >= 3:
        dark, bright = threshold_multiotsu(grey, classes=3)
        masks += [grey > threshold_otsu(grey), grey > bright, grey < dark]
    return [_on_white(_letters(mask)) for mask in masks]


def _letters(ink: np.ndarray) -> np.ndarray:
    """The mask bool[h, w] without the parts that hang on the crop's edges as no letter does."""
    import cv2

    height, width = ink.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    x, y, w, h, _ = stats.T
    at_end = (y == 0) | (y + h == height)
    at_side = (x == 0) | (x + w == width)
    background = at_end | at_side & ((w > 1.5 * height) | (h < 0.2 * height))
    background[0] = True
    return ~background[labels]


def _on_white(ink: np.ndarray) -> np.ndarray:
    picture = np.where(ink, 0, 255).astype(np.uint8)
    return np.pad(picture, TESSERACT_BORDER_PX, constant_values=255)


def find_russian_data(tessdata_dir: str | Path | None = None) -> Path | None:
    """The folder that holds ``rus.traineddata``, or None.

    Looks in ``tessdata_dir`` (and its ``tessdata``) when given, and only there; else where
    distributions of Linux and Homebrew put it.
    """
    if tessdata_dir is not None:
        places = [Path(tessdata_dir), Path(tessdata_dir) / "tessdata"]
    else:
        places = sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)
        places += [
            Path(p)
            for p in (
                "/usr/share/tessdata",
                "/usr/share/tesseract/tessdata",
                "/usr/local/share/tessdata",
                "/opt/homebrew/share/tessdata",
            )
        ]
    return next((p for p in places if (p / "rus.traineddata").is_file()), None)
