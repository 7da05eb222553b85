"""What a killed process left in the scratch folder goes at the next start; a living one's stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from assets.stores.scratch import remove_dead, scratch_folder

HOLDER = """
import os, sys, time
from pathlib import Path
from assets.stores.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "audio") as folder:
    (folder / "new.parquet").write_bytes(b"half a file")
    child = os.fork() if sys.argv[2] == "forks" else 1
    if child:
        print(child, flush=True)
    time.sleep(600)
"""


def _holder(place: Path, how: str = "alone") -> tuple[subprocess.Popen[str], int]:
    """A process that holds a folder, and the number of its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place), how], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_folder_is_gone_with_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "scratch", "audio") as folder:
        (folder / "file").touch()
        assert folder.name.startswith("audio-")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_folder_of_a_killed_process_goes_at_the_next_start(tmp_path: Path) -> None:
    process, _ = _holder(tmp_path)
    assert remove_dead(tmp_path) == 0
    process.kill()
    process.wait()
    assert [path.name[:6] for path in tmp_path.iterdir()] == ["audio-"]
    with scratch_folder(tmp_path, "extract") as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_what_a_killed_process_child_still_writes_to_stays(tmp_path: Path) -> None:
    process, child = _holder(tmp_path, "forks")
    process.kill()
    process.wait()
    assert remove_dead(tmp_path) == 0
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not remove_dead(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_made_and_cleared_at_once_are_never_lost(tmp_path: Path) -> None:
    sweeper = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from assets.stores.scratch import remove_dead\n"
            "print(flush=True)\nwhile True: remove_dead(Path(sys.argv[1]))",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    )
    assert sweeper.stdout is not None
    sweeper.stdout.readline()
    for _ in range(300):
        with scratch_folder(tmp_path, "audio") as folder:
            (folder / "file").touch()
            assert (folder / "file").exists()
    sweeper.kill()
    sweeper.wait()
