"""Write the copy benchmark's library: references, queries, catalogue and truth.

FOLDER/catalogue.csv         references first, queries months later
FOLDER/clips/, sample/clips/ the videos
FOLDER/truth/pairs.csv       as in the sample library (see samples.truth)
FOLDER/truth/queries.csv     video_id, kind, is_copy, source_split; also references, of that kind
FOLDER/truth/shared_pictures.csv   pairs of queries with footage in common: not counted
"""

from __future__ import annotations

import csv
import multiprocessing
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.copies_edits import Edit, at_speed, beside, degraded, edit, mixed, within
from benchmarks.copies_plan import Part, Query, plan, shares_footage, truth_rows
from benchmarks.copies_sources import (
    Foreign,
    Picture,
    Sound,
    Source,
    pictures,
    resized,
    rng_of,
    shape_of,
    sound_of,
    sources,
)
from samples.encode import FILE_TYPES, FileType, write_video
from samples.make import make_library
from samples.sound import RATE_HZ
from samples.truth import PAIR_COLUMNS

CATALOGUE_COLUMNS = ("video_id", "uri", "published_at", "title")
QUERY_COLUMNS = ("video_id", "kind", "is_copy", "source_split")
# Raise it when the same recipe gives another video: older files are then made anew.
VERSION = 1
_FIRST, _LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
_REFERENCE = replace(FILE_TYPES["mp4"], options={**FILE_TYPES["mp4"].options, "crf": "22"})
Say = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where things lie: the folder written, the real clips, and the files of the references."""

    folder: Path
    clips: Path | None
    references: dict[str, Path]
    seed: int

    def path(self, part: Part) -> Path:
        if part.reference_id:
            return self.references[part.reference_id]
        if self.clips is None:
            raise FileNotFoundError(f"{part.clip} is needed, and there are no real clips")
        return self.clips / part.clip


def make(
    folder: Path,
    media: Path | None,
    seed: int,
    per_kind: int,
    splits: Sequence[str],
    processes: int,
    say: Say,
) -> None:
    """Write the whole benchmark library; videos made before to the same recipe are kept."""
    clips = media / "clips" if media is not None else None
    known = sources(clips)
    for name in ("clips", "recipes", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    generated = [source.video_id for source in known if source.generated]
    sample = make_library(folder / "sample", seed, only=generated, processes=processes)
    paths = {name: next((sample / "clips").glob(f"{name}.*")) for name in generated}
    places = Places(folder, clips, paths, seed)
    with mapper(processes) as mapped:
        real = [source for source in known if not source.generated]
        for source, path in zip(real, mapped(partial(_reference, places), real), strict=True):
            paths[source.video_id] = path
        say(f"{len(paths)} references")
        queries = plan(known, clips, per_kind, seed, splits)
        files: dict[str, Path] = {}
        for query, path in zip(queries, mapped(partial(_query, places), queries), strict=True):
            files[query.video_id] = path
            if len(files) % 20 == 0 or len(files) == len(queries):
                say(f"{len(files)} of {len(queries)} queries")
    _remove_others(folder, {*paths.values(), *files.values()})
    _write_tables(places, known, queries, files)


def _remove_others(folder: Path, made: Collection[Path]) -> None:
    """Remove videos of an earlier plan, which the catalogue no longer names."""
    for path in set((folder / "clips").iterdir()) - set(made):
        path.unlink()


def _kept(places: Places, path: Path, recipe: str, write: Callable[[Path], object]) -> Path:
    """``path``, written unless it was made to the same recipe before."""
    note = places.folder / "recipes" / f"{path.name}.txt"
    recipe = f"{VERSION} {places.seed} {recipe}"
    if not (path.is_file() and note.is_file() and note.read_text(encoding="utf-8") == recipe):
        note.unlink(missing_ok=True)
        write(path)
        note.write_text(recipe, encoding="utf-8")
    return path


@contextmanager
def mapper(processes: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A lazy map over processes, or in this process when one is enough."""
    if processes == 1:
        _one_thread()
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_one_thread) as pool:
        yield pool.map


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _reference(places: Places, source: Source) -> Path:
    """Encode a reference, so that its times begin at 0."""
    path = places.folder / "clips" / f"{source.video_id}.mp4"
    if places.clips is None:
        raise FileNotFoundError(f"{source.file_name} is needed, and there are no real clips")
    original = places.clips / source.file_name

    def write(path: Path) -> None:
        *size, fps = shape_of(original)
        shown = pictures(original, source.start_s, source.seconds, fps, (size[0], size[1]))
        sound = sound_of(original, source.start_s, source.seconds)
        write_video(path, shown, fps, _padded(sound) if len(sound) else None, _REFERENCE)

    return _kept(places, path, repr(source), write)


def _query(places: Places, query: Query) -> Path:
    if query.natural is not None:
        return _copied(places, query)
    file_type = _file_type(query, rng_of(places.seed, f"{query.video_id} file"))
    path = places.folder / "clips" / f"{query.video_id}{file_type.suffix}"

    def write(path: Path) -> None:
        size, fps = _frame(places, query)
        heard = _heard(places, query)
        sound = None if heard is None else _padded(heard)
        write_video(path, _shown(places, query, size, fps), fps, sound, file_type)

    return _kept(places, path, repr(query), write)


def _padded(sound: Sound) -> Sound:
    """Half a second more, which the encoder cuts: pictures may be a rounding longer than sound."""
    return np.pad(sound, (0, RATE_HZ // 2))


def _copied(places: Places, query: Query) -> Path:
    if places.clips is None or query.natural is None:
        raise FileNotFoundError(f"{query.video_id} needs the real clips")
    original = places.clips / query.natural.file_name
    path = places.folder / "clips" / f"{query.video_id}{original.suffix}"
    return _kept(places, path, repr(query), lambda to: shutil.copyfile(original, to))


def _file_type(query: Query, rng: np.random.Generator) -> FileType:
    """The query's container and codecs; heavy compression where that is the edit."""
    if query.kind != "recompressed":
        return FILE_TYPES[query.file_type]
    low = FILE_TYPES["mp4"]
    worse = {**low.options, "crf": str(int(rng.integers(36, 42)))}
    return replace(low, options=worse) if rng.random() < 0.7 else FILE_TYPES["avi"]


def _frame(places: Places, query: Query) -> tuple[tuple[int, int], int]:
    """The size of the parts' pictures, before edits, and frames per second."""
    own = [part for part in query.parts if part.foreign is None]
    if not own:
        return (640, 360), query.fps or 25
    width, height, fps = shape_of(places.path(own[0]))
    size = (640, 360) if len(own) > 1 else (width, height)
    return size, query.fps or fps


def _shown(places: Places, query: Query, size: tuple[int, int], fps: int) -> Iterator[Picture]:
    """The query's pictures, edited, with even sides."""
    own = chain.from_iterable(_part(places, part, size, fps) for part in query.parts)
    rng = rng_of(places.seed, query.video_id)
    if query.beside is None:
        yield from _edited(own, query.edits, rng, fps)
        return
    foreign = partial(_foreign, places, query.beside, query.seconds, fps)
    yield from _edited(beside(query.layout, own, foreign, size, rng), query.edits, rng, fps)


def _foreign(
    places: Places, foreign: Foreign, seconds: float, fps: int, size: tuple[int, int]
) -> Iterator[Picture]:
    return foreign.pictures(places.clips, seconds, fps, size, places.seed)


def _edited(
    shown: Iterable[Picture], names: Sequence[str], rng: np.random.Generator, fps: int
) -> Iterator[Picture]:
    edits: list[Edit] = []
    for number, picture in enumerate(shown):
        for position, name in enumerate(names):
            if len(edits) == position:  # the size is known from the first picture only
                edits.append(edit(name, (picture.shape[1], picture.shape[0]), rng))
            picture = edits[position](picture, number / fps)
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        yield resized(picture, (width, height))


def _part(places: Places, part: Part, size: tuple[int, int], fps: int) -> Iterator[Picture]:
    if part.foreign is not None:
        yield from _foreign(places, part.foreign, part.seconds, fps, size)
        return
    path = places.path(part)
    own = shape_of(path)[:2]
    shown = pictures(path, part.start_s, part.seconds, fps, own, part.speed)
    if own == size:
        yield from shown
    else:
        yield from (within(one, np.zeros((size[1], size[0], 3), np.uint8)) for one in shown)


def _heard(places: Places, query: Query) -> Sound | None:
    rng = rng_of(places.seed, f"{query.video_id} sound")
    count = round(query.seconds * RATE_HZ)
    if query.sound == "none":
        return None
    if query.sound not in ("kept", "degraded", "mixed"):
        assert places.clips is not None  # recordings of speech lie beside the clips
        said = sound_of(places.clips.parent / "speech" / query.sound, 0, query.seconds)
        return np.resize(_repeated(said), count).astype(np.float32)
    if query.sound_part is not None:
        heard = _part_sound(places, query.sound_part, query.keeps_pitch)
        return np.pad(heard[:count], (0, max(0, count - len(heard))))
    heard = _own_sound(places, query)
    if not np.any(heard):
        return None
    if query.sound == "degraded":
        return degraded(heard, rng)
    return mixed(heard, rng) if query.sound == "mixed" else heard


def _repeated(said: Sound) -> Sound:
    """A recording without the silence after it, and with half a second's pause."""
    heard = np.flatnonzero(np.abs(said) > 1e-3)
    end = (int(heard[-1]) if len(heard) else 0) + RATE_HZ // 2
    return said[: min(end, len(said))]


def _own_sound(places: Places, query: Query) -> Sound:
    tracks = [_part_sound(places, part, query.keeps_pitch) for part in query.parts]
    own = [bool(np.any(t)) and p.foreign is None for t, p in zip(tracks, query.parts, strict=True)]
    if not any(own) and any(part.foreign is None for part in query.parts):
        return np.zeros(0, np.float32)  # music beside a copy without sound would be another sound
    return np.concatenate(tracks)


def _part_sound(places: Places, part: Part, keeps_pitch: bool) -> Sound:
    """A part's sound, as long as its pictures; silence where its source has none."""
    count = round(part.seconds * RATE_HZ)
    if part.foreign is not None:
        heard = part.foreign.sound(part.seconds, places.seed)
    else:
        heard = sound_of(places.path(part), part.start_s, part.seconds * part.speed)
        heard = at_speed(heard, part.speed, keeps_pitch)
    return np.pad(heard[:count], (0, max(0, count - len(heard)))).astype(np.float32)


def _write_tables(
    places: Places, known: Sequence[Source], queries: Sequence[Query], files: dict[str, Path]
) -> None:
    truth = places.folder / "truth"
    catalogue = [
        (name, path.relative_to(places.folder).as_posix(), _hours_after(_FIRST, number), name)
        for number, (name, path) in enumerate(places.references.items())
    ]
    catalogue += [
        (name, path.relative_to(places.folder).as_posix(), _hours_after(_LATER, number), name)
        for number, (name, path) in enumerate(files.items())
    ]
    rows = [
        (query.video_id, original, query.kind, *(round(second, 3) for second in spans), verdict)
        for query in queries
        for original, *spans, verdict in truth_rows(query)
    ]
    kinds = [(s.video_id, "reference", 0, s.split) for s in known]
    kinds += [(q.video_id, q.kind, int(q.is_copy), q.split) for q in queries]
    shared = [
        (one.video_id, other.video_id, "footage")
        for one, other in combinations(queries, 2)
        if shares_footage(one, other)
    ]
    shared += _shared_photographs(places.folder / "sample", known, queries)
    _write_csv(places.folder / "catalogue.csv", CATALOGUE_COLUMNS, catalogue)
    _write_csv(truth / "pairs.csv", PAIR_COLUMNS, rows)
    _write_csv(truth / "queries.csv", QUERY_COLUMNS, kinds)
    _write_csv(truth / "shared_pictures.csv", ("video_a", "video_b", "picture"), shared)


def _shared_photographs(
    sample: Path, known: Sequence[Source], queries: Sequence[Query]
) -> list[tuple[str, str, str]]:
    """Pairs of videos that show two originals which have a photograph in common, one each."""
    with (sample / "truth" / "shared_pictures.csv").open(encoding="utf-8", newline="") as file:
        alike = [(row["video_a"], row["video_b"]) for row in csv.DictReader(file)]
    shows = {source.video_id: {source.video_id} for source in known}
    shows |= {query.video_id: {row[0] for row in truth_rows(query)} for query in queries}
    return [
        (one, other, "photograph")
        for a, b in alike
        for one, other in combinations(shows, 2)
        if other not in shows[one] and one not in shows[other]
        if (a in shows[one] and b in shows[other]) or (b in shows[one] and a in shows[other])
    ]


def _hours_after(start: datetime, hours: int) -> str:
    return (start + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
