"""Whatever happens to a file of an index is told in a sentence, and mended by the next update."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.search.mending import mended
from ml.copies.picture_growth import update_picture_index
from ml.copies.picture_index import PictureIndex
from ml.copies.sound_growth import update_sound_index
from ml.copies.sound_index import SoundIndex
from ml.indexes.files import IndexDamaged
from ml.indexes.verified import Verified, known_files
from ml.neighbours import IndexOptions, VectorIndex, item_key, update_index
from ml.search.cards import Cards, write_cards
from ml.search.lexical_index import LexicalIndex, LexicalQuery, update_lexical
from ml.search.vocabulary import COUNTS, Vocabulary, write_vocabulary
from ml.text.passages import passages_of
from tests.unit.copies.sounds import heard, tune
from tests.unit.copies.test_picture_index import video

BATCH = {"2026-11-20-001": "made"}
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """An index: what brings it up to a library of one batch, and what a search of it answers."""

    update: Callable[[Path, Warn], object]
    answer: Callable[[Path, Verified], Any]


def _rows(count: int) -> np.ndarray:
    rows = np.random.default_rng(1).standard_normal((count, 16)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _update_vectors(options: IndexOptions, folder: Path, warn: Warn) -> object:
    keys = [item_key(f"v{n}", 0) for n in range(400)]
    update = partial(
        *(update_index, folder, BATCH, lambda _: (keys, _rows(400)), "model@1"), options=options
    )
    return mended(folder, lambda anew: update(rebuild=anew), warn)


def _answer_vectors(folder: Path, verified: Verified) -> Any:
    index = VectorIndex.load(folder, mmap=True, verify=verified)
    return index.search(_rows(3), 5), index.background(5).tolist()


def _update_words(folder: Path, warn: Warn) -> object:
    rows = [p.row("v1") for p in passages_of({"title": [(0.0, 0.0, "white cat", "en")]}, str)]
    read = partial(_one_batch, pa.RecordBatch.from_pylist(rows))
    return mended(folder, lambda anew: update_lexical(folder, BATCH, read, rebuild=anew), warn)


def _one_batch(rows: pa.RecordBatch, _: str) -> Iterator[pa.RecordBatch]:
    yield rows


def _answer_words(folder: Path, verified: Verified) -> Any:
    found = LexicalIndex.open(folder, verify=verified).search(LexicalQuery(["cat"], (), ["cat"]))
    return [(hit.video_id, hit.text, hit.bm25) for hit in found]


def _update_cards(folder: Path, _: Warn) -> object:
    row = {"video_id": "v1", "title": "A cat", "uri": "/v1.mp4", "duration_s": 1.0}
    row |= {"published_at": datetime(2026, 11, 1, tzinfo=UTC), "original_id": ""}
    return write_cards(folder, pa.Table.from_pylist([row]))


def _answer_cards(folder: Path, verified: Verified) -> Any:
    return Cards.open(folder, verify=verified).of(["v1"])


def _update_vocabulary(folder: Path, _: Warn) -> object:
    words = ["black", "white", "white cat"]
    columns = [words, words, [1, 1, 2], [3, 4, 2], [0, 0, 0]]
    folder.mkdir(exist_ok=True)
    return write_vocabulary(pa.table(columns, schema=COUNTS), folder / "words.arrow")


def _answer_vocabulary(folder: Path, verified: Verified) -> Any:
    return Vocabulary.open(folder / "words.arrow", verify=verified).suggest("wh")


PICTURES = {name: video(seed, 2, 12) for seed, name in enumerate(("v1", "v2"))}


def _update_pictures(folder: Path, warn: Warn) -> object:
    update = partial(update_picture_index, folder, BATCH, lambda _: PICTURES.items())
    return mended(folder, lambda anew: update(rebuild=anew), warn)


def _answer_pictures(folder: Path, verified: Verified) -> Any:
    index = PictureIndex.open(folder, verify=verified)
    return index.video_count and index.search(PICTURES["v1"])


@cache
def _sound() -> Any:
    return heard(tune(1, 5.0))


def _update_sound(folder: Path, warn: Warn) -> object:
    update = partial(update_sound_index, folder, BATCH, lambda _: iter([("v1", _sound())]))
    report = mended(folder, lambda anew: update(rebuild=anew), warn)
    for damage in report.damaged:
        warn(damage)
    return report


def _answer_sound(folder: Path, verified: Verified) -> Any:
    return SoundIndex.open(folder, verify=verified).search(_sound())


KINDS = {
    "exact": Kind(partial(_update_vectors, IndexOptions()), _answer_vectors),
    "ivf-rabitq": Kind(partial(_update_vectors, IndexOptions(100, 100)), _answer_vectors),
    "words": Kind(_update_words, _answer_words),
    "cards": Kind(_update_cards, _answer_cards),
    "vocabulary": Kind(_update_vocabulary, _answer_vocabulary),
    "pictures": Kind(_update_pictures, _answer_pictures),
    "sound": Kind(_update_sound, _answer_sound),
}


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a byte short": lambda content: content[:-1],
    "a byte long": lambda content: content + b"\n",
    "first byte": lambda content: _flipped(content, 0),
    "third": lambda content: _flipped(content, len(content) // 3),
    "middle": lambda content: _flipped(content, len(content) // 2),
    "last byte": lambda content: _flipped(content, len(content) - 1),
    "garbage": lambda content: np.random.default_rng(0).bytes(len(content)),
}


@dataclass
class Shelf:
    """An index in a folder, with the notes of which files were found whole."""

    kind: Kind
    folder: Path

    def update(self) -> list[str]:
        """The warnings."""
        told: list[str] = []
        self.kind.update(self.folder, told.append)
        return told

    def answer(self) -> Any:
        with known_files(self.folder.parent / "notes.json") as verified:
            return self.kind.answer(self.folder, verified)


@pytest.fixture
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    made = Shelf(KINDS[request.param], tmp_path / "index")
    assert made.update() == []
    return made


def _files(folder: Path) -> list[Path]:
    """All but locks; files of the search library have another name each time."""
    found = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"]
    return sorted(found, key=lambda path: (path.suffix, path.name))


def _put(path: Path, content: bytes | None) -> None:
    """As an update writes: what is mapped elsewhere stays as it was."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def _means_nothing(path: Path, harm: str) -> bool:
    """Whether the file says the same: JSON may end in a line feed."""
    return path.name == "manifest.json" and harm == "a byte long"


@pytest.mark.parametrize("shelf", KINDS, indirect=True)
def test_harm_to_any_file_is_told_in_a_sentence(shelf: Shelf) -> None:
    before = shelf.answer()
    for path in _files(shelf.folder):
        content = path.read_bytes()
        for harm, harmed in HARMS.items():
            _put(path, harmed(content))
            if _means_nothing(path, harm):
                assert shelf.answer() == before
            elif (shelf.kind, path.name, harm) == (KINDS["pictures"], "manifest.json", "missing"):
                assert shelf.answer() == 0  # as before the first batch; who asks looks for it first
            else:
                with pytest.raises(IndexDamaged, match="kadr index builds it anew") as told:
                    shelf.answer()
                assert path.name in str(told.value), harm
            _put(path, content)
    assert shelf.answer() == before


@pytest.mark.parametrize("shelf", KINDS, indirect=True)
def test_harmed_index_is_mended_and_answers_as_before(shelf: Shelf) -> None:
    before, harms = shelf.answer(), [harm for harm in HARMS if harm != "a byte long"]
    for number in range(len(_files(shelf.folder))):
        path, harm = _files(shelf.folder)[number], harms[number % len(harms)]
        _put(path, HARMS[harm](path.read_bytes()))
        told = shelf.update()
        assert shelf.answer() == before, (path, harm)
        # A single file is written anew where it differs, and a missing manifest is no damage.
        is_silent = shelf.kind in (KINDS["cards"], KINDS["vocabulary"])
        is_silent |= (path.name, harm) == ("manifest.json", "missing")
        assert is_silent or path.name in " ".join(told), (path, harm)


@pytest.mark.parametrize("shelf", KINDS, indirect=True)
def test_strange_files_are_left_alone_and_an_emptied_folder_is_filled(shelf: Shelf) -> None:
    before = shelf.answer()
    for name in ("index-.faiss", "keys-0abc.npy", "v7", "stray.words.npy", ".DS_Store"):
        (shelf.folder / name).write_bytes(b"stray")
    (shelf.folder / "stray").mkdir()
    shelf.update()
    assert shelf.answer() == before
    shutil.rmtree(shelf.folder)
    shelf.folder.mkdir()
    assert shelf.update() == []
    assert shelf.answer() == before


@pytest.mark.parametrize("shelf", ["exact", "words", "pictures", "sound"], indirect=True)
def test_file_in_the_place_of_the_folder_is_told_and_cleared_away(shelf: Shelf) -> None:
    before = shelf.answer()
    shutil.rmtree(shelf.folder)
    shelf.folder.write_bytes(b"a file")
    with pytest.raises(IndexDamaged, match="Not a directory"):
        shelf.answer()
    assert len(shelf.update()) == 1
    assert shelf.answer() == before


def test_what_was_found_whole_is_not_read_again_until_it_is_touched(tmp_path: Path) -> None:
    path, notes = tmp_path / "file", tmp_path / "notes.json"
    path.write_bytes(b"content")
    read: list[str] = []

    def digest() -> str:
        read.append(path.name)
        return path.read_text()

    for _ in range(2):
        with known_files(notes) as verified:
            assert verified.holds(path, "content", digest)
    assert len(read) == 1
    path.write_bytes(b"CONTENT")
    with known_files(notes) as verified:
        assert not verified.holds(path, "content", digest)
    with known_files(notes) as verified:
        assert verified.holds(path, "CONTENT", digest)
    notes.write_bytes(b"\xff")
    with known_files(notes) as verified:
        assert not verified.holds(path, "content", digest)
