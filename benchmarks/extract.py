"""What the steps cost over the bare work inside them, and what memory they need.

Run: ``python -m benchmarks.extract [--media FOLDER] [--part frames|visual|memory]``

frames  the step (hash, decode, sampling, sound, spool, Parquet) against a bare loop over the same
        decoder on the same number of processes: decode picture and sound, scale the motion
        thumbnails, scale and encode one JPEG a second, keep nothing. At least 0.85.
visual  the step (Parquet, JPEG decoding, preprocessing, model, Parquet) against the bare model
        over the same frames, decoded and preprocessed before the clock starts. At least 0.85.
memory  peak memory of the frames step on a 2-hour 1080p video against a 2-minute one. At most 1.5.

Answers are checked before a time is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pyarrow as pa

from assets.media.extraction import Extraction, decoded
from assets.source.cutting import ingest
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.incremental import plan, update
from assets.stores.resources import Library
from benchmarks import MEDIA
from ml.media.extract import ExtractOptions
from ml.media.rows import encode_jpeg
from ml.schemas import FRAMES, VIDEOS, VISUAL

WORKERS = 2
REPEATS = 3
DAY = date(2026, 1, 1)


class _Silent:
    def step(self, videos: int = 1) -> None:
        """Say nothing."""


def frames_step(clips: Path, root: Path) -> tuple[float, Library, str]:
    """Run the frames step over a folder: wall seconds, the library, its batch."""
    library = Library(root=str(root), state=str(root))
    (batch,) = ingest(str(clips), library.batches, DAY, 10_000).batches
    began = time.perf_counter()
    step = Extraction(library.datasets, library.batches.read(batch), {}, ExtractOptions())
    with decoded(step, library, WORKERS) as outcomes:
        step.write(outcomes, _Silent())  # type: ignore[arg-type]
    return time.perf_counter() - began, library, batch


def bare_loop(path: str) -> int:
    """Decode one file and make, without keeping it, what the step keeps. Pictures decoded."""
    count, next_jpeg_s, next_thumbnail_s = 0, 0.0, 0.0
    with av.open(path) as container:
        best = (container.streams.best("video"), container.streams.best("audio"))
        streams = [stream for stream in best if stream is not None]
        for stream in streams:
            stream.codec_context.thread_count = 1
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for frame in container.decode(streams):
            if isinstance(frame, av.AudioFrame):
                try:
                    sounds = resampler.resample(frame)
                except ValueError:  # the sound's format changed on the way
                    resampler = av.AudioResampler("s16", "mono", 16_000)
                    sounds = resampler.resample(frame)
                for sound in sounds:
                    sound.to_ndarray()
                continue
            count += 1
            at_s = float(frame.time or 0.0)
            if at_s >= next_thumbnail_s:
                next_thumbnail_s = at_s + 1 / 8
                frame.reformat(32, 32, "gray", interpolation="AREA", threads=1).to_ndarray()
            if at_s >= next_jpeg_s:
                next_jpeg_s = at_s + 1.0
                _jpeg(frame)
    return count


def _jpeg(frame: av.VideoFrame) -> None:
    """As the step does: the same scaler, the same encoder."""
    scale = min(1.0, 768 / max(frame.width, frame.height))
    size = (round(frame.width * scale), round(frame.height * scale))
    encode_jpeg(frame.reformat(*size, "rgb24", interpolation="AREA", threads=1).to_ndarray(), 85)


def bare_frames(clips: list[Path]) -> tuple[float, int]:
    """The bare loop over all clips on as many processes: wall seconds, pictures decoded."""
    spawn = multiprocessing.get_context("spawn")
    began = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, mp_context=spawn) as pool:
        counts = list(pool.map(bare_loop, map(str, clips)))
    return time.perf_counter() - began, sum(counts)


def compare_frames(clips: Path, scratch: Path) -> float:
    """Print the two alternately; return the median ratio bare / step (1 is no overhead)."""
    files = sorted(p for p in clips.iterdir() if p.suffix in {".mp4", ".mkv", ".webm", ".mpg"})
    ratios = []
    for i in range(REPEATS):
        bare_s, pictures = bare_frames(files)
        step_s, library, batch = frames_step(clips, scratch / f"frames-{i}")
        rows = library.datasets.table(VIDEOS, batch).to_pylist()
        assert all(row["status"] == "ok" for row in rows), "a clip failed"
        decoded_pictures = sum(row["frame_count"] for row in rows)
        assert decoded_pictures == pictures, f"{decoded_pictures} pictures, bare {pictures}"
        ratios.append(bare_s / step_s)
        print(f"frames: bare {bare_s:.1f} s, step {step_s:.1f} s, ratio {ratios[-1]:.2f}")
    kept = sum(row["kept_frame_count"] for row in rows)
    plain = sum(row["plain_1fps_frame_count"] for row in rows)
    print(f"frames: {len(rows)} clips, {kept} frames kept of {plain} at a plain 1 fps")
    return float(np.median(ratios))


def compare_visual(library: Library, batch: str, scratch: Path) -> float:
    """CLIP ViT-B/32, randomly initialised: speed does not depend on weights."""
    import torch

    from benchmarks.models import clip_vit_b32
    from ml.visual.embedder import load_image_embedder

    torch.set_num_threads(1)
    path = clip_vit_b32(scratch / "clip-vit-b32")
    embedder = load_image_embedder(str(path), profile="base", device="cpu", batch_size=16)
    rows = pa.Table.from_batches(library.datasets.rows(FRAMES, batch)).slice(0, 192)
    bare_s, bare = _bare_model(path, rows)
    ratios = []
    for i in range(REPEATS):
        step_s, vectors = _visual_step(embedder, rows, scratch / f"visual-{i}")
        cosine = np.sum(vectors * bare, axis=1)
        assert cosine.min() > 0.999, f"the step's vectors differ: cosine {cosine.min():.4f}"
        bare_s, _ = _bare_model(path, rows)
        ratios.append(bare_s / step_s)
        print(f"visual: bare {bare_s:.1f} s, step {step_s:.1f} s, ratio {ratios[-1]:.2f}")
    return float(np.median(ratios))


def _bare_model(path: Path, rows: pa.Table) -> tuple[float, np.ndarray]:
    import io

    import torch
    from PIL import Image
    from transformers import CLIPImageProcessorPil, CLIPModel

    model = CLIPModel.from_pretrained(path).eval()
    processor = CLIPImageProcessorPil.from_pretrained(path)
    pictures = [Image.open(io.BytesIO(j)).convert("RGB") for j in rows.column("jpeg").to_pylist()]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    began, parts = time.perf_counter(), []
    with torch.inference_mode():
        for start in range(0, len(pixels), 16):
            parts.append(model.get_image_features(pixels[start : start + 16]).pooler_output)
    elapsed_s = time.perf_counter() - began
    vectors = torch.cat(parts).numpy()
    return elapsed_s, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _visual_step(embedder: object, rows: pa.Table, root: Path) -> tuple[float, np.ndarray]:
    """The step as the asset runs it: rows from Parquet, through the runner, into Parquet."""
    library = Library(root=str(root), state=str(root))
    store: DatasetStore = library.datasets
    keys = dict.fromkeys(dict.fromkeys(rows.column("video_id").to_pylist()), "1")
    with store.replace(FRAMES, "b") as new:
        for part in rows.to_batches(max_chunksize=64):
            new.write(part)
        new.publish(Ledger("benchmark", keys))
    began = time.perf_counter()
    todo = plan(store, VISUAL, "b", "m", keys)

    def read(videos: list[str]) -> Iterator[pa.RecordBatch]:
        return store.rows(FRAMES, "b", video_ids=videos)

    update(store, VISUAL, "b", todo, read, embedder.embed)  # type: ignore[attr-defined]
    elapsed_s = time.perf_counter() - began
    table = store.table(VISUAL, "b", ["embedding"])
    return elapsed_s, np.array(table.column("embedding").to_pylist(), np.float32)


def compare_memory(scratch: Path) -> float:
    """Peak memory on two hours against two minutes, each in a process of its own."""
    peaks = {}
    for minutes in (2, 120):
        folder = scratch / f"{minutes}-minutes"
        folder.mkdir()
        make_long_video(folder / "long.mp4", minutes)
        command = [sys.executable, "-m", "benchmarks.extract", "--peak-of", str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[minutes] = float(printed.split()[-1])
        print(f"memory: {minutes} minutes of 1080p: peak {peaks[minutes]:.0f} MB")
    return peaks[120] / peaks[2]


def peak_of(folder: Path) -> float:
    """Run the frames step on a folder; peak resident MB of this process and its workers."""
    with tempfile.TemporaryDirectory() as root, _PeakMemory() as memory:
        _, library, batch = frames_step(folder, Path(root))
        (row,) = library.datasets.table(VIDEOS, batch).to_pylist()
        assert row["status"] == "ok", row["error"]
        assert row["kept_frame_count"] == library.datasets.row_count("frames", batch)
    return memory.peak_bytes / 2**20


class _PeakMemory(threading.Thread):
    """Looks at the whole process tree every 50 ms. A child's ru_maxrss starts at its parent's."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_bytes, self._done = 0, threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident, _tree(me))))

    def __enter__(self) -> _PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def make_long_video(path: Path, minutes: int) -> None:
    """1080p at 5 fps with motion and sound: one encoded minute, its packets repeated."""
    minute = path.with_name("minute.mp4")
    _encode_minute(minute)
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for repeat in range(minutes):
            source.seek(0)
            for packet in source.demux():
                if packet.dts is None:
                    continue
                shift = round(repeat * 60 / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    minute.unlink()


def _encode_minute(path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (1080 // 60, 1920 // 60, 3), np.uint8)
    picture = np.ascontiguousarray(picture.repeat(60, 0).repeat(60, 1))
    tone = (np.sin(np.arange(16_000) * 0.17) * 8000).astype(np.int16)[None]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=5, options={"preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt = 1920, 1080, "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        for i in range(300):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 24 * i, 1), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 5)
            container.mux(video.encode(frame))
        for second in range(60):
            sound = av.AudioFrame.from_ndarray(tone, "s16", "mono")
            sound.sample_rate, sound.pts = 16_000, second * 16_000
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def main() -> None:
    """Run the parts asked for and print their ratios beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--part", choices=("frames", "visual", "memory"))
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print(peak_of(options.peak_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        wanted = {options.part} if options.part else {"frames", "visual", "memory"}
        if wanted & {"frames", "visual"}:
            clips = clips_of(options.media, scratch)
            if "frames" in wanted:
                print(f"frames: median ratio {compare_frames(clips, scratch):.2f} (at least 0.85)")
            if "visual" in wanted:
                _, library, batch = frames_step(clips, scratch / "for-visual")
                ratio = compare_visual(library, batch, scratch)
                print(f"visual: median ratio {ratio:.2f} (at least 0.85)")
        if "memory" in wanted:
            print(f"memory: ratio {compare_memory(scratch):.2f} (at most 1.5)")


def clips_of(media: Path, scratch: Path) -> Path:
    """Real clips when they are there; else the sample library, and says so."""
    if (media / "clips").is_dir():
        return media / "clips"
    print(f"SKIPPED real clips: no {media / 'clips'}; using the sample library")
    from samples.make import make_library

    clips = make_library(scratch / "samples") / "clips"
    for broken in clips.glob("broken*"):
        broken.unlink()
    return clips


if __name__ == "__main__":
    main()
