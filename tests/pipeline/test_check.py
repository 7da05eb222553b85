"""``kadr check``: files that are not in the library, against one that is."""

from __future__ import annotations

import csv
import fcntl
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ml.schemas import PAIR_COLUMNS
from samples.make import make_library
from tests.pipeline.conftest import Kadr

# A compilation of three videos of the library, and a video that has nothing to do with it.
PLANTED, UNRELATED = "copy-compilation", "travel-03"
# The locks that an ingestion holds.
LOCKS = ("ingest.lock", "copies_pictures.lock", "copies_sound.lock")


@dataclass(frozen=True)
class Files:
    """Files that are not in the library, and what is known about them."""

    folder: Path

    def clip(self, name: str) -> str:
        (path,) = (self.folder / "clips").glob(f"{name}.*")
        return str(path)

    def truth(self, name: str) -> dict[str, dict[str, str]]:
        """The known pairs of a copy, by its originals."""
        with (self.folder / "truth" / "pairs.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {row["original_id"]: row for row in rows if row["copy_id"] == name}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    return Files(make_library(folder, only=(PLANTED, UNRELATED)))


@pytest.fixture
def ingesting(finished: Kadr) -> Iterator[None]:
    """As if an ingestion were at work."""
    with ExitStack() as stack:
        for name in LOCKS:
            lock = stack.enter_context((finished.data / name).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("ingesting")
def test_a_copy_names_its_originals_and_the_seconds(finished: Kadr, files: Files) -> None:
    before = sorted(finished.data.glob("indexes/**/*"))
    done = finished.run("check", files.clip(PLANTED), "--json", check=False)
    assert done.returncode == 10, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["verdict"], found["exit_code"]) == ("copy", 10)
    truth = files.truth(PLANTED)
    assert {match["original_id"] for match in found["matches"]} == set(truth)
    for match in found["matches"]:
        known = truth[match["original_id"]]
        assert match["verdict"] == known["expected_verdict"]
        assert {column.name for column in PAIR_COLUMNS} <= set(match)
        for side in ("copy_start", "copy_end", "original_start", "original_end"):
            assert match[f"{side}s_s"] == [pytest.approx(float(known[f"{side}_s"]), abs=1.0)]
    assert found["library"]["batches_not_searched"] == []
    assert sorted(finished.data.glob("indexes/**/*")) == before
    picture = Image.open(io.BytesIO(Path(found["strip"]).read_bytes()))
    assert picture.format == "JPEG"
    assert picture.width > 4 * 196 and 200 < picture.height < 400


def test_an_unrelated_file_is_new(finished: Kadr, files: Files) -> None:
    done = finished.run("check", files.clip(UNRELATED), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"new: nothing in the library matches {UNRELATED}\n")
    assert "searched 10 videos" in done.stdout


def test_a_file_of_the_library_is_named_as_such(
    finished: Kadr, sample: Path, tmp_path: Path
) -> None:
    clip = Files(sample).clip("space-03")
    strip = tmp_path / "strips" / "made.jpg"
    done = finished.run("check", clip, "--strip", str(strip), check=False)
    assert done.returncode == 10, done.stderr
    assert done.stdout.startswith("copy: space-03 is already in the library, as space-03\n")
    assert str(strip) in done.stdout
    assert Image.open(strip).format == "JPEG"


def test_a_text_file_is_an_error(finished: Kadr, sample: Path) -> None:
    done = finished.run("check", Files(sample).clip("broken-02"), "--json", check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("kadr: ") and "broken-02" in line
