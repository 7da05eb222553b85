"""Faces measured: who is found in real clips, how far people lie apart, and how fast it is.

``python -m benchmarks.faces [--clips FOLDER] [--frame-rate 2]``

Clips are extracted as the pipeline does it. Answers are checked before times are printed: every
frame of a talking head has its one clear face, no frame without faces has a clear one, and the
network is dlib's. dlib itself (package ``dlib-bin``) is compared where it is installed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import MEDIA
from ml.faces import PACKAGED, FaceFinder, load_face_finder
from ml.faces.boxes import F32, U8
from ml.media.extract import ExtractOptions, Source, extract
from ml.media.spool import spooled

# One person each, facing the camera; the pair is one man in two takes.
TALKING_HEADS = ("c084", *(f"c{number}" for number in range(107, 118)))
SAME_MAN = {"c114": "c108"}
PEOPLE = (*TALKING_HEADS, "c057", "c085")
_DLIB_FRAMES = 24


@dataclass(frozen=True)
class Found:
    """A clip's frames and its faces."""

    clip: str
    frames: list[pa.RecordBatch]
    faces: list[dict[str, Any]]
    seconds: float

    @property
    def frame_count(self) -> int:
        return sum(batch.num_rows for batch in self.frames)

    @property
    def clear(self) -> list[dict[str, Any]]:
        return [face for face in self.faces if not face["flaw"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, default=MEDIA / "clips")
    parser.add_argument("--frame-rate", type=float, default=2.0)
    options = parser.parse_args()
    files = sorted(f for f in options.clips.glob("*") if f.suffix != ".csv")
    if not files:
        print(f"skipped: no clips in {options.clips}")
        return
    finder = load_face_finder(PACKAGED, profile="embedded", device="cpu")
    print(finder.model)
    found = list(_found(finder, files, options.frame_rate))
    _print_clips(found)
    _print_distances(finder, found)
    _print_dlib(finder, [one for one in found if one.clip in TALKING_HEADS])
    frames = sum(one.frame_count for one in found)
    seconds = sum(one.seconds for one in found)
    print(f"{frames} frames in {seconds:.1f} s: {1000 * seconds / frames:.0f} ms a frame")


def _found(finder: FaceFinder, files: list[Path], frame_rate: float) -> Iterator[Found]:
    for file in files:
        frames = _frames(file, frame_rate)
        began = time.perf_counter()
        faces = [row for batch in finder.find(frames) for row in batch.to_pylist()]
        yield Found(file.stem, frames, faces, time.perf_counter() - began)


def _frames(file: Path, frame_rate: float) -> list[pa.RecordBatch]:
    with tempfile.TemporaryDirectory() as folder:
        source = Source(file.stem, str(file))
        extract(source, folder, ExtractOptions(frame_rate=frame_rate))
        return list(spooled(folder, "frames"))


def _print_clips(found: list[Found]) -> None:
    print("| clip | frames | faces | clear | flaws |\n| --- | --- | --- | --- | --- |")
    for one in found:
        if one.clip in PEOPLE or one.faces:
            flaws = [face["flaw"] for face in one.faces if face["flaw"]]
            names = ", ".join(f"{flaws.count(flaw)} {flaw}" for flaw in sorted(set(flaws)))
            sizes = f"{one.frame_count} | {len(one.faces)} | {len(one.clear)}"
            print(f"| {one.clip} | {sizes} | {names} |")
    heads = [one for one in found if one.clip in TALKING_HEADS]
    missed = sum(one.frame_count - len(one.clear) for one in heads)
    empty = [one for one in found if one.clip not in PEOPLE]
    false = [one.clip for one in empty for _ in one.clear]
    print(f"talking heads: {missed} of {sum(h.frame_count for h in heads)} frames missed")
    print(f"without people: {len(false)} clear faces in {sum(e.frame_count for e in empty)} frames")
    if missed or false:
        raise SystemExit(f"wrong answers: {missed} missed, false ones in {false}")


def _print_distances(finder: FaceFinder, found: list[Found]) -> None:
    heads = [one for one in found if one.clip in TALKING_HEADS]
    names = np.array([SAME_MAN.get(one.clip, one.clip) for one in heads for _ in one.clear])
    vectors = np.array([f["embedding"] for one in heads for f in one.clear], np.float32)
    same, other = _distances(vectors, names)
    print(
        f"{len(names)} clear faces of {len(set(names))} people: one person's pairs "
        f"{same.mean():.3f} apart, at most {same.max():.3f}; strangers' {other.mean():.3f}, "
        f"at least {other.min():.3f}; the limit is {finder.same_person_distance}"
    )
    if not same.max() < finder.same_person_distance < other.min():
        raise SystemExit("wrong answer: the limit does not part people")


def _distances(vectors: F32, names: np.ndarray) -> tuple[F32, F32]:
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    alike = names[:, None] == names[None]
    later = np.triu(np.ones_like(alike), 1)
    return apart[alike & later], apart[~alike & later]


# ---------------------------------------------------------------- against dlib itself


def _print_dlib(finder: FaceFinder, heads: list[Found]) -> None:
    if find_spec("dlib") is None:
        print("skipped: dlib is not installed (pip install dlib-bin), so nothing to compare with")
        return
    rows = [batch.slice(i, 1) for one in heads for batch in one.frames for i in range(len(batch))]
    rows = rows[:: max(1, len(rows) // _DLIB_FRAMES)]
    _dlib_models()
    began = time.perf_counter()
    theirs = [_dlib_face(_picture(row)) for row in rows]
    dlib_s = time.perf_counter() - began
    began = time.perf_counter()
    ours = [face for batch in finder.find(rows) for face in batch.to_pylist()]
    ours_s = time.perf_counter() - began
    both = [one for one in theirs if one is not None]
    print(f"{len(rows)} frames: dlib found {len(both)} faces, we {len(ours)}")
    _print_parity(np.stack([chip for chip, _ in both]), np.stack([v for _, v in both]))
    print(f"dlib (HOG, 5 landmarks, descriptor) takes {dlib_s / ours_s:.1f} times as long as we")


def _print_parity(chips: U8, descriptors: F32) -> None:
    from ml.faces.recogniser import Recogniser

    recogniser = Recogniser()
    began = time.perf_counter()
    found = recogniser.describe(chips)
    seconds = time.perf_counter() - began
    worst = float(np.abs(found - descriptors).max())
    print(
        f"the same chips: vectors differ by {worst:.1e}; {1000 * seconds / len(chips):.0f} ms each"
    )
    if worst > 1e-3:
        raise SystemExit("wrong answer: this is not dlib's network")


def _dlib_face(picture: U8) -> tuple[U8, F32] | None:
    """dlib's chip of the first face that its HOG detector finds, and its vector."""
    import dlib

    detector, landmarks, network = _dlib_models()
    boxes = detector(picture, 0)
    if not boxes:
        return None
    chip = dlib.get_face_chip(picture, landmarks(picture, boxes[0]), 150, 0.25)
    return chip, np.array(network.compute_face_descriptor(chip), np.float32)


@cache
def _dlib_models() -> tuple[Any, Any, Any]:
    """The detector, the landmarks and the network."""
    import dlib

    from ml.faces.recogniser import weights_file

    landmarks = weights_file().with_name("shape_predictor_5_face_landmarks.dat")
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(landmarks)),
        dlib.face_recognition_model_v1(str(weights_file())),
    )


def _picture(row: pa.RecordBatch) -> U8:
    import cv2

    jpeg = np.frombuffer(row.column("jpeg")[0].as_py(), np.uint8)
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)


if __name__ == "__main__":
    main()
