"""The library's step mends the indexes of copies, and says what was wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from assets.copies.check_library import opened_indexes as opened_to_check
from assets.copies.check_report import NotSearchable
from assets.copies.indexes import PICTURE_INDEX, SOUND_INDEX, copy_indexes, opened_indexes
from assets.copies.problems import kept_for_copies
from assets.stores.batches import Batch, SourceVideo
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.kept import problems_of
from assets.stores.resources import Library, Models
from ml.copies.features import FrameDescriber
from ml.copies.picture_index import PictureIndex
from ml.copies.sound.bands import SoundFingerprinter
from ml.copies.sound_index import SoundIndex
from ml.indexes.files import IndexDamaged
from ml.media.sound import SAMPLE_RATE_HZ
from ml.schemas import AUDIO_FINGERPRINTS, COPY_DESCRIPTORS
from tests.unit.copies.sounds import fingerprints, heard, tune, whole
from tests.unit.copies.test_assets import row_of
from tests.unit.speech.sounds import audio

FIRST, SECOND = "2026-11-20-001", "2026-11-20-002"
TRACK = tune(1, 5.0)
MAKERS = (FrameDescriber().model, SoundFingerprinter.model)


def describe(library: Library, batch: str, video: str) -> None:
    """A batch of one video, described."""
    if not library.batches.exists(batch):
        library.batches.write(Batch(batch, (SourceVideo(video, f"/{video}.mp4", "1"),)))
    store: DatasetStore = library.datasets
    frame = row_of(COPY_DESCRIPTORS, video_id=video, duration_s=1.0, aspect=1.0, model="m")
    rows = [pa.RecordBatch.from_pylist([frame], COPY_DESCRIPTORS.schema)]
    heard_rows = fingerprints(audio(video, (0.0, whole(TRACK))))
    for dataset, parts, maker in zip(
        (COPY_DESCRIPTORS, AUDIO_FINGERPRINTS), (rows, heard_rows), MAKERS, strict=True
    ):
        with store.replace(dataset, batch) as new:
            for part in parts:
                new.write(part)
            new.publish(Ledger(maker, {video: "k"}))


def run(library: Library) -> None:
    done = dg.materialize([copy_indexes], resources={"library": library, "models": Models()})
    assert done.success


def told(library: Library) -> list[str]:
    return [problem.what for problem in problems_of(library, kept_for_copies(library, Models()))]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library(root=str(tmp_path / "data"), state=str(tmp_path / "state"))
    describe(made, FIRST, "one")
    return made


def indexes(library: Library) -> Path:
    return Path(library.storage.url("indexes"))


def counts(library: Library) -> tuple[int, int]:
    """Videos in pictures and in sound."""
    pictures, sound = (indexes(library) / name for name in (PICTURE_INDEX, SOUND_INDEX))
    return PictureIndex.open(pictures).video_count, SoundIndex.open(sound).video_count


def test_missing_and_outdated_indexes_are_told_and_brought_up(library: Library) -> None:
    assert told(library) == [f"{PICTURE_INDEX} is missing", f"{SOUND_INDEX} is missing"]
    run(library)
    assert (counts(library), told(library)) == ((1, 1), [])
    describe(library, SECOND, "two")
    behind = f"is behind: 1 batches changed since it was made, such as {SECOND}"
    assert told(library) == [f"{PICTURE_INDEX} {behind}", f"{SOUND_INDEX} {behind}"]
    run(library)
    assert (counts(library), told(library)) == ((2, 2), [])


@pytest.mark.parametrize("file", ["manifest.json", "units-*.npy", "videos-*.arrow"])
def test_harmed_pictures_are_told_by_a_check_and_mended(library: Library, file: str) -> None:
    run(library)
    _harm(next((indexes(library) / PICTURE_INDEX).glob(file)))
    assert told(library)[0].startswith(f"{PICTURE_INDEX} is damaged: ")
    with pytest.raises(IndexDamaged, match=f"{PICTURE_INDEX} .*kadr index"):
        opened_to_check(library.storage, library.scratch, library.scratch.parent / "search")
    run(library)
    assert (counts(library), told(library)) == ((1, 1), [])


@pytest.mark.parametrize("file", ["manifest.json", "*.words.npy", "*.videos.json"])
def test_harmed_sound_is_mended_by_the_next_batch_too(library: Library, file: str) -> None:
    run(library)
    _harm(next((indexes(library) / SOUND_INDEX).glob(file)))
    assert told(library)[0].startswith(f"{SOUND_INDEX} is damaged: ")
    warnings: list[str] = []
    with opened_indexes(library, MAKERS, warnings.append) as opened:
        (found, *_) = opened.sound.search(heard(TRACK[SAMPLE_RATE_HZ:]))
    assert found.video_id == f"{FIRST}/one"
    assert len(warnings) == 1 and "anew" in warnings[0]
    assert told(library) == []


def test_check_names_the_command_that_makes_a_missing_index(library: Library) -> None:
    run(library)
    shutil.rmtree(indexes(library) / SOUND_INDEX)
    with pytest.raises(NotSearchable, match=f"{SOUND_INDEX} is missing, and kadr index makes it"):
        opened_to_check(library.storage, library.scratch, library.scratch.parent / "search")


def _harm(path: Path) -> None:
    """Another byte in the middle, the size as it was."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x41
    path.unlink()
    path.write_bytes(content)
