"""Only a regular file that stays as it is is read; anything else is a failure in words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.failures import PermanentFailure, RetryableFailure
from ml.media.extract import ExtractOptions, Source, extract
from ml.workers import run_tasks
from tests.unit.media.clips import write_clip
from tests.unit.media.passes import run

ROOT = Path(__file__).resolve().parents[3]


def test_empty_file(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.touch()
    with pytest.raises(PermanentFailure, match="empty"):
        run(path, spool)


def test_directory_named_mp4(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.mkdir()
    with pytest.raises(PermanentFailure, match="a directory, not a file"):
        run(path, spool)


def test_broken_symlink(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.symlink_to("gone.mp4")
    with pytest.raises(PermanentFailure, match=r"broken symbolic link, to 'gone\.mp4'"):
        run(path, spool)


def test_missing_file(tmp_path: Path, spool: Path) -> None:
    with pytest.raises(PermanentFailure, match="does not exist"):
        run(tmp_path / "x.mp4", spool)


def test_named_pipe_is_not_waited_for(tmp_path: Path, spool: Path) -> None:
    os.mkfifo(tmp_path / "x.mp4")
    with pytest.raises(PermanentFailure, match="not a regular file"):
        run(tmp_path / "x.mp4", spool)


def test_no_permission(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", frames=1)
    path.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(PermanentFailure, match="no permission"):
            run(path, spool)
        return
    # root may read everything: ask as nobody, in a process of its own
    code = (
        "import os, sys\n"
        "from ml.media.source_file import opened\n"
        "from ml.failures import PermanentFailure\n"
        "directory = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.fchdir(directory)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    with opened('x.mp4'): print('read it')\n"
        "except PermanentFailure as failure: print(failure)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "no permission" in answer.stdout


def test_names_survive_the_way_to_a_worker(tmp_path: Path, spool: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n'.mp4")
    Path(write_clip(tmp_path / "a.mp4", frames=3)).rename(path)
    (outcome,) = run_tasks(count_frames, [(path, str(spool))], workers=1, limit_s=60)
    assert outcome.value == 3


def count_frames(task: tuple[str, str]) -> int:
    return extract(Source("v", task[0]), task[1], ExtractOptions()).frame_count


def change_while_read(path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Change the file at the moment its first picture is decoded."""
    from ml.media.decode import PyavReader

    events = PyavReader.events

    def changing(self: PyavReader) -> Iterator[object]:
        stream = events(self)
        yield next(stream)
        if change == "append":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "replace":
            other = path.with_suffix(".new")
            other.write_bytes(path.read_bytes())
            other.replace(path)
        else:
            path.unlink()
        yield from stream

    monkeypatch.setattr(PyavReader, "events", changing)


@pytest.mark.parametrize("change", ["append", "replace", "delete"])
def test_file_that_changes_while_it_is_read_is_read_again_later(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = write_clip(tmp_path / "x.mp4", frames=5)
    change_while_read(path, monkeypatch, change)
    with pytest.raises(RetryableFailure, match="changed while it was read"):
        run(path, spool)
