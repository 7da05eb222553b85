"""The sample library is reproducible, and its truth files say what its clips hold."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from samples import truth
from samples.captions import FONT
from samples.clips import CLIPS
from samples.copies import COPIES, Copy, Part
from samples.encode import FILE_TYPES, write_video
from samples.make import LICENSED, library_ids, make_library
from samples.scenes import scene
from samples.shots import Shot, View
from samples.sound import SPEECH, sentence_texts, speech

pytestmark = pytest.mark.slow

SUBSET = ("cooking-05", "copy-mirrored", "copy-redubbed", "broken-01", "broken-02")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("library"), only=SUBSET, processes=1)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_library_is_large_enough_and_falls_into_themes() -> None:
    themes = Counter(clip.theme for clip in CLIPS)
    assert len(CLIPS) >= 24
    assert all(count >= 4 for theme, count in themes.items() if theme != "other")
    assert len(themes) == 7
    assert len({copy.kind for copy in COPIES}) >= 8
    assert {copy.verdict for copy in COPIES} == {
        "duplicate",
        "partial",
        "hard_same_video_other_audio",
        "hard_other_video_same_audio",
    }
    assert all(5 <= video.seconds <= 20 for video in (*CLIPS, *COPIES))
    assert len(set(library_ids())) == len(CLIPS) + len(COPIES) + 2


def test_copies_are_published_after_everything_they_copy() -> None:
    published = {clip.video_id: clip.published_at for clip in CLIPS}
    published |= {copy.video_id: copy.published_at for copy in COPIES}
    pairs = truth.pair_rows(COPIES)
    assert {row["copy_id"] for row in pairs} == {copy.video_id for copy in COPIES}
    assert all(published[str(row["copy_id"])] > published[str(row["original_id"])] for row in pairs)


def test_one_licensed_clip_is_copied_and_one_is_not(library: Path) -> None:
    copied = {part.original_id for copy in COPIES for part in copy.original_parts}
    assert set(LICENSED) <= {clip.video_id for clip in CLIPS}
    assert [name in copied for name in LICENSED] == [True, False]
    for row in rows(library / "catalogue.csv"):
        assert row["licensed"] == ("true" if row["video_id"] in LICENSED else "false")


def test_copied_stretches_lie_inside_both_videos() -> None:
    seconds = {video.video_id: video.seconds for video in (*CLIPS, *COPIES)}
    for row in truth.pair_rows(COPIES):
        for side in ("copy", "original"):
            start, end = (float(str(row[f"{side}_{bound}_s"])) for bound in ("start", "end"))
            assert 0 <= start < end <= seconds[str(row[f"{side}_id"])] + 0.01


def test_every_sentence_has_its_sound_and_every_letter_its_glyph() -> None:
    from PIL import ImageFont

    texts = sentence_texts()
    spoken = {name for clip in CLIPS for name in clip.speech}
    spoken |= {copy.sound for copy in COPIES} - {"kept", "none"}
    assert spoken == set(texts) == {path.stem for path in SPEECH.glob("*.flac")}
    font = ImageFont.truetype(str(FONT), 30)
    captions = [line for clip in CLIPS for line in clip.captions]
    letters = {letter for line in captions for letter in line.text if letter != " "}
    unknown = bytes(font.getmask("\uffff"))
    assert all(bytes(font.getmask(letter)) != unknown for letter in letters)
    assert {line.language for line in captions} == {"en", "ru"}


def test_captions_lie_inside_their_clips() -> None:
    for clip in CLIPS:
        assert all(0 <= line.start_s < line.end_s <= clip.seconds for line in clip.captions)


def test_copies_cut_no_sentence() -> None:
    heard = {clip.video_id: speech(clip.speech, clip.seconds)[1] for clip in CLIPS if clip.speech}
    assert sum(len(sentences) for sentences in heard.values()) >= 12
    for copy in COPIES:
        for part in copy.original_parts:
            for said in heard.get(part.original_id, []):
                inside = part.start_s <= said.start_s and said.end_s <= part.end_s
                outside = said.end_s <= part.start_s or said.start_s >= part.end_s
                assert inside or outside, copy.video_id


@pytest.mark.parametrize("file_type", sorted(FILE_TYPES))
def test_same_frames_give_the_same_file(file_type: str, tmp_path: Path) -> None:
    view = View(0.5, 0.5, 1)
    paint = scene(Shot(2, "rain", view, view), 360, 180, np.random.default_rng(0))
    frames = [paint(number / 25, number / 25) for number in range(30)]
    tone = np.sin(np.arange(58_000) / 20).astype(np.float32)
    made = set()
    for number in range(6):
        path = tmp_path / f"{number}.video"
        assert write_video(path, iter(frames), 25, tone, FILE_TYPES[file_type]) == 30
        made.add(path.read_bytes())
    assert len(made) == 1


def test_same_seed_gives_the_same_bytes(library: Path, tmp_path: Path) -> None:
    again = make_library(tmp_path / "again", only=SUBSET)
    assert files(again) == files(library)


def test_another_seed_gives_other_pictures_and_the_same_truth(
    library: Path, tmp_path: Path
) -> None:
    other = files(make_library(tmp_path / "other", seed=1, only=["cooking-05"], processes=1))
    here = files(library)
    assert other["clips/cooking-05.mpg"] != here["clips/cooking-05.mpg"]
    assert other["truth/labels.csv"].splitlines()[-1] in here["truth/labels.csv"].splitlines()


def test_truth_and_catalogue_name_the_same_videos(library: Path) -> None:
    catalogue = rows(library / "catalogue.csv")
    labels = rows(library / "truth/labels.csv")
    ids = [row["video_id"] for row in catalogue]
    assert ids == [row["video_id"] for row in labels]
    assert set(SUBSET) < set(ids)
    assert all((library / row["uri"]).is_file() for row in catalogue)
    assert len(list((library / "clips").iterdir())) == len(catalogue)
    for row in rows(library / "truth/pairs.csv"):
        assert {row["copy_id"], row["original_id"]} <= set(ids)
    copies = {row["video_id"]: row["copy_of"] for row in labels if row["copy_of"]}
    assert copies == {"copy-mirrored": "space-04", "copy-redubbed": "money-04"}


def test_good_clips_decode_as_labelled(library: Path) -> None:
    uris = {row["video_id"]: row["uri"] for row in rows(library / "catalogue.csv")}
    for label in rows(library / "truth/labels.csv"):
        if label["status"] == "broken":
            continue
        with av.open(str(library / uris[label["video_id"]])) as container:
            video = container.streams.video[0]
            assert (video.width, video.height) == (int(label["width"]), int(label["height"]))
            assert bool(container.streams.audio) == (label["sound"] != "none")
            frames = sum(1 for _ in container.decode(video))
        assert frames == round(float(label["duration_s"]) * int(label["fps"]))


def test_broken_files_do_not_decode(library: Path) -> None:
    labels = rows(library / "truth/labels.csv")
    broken = [row["video_id"] for row in labels if row["status"] == "broken"]
    assert broken == ["broken-01", "broken-02"]
    for video_id in broken:
        with pytest.raises(av.error.InvalidDataError):
            av.open(str(library / "clips" / f"{video_id}.mp4"))


def test_caption_is_on_screen_exactly_when_labelled(library: Path) -> None:
    labels = {row["video_id"]: row for row in rows(library / "truth/labels.csv")}
    (line,) = json.loads(labels["cooking-05"]["captions"])
    with av.open(str(library / "clips/cooking-05.mpg")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    # The middle of a caption's plate is near black with white letters; without it, pizza.
    plates = np.array([frame[305:335, 130:350].mean() for frame in frames])
    shown = np.flatnonzero(plates < 110) / 25
    assert line["text"] == "Pizza in 20 minutes"
    assert shown.min() == pytest.approx(line["start_s"], abs=0.05)
    assert shown.max() == pytest.approx(line["end_s"], abs=0.05)


def test_mirrored_copy_carries_the_face_and_no_readable_caption(library: Path) -> None:
    labels = {row["video_id"]: row for row in rows(library / "truth/labels.csv")}
    original, copy = labels["space-04"], labels["copy-mirrored"]
    assert json.loads(copy["faces"]) == json.loads(original["faces"]) != []
    assert copy["spoken_text"] == original["spoken_text"] != ""
    assert json.loads(copy["captions"]) == [] != json.loads(original["captions"])


def test_copy_carries_the_faces_of_the_seconds_it_shows() -> None:
    originals = {clip.video_id: truth.clip_facts(clip, ()) for clip in CLIPS}
    assert originals["cars-01"].faces == (("Tom Harlan", 5, 8.5),)
    copies = {copy.video_id: copy for copy in COPIES}
    trimmed = truth.copy_facts(copies["copy-trimmed"], originals, ())  # from 4.6 s on
    ((person, start_s, end_s),) = trimmed.faces
    assert (person, start_s, end_s) == ("Tom Harlan", pytest.approx(0.4), pytest.approx(3.9))
    before = Copy("x", "trimmed", "duplicate", "", "", "", (Part("cars-01", 0, 4),))
    assert truth.copy_facts(before, originals, ()).faces == ()


def test_two_people_come_with_a_picture_under_their_names(library: Path) -> None:
    from PIL import Image

    pictures = sorted((library / "known_people").rglob("*.*"))
    assert [path.relative_to(library / "known_people").as_posix() for path in pictures] == [
        "Eileen Collins/1.jpg",
        "Nadia Okoro/1.jpg",
    ]
    for path in pictures:
        with Image.open(path) as picture:
            assert min(picture.size) >= 150


def test_finished_library_is_left_alone_and_a_partial_one_is_redone(
    library: Path, tmp_path: Path
) -> None:
    calls: list[tuple[str, int, int]] = []

    def progress(*call: object) -> None:
        calls.append(call)  # type: ignore[arg-type]

    only = ["broken-02"]
    folder = make_library(tmp_path / "small", only=only, processes=1, progress=progress)
    assert calls == [("broken-02", 1, 1)]
    before = files(folder)
    make_library(folder, only=only, processes=1, progress=progress)
    assert len(calls) == 1
    (folder / "made.json").unlink()
    (folder / "clips/broken-02.mp4").write_text("half")
    make_library(folder, only=only, processes=1, progress=progress)
    assert len(calls) == 2 and files(folder) == before


def test_foreign_files_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/holiday.mp4").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"holiday\.mp4"):
        make_library(tmp_path, only=["broken-02"])
    assert (tmp_path / "clips/holiday.mp4").read_bytes() == b"mine"


def test_unknown_video_is_named() -> None:
    with pytest.raises(ValueError, match="space-99"):
        make_library("unused", only=["space-99"])
