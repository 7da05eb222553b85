"""How the index of sound grows: each batch is a set of files that never change.

They are its words (``ml/copies/sound/landmarks.py``) in order, where the postings of each start and
in how many videos it is, and 8 bytes a posting, video and frame. The manifest names the batches and
is replaced in one move at the end; files that an update left when it was killed are cleared away by
the next one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.copies.evidence import I32, Sound
from ml.copies.sound.bands import MAKER
from ml.copies.sound.landmarks import landmarks, peaks_of
from ml.indexes.changes import Changes
from ml.indexes.files import (
    MANIFEST,
    FileEntry,
    IndexDamaged,
    read_manifest,
    replace_file,
    write_manifest,
)
from ml.indexes.verified import Verify

FORMAT = 1

Read = Callable[[str], Iterator[tuple[str, Sound]]]


@dataclass(frozen=True)
class SoundBatch:
    """What of a batch is inside; its files are named by ``stem``.

    ``files`` are empty where it was written before they were noted; the next update notes them.
    """

    fingerprint: str
    stem: str
    videos: int
    postings: int
    bytes: int
    files: list[FileEntry] = field(default_factory=list)

    def noted(self, folder: Path) -> SoundBatch:
        """The entry with its files."""
        if self.files:
            return self
        paths = paths_of(folder, self.stem).values()
        return replace(self, files=[FileEntry.of(path) for path in paths])

    def check(self, folder: Path, *, verify: Verify = False) -> None:
        """Raises IndexDamaged where a file is missing, cut off or altered."""
        for file in self.files:
            file.check(folder, verify=verify)
        paths = paths_of(folder, self.stem).values()
        lacking = next((path.name for path in paths if not path.is_file()), None)
        if lacking is not None:
            raise IndexDamaged(folder, f"{lacking} is missing")
        size = sum(path.stat().st_size for path in paths)
        if size != self.bytes:
            raise IndexDamaged(folder, f"{self.stem} has {size} bytes, not {self.bytes}")


@dataclass(frozen=True)
class SoundManifest:
    """What a sound index holds, and of which fingerprints."""

    format: int
    model: str
    batches: dict[str, SoundBatch]


@dataclass(frozen=True)
class SoundIndexReport:
    """What an update did, in batches; what is inside now; ``damaged`` tells what was not whole."""

    added: int
    replaced: int
    removed: int
    unchanged: int
    videos: int
    postings: int
    bytes: int
    seconds: float
    damaged: tuple[str, ...] = ()


def update_sound_index(
    folder: Path,
    wanted: Mapping[str, str],
    read: Read,
    *,
    rebuild: bool = False,
    verify: Verify = True,
) -> SoundIndexReport:
    """Makes the index hold exactly the wanted batches; those inside already are not read.

    One process writes at a time. Files of the version before stay until the next change, for
    readers that are just opening it.

    Args:
        folder: made when missing; an index of other fingerprints is made anew, and so is a batch
            whose files are not whole.
        wanted: batch name to a fingerprint of its content.
        read: from batch name to (video id, sound) of its videos.
        rebuild: build from nothing, whatever is there.
        verify: compare checksums first, about 1 s per GB, or only those of files that are not
            known to be whole.

    Raises:
        IndexDamaged: the manifest can't be read.
    """
    started = time.monotonic()
    before = {} if rebuild else batches_inside(folder) or {}
    folder.mkdir(parents=True, exist_ok=True)
    damaged = {name: why for name, b in before.items() if (why := _damage(folder, b, verify))}
    # One whose files are not whole is made again, as if it were of another fingerprint.
    held = {name: "" if name in damaged else b.fingerprint for name, b in before.items()}
    changes = Changes.between(held, wanted)
    kept = wanted.keys() - set(changes.touched)
    after = {name: b.noted(folder) if name in kept else b for name, b in before.items()}
    after = {name: b for name, b in after.items() if name in wanted}
    for name in changes.touched:
        after[name] = _write_batch(folder, name, wanted[name], read(name))
    after = dict(sorted(after.items()))
    if after != before or not (folder / MANIFEST).exists():
        write_manifest(folder, SoundManifest(FORMAT, MAKER, after))
        _clear(folder, {b.stem for b in (*before.values(), *after.values())})
    return SoundIndexReport(
        **changes.counts,
        videos=sum(b.videos for b in after.values()),
        postings=sum(b.postings for b in after.values()),
        bytes=sum(b.bytes for b in after.values()),
        seconds=time.monotonic() - started,
        damaged=tuple(damaged.values()),
    )


def _write_batch(
    folder: Path, name: str, fingerprint: str, videos: Iterator[tuple[str, Sound]]
) -> SoundBatch:
    """A file's content follows from the batch alone, and so does its name."""
    ids: list[str] = []
    frames: list[int] = []
    words, owners, times = [], [], []
    for video_id, sound in videos:
        found, at = landmarks(peaks_of(sound))
        words.append(found)
        owners.append(np.full(len(found), len(ids), np.int32))
        times.append(np.rint(at).astype(np.int32))
        ids.append(video_id)
        frames.append(len(sound.bands))
    every = _joined_all(words)
    order = np.argsort(every, kind="stable")
    owner = _joined_all(owners)[order]
    postings = np.stack([owner, _joined_all(times)[order]])
    table = _word_table(every[order], owner)
    stem = blake2b(f"{MAKER}\0{name}\0{fingerprint}".encode(), digest_size=12).hexdigest()
    paths = paths_of(folder, stem)
    _save(paths["words"], table)
    _save(paths["postings"], postings)
    text = json.dumps({"batch": name, "ids": ids, "frames": frames}, ensure_ascii=False)
    replace_file(paths["videos"], lambda path: path.write_text(text, encoding="utf-8"))
    size = sum(path.stat().st_size for path in paths.values())
    return SoundBatch(fingerprint, stem, len(ids), len(every), size).noted(folder)


def _word_table(words: I32, owner: I32) -> I32:
    """int32[3, distinct words + 1]: words, where their postings start, in how many videos."""
    distinct, starts = np.unique(words, return_index=True)
    # Within a word the postings are in order of video.
    begins = np.ones(len(words), np.bool_)
    begins[1:] = (words[1:] != words[:-1]) | (owner[1:] != owner[:-1])
    table = np.zeros((3, len(distinct) + 1), np.int32)
    table[0, :-1], table[1, :-1], table[1, -1] = distinct, starts, len(words)
    if len(words):
        table[2, :-1] = np.add.reduceat(begins.astype(np.int32), starts)
    return table


def _joined_all(parts: list[I32]) -> I32:
    return np.concatenate([np.zeros(0, np.int32), *parts])


def paths_of(folder: Path, stem: str) -> dict[str, Path]:
    """The three files of a batch, by what they hold."""
    return {
        "words": folder / f"{stem}.words.npy",
        "postings": folder / f"{stem}.postings.npy",
        "videos": folder / f"{stem}.videos.json",
    }


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            np.save(file, array)

    replace_file(path, write)


def batches_inside(folder: Path) -> dict[str, SoundBatch] | None:
    """The batches of the index in a folder; None without one that this code can read.

    Raises:
        IndexDamaged: the manifest can't be read.
    """
    return read_manifest(folder, _batches)


def _batches(raw: Any) -> dict[str, SoundBatch] | None:
    if (raw["format"], raw["model"]) != (FORMAT, MAKER):
        return None
    return {
        name: SoundBatch(**{**entry, "files": [FileEntry(**of) for of in entry.get("files", ())]})
        for name, entry in raw["batches"].items()
    }


def _damage(folder: Path, batch: SoundBatch, verify: Verify) -> str:
    """What is wrong with a batch's files; empty where nothing is."""
    try:
        batch.check(folder, verify=verify)
    except IndexDamaged as error:
        return error.found
    return ""


def _clear(folder: Path, stems: set[str]) -> None:
    """Deletes files of batches that neither this version nor the one before has."""
    for path in folder.iterdir():
        is_ours = path.name != MANIFEST and path.is_file()
        if is_ours and path.name.split(".")[0] not in stems:
            path.unlink()
