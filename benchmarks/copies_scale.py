"""The picture index at 10,000 to 1,000,000 videos of 20 frames: does it find copies, at what cost?

Run: ``python -m benchmarks.copies_scale [--videos 10000 100000] [--media FOLDER] [--memory 8]``

There are no million videos to try it on, so the library is made up. A feature is a real one plus
`VARIETY` times the difference of two others; features come from the clips in FOLDER, or from the
sample library's pictures where it is missing. Originals, new videos and planted copies are made as
descriptors and go through the public functions. The other videos are drawn as cells and signatures
near to those of such features: the descriptors of a million videos would take 460 GB. So their
writing and merging is timed, and quantising them is not; it is timed on the new videos. How often
features of unrelated videos match is printed for the clips and for the library that is made up.

A planted copy shows `COPY_FRAMES` frames of the original among foreign ones; three quarters of
its features are lost and as many foreign ones added, the others have noise like that of real
copies; it is turned and resized, and every third is mirrored.

Recall is the share of planted copies whose original is among the 64 candidates. It is checked
before a time is printed: below 0.95, or with more memory than ``--memory`` GB, the exit code is 1.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from benchmarks import MEDIA
from benchmarks.copies_quantiser import pictures as sample_pictures
from ml.copies.evidence import Pictures
from ml.copies.features import describe_picture, mirrored
from ml.copies.index_features import MIN_FEATURES, PER_FRAME, packed_places
from ml.copies.picture_growth import update_picture_index, with_segment
from ml.copies.picture_index import HAMMING, READ_LIMIT, PictureIndex
from ml.copies.picture_segments import UNITS, read_manifest, write_manifest, write_segment
from ml.copies.quantiser import PROBES, Quantiser
from samples.encode import read_frames

FRAMES = 20
SHOT_FRAMES = 4
FEATURES = 240  # of a frame
POSTINGS = MIN_FEATURES + FRAMES * PER_FRAME  # of a video
PLANTED = 300
NEW = 100
WORKERS = 2
COPY_FRAMES = 8
KEPT_SHARE = 0.25
# Noise of a copy's features: the distance of vectors of length 512 is 60 to 80 at the median for
# crops, pictures in pictures and combinations of edits.
NOISE = 70.0
RECALL = 0.95
CHUNK = 10_000  # videos made at once: 3.6 million postings, 0.3 GB
BASES = 1 << 19  # features that the other videos' are drawn around
VARIETY = 0.3
# Of the other videos: features taken from one small region of cells (a text, a grid, foliage).
THEME_SHARE = 0.2
THEME_BASES = 1000


# ---------------------------------------------------------------- what real features are like


@dataclass(frozen=True)
class Pool:
    """Real features to make others of."""

    descriptors: np.ndarray  # uint8 [n, 128]
    shapes: np.ndarray  # float32 [n, 2] size, angle
    sources: np.ndarray  # [n] features of different sources show different things

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Descriptors and shapes of made-up features."""
        one, two, three = rng.integers(0, len(self.descriptors), (3, count))
        values = self.descriptors[two].astype(np.float32) - self.descriptors[three]
        return root_sift(self.descriptors[one] + VARIETY * values), self.shapes[one]


def root_sift(values: np.ndarray) -> np.ndarray:
    values = np.maximum(values, 0)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.clip(np.rint(values * (512 / lengths)), 0, 255).astype(np.uint8)


def pool_of(media: Path) -> Pool:
    """Features of the clips, or of the sample library's pictures, the same number per source."""
    rng = np.random.default_rng(0)
    found: dict[str, list[np.ndarray]] = {}
    for source, picture in _clips(media) if media.is_dir() else _samples(rng):
        description = describe_picture(picture)
        rows = np.hstack([description.descriptors, description.geometry[:, 2:]])
        found.setdefault(source, []).append(rows)
    joined = [np.concatenate(rows) for _, rows in sorted(found.items())]
    some = [rng.permutation(rows)[:1500] for rows in joined]
    every = np.concatenate(some)
    sources = np.repeat(np.arange(len(some)), [len(rows) for rows in some])
    return Pool(every[:, :128].astype(np.uint8), every[:, 128:].astype(np.float32), sources)


def _clips(media: Path) -> Iterator[tuple[str, np.ndarray]]:
    with (media / "clips" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for picture in islice(read_frames(media / row["path"]), 0, 400, 100):
                yield row["source_repo"], picture


def _samples(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    print("the clips are missing: features are those of the sample library's pictures")
    for number, picture in enumerate(sample_pictures(8, rng)):
        yield f"{number // 8:03}", picture


# ---------------------------------------------------------------- videos that are made up


def video(pool: Pool, seed: int) -> Pictures:
    """20 frames in shots of 4; within a shot two thirds of the features stay."""
    rng = np.random.default_rng(seed)
    descriptors, shapes = pool.draw(FRAMES * FEATURES, rng)
    geometry = np.hstack([rng.random((len(shapes), 2)), shapes]).astype(np.float32)
    frame, place = np.divmod(np.arange(len(shapes)), FEATURES)
    stays = (place % 3 > 0) & (frame % SHOT_FRAMES > 0)
    first = frame // SHOT_FRAMES * SHOT_FRAMES * FEATURES + place
    rows = np.where(stays, first, np.arange(len(shapes)))
    noisy = _noisy(descriptors[rows], NOISE / 2, rng)
    order = np.concatenate([f * FEATURES + rng.permutation(FEATURES) for f in range(FRAMES)])
    return _pictures(noisy[order], geometry[rows][order], FEATURES)


def copy_of(original: Pictures, pool: Pool, seed: int) -> Pictures:
    """See the module: a part, turned, resized, most features lost, foreign ones among the rest."""
    rng = np.random.default_rng(seed)
    foreign = video(pool, seed + 1)
    start = int(rng.integers(0, FRAMES - COPY_FRAMES + 1))
    descriptors, geometry = foreign.descriptors.copy(), foreign.geometry.copy()
    for place in range(start, start + COPY_FRAMES):
        kept = np.flatnonzero(rng.random(FEATURES) < KEPT_SHARE) + place * FEATURES
        descriptors[kept] = _noisy(original.descriptors[kept], NOISE, rng)
        geometry[kept] = original.geometry[kept]
    geometry[:, 2] *= rng.uniform(0.4, 1.5)
    geometry[:, 3] = np.mod(geometry[:, 3] + rng.normal(0, 0.3), 2 * np.pi)
    made = _pictures(descriptors, geometry, FEATURES)
    return mirrored(made) if seed % 3 == 0 else made


def _noisy(descriptors: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    # Lengths vary as those of real copies do: the 90th percentile is twice the median.
    scale = length * np.exp(rng.normal(0, 0.5, (len(descriptors), 1))) / np.sqrt(128)
    return root_sift(descriptors + rng.normal(size=descriptors.shape) * scale)


def _pictures(descriptors: np.ndarray, geometry: np.ndarray, per_frame: int) -> Pictures:
    frames = len(descriptors) // per_frame
    return Pictures(
        start_s=np.arange(frames, dtype=float),
        duration_s=np.ones(frames),
        aspect=np.full(frames, 16 / 9, np.float32),
        offsets=(np.arange(frames + 1) * per_frame).astype(np.int32),
        geometry=geometry,
        descriptors=descriptors,
        hashes=np.zeros((frames, 32), np.uint8),
        detail=np.ones(frames, np.float32),
    )


class Others:
    """Postings of videos that nobody copies."""

    def __init__(self, pool: Pool, quantiser: Quantiser) -> None:
        rng = np.random.default_rng(1)
        descriptors, shapes = pool.draw(BASES, rng)
        probes = quantiser.probes(descriptors)
        order = np.argsort(quantiser.keys(descriptors), kind="stable")
        self._probes = probes[order]
        self._signatures = quantiser.signatures(descriptors)[order]
        geometry = np.hstack([np.zeros((BASES, 2)), shapes])[order].astype(np.float32)
        self._sizes = packed_places(geometry) & np.uint16(63)

    def postings(self, videos: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Columns of a segment; a video's features are drawn around bases, some around alike."""
        count = videos * POSTINGS
        base = rng.integers(0, BASES, count)
        theme = np.repeat(rng.integers(0, BASES - THEME_BASES, videos), POSTINGS)
        themed = rng.random(count) < THEME_SHARE
        base = np.where(themed, theme + rng.integers(0, THEME_BASES, count), base)
        # Each bit differs from the base's by a chance of 1/8: as far apart as unrelated features
        # of the same cells are, 20 bits at the median and 12 at the 5th percentile.
        flips = rng.integers(0, 1 << 64, count, dtype=np.uint64)
        for _ in range(2):
            flips &= rng.integers(0, 1 << 64, count, dtype=np.uint64)
        angles = rng.integers(0, 64, count, dtype=np.uint16)
        return {
            "keys": self._probes[base, rng.integers(0, PROBES, count)],
            "signatures": self._signatures[base] ^ flips,
            "units": np.repeat(np.arange(videos, dtype=np.uint32), POSTINGS),
            "places": angles << np.uint16(6) | self._sizes[base],
        }


def grow(folder: Path, others: Others, start: int, stop: int) -> float:
    """Adds videos ``start`` to ``stop - 1`` in segments of `CHUNK`; seconds of writing, merging."""
    seconds = 0.0
    for first in range(start, stop, CHUNK):
        count = min(CHUNK, stop - first)
        columns = others.postings(count, np.random.default_rng(first + 10))
        ids = [f"other-{n:07}" for n in range(first, first + count)]
        batch = f"other-{first:07}"
        units = {"video_id": ids, "batch": [batch] * count, "postings": [POSTINGS] * count}
        table = pa.table(units, schema=UNITS)
        began = time.perf_counter()
        manifest = read_manifest(folder)
        entry = write_segment(folder, manifest.next_number, columns, table)
        manifest = with_segment(folder, manifest, entry)
        write_manifest(folder, replace(manifest, batches={**manifest.batches, batch: "1"}))
        seconds += time.perf_counter() - began
    return seconds


# ---------------------------------------------------------------- how often strangers match


def match_rates(
    quantiser: Quantiser, searched: np.ndarray, keys: np.ndarray, signatures: np.ndarray
) -> np.ndarray:
    """Pairs in probed cells, and pairs that match, for each searched feature."""
    order = np.argsort(keys, kind="stable")
    keys, signatures = keys[order], signatures[order]
    counts = []
    own = quantiser.signatures(searched)
    for probes, signature in zip(quantiser.probes(searched), own, strict=True):
        starts, stops = np.searchsorted(keys, probes), np.searchsorted(keys, probes, "right")
        ranges = zip(starts, stops, strict=True)
        near = np.concatenate([signatures[low:high] for low, high in ranges])
        counts.append([len(near), np.sum(np.bitwise_count(near ^ signature) <= HAMMING)])
    return np.sum(counts, axis=0)


def print_rates(pool: Pool, others: Others, quantiser: Quantiser) -> None:
    rng = np.random.default_rng(2)
    real, pairs = np.zeros(2), 0
    for source in range(int(pool.sources.max()) + 1):
        own = pool.sources == source
        searched, rest = rng.permutation(pool.descriptors[own])[:300], pool.descriptors[~own]
        keys, signatures = quantiser.keys(rest), quantiser.signatures(rest)
        real += match_rates(quantiser, searched, keys, signatures)
        pairs += len(searched) * len(rest)
    columns = others.postings(1000, rng)
    searched = pool.draw(1500, rng)[0]
    made = match_rates(quantiser, searched, columns["keys"], columns["signatures"])
    made_pairs = len(searched) * len(columns["keys"])
    print("of a million pairs of unrelated features   in probed cells   matching")
    for name, (near, alike) in (("the pool's", real / pairs), ("made up", made / made_pairs)):
        print(f"  {name:10} {near * 1e6:45.0f} {alike * 1e6:10.1f}")


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Found:
    """What one process found: for each copy, whether its original is a candidate; what it took."""

    found: list[bool]
    candidates: list[int]
    strangers: list[float]  # the best score of a video that is not the original
    originals: list[float]
    seconds: float
    cpu_seconds: float


def search_copies(folder: Path, numbers: Sequence[int], pool: Pool) -> Found:
    index = PictureIndex.open(folder)
    queries = [(n, copy_of(video(pool, 1000 + n), pool, 500_000 + n)) for n in numbers]
    found, counts, strangers, originals = [], [], [], []
    seconds = cpu_seconds = 0.0
    for number, query in queries:
        began, cpu_began = time.perf_counter(), time.process_time()
        candidates = index.search(query)
        seconds += time.perf_counter() - began
        cpu_seconds += time.process_time() - cpu_began
        own = [c.score for c in candidates if c.video_id == f"original-{number:04}"]
        rest = [c.score for c in candidates if c.video_id != f"original-{number:04}"]
        found.append(bool(own))
        counts.append(len(candidates))
        strangers.append(max(rest, default=0.0))
        originals.append(max(own, default=0.0))
    return Found(found, counts, strangers, originals, seconds, cpu_seconds)


class PeakMemory:
    """The most private memory of this process and its children while the block ran, in GB.

    Private: without pages of mapped index files, which the system may drop at any time.
    """

    def __enter__(self) -> PeakMemory:
        self.peak_gb, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._done.wait(0.1):
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    memory = process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                total += memory.rss - memory.shared
            self.peak_gb = max(self.peak_gb, total / 1e9)


@dataclass(frozen=True)
class Measured:
    """A row of the table."""

    videos: int
    written_s: float
    gigabytes: float
    new_s: float
    search_s: float
    milliseconds: float
    recall: float
    candidates: float
    originals: float
    strangers: float
    memory_gb: float


def measure(folder: Path, pool: Pool, videos: int, written_s: float) -> Measured:
    """Adds `NEW` videos, and takes them out again; searches for the planted copies."""
    new = [(f"new-{n:04}", video(pool, 900_000 + n)) for n in range(NEW)]
    held = dict(read_manifest(folder).batches)
    began = time.perf_counter()
    update_picture_index(folder, held | {"new": "1"}, lambda _: new)
    new_s = time.perf_counter() - began
    index = PictureIndex.open(folder)
    parts = [range(n, PLANTED, WORKERS) for n in range(WORKERS)]
    began = time.perf_counter()
    with ProcessPoolExecutor(WORKERS) as processes:
        jobs = [processes.submit(search_copies, folder, part, pool) for part in parts]
        results = [job.result() for job in jobs]
    update_picture_index(folder, held, lambda _: new)
    found = np.concatenate([r.found for r in results])
    search_s = max(r.seconds for r in results)
    return Measured(
        videos=videos,
        written_s=written_s,
        gigabytes=index.bytes / 1e9,
        new_s=new_s * 1000 / NEW,
        search_s=search_s * 1000 / PLANTED,
        milliseconds=1000 * sum(r.cpu_seconds for r in results) / PLANTED,
        recall=float(found.mean()),
        candidates=float(np.mean(np.concatenate([r.candidates for r in results]))),
        originals=float(np.percentile(np.concatenate([r.originals for r in results]), 5)),
        strangers=float(np.percentile(np.concatenate([r.strangers for r in results]), 95)),
        memory_gb=0.0,
    )


def run(sizes: Sequence[int], media: Path, folder: Path) -> list[Measured]:
    quantiser = Quantiser.load()
    pool = pool_of(media)
    others = Others(pool, quantiser)
    print_rates(pool, others, quantiser)
    began = time.perf_counter()
    planted = ((f"original-{n:04}", video(pool, 1000 + n)) for n in range(PLANTED))
    update_picture_index(folder, {"planted": "1"}, lambda _: planted)
    print(f"{PLANTED} originals described and indexed in {time.perf_counter() - began:.0f} s")
    rows: list[Measured] = []
    start, written_s = PLANTED, 0.0
    for videos in sorted(sizes):
        with PeakMemory() as memory:
            written_s += grow(folder, others, start, videos)
            rows.append(measure(folder, pool, videos, written_s))
        rows[-1] = replace(rows[-1], memory_gb=memory.peak_gb)
        start = videos
        print_row(rows[-1])
    return rows


def print_row(row: Measured) -> None:
    parts = (
        f"recall {row.recall:.3f}",
        f"{row.milliseconds:.0f} ms of one core a search",
        f"1,000 new videos take {row.new_s:.0f} s to index and {row.search_s:.0f} s to search for "
        f"on {WORKERS} cores",
        f"written and merged in {row.written_s:.0f} s",
        f"{row.gigabytes:.2f} GB, {1e9 * row.gigabytes / row.videos:.0f} bytes a video",
        f"{row.memory_gb:.1f} GB of memory",
        f"{row.candidates:.0f} candidates",
        f"score of the worst 5 % of originals {row.originals:.1f}",
        f"of the best 5 % of strangers {row.strangers:.1f}",
    )
    print(f"{row.videos:>9,} videos: {'; '.join(parts)}", flush=True)


def print_growth(rows: Sequence[Measured]) -> None:
    for small, large in pairwise(rows):
        cost = large.milliseconds / small.milliseconds
        logarithm = np.log(large.videos) / np.log(small.videos)
        print(
            f"{small.videos:,} to {large.videos:,} videos: a search costs {cost:.2f} times as "
            f"much; the logarithm grows {logarithm:.2f} times, the library "
            f"{large.videos / small.videos:.0f} times"
        )
    print(
        "Cells are of a fixed size, so the postings that a search reads grow with the library, up "
        f"to {READ_LIMIT:,}, rarest features first; from there on, reading costs the same."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--folder", type=Path, help="where the index is made, and removed again")
    parser.add_argument("--memory", type=float, default=8.0, help="GB it may take at most")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="copies-scale-", dir=arguments.folder))
    try:
        rows = run(arguments.videos, arguments.media, folder)
    finally:
        shutil.rmtree(folder)
    print_growth(rows)
    if any(r.recall < RECALL or r.memory_gb > arguments.memory for r in rows):
        sys.exit(f"recall is below {RECALL}, or memory above {arguments.memory} GB")


if __name__ == "__main__":
    main()
