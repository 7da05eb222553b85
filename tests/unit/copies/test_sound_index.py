"""The index that names videos with sound in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from ml.copies.evidence import Sound
from ml.copies.sound_growth import update_sound_index
from ml.copies.sound_index import SoundIndex
from ml.indexes.files import IndexDamaged
from ml.media.sound import SAMPLE_RATE_HZ
from tests.unit.copies.sounds import heard, hiss, resampled, stretched, tune

TRACKS = {f"v{i}": tune(i, 8.0) for i in range(6)}
SOUNDS = {name: heard(track) for name, track in TRACKS.items()}
BATCHES = {"one": ["v0", "v1"], "two": ["v2", "v3"], "three": ["v4", "v5"]}


def read(name: str) -> Iterator[tuple[str, Sound]]:
    for video_id in BATCHES[name]:
        yield video_id, SOUNDS[video_id]


def keys(*names: str) -> Mapping[str, str]:
    return dict.fromkeys(names, "1")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SoundIndex:
    folder = tmp_path_factory.mktemp("index")
    update_sound_index(folder, keys(*BATCHES), read)
    return SoundIndex.open(folder)


@pytest.mark.parametrize(
    ("change", "samples"),
    [
        ("cut", TRACKS["v3"][2 * SAMPLE_RATE_HZ + 333 :]),
        ("noise", TRACKS["v3"] + hiss(1, 8.0, 950.0)),
        ("other music", TRACKS["v3"] + tune(77, 8.0)),
        ("tempo", stretched(TRACKS["v3"], 1.3)),
        ("tape", resampled(TRACKS["v3"], 0.75)),
    ],
)
def test_changed_sound_is_named_first(index: SoundIndex, change: str, samples: np.ndarray) -> None:
    found = index.search(heard(samples))
    assert [c.video_id for c in found][:1] == ["v3"], change
    assert found[0].by == "sound"


def test_the_offset_says_where_it_comes_from(index: SoundIndex) -> None:
    (best, *_) = index.search(heard(TRACKS["v1"][3 * SAMPLE_RATE_HZ :]))
    assert min(abs(offset - 3.0) for offset in best.offsets_s) < 0.3


def test_unknown_sound_scores_low_and_silence_and_hiss_have_no_candidates(
    index: SoundIndex,
) -> None:
    true_score = index.search(heard(TRACKS["v3"][: 6 * SAMPLE_RATE_HZ]))[0].score
    assert all(c.score < 0.4 * true_score for c in index.search(heard(tune(99, 6.0))))
    assert index.search(heard(np.zeros(6 * SAMPLE_RATE_HZ))) == []
    assert index.search(heard(hiss(3, 6.0))) == []


def test_the_query_itself_is_not_named(index: SoundIndex) -> None:
    assert "v2" not in [c.video_id for c in index.search(SOUNDS["v2"], exclude="v2")]


def test_the_order_of_batches_changes_nothing(index: SoundIndex, tmp_path: Path) -> None:
    for count in range(1, 4):
        update_sound_index(tmp_path, keys(*["three", "one", "two"][:count]), read)
    assert SoundIndex.open(tmp_path).search(SOUNDS["v4"]) == index.search(SOUNDS["v4"])


def test_only_changed_batches_are_read(tmp_path: Path) -> None:
    update_sound_index(tmp_path, keys("one", "two"), read)
    asked: list[str] = []

    def watched(name: str) -> Iterator[tuple[str, Sound]]:
        asked.append(name)
        return read(name)

    report = update_sound_index(tmp_path, {"two": "2", "three": "1"}, watched)
    assert asked == ["three", "two"]
    assert (report.added, report.replaced, report.removed, report.unchanged) == (1, 1, 1, 0)
    assert report.videos == 4
    found = [c.video_id for c in SoundIndex.open(tmp_path).search(SOUNDS["v0"])]
    assert "v0" not in found


def test_a_killed_update_leaves_the_old_index(tmp_path: Path) -> None:
    update_sound_index(tmp_path, keys("one"), read)

    def broken(name: str) -> Iterator[tuple[str, Sound]]:
        yield from read(name)
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="gone"):
        update_sound_index(tmp_path, keys("one", "two"), broken)
    assert SoundIndex.open(tmp_path).search(SOUNDS["v1"])[0].video_id == "v1"


def test_files_of_batches_that_are_gone_are_deleted(tmp_path: Path) -> None:
    for names in (["one", "two"], ["one"], ["one", "three"]):
        update_sound_index(tmp_path, keys(*names), read)
    stems = {path.name.split(".")[0] for path in tmp_path.iterdir()} - {"manifest"}
    assert len(stems) == 2


def test_an_open_index_outlives_an_update(tmp_path: Path) -> None:
    update_sound_index(tmp_path, keys("one"), read)
    opened = SoundIndex.open(tmp_path)
    update_sound_index(tmp_path, keys("two"), read)
    assert opened.search(SOUNDS["v0"])[0].video_id == "v0"


def test_a_damaged_index_says_so_and_is_mended_by_an_update(tmp_path: Path) -> None:
    update_sound_index(tmp_path, keys("one"), read)
    next(tmp_path.glob("*.postings.npy")).write_bytes(b"no")
    with pytest.raises(IndexDamaged):
        SoundIndex.open(tmp_path)
    update_sound_index(tmp_path, keys("one"), read)
    assert SoundIndex.open(tmp_path).search(SOUNDS["v0"])[0].video_id == "v0"


def test_no_index_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged):
        SoundIndex.open(tmp_path)
    update_sound_index(tmp_path, {}, read)
    assert SoundIndex.open(tmp_path).search(SOUNDS["v0"]) == []


def test_a_jingle_that_every_video_has_weighs_little(tmp_path: Path) -> None:
    jingle = tune(500, 4.0)
    videos = [(f"w{i:02d}", heard(np.concatenate([jingle, tune(600 + i, 4.0)]))) for i in range(12)]
    update_sound_index(tmp_path, {"all": "1"}, lambda _: iter(videos))
    copy = heard(np.concatenate([jingle, tune(603, 4.0)]) + hiss(4, 8.0, 500.0))
    found = SoundIndex.open(tmp_path).search(copy)
    assert found[0].video_id == "w03"
    assert found[0].score > 1.5 * found[1].score
