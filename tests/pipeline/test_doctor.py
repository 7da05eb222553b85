"""What was lost on the way is noticed by a plain ingestion, told by kadr doctor, and made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.source.lists import list_problems
from assets.stores.batches import Batch, ListDamaged
from assets.stores.clickhouse import ClickHouse
from assets.stores.datasets import Ledger
from assets.stores.resources import Library, Tables
from assets.tables.standing import dataset_problems, lost, table_problems
from ml.schemas import CAPTIONS
from orchestration.definitions import resources
from orchestration.settings import Settings
from tests.pipeline.conftest import Kadr


@pytest.fixture
def copy(finished: Kadr, tmp_path: Path) -> Kadr:
    """A finished library of one's own, as it was when somebody last looked into its files."""
    ours = Kadr(shutil.copytree(finished.data, tmp_path / "data", symlinks=True), finished.settings)
    assert _lost(ours) == {}
    return ours


def _rooms(kadr: Kadr) -> tuple[Library, Tables]:
    ours = resources(Settings(data=str(kadr.data)))
    return ours["library"], ours["tables"]


def _lost(kadr: Kadr) -> dict[str, str]:
    library, tables = _rooms(kadr)
    return lost(library, tables, library.batches.names(), print)


def _dataset(kadr: Kadr, name: str) -> Path:
    (path,) = (kadr.data / "datasets" / name).glob("*.parquet")
    return path


def _truncate(kadr: Kadr) -> None:
    path = _dataset(kadr, "ocr")
    os.truncate(path, path.stat().st_size - 100)


def _empty(kadr: Kadr) -> None:
    os.truncate(_dataset(kadr, "faces"), 0)


def _remove(kadr: Kadr) -> None:
    _dataset(kadr, "text").unlink()


def _restore_older(kadr: Kadr) -> None:
    """A dataset that the tables were not made from."""
    library, _ = _rooms(kadr)
    path = _dataset(kadr, "captions")
    ledger = library.datasets.ledger("captions", path.stem)
    assert ledger
    with library.datasets.replace(CAPTIONS, path.stem) as new:
        new.publish(Ledger("an older model", ledger.keys))


def _lose_the_tables(kadr: Kadr) -> None:
    shutil.rmtree(kadr.data / "clickhouse")


def _cut_anew(kadr: Kadr) -> None:
    """A batch of the same name with other videos."""
    library, _ = _rooms(kadr)
    (name,) = library.batches.names()
    videos = library.batches.read(name).videos
    (kadr.data / "batches" / f"{name}.parquet").unlink()
    library.batches.write(Batch(name, videos[1:]))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_truncate, "datasets/ocr/"),
        (_empty, "datasets/faces/"),
        (_remove, "is gone"),
        (_restore_older, "the table captions was made from other files"),
        (_lose_the_tables, "the tables hold nothing of it"),
        (_cut_anew, "of other videos than its list"),
    ],
)
def test_what_dagster_calls_finished_is_held_against_what_is_there(
    copy: Kadr, harm: Callable[[Kadr], None], says: str
) -> None:
    harm(copy)
    (why,) = _lost(copy).values()
    assert says in why
    assert _lost(copy) != {}  # until it is made again


def test_a_copied_library_is_looked_into_once_and_is_whole(finished: Kadr, tmp_path: Path) -> None:
    """Copied without its times, so that every file seems new."""
    data = tmp_path / "data"
    shutil.copytree(finished.data, data, symlinks=True, copy_function=shutil.copyfile)
    assert _lost(Kadr(data)) == {}


def test_a_plain_ingestion_makes_a_truncated_dataset_again(copy: Kadr, sample: Path) -> None:
    tables = copy.tables()
    _truncate(copy)
    done = copy.run("ingest", str(sample / "catalogue.csv"))
    assert "is run again" in done.stdout
    assert copy.tables() == tables
    assert "nothing to do" in copy.run("ingest", str(sample / "catalogue.csv")).stdout


def test_the_doctor_tells_a_damaged_dataset_and_moves_it_aside(copy: Kadr) -> None:
    library, _ = _rooms(copy)
    assert list(dataset_problems(library, deep=True)) == []
    _truncate(copy)
    (problem,) = dataset_problems(library)
    assert problem.where == str(_dataset(copy, "ocr"))
    assert problem.mend
    problem.mend()
    assert list(dataset_problems(library)) == []
    (why,) = _lost(copy).values()
    assert "is gone" in why


def test_a_flipped_byte_in_a_dataset_is_found_by_its_checksum(copy: Kadr) -> None:
    path = _dataset(copy, "frames")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    library, _ = _rooms(copy)
    assert [p.where for p in dataset_problems(library, deep=True)] == [str(path)]


def test_the_doctor_tells_tables_of_other_files(copy: Kadr) -> None:
    library, tables = _rooms(copy)
    names = library.batches.names()
    assert list(table_problems(library, tables, names)) == []
    with ClickHouse(tables.url).session("test") as client:
        client.command(
            "ALTER TABLE batch_loads DELETE WHERE table = 'videos' SETTINGS mutations_sync = 1"
        )
    (problem,) = table_problems(library, tables, names)
    assert "the tables hold nothing of it" in problem.what


def test_a_truncated_list_is_named_and_told_from_the_datasets(copy: Kadr) -> None:
    library, _ = _rooms(copy)
    (name,) = library.batches.names()
    before = library.batches.read(name)
    path = copy.data / "batches" / f"{name}.parquet"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ListDamaged, match=f"{name}.parquet is damaged: `kadr doctor --mend`"):
        list(library.batches.scan([name]))
    (problem,) = list_problems(library)
    assert problem.mend
    problem.mend()
    assert list(list_problems(library)) == []
    after = library.batches.read(name)
    assert [(v.video_id, v.uri, v.version) for v in after.videos] == [
        (v.video_id, v.uri, v.version) for v in before.videos
    ]
    assert _lost(copy) == {}


def test_a_list_that_nothing_tells_is_cut_anew(copy: Kadr) -> None:
    library, _ = _rooms(copy)
    (name,) = library.batches.names()
    os.truncate(copy.data / "batches" / f"{name}.parquet", 10)
    _dataset(copy, "videos").unlink()
    (problem,) = list_problems(library)
    assert "cut anew" in problem.what
    assert problem.mend
    problem.mend()
    assert library.batches.names() == []
