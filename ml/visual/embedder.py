"""A vector for each kept frame, and for a person's words when the model has a text tower.

Two kinds of embedder behind one interface: the packaged layout descriptor, which knows colours
and edges and where they are (it finds the same shot again, not the same subject), and learned
models loaded by transformers (CLIP, SigLIP, SigLIP2, or a plain image backbone).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ml.failures import ModelUnavailable
from ml.models.device import FittingBatches, half_precision
from ml.models.loading import identity, load, load_model
from ml.schemas import VISUAL
from ml.vectors import as_list_array, unit
from ml.visual.preparation import Preparation, Prepared, rgb

PACKAGED = "packaged:layout-descriptor"
# Threads that decode and resize while the model computes, without the interpreter's lock. One
# prepares some 500 frames of 768 x 432 a second.
DECODERS = 4
# Frames that a thread takes at once: a handover costs as much as a tenth of a frame.
FRAMES_AT_ONCE = 8
# Batches that are being prepared ahead of the model.
BATCHES_AHEAD = 2
# Frames in one step of the model. A GPU waits for Python with 32: starting the kernels of a small
# tower takes longer than running them.
BATCH_ON_CPU, BATCH_ON_GPU = 32, 256

# Waits for what a model was started on; float[n, d].
Answer = Callable[[], np.ndarray]


class TextSearchOff(Exception):
    """The profile's visual model has no text tower."""

    def __init__(self, model_id: str) -> None:
        super().__init__(
            f"text to picture search is off in this profile: {model_id!r} knows no words. "
            "The profiles base and full have an image-text model"
        )


class ImageEmbedder(Protocol):
    """Frames in, unit-length vectors out.

    Attributes:
        model: name and revision, as stored in the ``model`` column.
        dimension: length of the vectors.
    """

    model: str
    dimension: int

    def embed(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`frames` in (``FRAMES`` rows), `visual` out (``VISUAL`` rows), in the same order."""
        ...


class TextTower(Protocol):
    """A person's words as a vector that can be held against frames' vectors.

    Attributes:
        tokenizer: of transformers; it tells which languages the model knows.
    """

    model: str
    dimension: int
    tokenizer: Any

    def embed_query(self, text: str) -> np.ndarray:
        """Unit-length float32[dimension]."""
        ...


def load_image_embedder(
    model_id: str,
    *,
    profile: str,
    device: str = "cpu",
    batch_size: int | None = None,
    workers: int = DECODERS,
) -> ImageEmbedder:
    """The image embedder of a profile.

    Args:
        model_id: ``packaged:layout-descriptor``, or a hub id or local path of an image-text
            model or an image backbone with a ``pooler_output``.
        profile: the profile's name, for the error message.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: frames in one step of the model, by default what suits the device; halved where
            they do not fit.
        workers: threads that decode.

    Raises:
        ModelUnavailable: it cannot be loaded.
    """
    if model_id == PACKAGED:
        return LayoutEmbedder(workers)
    if batch_size is None:
        batch_size = BATCH_ON_GPU if device.startswith("cuda") else BATCH_ON_CPU
    return LearnedEmbedder(model_id, profile, device, batch_size, workers)


def load_text_tower(model_id: str, *, profile: str, device: str = "cpu") -> TextTower:
    """The text side of the profile's image-text model.

    Raises:
        TextSearchOff: the model has none.
        ModelUnavailable: it cannot be loaded.
    """
    if model_id == PACKAGED:
        raise TextSearchOff(model_id)
    return LearnedTextTower(model_id, profile, device)


# ---------------------------------------------------------------- rows in, rows out


class _Row(NamedTuple):
    video_id: str
    frame_no: int
    start_s: float
    duration_s: float


def _embedded(
    batches: Iterable[pa.RecordBatch],
    prepare: Callable[[bytes], Any],
    start: Callable[[Sequence[Any]], Answer],
    batch_size: int,
    workers: int,
    model: str,
) -> Iterator[pa.RecordBatch]:
    """Decode ahead in threads, embed ``batch_size`` frames at a time, across videos.

    A batch is started before the answer to the one before is asked for, so that a GPU has its next
    work when it ends the last.
    """
    running: tuple[list[_Row], Answer] | None = None
    for rows, prepared in _prepared(batches, prepare, batch_size, workers):
        started = start(prepared)
        if running is not None:
            yield _output(*running, model)
        running = rows, started
    if running is not None:
        yield _output(*running, model)


def _prepared(
    batches: Iterable[pa.RecordBatch],
    prepare: Callable[[bytes], Any],
    batch_size: int,
    workers: int,
) -> Iterator[tuple[list[_Row], list[Any]]]:
    """``batch_size`` frames at a time, decoded ahead."""

    def prepare_all(frames: list[tuple[_Row, bytes]]) -> list[Any]:
        return [prepare(jpeg) for _, jpeg in frames]

    ahead: deque[tuple[list[_Row], list[Future[list[Any]]]]] = deque()
    frames = _frames(batches)
    with ThreadPoolExecutor(workers, "kadr-visual") as pool:
        try:
            while group := list(islice(frames, batch_size)):
                parts = [
                    pool.submit(prepare_all, group[i : i + FRAMES_AT_ONCE])
                    for i in range(0, len(group), FRAMES_AT_ONCE)
                ]
                ahead.append(([row for row, _ in group], parts))
                if len(ahead) > BATCHES_AHEAD:
                    yield _finished(*ahead.popleft())
            while ahead:
                yield _finished(*ahead.popleft())
        finally:
            for future in chain.from_iterable(parts for _, parts in ahead):
                future.cancel()


def _finished(rows: list[_Row], parts: list[Future[list[Any]]]) -> tuple[list[_Row], list[Any]]:
    return rows, [prepared for part in parts for prepared in part.result()]


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[_Row, bytes]]:
    for batch in batches:
        columns = [batch.column(name) for name in (*_Row._fields, "jpeg")]
        for values in zip(*columns, strict=True):
            *row, jpeg = (value.as_py() for value in values)
            yield _Row(*row), jpeg


def _output(rows: list[_Row], answer: Answer, model: str) -> pa.RecordBatch:
    vectors = unit(answer())
    columns = dict(zip(_Row._fields, zip(*rows, strict=True), strict=True))
    arrays = [pa.array(columns[name], VISUAL.schema.field(name).type) for name in _Row._fields]
    arrays += [as_list_array(vectors), pa.array([model] * len(rows))]
    return pa.record_batch(arrays, schema=VISUAL.schema)


# ---------------------------------------------------------------- the packaged descriptor

# Raised whenever the descriptor's numbers change: vectors of two versions never meet.
LAYOUT_VERSION = 1
LAYOUT_SIDE_PX = 80
COLOUR_GRID = 6
EDGE_GRID = 5
ORIENTATIONS = 8
# Hue, saturation, value. Greys have no hue, so the least saturated level is one bin per value.
COLOUR_BINS = (8, 2, 2)
GREY_BINS = 4
# Colour layout, colour histograms, edges. Chosen on 16 photographs of scikit-image and
# scikit-learn against their recompressed, scaled and slightly cropped copies.
PART_WEIGHTS = (1.0, 0.7, 1.0)
# A part shorter than this says little (a grey picture's colours, a flat one's edges) and stays
# short, where stretching it to length 1 would make much of its noise.
PART_FLOORS = (4.0, 0.1, 60.0)
GREY_SATURATION = 40
LAYOUT_DIMENSION = (
    3 * COLOUR_GRID**2
    + (1 + 4) * (int(np.prod(COLOUR_BINS)) + GREY_BINS)
    + EDGE_GRID**2 * ORIENTATIONS
)


class LayoutEmbedder:
    """The packaged descriptor: colours and edges over a grid. Deterministic, nothing learned."""

    model = f"layout-descriptor@{LAYOUT_VERSION}"
    dimension = LAYOUT_DIMENSION

    def __init__(self, workers: int = DECODERS) -> None:
        self._workers = workers

    def embed(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See `ImageEmbedder.embed`."""

        def describe(jpeg: bytes) -> np.ndarray:
            return layout_descriptor(rgb(jpeg))

        def stacked(vectors: Sequence[np.ndarray]) -> Answer:
            return lambda: np.stack(vectors)

        return _embedded(batches, describe, stacked, BATCH_ON_CPU, self._workers, self.model)


def layout_descriptor(picture: np.ndarray) -> np.ndarray:
    """Unit-length float32[488] of a uint8[h, w, 3] RGB picture.

    Three parts, each at length 1 and then weighted: the mean Lab colour of a 6 x 6 grid (as
    MPEG-7's colour layout, without the cosine transform), colour histograms of the whole and of
    its quarters (square roots, so that the dot product is Hellinger's), and a histogram of edge
    directions in each cell of a 5 x 5 grid (as Dalal and Triggs 2005, one cell per block). Parts
    are centred, so that pictures with nothing in common have a cosine near 0.
    """
    import cv2

    side = (LAYOUT_SIDE_PX, LAYOUT_SIDE_PX)
    small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA)
    parts = (_colour_layout(small), _colour_histograms(small), _edges(small))
    weighted = [
        weight * part / max(float(np.linalg.norm(part)), floor)
        for part, weight, floor in zip(parts, PART_WEIGHTS, PART_FLOORS, strict=True)
    ]
    return unit(np.concatenate(weighted)[None])[0]


def _colour_layout(small: np.ndarray) -> np.ndarray:
    import cv2

    grid = cv2.resize(small, (COLOUR_GRID, COLOUR_GRID), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(grid.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray((lab - np.array([50, 0, 0], np.float32)).ravel() / 50)


def _colour_histograms(small: np.ndarray) -> np.ndarray:
    import cv2

    hue, saturation, value = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    hues, saturations, values = COLOUR_BINS
    vivid = (saturation.astype(int) - GREY_SATURATION) * saturations // (256 - GREY_SATURATION)
    coloured = (hue.astype(int) * hues // 180 * saturations + vivid) * values
    bins = coloured + value.astype(int) * values // 256
    grey = int(np.prod(COLOUR_BINS)) + value.astype(int) * GREY_BINS // 256
    bins = np.where(saturation < GREY_SATURATION, grey, bins)
    half = LAYOUT_SIDE_PX // 2
    quarters = [bins[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    n = int(np.prod(COLOUR_BINS)) + GREY_BINS
    counts = [np.bincount(area.ravel(), minlength=n) / area.size for area in (bins, *quarters)]
    return np.concatenate([np.sqrt(c) - np.sqrt(1 / n) for c in counts])


def _edges(small: np.ndarray) -> np.ndarray:
    import cv2

    sharp = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(sharp, (3, 3), 0)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(dx, dy)
    direction = (angle * (ORIENTATIONS / np.pi)).astype(int) % ORIENTATIONS
    cell = np.arange(LAYOUT_SIDE_PX) * EDGE_GRID // LAYOUT_SIDE_PX
    cells = cell[:, None] * EDGE_GRID + cell[None, :]
    sums = np.bincount(
        (cells * ORIENTATIONS + direction).ravel(),
        weights=strength.ravel(),
        minlength=EDGE_GRID**2 * ORIENTATIONS,
    ).reshape(-1, ORIENTATIONS)
    # Square roots keep one strong edge from being all there is.
    roots = np.sqrt(sums) - np.sqrt(sums.mean(axis=1, keepdims=True))
    return np.asarray(roots.ravel())


# ---------------------------------------------------------------- learned models


class LearnedEmbedder:
    """An image-text model's image tower, or an image backbone, in transformers."""

    def __init__(
        self,
        model_id: str,
        profile: str,
        device: str,
        batch_size: int,
        workers: int = DECODERS,
    ) -> None:
        from transformers import AutoImageProcessor

        self._dtype = half_precision(device)
        network = load_model(model_id, profile, dtype=self._dtype)
        # The PIL processors need no torchvision.
        processor = load(model_id, profile, AutoImageProcessor.from_pretrained, backend="pil")
        self._network = network.to(device)
        self._prepare = Preparation.of(processor)
        self._normalised = (
            self._prepare.normaliser(device, self._dtype) if self._prepare.plain else None
        )
        self._device, self._workers = device, workers
        self._batches = FittingBatches(batch_size)
        self.model = identity(model_id, network)
        self.dimension = self._measured_dimension(model_id, profile)

    def embed(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See `ImageEmbedder.embed`."""
        size = self._batches.size
        return _embedded(batches, self._prepare, self._started, size, self._workers, self.model)

    def _started(self, prepared: Sequence[Prepared]) -> Answer:
        import torch

        parts = list(self._batches.run(self._step, prepared))
        return lambda: np.asarray(torch.cat(parts).cpu().numpy())

    def _step(self, prepared: Sequence[Prepared]) -> Any:
        """float32[n, d] of prepared pictures on the device, in one step of the model.

        A GPU may still be at work when it returns.
        """
        import torch

        inputs = {name: self._on_device([p[name] for p in prepared]) for name in prepared[0]}
        if self._normalised is not None:
            inputs = {"pixel_values": self._normalised(inputs["pixels"])}
        with torch.inference_mode():
            return self._features(inputs).float()

    def _on_device(self, arrays: Sequence[np.ndarray]) -> Any:
        """The stacked arrays on the device, numbers with a point in the model's precision."""
        import torch

        shape = (len(arrays), *arrays[0].shape)
        tensors = [torch.from_numpy(array) for array in arrays]
        on_gpu = self._device.startswith("cuda")
        # From pinned memory a copy waits for nobody, and nobody for it.
        pinned = torch.empty(shape, dtype=tensors[0].dtype, pin_memory=on_gpu)
        torch.stack(tensors, out=pinned)
        values = pinned.to(self._device, non_blocking=True)
        return values.to(self._dtype) if values.dtype.is_floating_point else values

    def _features(self, inputs: dict[str, Any]) -> Any:
        if hasattr(self._network, "get_image_features"):
            return self._network.get_image_features(**inputs).pooler_output
        return self._network(**inputs).pooler_output.flatten(1)

    def _measured_dimension(self, model_id: str, profile: str) -> int:
        import io

        from PIL import Image

        data = io.BytesIO()
        Image.new("RGB", (64, 64)).save(data, "JPEG")
        try:
            return int(self._step([self._prepare(data.getvalue())]).shape[1])
        except (AttributeError, TypeError) as error:
            reason = f"it gives no vector for a picture ({error})"
            raise ModelUnavailable(model_id, profile, reason) from error


class LearnedTextTower:
    """The text tower of an image-text model in transformers."""

    def __init__(self, model_id: str, profile: str, device: str) -> None:
        from transformers import AutoTokenizer

        network = load_model(model_id, profile, dtype=half_precision(device))
        if not hasattr(network, "get_text_features"):
            raise TextSearchOff(model_id)
        self._network = network.to(device)
        self.tokenizer = load(model_id, profile, AutoTokenizer.from_pretrained)
        self._device = device
        text = network.config.text_config
        self._length = int(text.max_position_embeddings)
        # SigLIP was trained on lower-case text padded to its full length, and reads other
        # lengths wrongly.
        self._is_siglip = network.config.model_type.startswith("siglip")
        self.model = identity(model_id, network)
        self.dimension = len(self.embed_query("a"))

    def embed_query(self, text: str) -> np.ndarray:
        """Unit-length float32[dimension] of a person's words."""
        import torch

        tokens = self.tokenizer(
            [text.lower() if self._is_siglip else text],
            padding="max_length" if self._is_siglip else True,
            truncation=True,
            max_length=self._length,
            return_tensors="pt",
        ).to(self._device)
        if self._is_siglip:
            tokens = {"input_ids": tokens["input_ids"]}
        with torch.inference_mode():
            features = self._network.get_text_features(**tokens).pooler_output
        return np.asarray(unit(features.float().cpu().numpy())[0])
