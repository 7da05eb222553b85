"""A thousand damaged files of eight formats through the workers that decode a batch.

    python -m benchmarks.faults files [--count 1000] [--seed 0] [--workers 2]

A clip of each format is cut short, has bytes flipped, ranges zeroed or swapped, sizes in its header
overwritten, another file's header or end. Counted are crashed and hanging workers, what grows with
the number of files (memory, open files, scratch), and reasons that are no sentence for people.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from assets.media.extraction import Done, Task, extract_one
from assets.stores.batches import SourceVideo
from ml.media.extract import ExtractOptions
from ml.workers import Outcome, run_tasks
from tests.unit.media.clips import moving_box, tone, write_clip

FORMATS: Mapping[str, Mapping[str, str]] = {
    "mp4": {},
    "mov": {},
    "mkv": {},
    "webm": {"codec": "libvpx", "sound_codec": "libopus"},
    "avi": {"codec": "mpeg4", "sound_codec": "libmp3lame"},
    "flv": {"codec": "flv", "sound_codec": "libmp3lame"},
    "ts": {},
    "mpg": {"codec": "mpeg2video", "sound_codec": "mp2"},
}
_FRAMES, _FPS, _SOUND_HZ = 30, 25, 44_100
# A clip is decoded in a tenth of a second; whoever takes this long on a busy machine hangs.
_LIMIT_S = 60.0
# What a worker may have more at the end than after the first hundred files.
_GROWTH_MB, _GROWTH_FILES = 64, 3
_WARM = 100
# Names of classes, paths and addresses in memory are for programmers.
_NO_SENTENCE = re.compile(r"\b\w+(Error|Exception)\b|0x[0-9a-f]{6,}|/tmp/|\[Errno|^\W*$")
Mutation = Callable[[bytearray, random.Random, bytes], bytearray]


@dataclass
class Found:
    """What became of the files."""

    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    no_sentence: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What must not be."""
        found = [f"crashed or hung: {text}" for text in self.crashed]
        found += [f"no sentence: {text}" for text in sorted(set(self.no_sentence))]
        if self._grew(self.memory_mb) > _GROWTH_MB:
            found.append(f"workers grew by {self._grew(self.memory_mb):.0f} MB")
        if self._grew(self.open_files) > _GROWTH_FILES:
            found.append(f"workers hold {self._grew(self.open_files):.0f} more files open")
        return found

    @staticmethod
    def _grew(values: list[float] | list[int]) -> float:
        warm = min(_WARM, len(values) // 2)
        return max(values[warm:]) - max(values[:warm])


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks.faults files`."""
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)


def main(given: argparse.Namespace) -> None:
    """Damage, decode, and print what was found."""
    with tempfile.TemporaryDirectory(prefix="kadr-files-") as folder:
        began_s = time.monotonic()
        found = decode_damaged(Path(folder), given.count, given.seed, given.workers)
        wall_s = time.monotonic() - began_s
    for reason, count in found.reasons.most_common():
        print(f"{count:5}  {reason}")
    kinds, mb = dict(found.kinds), max(found.memory_mb)
    print(f"\n{given.count} files: {kinds}; {len(found.reasons)} reasons; {wall_s:.0f} s, of which")
    print(f"the slowest took {found.slowest_s:.1f}; a worker held at most {mb:.0f} MB")
    print(f"and {max(found.open_files)} open files")
    problems = found.problems()
    sys.exit("\n".join([f"{len(problems)} problems:", *problems]) if problems else 0)


def decode_damaged(folder: Path, count: int, seed: int, workers: int) -> Found:
    """Run damaged files through workers in the order in which they are made."""
    clips = {name: _clip(folder, name).read_bytes() for name in FORMATS}
    found, me = Found(), psutil.Process()
    tasks = _tasks(folder, clips, count, random.Random(seed))
    with closing(run_tasks(extract_one, tasks, workers=workers, limit_s=_LIMIT_S)) as outcomes:
        for outcome in outcomes:
            _note(found, outcome)
            _measure(found, me)
            shutil.rmtree(outcome.task.spool, ignore_errors=True)
            Path(outcome.task.video.uri).unlink()
    return found


def _clip(folder: Path, name: str) -> Path:
    sound = tone(_FRAMES / _FPS, rate=_SOUND_HZ if name in ("flv", "avi", "mpg") else 48_000)
    rate = _SOUND_HZ if name in ("flv", "avi", "mpg") else 48_000
    picture = partial(moving_box, size=(96, 64))
    how = dict(FORMATS[name])
    return write_clip(
        folder / f"whole.{name}",
        picture,
        frames=_FRAMES,
        fps=_FPS,
        sound=sound,
        sound_rate=rate,
        codec=how.get("codec", "libx264"),
        sound_codec=how.get("sound_codec", "aac"),
        container="mpeg" if name == "mpg" else None,
    )


def _tasks(
    folder: Path, clips: Mapping[str, bytes], count: int, rng: random.Random
) -> Iterator[Task]:
    names = sorted(clips)
    for number in range(count):
        name = names[number % len(names)]
        other = clips[rng.choice(names)]
        data = bytearray(clips[name])
        for mutation in rng.choices(MUTATIONS, k=rng.randint(1, 3)):
            data = mutation(data, rng, other)
        path = folder / f"{number}.{name}"
        path.write_bytes(data)
        video = SourceVideo(f"video-{number}", str(path), source_bytes=len(data))
        yield Task(video, str(folder / f"spool-{number}"), ExtractOptions(), {}, "")


def _note(found: Found, outcome: Outcome[Task, Done]) -> None:
    found.slowest_s = max(found.slowest_s, outcome.seconds)
    failure = outcome.failure
    found.kinds["ok" if failure is None else failure.kind] += 1
    warning = outcome.value.media.warning if outcome.value else ""
    texts = [str(failure)] if failure else [warning] if warning else []
    for text in texts:
        found.reasons[re.sub(r"\d+(\.\d+)?", "N", text)[:150]] += 1
        # So ml/workers.py begins what it says of a worker that crashed or was ended.
        if text.startswith(("decoder", "took longer")):
            found.crashed.append(f"{outcome.task.video.uri}: {text}")
        if _NO_SENTENCE.search(text):
            found.no_sentence.append(text)


def _measure(found: Found, me: psutil.Process) -> None:
    """The largest worker, now."""
    memory, files = [0.0], [0]
    for child in me.children():
        try:
            memory.append(child.memory_info().rss / 1e6)
            files.append(child.num_fds())
        except psutil.Error:  # it has just ended
            continue
    found.memory_mb.append(max(memory))
    found.open_files.append(max(files))


# Mutations ----------------------------------------------------------------------------------------


def _cut(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    return data[: rng.randint(1, max(1, len(data)))]


def _flip(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    for _index in range(rng.choice((1, 10, 100))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _zero(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    start, length = rng.randrange(len(data)), rng.choice((16, 512, 8192))
    length = min(length, len(data) - start)
    data[start : start + length] = bytes(length)
    return data


def _swap(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    size = min(rng.choice((64, 1024)), max(1, len(data) // 2))
    a, b = rng.randrange(len(data) - size + 1), rng.randrange(len(data) - size + 1)
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


def _lie(data: bytearray, rng: random.Random, _: bytes) -> bytearray:
    """A size or a number of the header, made very large, negative or random."""
    start = rng.randrange(min(len(data), 2048))
    value = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", rng.randbytes(4)))
    data[start : start + 4] = value
    return data


def _head_of_another(data: bytearray, rng: random.Random, other: bytes) -> bytearray:
    length = rng.choice((4, 16, 64, 512))
    return bytearray(other[:length]) + data[length:]


def _tail_of_another(data: bytearray, _: random.Random, other: bytes) -> bytearray:
    return data + other


MUTATIONS: tuple[Mutation, ...] = (
    *(_cut, _flip, _flip, _zero, _swap, _lie, _lie),
    *(_head_of_another, _tail_of_another),
)
