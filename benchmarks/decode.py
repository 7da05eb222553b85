"""Which reader decodes best: decord, PyAV and torchcodec on the same clips, in one run.

    python benchmarks/decode.py [--media ../shared/media] [--seconds 20]

The job is the same for all: one picture a second, at most 768 px wide, as RGB. Each (reader, clip)
runs in a process of its own, so peak memory and crashes are its own. Before a time counts, the
pictures are compared with PyAV's: a reader that gets the answer wrong has no speed. Then comes what
each does with broken files. Rows named "pass" are the whole of ml/media/extract.py over that
reader: frames, motion thumbnails at 8 a second, and sound; their pictures are not compared.

torchcodec needs FFmpeg's shared libraries. Where the system has none, it is given those inside
PyAV's wheel, so both then decode with the very same FFmpeg; where that fails it is skipped aloud.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MAX_SIDE = 768
LIMIT_S = 300
# Near-duplicates and most of the talking faces would only repeat what these show.
MEDIA = ("c057.mp4", "c058.webm", "c067.mp4", "c069.mp4", "c083.mp4", "c085.mp4", "c107.mpg")
SAMPLES = ("pyav", "pyav-auto", "pyav-nonref", "decord", "torchcodec")
PASSES = ("pass-pyav", "pass-decord", "pass-torchcodec")
# NONREF skips pictures: near enough for one a second, too far off for motion (ml/media/decode.py).
EVERY_PICTURE = tuple(reader for reader in SAMPLES if reader != "pyav-nonref")
REFERENCE = "pyav"

Sample = tuple[float, np.ndarray]  # seconds from the first picture, uint8[h, w, 3]


# ---------------------------------------------------------------- one reader, one clip (a child)


def sample_pyav(path: str, threads: int, skip: Literal["NONREF"] | None) -> Iterator[Sample]:
    import av

    from ml.media.pictures import Scaler

    scaler, due, first = Scaler(), 0.0, None
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        if threads == 0:
            stream.thread_type = "AUTO"
        if skip:
            stream.codec_context.skip_frame = skip
        for frame in container.decode(stream):
            stamp = float(frame.time or 0.0)
            first = stamp if first is None else first
            if stamp - first >= due - 1e-3:
                yield stamp - first, _fitted(scaler, frame)
                due += 1.0


def sample_decord(path: str) -> Iterator[Sample]:
    import decord

    video = decord.VideoReader(path, num_threads=1)
    starts = video.get_frame_timestamp(range(len(video)))[:, 0]
    for index in _every_second(starts):
        video.seek_accurate(index)
        yield float(starts[index] - starts[0]), _shrunk(video.next().asnumpy())


def sample_torchcodec(path: str) -> Iterator[Sample]:
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(path, num_ffmpeg_threads=1, dimension_order="NHWC")
    first = video.metadata.begin_stream_seconds or 0.0
    last = video.metadata.end_stream_seconds or first
    for second in np.arange(first, last - 1e-3):
        frame = video.get_frame_played_at(float(second))
        yield float(frame.pts_seconds - first), _shrunk(frame.data.numpy())


def _every_second(starts: np.ndarray) -> list[int]:
    due = np.arange(starts[0], starts[-1] + 1e-3)
    return [int(index) for index in np.searchsorted(starts, due - 1e-3)]


def _fitted(scaler: Any, frame: Any) -> np.ndarray:
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    picture: np.ndarray = scaler.rgb(frame, round(frame.width * scale), round(frame.height * scale))
    return picture


def _shrunk(picture: np.ndarray) -> np.ndarray:
    import av

    from ml.media.pictures import Scaler

    return _fitted(Scaler(), av.VideoFrame.from_ndarray(picture[..., :3].copy(), format="rgb24"))


def run_pass(path: str, reader: str) -> dict[str, Any]:
    from ml.media.extract import ExtractOptions, Source, extract

    with tempfile.TemporaryDirectory() as spool:
        found = extract(Source("v", path), spool, ExtractOptions(reader=reader))
    return {"frames": found.kept_frame_count, "note": found.warning}


def run_sample(path: str, reader: str) -> dict[str, Any]:
    samples: dict[str, Callable[[], Iterator[Sample]]] = {
        "pyav": lambda: sample_pyav(path, 1, None),
        "pyav-auto": lambda: sample_pyav(path, 0, None),
        "pyav-nonref": lambda: sample_pyav(path, 1, "NONREF"),
        "decord": lambda: sample_decord(path),
        "torchcodec": lambda: sample_torchcodec(path),
    }
    times, means = [], []
    for start_s, picture in samples[reader]():
        times.append(round(start_s, 3))
        blocks = [np.array_split(half, 4, axis=1) for half in np.array_split(picture, 4)]
        means.append([round(float(cell.mean()), 1) for row in blocks for cell in row])
    return {"frames": len(times), "times": times, "means": means}


def child(reader: str, path: str) -> None:
    """Print one JSON line: what was read, and what it took."""
    began = time.perf_counter()
    try:
        if reader.startswith("pass-"):
            answer = run_pass(path, reader.removeprefix("pass-"))
        else:
            answer = run_sample(path, reader)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    answer["wall_s"] = time.perf_counter() - began
    answer["cpu_s"] = usage.ru_utime + usage.ru_stime
    answer["peak_mb"] = peak_mb()
    print(json.dumps(answer))


def peak_mb() -> float:
    """Of this process alone: ``ru_maxrss`` would start from the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(found[1]) / 1024 if found else float("nan")


# ---------------------------------------------------------------- the comparison


def measure(reader: str, path: Path, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", reader, str(path)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"hangs (more than {LIMIT_S} s)"}
    if done.returncode:
        return {"error": f"crashes (exit {done.returncode})"}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def wrong(answer: dict[str, Any], reference: dict[str, Any]) -> str:
    """Why an answer is not PyAV's; empty when it is. 0.1 s off is another picture."""
    if "error" in answer:
        return str(answer["error"])
    if abs(answer["frames"] - reference["frames"]) > 0:
        return f"{answer['frames']} pictures, PyAV {reference['frames']}"
    off_s = np.abs(np.subtract(answer["times"], reference["times"])).max()
    if off_s > 0.1:
        return f"times up to {off_s:.2f} s off"
    off_levels = np.abs(np.subtract(answer["means"], reference["means"])).mean()
    return f"pictures differ by {off_levels:.1f} levels" if off_levels > 4 else ""


def compare(clips: list[Path], readers: list[str], environment: dict[str, str]) -> None:
    totals: dict[str, list[float]] = {reader: [] for reader in readers}
    header = f"{'clip':<22}{'reader':<17}{'pictures':>9}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}  "
    print(header + "answer")
    for clip in clips:
        reference = measure(REFERENCE, clip, environment)
        for reader in readers:
            answer = reference if reader == REFERENCE else measure(reader, clip, environment)
            is_pass = reader.startswith("pass-")
            fault = answer.get("error", "") if is_pass else wrong(answer, reference)
            if not fault:
                totals[reader].append(answer["cpu_s"])
            print(_line(clip.name, reader, answer, fault))
    _print_winner(totals, len(clips))


def _line(clip: str, reader: str, answer: dict[str, Any], fault: str) -> str:
    start = f"{clip[:21]:<22}{reader:<17}"
    if fault:
        return f"{start}{'':>9}{'-':>8}{'-':>8}{'-':>9}  {fault}"
    figures = f"{answer['wall_s']:>8.2f}{answer['cpu_s']:>8.2f}{answer['peak_mb']:>9.0f}"
    verdict = "not compared" if reader.startswith("pass-") else "right"
    return f"{start}{answer['frames']:>9}{figures}  {verdict}"


def _print_winner(totals: dict[str, list[float]], clip_count: int) -> None:
    print(f"\n{'reader':<17}{'clips':>9}{'CPU s of the clips counted':>32}")
    for reader, seconds in totals.items():
        print(f"{reader:<17}{len(seconds):>5}/{clip_count:<3}{sum(seconds):>32.2f}")
    complete = {r: sum(s) for r, s in totals.items() if len(s) == clip_count and r in EVERY_PICTURE}
    if complete:
        winner = min(complete, key=lambda reader: complete[reader])
        print(f"winner among those that decode every picture, and every clip right: {winner}")


def print_broken(files: dict[str, Path], readers: list[str], environment: dict[str, str]) -> None:
    print(f"\n{'broken file':<22}{'reader':<17}what happens")
    for name, path in files.items():
        for reader in readers:
            answer = measure(reader, path, environment)
            note = f" ({answer['note']})" if answer.get("note") else ""
            told = answer.get("error") or f"{answer['frames']} pictures{note}"
            print(f"{name:<22}{reader:<17}{told[:110]}")


# ---------------------------------------------------------------- clips


def generated_clips(folder: Path, seconds: int) -> list[Path]:
    """Moving scenes: long and short GOPs with B-frames, VP9, portrait, MPEG-4."""
    from tests.unit.media.clips import moving_box, tone, write_clip

    def wide(index: int) -> np.ndarray:
        return moving_box(index, (1280, 720))

    def tall(index: int) -> np.ndarray:
        return moving_box(index, (360, 640))

    def h264(name: str, gop: int) -> Path:
        options = {"preset": "veryfast", "crf": "23", "g": str(gop)}
        frames, sound = 30 * seconds, tone(seconds)
        return write_clip(folder / name, wide, frames=frames, fps=30, options=options, sound=sound)

    def vp9(name: str) -> Path:
        options, codec = {"cpu-used": "8"}, "libvpx-vp9"
        return write_clip(
            folder / name, tall, frames=15 * seconds, fps=15, codec=codec, options=options
        )

    return [
        h264("720p-gop250.mp4", 250),
        h264("720p-gop30.mp4", 30),
        vp9("vp9-portrait.webm"),
        write_clip(folder / "mpeg4.avi", tall, frames=30 * seconds, fps=30, codec="mpeg4"),
    ]


def broken_files(folder: Path) -> dict[str, Path]:
    from tests.unit.media.clips import tone, write_clip

    def noise(index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 256, (180, 320, 3)).astype(np.uint8)

    whole = write_clip(
        folder / "whole.mp4", noise, frames=50, faststart=True, options={"g": "10"}
    ).read_bytes()
    tail_index = write_clip(folder / "tail.mp4", noise, frames=50).read_bytes()
    damaged = bytearray(whole)
    middle = len(whole) // 2
    damaged[middle : middle + len(whole) // 10] = bytes(len(whole) // 10)
    contents = {
        "truncated": whole[: int(len(whole) * 0.5)],
        "truncated, no index": tail_index[: int(len(tail_index) * 0.5)],
        "damaged middle": bytes(damaged),
        "garbage": np.random.default_rng(0).bytes(100_000),
        "text": b"this is no video\n" * 100,
        "empty": b"",
    }
    files = {}
    for number, (name, content) in enumerate(contents.items()):
        files[name] = folder / f"broken{number}.mp4"
        files[name].write_bytes(content)
    files["sound only"] = write_clip(folder / "sound.mp4", None, sound=tone(1.0))
    return files


# ---------------------------------------------------------------- what is installed


def available(environment: dict[str, str]) -> list[str]:
    """Readers that load here; the others are named with the reason."""
    found = []
    modules = {"decord": "decord", "torchcodec": "torchcodec.decoders"}
    for reader in SAMPLES + PASSES:
        module = modules.get(reader.removeprefix("pass-"), "av")
        code = [sys.executable, "-c", f"import {module}"]
        done = subprocess.run(code, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.append(reader)
        else:
            reason = (done.stderr.strip().splitlines() or ["?"])[-1]
            print(f"SKIPPED {reader}: import {module} fails: {reason[:120]}")
    return found


def environment_for_children(folder: Path) -> dict[str, str]:
    """This environment, with PyAV's FFmpeg libraries under their usual names behind the system's.

    A wheel renames its libraries (libavcodec-5e6b81c2.so.62.28.102); torchcodec asks for
    libavcodec.so.62.
    """
    import av

    libraries = Path(av.__file__).parents[1] / "av.libs"
    links = folder / "ffmpeg"
    links.mkdir()
    for library in libraries.glob("lib*.so.*") if libraries.is_dir() else ():
        plain = re.sub(r"-[0-9a-f]{8}(\.so\.\d+).*", r"\1", library.name)
        if plain.startswith(("libav", "libsw")):
            (links / plain).symlink_to(library)
    paths = [os.environ.get("LD_LIBRARY_PATH", ""), str(links), str(libraries)]
    joined = ":".join(path for path in paths if path)
    return {**os.environ, "LD_LIBRARY_PATH": joined, "OMP_NUM_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--seconds", type=int, default=20, help="length of the generated clips")
    parser.add_argument("--one", nargs=2, metavar=("READER", "CLIP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        child(*options.one)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_for_children(folder)
        readers = available(environment)
        clips = generated_clips(folder, options.seconds)
        real = [options.media / "clips" / clip for clip in MEDIA]
        if all(clip.exists() for clip in real):
            clips += real
        else:
            print(f"SKIPPED the real clips: not found under {options.media}")
        compare(clips, readers, environment)
        print_broken(broken_files(folder), [r for r in readers if "-nonref" not in r], environment)


if __name__ == "__main__":
    main()
