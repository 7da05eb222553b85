"""Write the sample library into a folder.

FOLDER/catalogue.csv    video_id, uri, published_at, title, description, tags, licensed
FOLDER/clips/           the videos: originals, planted copies and two broken files
FOLDER/known_people/    NAME/1.jpg: two people whose names are known, to name faces after
FOLDER/truth/           what is known about them (see samples.truth); not for ingestion
FOLDER/made.json        generator version and seed; written last, so a folder that has it is whole
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from samples import truth
from samples.captions import caption_overlay
from samples.clips import CLIPS, Clip
from samples.copies import COPIES, Copy, Part, edit, resized
from samples.drawings import DRAWINGS
from samples.encode import FILE_TYPES, read_frames, stretched, write_video
from samples.photographs import FACES, photograph
from samples.scenes import scene
from samples.shots import Shot
from samples.sound import RATE_HZ, Sentence, music, read_sound, sound_track

# Change it when the files that `make_library` writes change: an older library is then made anew.
VERSION = 3
TRUNCATED, TEXT_FILE = "broken-01", "broken-02"
_BROKEN = {
    TRUNCATED: ("Upload interrupted", "space-04"),
    TEXT_FILE: ("Not a video", ""),
}
_BROKEN_PUBLISHED_AT = "2026-06-08T08:00:00Z"
# The licensed base: an original that a copy shows, and one that no other video shows.
LICENSED = ("cars-03", "travel-03")
_TRUTH_FILES = ("pairs.csv", "labels.csv", "people.csv", "shared_pictures.csv")
_PHOTOGRAPHED, _MADE_UP = FACES["astronaut"], "Nadia Okoro"
_KNOWN_PEOPLE = (f"{_PHOTOGRAPHED}/1.jpg", f"{_MADE_UP}/1.jpg")

Progress = Callable[[str, int, int], None]


def make_library(
    folder: Path | str,
    seed: int = 0,
    *,
    only: Collection[str] | None = None,
    processes: int = 2,
    progress: Progress | None = None,
) -> Path:
    """Write the library and return ``folder``; does nothing when it is already there.

    ``only`` names the videos to make (with the originals they need); by default all of them, 33
    originals, 14 copies and 2 broken files, in about half a minute on two cores. ``progress`` is
    called with a video's id, how many are made and how many there will be. The bytes depend on
    ``seed`` and the installed encoders alone.

    Raises FileExistsError when ``folder`` holds files that are not the library's, and ValueError
    when ``only`` names an unknown video.
    """
    folder = Path(folder)
    clips, copies, broken = _chosen(only)
    names = [*clips, *copies, *broken]
    made = {"version": VERSION, "seed": seed, "videos": sorted(names)}
    if _is_made(folder, made):
        return folder
    _clear(folder)
    for name in ("clips", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    report = _Reporter(len(names), progress)
    facts = _make_videos(folder, seed, clips.values(), copies.values(), processes, report)
    _make_broken(folder, broken, report)
    _write_known_people(folder / "known_people")
    _write_tables(folder, clips, copies, broken, facts)
    (folder / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return folder


def library_ids() -> list[str]:
    """The ids of all videos of the whole library, in catalogue order."""
    return [*(clip.video_id for clip in CLIPS), *(copy.video_id for copy in COPIES), *_BROKEN]


class _Reporter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def __call__(self, video_id: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(video_id, self._done, self._total)


def _chosen(
    only: Collection[str] | None,
) -> tuple[dict[str, Clip], dict[str, Copy], list[str]]:
    """Originals, copies and broken files to make, in catalogue order."""
    wanted = set(library_ids() if only is None else only)
    unknown = wanted - set(library_ids())
    if unknown:
        raise ValueError(f"no sample videos called {sorted(unknown)}; see library_ids()")
    copies = {copy.video_id: copy for copy in COPIES if copy.video_id in wanted}
    broken = [name for name in _BROKEN if name in wanted]
    wanted |= {part.original_id for copy in copies.values() for part in copy.original_parts}
    wanted |= {_BROKEN[name][1] for name in broken}
    return {clip.video_id: clip for clip in CLIPS if clip.video_id in wanted}, copies, broken


def _file_name(video_id: str, file_type: str) -> str:
    return video_id + FILE_TYPES[file_type].suffix


def _is_made(folder: Path, made: dict[str, object]) -> bool:
    marker = folder / "made.json"
    return marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) == made


def _clear(folder: Path) -> None:
    """Remove an earlier or unfinished library; refuse to remove anything else."""
    ours = {Path("made.json"), Path("catalogue.csv")} | {Path("truth", n) for n in _TRUTH_FILES}
    ours |= {Path("clips", _file_name(clip.video_id, clip.file_type)) for clip in CLIPS}
    ours |= {Path("clips", _file_name(copy.video_id, copy.file_type)) for copy in COPIES}
    ours |= {Path("clips", f"{name}.mp4") for name in _BROKEN}
    ours |= {Path("known_people", name) for name in _KNOWN_PEOPLE}
    there = [path for path in folder.rglob("*") if not path.is_dir()] if folder.exists() else []
    foreign = [path for path in there if path.relative_to(folder) not in ours]
    if foreign:
        raise FileExistsError(
            f"{folder} holds files that are not of the sample library, such as {foreign[0].name}; "
            "choose another folder or empty this one"
        )
    (folder / "made.json").unlink(missing_ok=True)  # first: from here on the folder is unfinished
    for name in ("clips", "truth", "known_people"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _make_videos(
    folder: Path,
    seed: int,
    clips: Collection[Clip],
    copies: Collection[Copy],
    processes: int,
    report: _Reporter,
) -> dict[str, truth.Facts]:
    """Originals first, then copies, because copies are made from the originals' files."""
    facts: dict[str, truth.Facts] = {}
    # Longest first: a long clip that starts last would keep one core waiting.
    order = sorted(clips, key=lambda clip: -clip.seconds)
    with _workers(processes) as workers:
        spoken = workers(partial(_make_clip, folder, seed), order)
        for clip, speech in zip(order, spoken, strict=True):
            facts[clip.video_id] = truth.clip_facts(clip, speech)
            report(clip.video_id)
        spoken = workers(partial(_make_copy, folder, seed), copies)
        for copy, speech in zip(copies, spoken, strict=True):
            facts[copy.video_id] = truth.copy_facts(copy, facts, speech)
            report(copy.video_id)
    return facts


@contextmanager
def _workers(processes: int) -> Iterator[Callable[..., Iterator[list[Sentence]]]]:
    """A lazy ``map`` over worker processes, or in this process when one is enough."""
    if processes == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_one_thread) as pool:
        yield pool.map


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _rng(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each thing that is random, the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _make_clip(folder: Path, seed: int, clip: Clip) -> list[Sentence]:
    """Write one original; returns what is said in it."""
    rng = _rng(seed, f"{clip.video_id} sound")
    sound, heard = sound_track(clip.sound, clip.speech, clip.seconds, rng)
    frames = _clip_frames(clip, seed)
    path = folder / "clips" / _file_name(clip.video_id, clip.file_type)
    write_video(path, frames, clip.fps, sound, FILE_TYPES[clip.file_type])
    return heard


def _clip_frames(clip: Clip, seed: int) -> Iterator[np.ndarray]:
    captions = [(line, caption_overlay(line, *clip.size)) for line in clip.captions]
    start, first = 0.0, 0
    begun: dict[str, float] = {}
    for shot in clip.shots:
        # A drawing goes on through a cut, so a close-up never repeats what the wide shot showed:
        # one seed for the clip, and time from the first shot of the drawing.
        view = scene(shot, *clip.size, _rng(seed, clip.video_id))
        since = begun.setdefault(shot.picture, start) if shot.picture in DRAWINGS else start
        last = round((start + shot.seconds) * clip.fps)
        for number in range(first, last):
            time_s = number / clip.fps
            picture = view(time_s - start, time_s - since)
            for line, write in captions:
                if line.start_s <= time_s < line.end_s:
                    picture = write(picture)
            yield picture
        start, first = start + shot.seconds, last


def _make_copy(folder: Path, seed: int, copy: Copy) -> list[Sentence]:
    """Write one copy from its originals' files; returns what it says that they do not."""
    path = folder / "clips" / _file_name(copy.video_id, copy.file_type)
    sound, heard = _copy_sound(folder, seed, copy)
    write_video(path, _copy_frames(folder, seed, copy), copy.fps, sound, FILE_TYPES[copy.file_type])
    return heard


def _copy_frames(folder: Path, seed: int, copy: Copy) -> Iterator[np.ndarray]:
    rng = _rng(seed, copy.video_id)
    edits = [edit(name, copy.size, rng) for name in copy.edits]
    write = caption_overlay(copy.caption, *copy.size) if copy.caption else None
    pictures = chain.from_iterable(_part_frames(folder, seed, copy, part) for part in copy.parts)
    for number, picture in enumerate(pictures):
        for change in edits:
            picture = change(picture, number / copy.fps)
        picture = resized(picture, *copy.size)
        yield write(picture) if write else picture


def _part_frames(folder: Path, seed: int, copy: Copy, part: Part | Shot) -> Iterator[np.ndarray]:
    """A part's pictures at the copy's frame rate."""
    count = round(part.seconds * copy.fps)
    if not isinstance(part, Part):
        view = scene(part, *copy.size, _rng(seed, copy.video_id))
        times = (number / copy.fps for number in range(count))
        yield from (view(time_s, time_s) for time_s in times)
        return
    original = _original(part)
    frames = enumerate(read_frames(_original_path(folder, part)))
    shown, picture = next(frames)
    for number in range(count):
        wanted = int((part.start_s + number / copy.fps * part.speed) * original.fps + 1e-6)
        while shown < wanted:
            later = next(frames, None)
            if later is None:  # the copy's last frame may lie a rounding beyond the original's
                break
            shown, picture = later
        yield picture


def _original(part: Part) -> Clip:
    return next(clip for clip in CLIPS if clip.video_id == part.original_id)


def _original_path(folder: Path, part: Part) -> Path:
    original = _original(part)
    return folder / "clips" / _file_name(original.video_id, original.file_type)


def _copy_sound(folder: Path, seed: int, copy: Copy) -> tuple[np.ndarray | None, list[Sentence]]:
    rng = _rng(seed, f"{copy.video_id} sound")
    if copy.sound == "none":
        return None, []
    if copy.sound != "kept":
        return sound_track("speech", (copy.sound,), copy.seconds, rng)
    parts: Sequence[Part | Shot] = [copy.sound_from] if copy.sound_from else copy.parts
    pieces = []
    for part in parts:
        count = round(part.seconds * RATE_HZ)
        if isinstance(part, Part):
            original = read_sound(_original_path(folder, part))
            first, last = round(part.start_s * RATE_HZ), round(part.end_s * RATE_HZ)
            piece = stretched(original[first:last], part.speed)
        else:
            piece = music(rng, part.seconds)
        pieces.append(np.pad(piece[:count], (0, max(count - len(piece), 0))))
    return np.concatenate(pieces), []


def _make_broken(folder: Path, names: Sequence[str], report: _Reporter) -> None:
    """A file cut in the middle, before the index at its end, and a text that is called .mp4."""
    for name in names:
        path = folder / "clips" / f"{name}.mp4"
        original_id = _BROKEN[name][1]
        if original_id:
            whole = (folder / "clips" / f"{original_id}.mp4").read_bytes()
            path.write_bytes(whole[: len(whole) * 55 // 100])
        else:
            path.write_text("This is a note, not a video.\n" * 40, encoding="utf-8")
        report(name)


def _write_known_people(folder: Path) -> None:
    """One picture of the photographed person and one of a presenter, each in a folder of its own.

    The others stay unknown, so that a library has faces without a name too.
    """
    from PIL import Image

    from samples.presenters import portrait

    # The photograph around the face, in the 190 pixels from the hair to the collar.
    pictures = (photograph("astronaut")[10:200, 130:320], portrait(_MADE_UP))
    for name, picture in zip(_KNOWN_PEOPLE, pictures, strict=True):
        (folder / name).parent.mkdir(parents=True)
        Image.fromarray(picture).save(folder / name, quality=92)


def _write_tables(
    folder: Path,
    clips: dict[str, Clip],
    copies: dict[str, Copy],
    broken: Sequence[str],
    facts: dict[str, truth.Facts],
) -> None:
    videos: list[Clip | Copy] = [*clips.values(), *copies.values()]
    catalogue = [
        _catalogue_row(video.video_id, _file_name(video.video_id, video.file_type),
                       video.published_at, video.title, video.description, _tags(video, clips))
        for video in videos
    ]  # fmt: skip
    catalogue += [
        _catalogue_row(name, f"{name}.mp4", _BROKEN_PUBLISHED_AT, _BROKEN[name][0], "", "")
        for name in broken
    ]
    facts = {video_id: facts[video_id] for video_id in [*clips, *copies]}
    labels = [truth.label_row(video_id, known) for video_id, known in facts.items()]
    labels += [truth.broken_row(name) for name in broken]
    pairs = truth.pair_rows(list(copies.values()))
    shared = truth.shared_picture_rows(facts, pairs)
    _write_csv(folder / "truth" / "pairs.csv", truth.PAIR_COLUMNS, pairs)
    _write_csv(folder / "truth" / "labels.csv", truth.LABEL_COLUMNS, labels)
    people = truth.person_rows(facts)
    _write_csv(folder / "truth" / "people.csv", truth.PERSON_COLUMNS, people)
    columns = ("video_a", "video_b", "picture")
    _write_csv(folder / "truth" / "shared_pictures.csv", columns, shared)
    _write_csv(folder / "catalogue.csv", truth.CATALOGUE_COLUMNS, catalogue)


def _catalogue_row(
    video_id: str, file_name: str, published_at: str, title: str, description: str, tags: str
) -> dict[str, object]:
    licensed = "true" if video_id in LICENSED else "false"
    values = (video_id, f"clips/{file_name}", published_at, title, description, tags, licensed)
    return dict(zip(truth.CATALOGUE_COLUMNS, values, strict=True))


def _tags(video: Clip | Copy, clips: dict[str, Clip]) -> str:
    """A copy of one clip is filed as that clip; a mixture has no tags."""
    if isinstance(video, Clip):
        return video.tags
    originals = {part.original_id for part in video.original_parts}
    return clips[originals.pop()].tags if len(originals) == 1 and not video.sound_from else ""


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
