"""Run copy detection over a library written by `benchmarks.copies_make`, without Dagster.

Every step is the pipeline's own function. What is computed of a file is kept under FOLDER/cache,
under the maker that the step names, so that after a change only what depends on it is done again.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.copies_make import mapper
from benchmarks.copies_sources import SPLITS
from ml.copies.evaluate import VISUAL_VERDICTS, Evaluation, evaluate
from ml.copies.evidence import Evidence, Pictures
from ml.copies.pair_rows import FoundPair, KnownPair, Pair, known_pairs
from ml.schemas import MOTION

Say = Callable[[str], None]
# Evidence held at a time; a video of 10 s is about 2 MB.
_HELD = 400


@dataclass(frozen=True)
class Video:
    """A video of the catalogue; ``number`` is its place by date."""

    video_id: str
    path: Path
    number: int
    kind: str
    split: str


@dataclass(frozen=True)
class Benchmark:
    """A library on disk: videos by date, what is known of them, and where results are kept."""

    folder: Path
    videos: tuple[Video, ...]
    truth: tuple[KnownPair, ...]
    ignored: frozenset[Pair]

    @property
    def queries(self) -> list[Video]:
        return [video for video in self.videos if video.kind != "reference"]

    def evaluated(self, found: Sequence[FoundPair], split: str) -> Evaluation:
        """``found`` against the truth, of the copies in one half; ``split`` all is everything."""
        halves = SPLITS if split == "all" else (split,)
        of = {video.video_id: video.split for video in self.videos}
        truth = [one for one in self.truth if of[one.copy_id] in halves]
        kinds = {video.video_id: video.kind for video in self.videos}
        mine = [one for one in found if of[one.copy_id] in halves]
        result = evaluate(truth, mine, kinds, self.ignored)
        there = {video.kind for video in self.videos if video.split in halves}
        return replace(result, kinds=tuple(kind for kind in result.kinds if kind.kind in there))


def read(folder: Path) -> Benchmark:
    """Open a benchmark library. Raises FileNotFoundError when it was not made."""
    if not (folder / "truth" / "queries.csv").is_file():
        raise FileNotFoundError(f"no benchmark in {folder}: python -m benchmarks.copies make --out")
    listed = {row["video_id"]: row for row in _rows(folder / "truth" / "queries.csv")}
    catalogue = sorted(
        _rows(folder / "catalogue.csv"), key=lambda row: (row["published_at"], row["video_id"])
    )
    videos = []
    for number, row in enumerate(catalogue):
        about = listed[row["video_id"]]
        path = folder / row["uri"]
        videos.append(Video(row["video_id"], path, number, about["kind"], about["source_split"]))
    shared = _rows(folder / "truth" / "shared_pictures.csv")
    ignored = frozenset((row["video_a"], row["video_b"]) for row in shared)
    truth = known_pairs(_rows(folder / "truth" / "pairs.csv"))
    return Benchmark(folder, tuple(videos), tuple(truth), ignored)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Took:
    """Seconds that the steps took for one video; 0 for what was kept."""

    extract_s: float = 0
    describe_s: float = 0
    sound_s: float = 0


def describe(folder: Path, video: Video) -> Took:
    """Make what is missing of a video's frames, motion, descriptors and fingerprints."""
    import cv2

    from ml.copies.features import FrameDescriber
    from ml.copies.sound.bands import SoundFingerprinter
    from ml.media.extract import ExtractOptions

    cv2.setNumThreads(1)
    options = ExtractOptions()
    media = _cached(folder, video, options.maker)
    began = time.perf_counter()
    if not media.is_dir():
        _extract(video, options, media)
    extracted = time.perf_counter()
    describer = FrameDescriber()
    _step(
        _cached(folder, video, options.maker, describer.model), media, "frames", describer.describe
    )
    described = time.perf_counter()
    sound = SoundFingerprinter()
    _step(_cached(folder, video, options.maker, sound.model), media, "audio", sound.fingerprint)
    done = time.perf_counter()
    return Took(extracted - began, described - extracted, done - described)


def _cached(folder: Path, video: Video, *makers: str) -> Path:
    status = video.path.stat()
    made_from = [*makers, str(status.st_size), str(status.st_mtime_ns)]
    key = hashlib.blake2b("\n".join(made_from).encode(), digest_size=8).hexdigest()
    return folder / "cache" / video.video_id / key


def _extract(video: Video, options: Any, place: Path) -> None:
    from ml.media.extract import Source, extract

    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        made = Path(folder, "made")
        made.mkdir()
        found = extract(Source(video.video_id, str(video.path)), made, options)
        (made / "duration_s").write_text(repr(found.duration_s), encoding="utf-8")
        made.rename(place)


def _step(
    place: Path,
    media: Path,
    dataset: str,
    step: Callable[[Iterator[pa.RecordBatch]], Iterable[pa.RecordBatch]],
) -> None:
    from ml.media.spool import spooled

    if place.is_file():
        return
    batches = list(step(spooled(media, dataset)))
    table = pa.Table.from_batches(batches) if batches else pa.table({})
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        pq.write_table(table, Path(folder, "made"), compression="zstd")
        Path(folder, "made").rename(place)


@lru_cache(maxsize=_HELD)
def evidence(folder: Path, video: Video) -> Evidence:
    """All that is known of a video that was described."""
    from ml.copies.features import FrameDescriber, pictures_of
    from ml.copies.motion.thumbnails import motion_of
    from ml.copies.sound.bands import SoundFingerprinter, sound_of
    from ml.media.extract import ExtractOptions
    from ml.media.spool import spooled

    maker = ExtractOptions().maker
    media = _cached(folder, video, maker)
    described = _cached(folder, video, maker, FrameDescriber().model)
    heard = pq.read_table(_cached(folder, video, maker, SoundFingerprinter().model))
    return Evidence(
        video.video_id,
        float((media / "duration_s").read_text(encoding="utf-8")),
        pictures_of(pq.read_table(described).to_batches()),
        motion_of(spooled(media, MOTION.name)),
        sound_of(heard.to_batches()) if heard.num_rows else None,
    )


@dataclass(frozen=True)
class How:
    """What to compare: every earlier reference instead of candidates; references alone."""

    exhaustive: bool = False
    references_only: bool = False


@dataclass(frozen=True)
class Findings:
    """What a system found, and how long it took."""

    pairs: tuple[FoundPair, ...]
    compared: frozenset[Pair]
    search_s: float
    compare_s: float


def run(bench: Benchmark, videos: Sequence[Video], how: How, processes: int, say: Say) -> Findings:
    """Ours: candidates from the two indexes (or every earlier reference), then verification."""
    earlier: _Exhaustive | _Indexes = _Exhaustive(bench) if how.exhaustive else _Indexes(bench)
    say("indexes ready")
    for video in bench.videos:
        evidence(bench.folder, video)  # so that reading files is no part of a search
    began = time.perf_counter()
    work = [(video, earlier.candidates(video)) for video in videos]
    search_s = time.perf_counter() - began
    if how.references_only:
        work = [(video, [o for o in others if o.kind == "reference"]) for video, others in work]
    found: list[FoundPair] = []
    compare_s = 0.0
    with mapper(processes) as mapped:
        for number, done in enumerate(mapped(partial(_compared, bench.folder), work), start=1):
            found += done[0]
            compare_s += done[1]
            if number % 50 == 0 or number == len(work):
                say(f"{number} of {len(work)} videos compared")
    compared = frozenset((one.video_id, other.video_id) for one, others in work for other in others)
    return Findings(tuple(found), compared, search_s, compare_s)


def _compared(folder: Path, work: tuple[Video, Sequence[Video]]) -> tuple[list[FoundPair], float]:
    """Verify one video's candidates; the pairs found, and the seconds it took."""
    from ml.copies.pairs import compare

    video, candidates = work
    query, found, took_s = evidence(folder, video), [], 0.0
    for other in candidates:
        reference = evidence(folder, other)
        began = time.perf_counter()
        verdict = compare(query, reference)
        took_s += time.perf_counter() - began
        if verdict is not None:
            found.append(_found(video, other, verdict))
    return found, took_s


def _found(copy: Video, original: Video, verdict: Any) -> FoundPair:
    return FoundPair(
        copy.video_id,
        original.video_id,
        verdict.verdict,
        verdict.score,
        tuple(zip(verdict.copy_starts_s, verdict.copy_ends_s, strict=True)),
        tuple(zip(verdict.original_starts_s, verdict.original_ends_s, strict=True)),
    )


class _Exhaustive:
    """No index: every earlier reference is a candidate."""

    def __init__(self, bench: Benchmark) -> None:
        self._references = [video for video in bench.videos if video.kind == "reference"]

    def candidates(self, video: Video) -> list[Video]:
        return [other for other in self._references if other.number < video.number]


class _Indexes:
    """The picture index and the sound index over the whole library, built anew."""

    def __init__(self, bench: Benchmark) -> None:
        from ml.copies.picture_growth import update_picture_index
        from ml.copies.picture_index import PictureIndex
        from ml.copies.sound_growth import update_sound_index
        from ml.copies.sound_index import SoundIndex

        self._bench, self._by_id = bench, {video.video_id: video for video in bench.videos}
        self._folder = tempfile.TemporaryDirectory(dir=bench.folder)
        pictures, sounds = (Path(self._folder.name, name) for name in ("pictures", "sounds"))
        for folder in (pictures, sounds):
            folder.mkdir()
        update_picture_index(pictures, {"all": "1"}, self._pictures)
        update_sound_index(sounds, {"all": "1"}, self._sounds)
        self._pictures_index = PictureIndex.open(pictures)
        self._sound_index = SoundIndex.open(sounds)

    def _pictures(self, _: str) -> Iterator[tuple[str, Pictures]]:
        for video in self._bench.videos:
            yield video.video_id, evidence(self._bench.folder, video).pictures

    def _sounds(self, _: str) -> Iterator[tuple[str, Any]]:
        for video in self._bench.videos:
            sound = evidence(self._bench.folder, video).sound
            if sound is not None:
                yield video.video_id, sound

    def candidates(self, video: Video) -> list[Video]:
        known = evidence(self._bench.folder, video)
        named = list(self._pictures_index.search(known.pictures, exclude=video.video_id))
        if known.sound is not None:
            named += self._sound_index.search(known.sound, exclude=video.video_id)
        others = {self._by_id[one.video_id] for one in named}
        return sorted((o for o in others if o.number < video.number), key=lambda o: o.number)


# ---------------------------------------------------------------- the cheap baseline


_Votes = dict[Pair, npt.NDArray[np.int64]]
_DISTANCES = (32, 48, 64, 80)


def hash_votes(bench: Benchmark, videos: Sequence[Video]) -> _Votes:
    """Frame hash voting: how many of a video's frames lie within each of `_DISTANCES` bits of a
    frame of an earlier reference; the last number is how many frames could be told by a hash."""
    references = [video for video in bench.videos if video.kind == "reference"]
    signs = {v.video_id: _signs(evidence(bench.folder, v).pictures) for v in bench.videos}
    votes: _Votes = {}
    for video in videos:
        mine = signs[video.video_id]
        for other in references:
            theirs = signs[other.video_id]
            if other.number >= video.number or not len(mine) or not len(theirs):
                continue
            nearest = (256 - (mine @ theirs.T).max(axis=1)) / 2
            counts = [int((nearest <= distance).sum()) for distance in _DISTANCES]
            votes[video.video_id, other.video_id] = np.array([*counts, len(mine)])
    return votes


def _signs(pictures: Pictures) -> npt.NDArray[np.float32]:
    """Hash bits as -1 and 1 [frames, 256]; flat pictures are left out."""
    bits = np.unpackbits(pictures.hashes[pictures.detail >= 0.1], axis=1)
    return (2 * bits.astype(np.float32) - 1).reshape(-1, 256)


def voted(bench: Benchmark, votes: _Votes) -> tuple[FoundPair, ...]:
    """The baseline's pairs; distance and share are chosen on one half, used on the other."""
    of = {video.video_id: video.split for video in bench.videos}
    found: list[FoundPair] = []
    for split in SPLITS:
        other = SPLITS[1 - SPLITS.index(split)]
        settings = [(d, share) for d in range(len(_DISTANCES)) for share in (0.05, 0.1, 0.2, 0.4)]
        best = max(settings, key=lambda s: bench.evaluated(_by_votes(votes, *s), other).visual.f1)
        found += [one for one in _by_votes(votes, *best) if of[one.copy_id] == split]
    return tuple(found)


def _by_votes(votes: _Votes, distance: int, share: float) -> list[FoundPair]:
    return [
        FoundPair(*pair, "duplicate", float(count[distance] / count[-1]), (), ())
        for pair, count in votes.items()
        if count[distance] >= max(1, share * count[-1])
    ]


# ---------------------------------------------------------------- all of it


@dataclass(frozen=True)
class Times:
    """Mean seconds of one core."""

    extract_s: float
    describe_s: float
    sound_s: float
    search_s: float
    compare_s: float


@dataclass(frozen=True)
class Report:
    """Findings of both systems, times, and the share of known pairs that became candidates."""

    ours: Findings
    baseline: tuple[FoundPair, ...]
    times: Times
    candidate_recall: float
    missing_candidates: tuple[Pair, ...]


def measure(bench: Benchmark, kinds: Sequence[str], how: How, processes: int, say: Say) -> Report:
    """Describe, search, verify; ``kinds`` limits the queries, empty for all."""
    queries = [video for video in bench.queries if not kinds or video.kind in kinds]
    took = []
    references = [video for video in bench.videos if video.kind == "reference"]
    needed = [*references, *queries]
    with mapper(processes) as mapped:
        for number, one in enumerate(mapped(partial(describe, bench.folder), needed), start=1):
            took.append(one)
            if number % 50 == 0 or number == len(needed):
                say(f"{number} of {len(needed)} videos described")
    ours = run(bench, queries if kinds else bench.videos, how, processes, say)
    say(f"{len(ours.compared)} pairs compared, {len(ours.pairs)} found")
    baseline = voted(bench, hash_votes(bench, queries)) if not kinds else ()
    asked = {video.video_id for video in queries}
    known = {
        (one.copy_id, one.original_id)
        for one in bench.truth
        if one.copy_id in asked and one.verdict in VISUAL_VERDICTS
    }
    missing = tuple(sorted(known - ours.compared))
    recall = 1 - len(missing) / max(len(known), 1)
    return Report(ours, baseline, _times(took, ours, len(bench.videos)), recall, missing)


def _times(took: Sequence[Took], ours: Findings, videos: int) -> Times:
    def mean(values: Iterable[float]) -> float:
        fresh = [value for value in values if value > 0.02]  # less was kept from an earlier run
        return float(np.mean(fresh)) if fresh else float("nan")

    return Times(
        mean(one.extract_s for one in took),
        mean(one.describe_s for one in took),
        mean(one.sound_s for one in took),
        ours.search_s / max(videos, 1),
        ours.compare_s / max(len(ours.compared), 1),
    )
