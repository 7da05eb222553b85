"""The real command on a part of the sample library: ingested once, looked at by many tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assets.stores.clickhouse import ClickHouse
from samples.make import make_library

CLIPS = (
    "space-01",
    "space-02",
    "space-03",
    "pets-01",
    "pets-02",
    "cooking-01",
    "cooking-02",
    "money-01",
    "copy-muted",
    "broken-01",
    "broken-02",
)
# For claims that have nothing to do with what models say, or with tags: Kadr's own 1190 take some
# seconds wherever videos are filed, and the text model a quarter of a minute at first.
FEW_TAGS = str(Path(__file__).with_name("few_tags.csv"))
OFF = {f"KADR_{channel}_MODEL": "off" for channel in ("SPEECH", "OCR", "VISUAL", "TEXT", "FACES")}
OFF |= {"KADR_TAXONOMY": FEW_TAGS}
# What a step needs for these clips on a busy machine, many times over.
LIMIT_S = 900.0


@dataclass(frozen=True)
class Kadr:
    """The command line on one data folder, with settings of its own."""

    data: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run to the end; what it printed is in ``stdout`` and ``stderr``."""
        done = subprocess.run(
            self._command(arguments),
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def interrupt(
        self,
        arguments: tuple[str, ...],
        markers: Iterable[str],
        how: signal.Signals,
        inside: tuple[str, ...] = (),
        **env: str,
    ) -> int | None:
        """Start, wait until a line with each marker is printed, and send the signal to all of it.

        Args:
            inside: a command that runs another one, such as ``container()``.

        Returns:
            The exit code, or None when it ended before such lines.
        """
        process = subprocess.Popen(
            [*inside, *self._command(arguments)],
            env=self._environment() | env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        to_come = set(markers)
        for line in process.stderr:
            to_come -= {marker for marker in to_come if marker in line}
            if not to_come:
                break
        else:
            process.wait(LIMIT_S)
            return None
        os.killpg(process.pid, how)
        process.communicate(timeout=LIMIT_S)  # a closed pipe would be another error of its own
        return process.returncode

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, sorted; without the journals, which hold times of day."""
        with ClickHouse(f"chdb://{self.data / 'clickhouse'}").session("test", read_only=True) as c:
            names = [row[0] for row in c.query(_TABLES).result_rows]
            queries = {name: f"SELECT * FROM {name} ORDER BY ALL" for name in names}
            return {name: list(c.query(text).result_rows) for name, text in queries.items()}

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        with ClickHouse(f"chdb://{self.data / 'clickhouse'}").session("test", read_only=True) as c:
            return list(c.query(text).result_rows)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments]

    def _environment(self) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("KADR_", "DAGSTER_"))}
        return {**ours, "KADR_DATA": str(self.data), "OMP_NUM_THREADS": "1", **self.settings}


def container() -> tuple[str, ...]:
    """Runs a command under another host's name and with process numbers of its own, as a container
    does; nothing where that is not permitted."""
    unshare = ("unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child")
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"]).returncode:
        warnings.warn(
            "NOT TESTED in a namespace of process numbers: no right to make one", stacklevel=2
        )
        return ()
    return (*unshare, "sh", "-c", 'hostname elsewhere; exec "$@"', "sh")


_TABLES = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine != 'View'
    AND name NOT IN ('batch_loads', 'migrations')
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    base = tmp_path_factory.getbasetemp()
    # Below pytest-xdist each process has a folder of its own in that of the run.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder, made by the process that comes first; the others wait for it."""
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_name(f"{folder.name}.made")
        if not done.exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def sample(shared: Path) -> Path:
    """The folder of the part of the sample library that these tests use."""
    return made_once(shared / "sample", lambda folder: make_library(folder, only=CLIPS))


@pytest.fixture(scope="session")
def finished(sample: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Kadr:
    """A library that was ingested without interruption; this process's copy of it."""
    source = str(sample / "catalogue.csv")
    made = made_once(shared / "finished", lambda folder: Kadr(folder).run("ingest", source))
    ours = tmp_path_factory.mktemp("finished") / "data"
    return Kadr(shutil.copytree(made, ours, symlinks=True))


@pytest.fixture
def new_kadr(tmp_path: Path) -> Iterator[Callable[[str], Kadr]]:
    """Makes a command line on an empty data folder."""
    yield lambda name: Kadr(tmp_path / name)
