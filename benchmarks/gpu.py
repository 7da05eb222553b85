"""Models on a GPU: how near the steps come to a bare model loop, and whether the GPU stays busy.

``python -m benchmarks.gpu`` measures, with full-size models of random weights (speed does not
depend on weights; some 5 GB are written below ``--folder``), in about four minutes:

- frames a second of the visual step, from JPEGs of 768 x 432 to vectors, against the bare model on
  tensors that lie on the device already; and the GPU's busy share meanwhile;
- hours of sound an hour of Whisper large-v3-turbo, 150 tokens for every 30 s;
- videos a second from frames and texts in Parquet to vectors of both.

Answers are checked before any time is told. It exits with 1 when a target is missed, and with 2
where there is no GPU: ``--device cpu --tiny`` runs the same code with models of a few numbers.

It needs of Kadr's packages only torch (for CUDA), transformers, pyarrow, opencv-python-headless,
pillow, scikit-image, py3langid and nvidia-ml-py. To a machine without a network, bring what it
lacks as wheels: here ``pip download --no-deps --only-binary=:all: -d wheels py3langid`` and so on
(with ``--python-version`` and ``--platform`` where the two machines differ), there ``pip install
--no-index --no-deps --target site wheels/*.whl`` and ``PYTHONPATH=site python -m benchmarks.gpu``.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.gpu_models import (
    SIGLIP2_LARGE,
    TOWERS,
    VIT_B32,
    WORDS,
    Tower,
    save_e5,
    save_tower,
    save_whisper,
)
from ml.models.device import half_precision
from ml.models.gpu_use import gpu_use, video_hours_per_day
from ml.models.loading import load_model
from ml.runner import run
from ml.schemas import FRAMES
from ml.visual.embedder import ImageEmbedder, load_image_embedder

# Of the bare loop; in videos a GPU does nothing else than the step.
LEAST_OF_BARE = 0.85
LEAST_BUSY = 0.9
LEAST_B32_FRAMES_PER_S = 5000.0  # on an H200
LEAST_AUDIO_HOURS_PER_HOUR = 300.0

PROFILE = "benchmark"  # what error messages call it
WIDTH_PX, HEIGHT_PX, JPEG_QUALITY = 768, 432, 85  # as `frames` holds a 16:9 video
DISTINCT_FRAMES = 64
FRAMES_PER_VIDEO = 30  # of a video of half a minute
WORDS_BY_CHANNEL = {"title": 8, "description": 40, "asr": 75, "ocr": 20}
WINDOW_S = 30
# Cosine of the step's vector with the bare model's. Another batch rounds bfloat16 differently, and
# resized bytes may differ by one.
LEAST_COSINE = 0.999
MOST_MISTAKEN = 0.01  # share of frames that look more like another one for the same reason


@dataclass(frozen=True)
class Scale:
    """How much is run: seconds of a measurement, and what is put into one step of the model."""

    device: str
    tiny: bool
    seconds: float
    workers: int
    folder: Path

    @property
    def frames_per_batch(self) -> int:
        return 16 if self.tiny else 256

    @property
    def windows_per_batch(self) -> int:
        return 2 if self.tiny else 64


@dataclass(frozen=True)
class Figure:
    """A line of the table; ``least`` is the target, if there is one."""

    name: str
    value: float
    least: float | None = None

    @property
    def missed(self) -> bool:
        return self.least is not None and self.value < self.least


class WrongAnswer(Exception):
    """What was timed is not what was asked for."""


# ---------------------------------------------------------------- the visual step


def visual(scale: Scale, tower: Tower) -> list[Figure]:
    """The step on many frames and the bare model on one batch of them, again and again."""
    folder = save_tower(tower, scale.folder / tower.name, tiny=scale.tiny)
    jpegs = some_jpegs(DISTINCT_FRAMES)
    bare = BareTower(folder, scale, jpegs)
    bare_per_s = bare.frames_per_s(scale)
    reference = bare.vectors()
    bare.close()

    embedder = image_embedder(folder, scale)
    # What the first batches compile and allocate is no part of a long step.
    list(embedder.embed(frames(jpegs, 2 * scale.frames_per_batch)))
    found: list[pa.RecordBatch] = []
    with gpu_use(scale.device) as use:
        source = lasting(frames(jpegs, sys.maxsize), scale.seconds)
        timings = run(source, embedder.embed, found.append)
    check_vectors(found, reference)
    step_per_s = sum(batch.num_rows for batch in found) / timings.wall_s
    fast, near = (LEAST_B32_FRAMES_PER_S, None) if tower is VIT_B32 else (None, LEAST_OF_BARE)
    figures = [
        Figure(f"{tower.name}: bare model, frames/s", bare_per_s),
        Figure(f"{tower.name}: visual step, frames/s", step_per_s, fast),
        Figure(f"{tower.name}: step over bare", step_per_s / bare_per_s, near),
    ]
    if use.busy_share is not None:
        least = LEAST_BUSY if tower is SIGLIP2_LARGE else None
        figures.append(Figure(f"{tower.name}: GPU busy share", use.busy_share, least))
    return figures


def image_embedder(folder: Path, scale: Scale) -> ImageEmbedder:
    """The step's own."""
    return load_image_embedder(
        str(folder),
        profile=PROFILE,
        device=scale.device,
        batch_size=scale.frames_per_batch,
        workers=scale.workers,
    )


class BareTower:
    """The same network on tensors that its own processor made and that lie on the device."""

    def __init__(self, folder: Path, scale: Scale, jpegs: Sequence[bytes]) -> None:
        import torch
        from PIL import Image
        from transformers import AutoImageProcessor

        dtype = half_precision(scale.device)
        self._network: Any = load_model(str(folder), PROFILE, dtype=dtype).to(scale.device)
        processor: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")
        pictures = [Image.open(io.BytesIO(jpeg)).convert("RGB") for jpeg in jpegs]
        pixels = processor(images=pictures, return_tensors="np")["pixel_values"]
        self._pixels = torch.from_numpy(np.asarray(pixels)).to(scale.device, dtype)

    def vectors(self) -> np.ndarray:
        """Unit-length float32[n, d] of the pictures."""
        values = self._features(self._pixels).float().cpu().numpy()
        return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))

    def frames_per_s(self, scale: Scale) -> float:
        """Frames a second, answers left on the device."""
        places = [i % len(self._pixels) for i in range(scale.frames_per_batch)]
        batch = self._pixels[places]
        batches, seconds = timed(lambda: self._features(batch), scale)
        return batches * len(batch) / seconds

    def close(self) -> None:
        """Leave the device's memory to the step."""
        del self._network, self._pixels

    def _features(self, pixels: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self._network.get_image_features(pixel_values=pixels).pooler_output


def check_vectors(found: Iterable[pa.RecordBatch], reference: np.ndarray) -> None:
    """Raises WrongAnswer unless every frame has its own vector, in order.

    ``reference`` holds the vectors of the frames that come round again and again.
    """
    lists = pa.chunked_array([batch.column("embedding") for batch in found]).combine_chunks()
    vectors = lists.flatten().to_numpy().reshape(-1, reference.shape[1])
    own = np.arange(len(vectors)) % len(reference)
    cosines = (vectors * reference[own]).sum(axis=1)
    if cosines.min() < LEAST_COSINE:
        raise WrongAnswer(
            f"frame {cosines.argmin()}: the step's vector has a cosine of {cosines.min():.4f} with "
            "the bare model's"
        )
    # Random weights give vectors that are much alike: a high cosine alone says little.
    nearest = (vectors @ reference.T).argmax(axis=1)
    if (wrong := int((nearest != own).sum())) > MOST_MISTAKEN * len(vectors):
        raise WrongAnswer(f"{wrong} of {len(vectors)} vectors are nearest to another frame's")


# ---------------------------------------------------------------- speech


def speech(scale: Scale) -> list[Figure]:
    """Encoder, language and decoder of 30 s windows, through the recogniser's own engine."""
    from ml.media.sound import SAMPLE_RATE_HZ
    from ml.speech.engines import load_engine

    folder = save_whisper(scale.folder / "whisper-large-v3-turbo", tiny=scale.tiny)
    engine = load_engine(str(folder), profile=PROFILE, device=scale.device)
    shape = (scale.windows_per_batch, WINDOW_S * SAMPLE_RATE_HZ)
    windows = list(np.random.default_rng(0).normal(0, 3000, shape).astype(np.int16))

    def transcribe() -> list[int]:
        heard = engine.listen(windows)
        return [len(d.tokens) for d in engine.decode(heard, ["en"] * len(heard))]

    lengths = transcribe()
    if len(set(lengths)) != 1 or not lengths[0]:
        raise WrongAnswer(f"texts were to be of one length, and are of {sorted(set(lengths))}")
    with gpu_use(scale.device) as use:
        batches, seconds = timed(transcribe, scale)
    hours = batches * len(windows) * WINDOW_S / seconds
    least = LEAST_AUDIO_HOURS_PER_HOUR
    name = f"Whisper large-v3-turbo, {lengths[0]} tokens a window"
    figures = [Figure(f"{name}: hours of sound an hour", hours, least)]
    if use.busy_share is not None:
        figures.append(Figure(f"{name}: GPU busy share", use.busy_share))
    return figures


# ---------------------------------------------------------------- from Parquet to vectors


def end_to_end(scale: Scale, frames_per_s: float) -> list[Figure]:
    """Whole videos: frames through the visual step, then texts through the text step."""
    from ml.text.embedder import load_text_embedder

    tower = save_tower(SIGLIP2_LARGE, scale.folder / SIGLIP2_LARGE.name, tiny=scale.tiny)
    e5 = save_e5(scale.folder / "multilingual-e5-large", tiny=scale.tiny)
    embedder = image_embedder(tower, scale)
    text = load_text_embedder(str(e5), profile=PROFILE, device=scale.device)
    videos = max(4, int(frames_per_s * scale.seconds / FRAMES_PER_VIDEO))
    with tempfile.TemporaryDirectory() as folder:
        pictures, texts = write_library(Path(folder), videos)
        list(embedder.embed(itertools.islice(parquet(pictures), 2)))
        list(text.embed(itertools.islice(parquet(texts), 1)))
        of_frames: list[pa.RecordBatch] = []
        of_texts: list[pa.RecordBatch] = []
        with gpu_use(scale.device) as use:
            wall_s = run(parquet(pictures), embedder.embed, of_frames.append).wall_s
            wall_s += run(parquet(texts), text.embed, of_texts.append).wall_s
    check_library(of_frames, of_texts, videos)
    durations_s = [float(FRAMES_PER_VIDEO)] * videos
    figures = [
        Figure("Frames and texts to vectors, videos/s", videos / wall_s),
        Figure("The same, hours of video a day", video_hours_per_day(durations_s, wall_s)),
    ]
    if use.busy_share is not None:
        figures.append(Figure("The same, GPU busy share", use.busy_share, LEAST_BUSY))
    return figures


def write_library(folder: Path, videos: int) -> tuple[Path, Path]:
    """Frames and texts of so many videos, as the steps read them."""
    pictures, texts = folder / "frames.parquet", folder / "texts.parquet"
    jpegs, random = some_jpegs(DISTINCT_FRAMES), np.random.default_rng(0)
    with pq.ParquetWriter(pictures, FRAMES.schema, compression="none") as writer:
        for batch in frames(jpegs, videos * FRAMES_PER_VIDEO):
            writer.write_batch(batch)
    rows = [
        {"video_id": video_id(video), "channel": channel, "text": words(random, count)}
        for video in range(videos)
        for channel, count in WORDS_BY_CHANNEL.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), texts)
    return pictures, texts


def check_library(
    of_frames: Sequence[pa.RecordBatch], of_texts: Sequence[pa.RecordBatch], videos: int
) -> None:
    """Raises WrongAnswer unless every frame and text has its row, in order."""
    wanted = {"frames": FRAMES_PER_VIDEO, "texts": len(WORDS_BY_CHANNEL)}
    for (name, per_video), found in zip(wanted.items(), (of_frames, of_texts), strict=True):
        ids = [video for batch in found for video in batch.column("video_id").to_pylist()]
        if ids != [video_id(i // per_video) for i in range(videos * per_video)]:
            raise WrongAnswer(f"the rows of {videos} videos' {name} are not those asked for")


def parquet(path: Path) -> Iterator[pa.RecordBatch]:
    """The file's rows, some at a time."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=DISTINCT_FRAMES)


# ---------------------------------------------------------------- what is put in


def some_jpegs(count: int) -> list[bytes]:
    """Different cuts from photographs, of a stored frame's size."""
    from PIL import Image
    from skimage import data

    photographs = [Image.fromarray(p()) for p in (data.astronaut, data.coffee, data.chelsea)]
    random, made = np.random.default_rng(0), []
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        width = random.uniform(0.4, 0.9) * photograph.width
        height = min(width * HEIGHT_PX / WIDTH_PX, photograph.height)
        left = random.uniform(0, photograph.width - width)
        top = random.uniform(0, photograph.height - height)
        cut = photograph.crop((int(left), int(top), int(left + width), int(top + height)))
        file = io.BytesIO()
        cut.resize((WIDTH_PX, HEIGHT_PX)).save(file, "JPEG", quality=JPEG_QUALITY)
        made.append(file.getvalue())
    return made


def lasting(batches: Iterator[pa.RecordBatch], seconds: float) -> Iterator[pa.RecordBatch]:
    """What comes within so many seconds of the first being asked for, and at least one."""
    end = None
    for batch in batches:
        end = end or time.perf_counter() + seconds
        yield batch
        if time.perf_counter() >= end:
            return


def frames(jpegs: Sequence[bytes], count: int) -> Iterator[pa.RecordBatch]:
    """``count`` rows of `frames`, 30 a video, the pictures one after another and again."""
    for start in range(0, count, len(jpegs)):
        numbers = range(start, min(start + len(jpegs), count))
        shown = [number % FRAMES_PER_VIDEO for number in numbers]
        columns = {
            "video_id": [video_id(number // FRAMES_PER_VIDEO) for number in numbers],
            "frame_no": [25 * second for second in shown],
            "start_s": [float(second) for second in shown],
            "duration_s": [1.0] * len(shown),
            "is_shot_start": [second == 0 for second in shown],
            "width": [WIDTH_PX] * len(shown),
            "height": [HEIGHT_PX] * len(shown),
            "jpeg": jpegs[: len(shown)],
        }
        yield pa.RecordBatch.from_pydict(columns, schema=FRAMES.schema)


def video_id(number: int) -> str:
    return f"v{number:07d}"


def words(random: np.random.Generator, count: int) -> str:
    return " ".join(f"w{i}" for i in random.integers(0, WORDS, count))


# ---------------------------------------------------------------- clock and table


def timed(work: Callable[[], Any], scale: Scale) -> tuple[int, float]:
    """How often the work was done, and in how many seconds; twice before the clock starts.

    The device may be some steps behind Python until the last.
    """
    work(), work()
    synchronise(scale.device)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < scale.seconds:
        work()
        done += 1
    synchronise(scale.device)
    return done, time.perf_counter() - began


def synchronise(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def measure(scale: Scale) -> list[Figure]:
    """All figures, in the table's order."""
    figures: list[Figure] = []
    for tower in TOWERS:
        figures += visual(scale, tower)
    figures += speech(scale)
    large = next(f for f in figures if f.name.startswith(f"{SIGLIP2_LARGE.name}: visual step"))
    return figures + end_to_end(scale, large.value)


def show(figures: Iterable[Figure], scale: Scale) -> None:
    """The table in Markdown."""
    import torch

    on_gpu = scale.device.startswith("cuda")
    name = torch.cuda.get_device_name(scale.device) if on_gpu else "CPU"
    models = "tiny models" if scale.tiny else "full-size models of random weights"
    print(f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, {models}\n")
    print("| measure | found | at least |\n| --- | --- | --- |")
    for figure in figures:
        least = "" if figure.least is None or not on_gpu else f"{figure.least:,.10g}"
        missed = " **missed**" if on_gpu and figure.missed else ""
        digits = 3 if figure.value < 10 else 0
        print(f"| {figure.name} | {figure.value:,.{digits}f}{missed} | {least} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all targets are met, or it ran on a CPU; 1: one is missed; 2: there is no GPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="models of a few numbers")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each measurement")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding threads")
    parser.add_argument("--folder", type=Path, default=Path("build/gpu"), help="for the models")
    given = parser.parse_args(arguments)
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device: nothing was measured. Try: --device cpu --tiny", file=sys.stderr)
        return 2
    folder = given.folder / ("tiny" if given.tiny else "full")
    scale = Scale(given.device, given.tiny, given.seconds, given.workers, folder)
    figures = measure(scale)
    show(figures, scale)
    on_gpu = scale.device.startswith("cuda")
    return int(on_gpu and any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
