"""The folder of known people: what it lacks is said, and what can't be seen changes nothing.

A finder that tells people by a picture's shade stands for the faces model.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from assets.clustering.store import StoredClustering
from assets.people import known as module
from assets.people.clustering import people
from assets.people.known import KnownPeople, known_people
from assets.people.known_pictures import picture_of
from assets.stores.progress import FORCE_TAG
from assets.stores.resources import Library, Models
from ml.faces import Face
from tests.unit.clustering.nights import FACES_MODEL, Nights, seen
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server

pytestmark = pytest.mark.slow

__all__ = ["s3_bucket", "s3_server"]

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
CPU, OFF = Models(device="cpu"), Models(device="cpu", faces="off")
ANNA, BORIS, CARL, DORA = 0, 1, 2, 3
# Anna in two videos, Carl and two others in one each.
PERSONS = [*(seen(v, ANNA) for v in ("a1", "a2")), *(seen(f"c{n}", n) for n in (CARL, 8, 9))]
NAMES = "SELECT person_id, name, size FROM people ORDER BY 1"


@dataclass
class Finder:
    """Sees one clear face in every picture, and counts the times that it was loaded."""

    loaded: list[str] = field(default_factory=list)

    def load(self, models: Models, model_id: str) -> Finder:
        self.loaded.append(model_id)
        return self

    def faces_of(self, pixels: np.ndarray) -> list[Face]:
        vector = np.array(seen("picture", int(pixels[0, 0, 0]) // 20)["embedding"], np.float32)
        return [Face(0, 0, 1, 1, 0.99, 100, 0.9, "", vector, b"")]


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch) -> Finder:
    finder = Finder()
    monkeypatch.setattr(module, "face_finder", finder.load)
    return finder


@pytest.fixture
def nights(library_folder: Path) -> Nights:
    """Anna and Carl are known, and were found."""
    nights = Nights(library_folder)
    nights.persons(FIRST, PERSONS)
    put(nights.library, "Anna/1.png", ANNA)
    put(nights.library, "Carl/1.png", CARL)
    run(nights)
    assert nights.query(NAMES) == [(0, "Anna", 2), (1, "Carl", 1)]
    return nights


def shot(person: int, kind: str = "PNG", **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), person * 20, np.uint8)).save(data, kind, **options)
    return data.getvalue()


def put(library: Library, key: str, person: int, kind: str = "PNG") -> None:
    library.known_faces.put_bytes(shot(person, kind), key)


def run(nights: Nights, *, faces: str = "", tag: str = "") -> dg.ExecuteInProcessResult:
    models = Models(device="cpu", faces=faces)
    resources = {"library": nights.library, "tables": nights.tables, "models": models}
    return dg.materialize([people], resources=resources, tags={tag: "1"} if tag else {})


def problems(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the check says, which fails where it says something."""
    (check,) = (
        e for e in result.get_asset_check_evaluations() if e.check_name == "known_people_are_usable"
    )
    told = list(check.metadata["problems"].value)
    assert check.passed is not bool(told)
    return told


def looked_at(
    library: Library, models: Models = CPU, last: KnownPeople | None = None
) -> KnownPeople:
    """What a night sees whose last night saw ``last``."""
    before = after(last) if last else None
    return known_people(library, models, FACES_MODEL, before, lambda _: None)


def after(last: KnownPeople) -> StoredClustering:
    """What is on disk after a night, as far as known people are concerned."""
    extra = json.loads(json.dumps({"known": last.stored}))
    return StoredClustering(cast(Any, None), [], {}, "", {}, [], extra=extra)


def told(library: Library) -> list[str]:
    return looked_at(library).stored["problems"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(root=str(tmp_path), state=str(tmp_path))
    put(library, "Anna/1.png", ANNA)
    return library


# What can't be seen changes nothing ---------------------------------------------------------------


@pytest.mark.parametrize("tag", ["", FORCE_TAG])
def test_picture_added_while_faces_are_off_takes_no_name_away_and_counts_later(
    nights: Nights, tag: str
) -> None:
    put(nights.library, "Dora/1.png", DORA)
    nights.persons(SECOND, [seen("d1", DORA)])
    (problem,) = problems(run(nights, faces="off", tag=tag))
    assert "changed while KADR_FACES_MODEL is off. Names of before stay" in problem
    assert [name for _, name, _ in nights.query(NAMES)] == ["Anna", "Carl"]
    assert problems(run(nights)) == []
    assert [name for _, name, _ in nights.query(NAMES)] == ["Anna", "Carl", "Dora"]


def test_pictures_are_never_compared_with_persons_of_another_model(
    library: Library, finder: Finder, tmp_path: Path
) -> None:
    other = tmp_path / "other model"
    other.mkdir()
    (other / "weights.onnx").write_bytes(b"other")
    last = looked_at(library)
    put(library, "Dora/1.png", DORA)
    found = looked_at(library, Models(device="cpu", faces=str(other)), last)
    assert (found.known.names, len(finder.loaded)) == (["Anna"], 1)
    (problem,) = found.stored["problems"]
    assert "faces of the library were found by packaged:mtcnn-dlib" in problem
    assert "kadr ingest SOURCE --all" in problem
    assert looked_at(library, CPU, found).known.names == ["Anna", "Dora"]


def test_pictures_that_did_not_change_need_no_model(library: Library, finder: Finder) -> None:
    first = looked_at(library)
    off = looked_at(library, OFF, first)
    assert off.stored == looked_at(library, CPU, off).stored == first.stored
    forced = known_people(library, OFF, FACES_MODEL, after(first), lambda _: None, again=True)
    assert forced.stored == first.stored
    assert finder.loaded == ["packaged:mtcnn-dlib"]


def test_new_problem_without_a_new_name_is_said_and_moves_nobody(nights: Nights) -> None:
    nights.library.known_faces.put_bytes(b"x", "Anna/2.png")
    result = run(nights)
    assert problems(result)[0].startswith("known_people/Anna/2.png cannot be read")
    assert nights.query("SELECT max(clustering_no) FROM people_changes") == [(1,)]
    assert problems(run(nights)) == problems(result)


def test_first_pictures_while_faces_are_off_wait(library: Library, finder: Finder) -> None:
    off = looked_at(library, OFF)
    assert (off.known.names, off.files, finder.loaded) == ([], "", [])
    assert "KADR_FACES_MODEL is off" in off.stored["problems"][0]


# A folder that is gone ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "tag"), [("nothing", ""), ("an empty mount point", FORCE_TAG)], ids=["gone", "empty"]
)
def test_folder_missing_for_a_night_takes_no_name_away(
    nights: Nights, left: str, tag: str, finder: Finder
) -> None:
    folder = Path(nights.library.known_faces.root)
    folder.rename(nights.folder / "elsewhere")
    if left != "nothing":
        folder.mkdir()
    (problem,) = problems(run(nights, tag=tag))
    assert ("is gone" if left == "nothing" else "holds no folder any more") in problem
    assert "(Anna, Carl). Is a disk not mounted?" in problem
    assert nights.query(NAMES) == [(0, "Anna", 2), (1, "Carl", 1)]
    shutil.rmtree(folder, ignore_errors=True)
    (nights.folder / "elsewhere").rename(folder)
    assert problems(run(nights)) == []
    assert nights.query(NAMES) == [(0, "Anna", 2), (1, "Carl", 1)]
    assert len(finder.loaded) == 1


def test_folder_without_pictures_left_on_purpose_forgets_all_names(library: Library) -> None:
    last = looked_at(library)
    folder = Path(library.known_faces.root)
    shutil.rmtree(folder)
    (folder / "nobody").mkdir(parents=True)
    found = looked_at(library, last=last)
    assert found.known.names == []
    assert found.stored["problems"] == [
        "known_people/nobody holds no picture, so nobody is not looked for"
    ]
    shutil.rmtree(folder)
    assert looked_at(library, last=found).stored["problems"] == []


def test_one_folder_removed_forgets_one_name(library: Library) -> None:
    put(library, "Carl/1.png", CARL)
    last = looked_at(library)
    shutil.rmtree(Path(library.known_faces.root, "Carl"))
    found = looked_at(library, last=last)
    assert (found.known.names, found.stored["problems"]) == (["Anna"], [])


def test_folder_that_was_set_by_hand_must_be_there(library: Library) -> None:
    by_hand = Library(root=library.root, state=library.state, known_people="/no/such")
    with pytest.raises(dg.Failure, match="KADR_KNOWN_PEOPLE is /no/such, and no such folder"):
        looked_at(by_hand, last=looked_at(library))


def test_default_folder_need_not_be_there(tmp_path: Path) -> None:
    for known in ("", f"{tmp_path}/known_people"):
        library = Library(root=str(tmp_path), state=str(tmp_path), known_people=known)
        assert told(library) == []


# Names and files that are of no use ---------------------------------------------------------------


def test_names_that_are_not_utf8_are_told_and_left_out(library: Library) -> None:
    root = os.fsencode(library.known_faces.root)
    Path(os.fsdecode(root + b"/\xcf\xe5\xf2\xff")).mkdir()
    Path(os.fsdecode(root + b"/\xcf\xe5\xf2\xff/1.png")).write_bytes(shot(BORIS))
    Path(os.fsdecode(root + b"/Anna/\xff.png")).write_bytes(shot(ANNA))
    found = looked_at(library)
    assert found.known.names == ["Anna"]
    assert found.stored["problems"] == [
        r"known_people/\xcf\xe5\xf2\xff has a name that is not UTF-8: rename it. It is left out",
        r"known_people/Anna/\xff.png has a name that is not UTF-8: rename it. It is left out",
    ]


def test_names_that_would_control_a_terminal_are_told_in_plain_letters(library: Library) -> None:
    for name in ("Eve\x1b[31m", "Eve\nroot", "Eve\u2028"):
        put(library, f"{name}/1.png", BORIS)
    library.known_faces.put_bytes(b"x", "Anna/\x1b]0;title\x07.png")
    found = looked_at(library)
    assert found.known.names == ["Anna"]
    problems = found.stored["problems"]
    assert len(problems) == 4
    assert all(problem.isprintable() for problem in problems)
    assert problems[0] == (
        r"known_people/Eve\nroot has a name with control characters: rename it. It is left out"
    )


def test_files_that_are_no_pictures_are_neither_waited_for_nor_read_whole(
    library: Library,
) -> None:
    folder = Path(library.known_faces.root, "Anna")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder.parent / "Ouroboros").symlink_to("Ouroboros")
    with (folder / "long.png").open("wb") as file:
        file.truncate(100_000_001)
    found = looked_at(library)
    assert found.known.names == ["Anna"]
    assert [p.removeprefix("known_people/") for p in found.stored["problems"]] == [
        "Ouroboros lies beside the folders: put it into a folder that bears the name of whom it "
        "shows",
        "Anna/circle.jpg is a link to nothing. It is left out",
        "Anna/device.jpg cannot be read (it is no regular file). It is left out",
        "Anna/long.png cannot be read (it is larger than 100 MB). It is left out",
        "Anna/pipe.jpg cannot be read (it is no regular file). It is left out",
    ]


def test_picture_of_too_many_pixels_is_told_and_a_large_one_shrunk(
    library: Library,
) -> None:
    header = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(header, "PNG")  # 24 KB that would be 600 MB
    library.known_faces.put_bytes(header.getvalue(), "Anna/bomb.png")
    assert told(library) == [
        "known_people/Anna/bomb.png cannot be read (it has more pixels than any camera's picture). "
        "It is left out"
    ]
    large = io.BytesIO()
    Image.new("L", (9000, 300), 100).save(large, "PNG")
    library.known_faces.put_bytes(large.getvalue(), "Anna/large.png")
    (file,) = (f for f in library.known_faces.scan() if f.key.endswith("large.png"))
    pixels, _ = picture_of(library.known_faces, file)
    assert pixels is not None
    assert pixels.shape == (137, 4096, 3)


def test_a_thousand_useless_pictures_are_not_a_thousand_lines(library: Library) -> None:
    for number in range(1000):
        Path(library.known_faces.root, f"Anna/x{number}.jpg").write_bytes(b"x")
    lines: list[str] = []
    found = known_people(library, CPU, FACES_MODEL, None, lines.append)
    assert (found.known.names, len(found.stored["problems"])) == (["Anna"], 1000)
    assert lines[20:] == ["and 980 more: the check known_people_are_usable has all"]


def test_store_that_is_away_for_a_night_takes_no_name_away(
    library: Library, s3_bucket: Bucket
) -> None:
    s3_bucket.put("Anna/1.png", shot(ANNA))

    def kept_at(endpoint: str, last: KnownPeople | None) -> KnownPeople:
        options = {**s3_bucket.options, "aws_endpoint": endpoint}
        remote = Library(
            root=library.root, state="", known_people=s3_bucket.url, storage_options=options
        )
        return looked_at(remote, last=last)

    last = kept_at(s3_bucket.options["aws_endpoint"], None)
    away = kept_at("http://127.0.0.1:9", last)
    (problem,) = away.stored["problems"]
    assert problem.endswith("no connection, or no answer in time): names of before stay")
    assert away.known.names == ["Anna"]
    assert kept_at(s3_bucket.options["aws_endpoint"], away).stored == last.stored


def test_damaged_pictures_are_told_one_by_one_in_words(library: Library) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "maker"
    whole = shot(ANNA, "JPEG", exif=exif)
    damaged = {
        # The maker's tag becomes that of the width: PIL raises struct.error.
        "exif": whole.replace(b"\x01\x0f\x00\x02", b"\x01\x00\x00\x02"),
        "cut": whole[:300],
        "words": b"not a picture",
        "empty": b"",
    }
    for name, data in damaged.items():
        library.known_faces.put_bytes(data, f"Anna/{name}.jpg")
    assert told(library) == [
        f"known_people/Anna/{name}.jpg cannot be read (it is no JPEG, PNG, WebP, BMP or TIFF, "
        "or it is damaged). It is left out"
        for name in sorted(damaged)
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")  # PIL's, on the damage
def test_no_damage_of_a_file_ends_anything(library: Library) -> None:
    draw = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[274], exif[271] = 6, "maker"
        whole = np.frombuffer(shot(ANNA, kind, exif=exif), np.uint8)
        for number in range(20):
            data = whole.copy()
            data[draw.integers(min(120, len(data)), size=4)] = draw.integers(256, size=4)
            library.known_faces.put_bytes(data.tobytes(), f"{kind}/{number}.jpg")
    found = looked_at(library)
    assert "Anna" in found.known.names
    assert len(found.known.names) + len(found.stored["problems"]) >= 1 + 4 * 20
    assert not any("0x" in problem for problem in found.stored["problems"])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_usual_formats_are_read(library: Library, kind: str) -> None:
    put(library, f"Boris/1.{kind.lower()}", BORIS, kind)
    assert looked_at(library).known.names == ["Anna", "Boris"]
    assert told(library) == []


@pytest.mark.parametrize("file", ["1.heic", "1.HEIF", "1.jpg"])
def test_pictures_of_phones_are_told_by_name_or_content(library: Library, file: str) -> None:
    library.known_faces.put_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", f"Boris/{file}")
    assert told(library) == [
        f"known_people/Boris/{file} cannot be read (it is HEIC: save it as JPEG or PNG). "
        "It is left out",
        "Boris has no picture that is of use, and is not looked for",
    ]


def test_every_folder_and_file_that_gave_nothing_has_a_sentence(library: Library) -> None:
    for key in ("Carl.jpg", "Boris/2020/1.jpg", "Boris/2020/2.jpg", "Anna/notes.txt"):
        library.known_faces.put_bytes(b"x", key)
    Path(library.known_faces.root, "Empty").mkdir()
    assert told(library) == [
        "known_people/Carl.jpg lies beside the folders: put it into a folder that bears the name "
        "of whom it shows",
        "known_people/Boris/2020 is a folder in a folder, and is left out: put its pictures into "
        "known_people/Boris",
        "known_people/Boris holds no picture, so Boris is not looked for",
        "known_people/Empty holds no picture, so Empty is not looked for",
        "known_people/Anna/notes.txt cannot be read (it is no JPEG, PNG, WebP, BMP or TIFF). "
        "It is left out",
    ]


def test_what_systems_leave_beside_pictures_is_silent(library: Library) -> None:
    for key in (".DS_Store", "Thumbs.db", "Anna/.DS_Store", "Anna/Thumbs.db", "Anna/desktop.ini"):
        library.known_faces.put_bytes(b"x", key)
    library.known_faces.put_bytes(b"x", ".git/1.jpg")
    library.known_faces.put_bytes(b"x", "Anna/@eaDir/1.jpg")
    assert told(library) == []


def test_useless_files_load_no_model(tmp_path: Path, finder: Finder) -> None:
    library = Library(root=str(tmp_path), state=str(tmp_path))
    library.known_faces.put_bytes(b"x", "Anna/1.heic")
    library.known_faces.put_bytes(b"x", "Anna/1.jpg")
    assert len(told(library)) == 3
    assert finder.loaded == []


def test_folder_in_an_object_store_is_read_alike(s3_bucket: Bucket) -> None:
    def known(place: str) -> Library:
        return Library(
            root=s3_bucket.url,
            state="unused",
            known_people=place,
            storage_options=s3_bucket.options,
        )

    s3_bucket.put("faces/Anna/1.png", shot(ANNA))
    s3_bucket.put("faces/Carl.jpg", shot(CARL))
    s3_bucket.put("faces/Empty/", b"")
    found = looked_at(known(f"{s3_bucket.url}/faces"))
    assert found.known.names == ["Anna"]
    assert [problem.split(maxsplit=1)[0] for problem in found.notices] == [
        "known_people/Carl.jpg",
        "known_people/Empty",
    ]
    with pytest.raises(dg.Failure, match="KADR_KNOWN_PEOPLE"):
        looked_at(known(f"{s3_bucket.url}/nothing"))
    assert told(known("")) == []
