"""A hundred ingestions that are killed at random moments, and what one plain `kadr ingest` makes of
what is left.

    python -m benchmarks.faults kills [--kills 100] [--seed 0] [--elsewhere] [--at-once 1]

Every library is ingested with all steps on and killed at a moment drawn from the length of an
uninterrupted ingestion: the process that drives the runs, all of its group, one step, or Ctrl-C as
a terminal sends it. A quarter of them are killed once more while they resume. Then one plain
`kadr ingest` has to end well, with every row of every table of the uninterrupted one, nothing in
the scratch folder and no run unfinished.

With --elsewhere each command runs in a container of its own, as far as the kernel is concerned: its
host's name is new and process numbers begin at 1 every time (Linux, as root).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from assets.source.health import AT_WORK
from orchestration.settings import Settings
from samples.make import make_library
from tests.pipeline.conftest import FEW_TAGS, Kadr

# A speaker with captions, her copy without sound, another topic, and a file that is none.
CLIPS = ("space-01", "copy-muted", "pets-01", "broken-01")
KINDS = ("parent", "group", "step", "ctrl-c")
_RESUME_KILLED = 0.25
_LIMIT_S = 1800.0
_ENDED = (0, 1, 130, -signal.SIGKILL)
_namespaces = count(1)


@dataclass
class Trial:
    """One library and what is done to it."""

    number: int
    kinds: list[str]
    moments: list[float]  # shares of an uninterrupted ingestion
    problems: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ground:
    """What all trials share."""

    folder: Path
    source: str
    length_s: float
    tables: dict[str, list[str]]
    elsewhere: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks.faults kills`."""
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--elsewhere", action="store_true")


def main(given: argparse.Namespace) -> None:
    """Kill, resume, compare, and print what was found."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kadr-kills-") as folder:
        ground = _ground(Path(folder), elsewhere=given.elsewhere)
        print(f"an uninterrupted ingestion: {ground.length_s:.0f} s", flush=True)
        with ThreadPoolExecutor(given.at_once) as pool:
            trials = list(pool.map(lambda t: _tried(ground, t), _trials(given.kills, given.seed)))
    _print(trials, time.monotonic() - began_s)
    sys.exit(any(trial.problems for trial in trials))


def _trials(kills: int, seed: int) -> Iterator[Trial]:
    """As many as give so many kills."""
    rng, number = random.Random(seed), count()
    while kills > 0:
        twice = kills > 1 and rng.random() < _RESUME_KILLED
        kinds = [rng.choice(KINDS) for _ in range(1 + twice)]
        yield Trial(next(number), kinds, [rng.random() for _ in kinds])
        kills -= len(kinds)


def _ground(folder: Path, *, elsewhere: bool) -> Ground:
    make_library(folder / "sample", only=CLIPS)
    source = str(folder / "sample" / "catalogue.csv")
    kadr = _kadr(folder / "whole")
    began_s = time.monotonic()
    process = _started(kadr, source, elsewhere=elsewhere)
    assert process.wait(_LIMIT_S) == 0, "the uninterrupted ingestion failed"
    return Ground(folder, source, time.monotonic() - began_s, _rows(kadr), elsewhere)


def _kadr(data: Path) -> Kadr:
    return Kadr(data, {"KADR_TAXONOMY": FEW_TAGS})


def _tried(ground: Ground, trial: Trial) -> Trial:
    kadr = _kadr(ground.folder / f"trial-{trial.number}")
    for kind, moment in zip(trial.kinds, trial.moments, strict=True):
        _kill(ground, kadr, trial, kind, moment * ground.length_s)
    process = _started(kadr, ground.source, elsewhere=ground.elsewhere)
    _, said = process.communicate(timeout=_LIMIT_S)
    trial.problems += _problems(ground, kadr, process.returncode, said)
    shutil.rmtree(kadr.data)
    told = "; ".join(trial.problems) or "the same tables"
    print(f"{trial.number}: {', '.join(trial.hits)}: {told}", flush=True)
    return trial


def _started(kadr: Kadr, source: str, *, elsewhere: bool) -> subprocess.Popen[str]:
    command = kadr._command(("ingest", source))
    if elsewhere:
        unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child"]
        script = 'hostname "$0"; exec "$@"'
        command = [*unshare, "sh", "-c", script, f"container-{next(_namespaces)}", *command]
    return subprocess.Popen(
        command,
        env=kadr._environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _kill(ground: Ground, kadr: Kadr, trial: Trial, kind: str, after_s: float) -> None:
    """Start an ingestion, kill it so many seconds later, and wait until all of it is gone."""
    process = _started(kadr, ground.source, elsewhere=ground.elsewhere)
    drained = ThreadPoolExecutor(1)
    drained.submit(process.communicate)
    deadline = time.monotonic() + after_s
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    family = _family(process.pid)
    hit = process.poll() is None and _strike(process, family, kind)
    trial.hits.append(f"{kind} at {after_s:.1f} s" if hit else f"{kind}: too late")
    try:
        process.wait(_LIMIT_S)
        _, alive = psutil.wait_procs(family, timeout=30)
        if alive:
            trial.problems.append(f"outlived a kill of {kind}: {[p.cmdline() for p in alive]}")
        if process.returncode not in _ENDED:
            trial.problems.append(f"{kind}: ended with {process.returncode}")
    finally:
        drained.shutdown()


def _family(pid: int) -> list[psutil.Process]:
    try:
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _strike(process: subprocess.Popen[str], family: Sequence[psutil.Process], kind: str) -> bool:
    if kind in ("group", "ctrl-c"):
        os.killpg(process.pid, signal.SIGINT if kind == "ctrl-c" else signal.SIGKILL)
        return True
    # The parent is the first of the family that is ours and not the container's.
    ours = [p for p in family if _is_python(p)]
    steps = [p for p in ours[1:] if "forkserver" in " ".join(p.cmdline())]
    victim = ours[0] if kind == "parent" or not steps else random.Random(len(steps)).choice(steps)
    victim.kill()
    return True


def _is_python(process: psutil.Process) -> bool:
    try:
        return Path(process.exe()).name.startswith("python")
    except psutil.Error:
        return False


def _problems(ground: Ground, kadr: Kadr, code: int, said: str) -> list[str]:
    """What the plain ingestion left undone."""
    if code:
        return [f"ended with {code}: {said.strip().splitlines()[-1:]}"]
    rows = _rows(kadr)
    found = [f"table {t} differs" for t in ground.tables if rows.get(t) != ground.tables[t]]
    scratch = kadr.data / "scratch"
    found += [f"left in scratch: {path.name}" for path in scratch.iterdir()]
    found += [f"left: {path}" for path in kadr.data.rglob("*.kadr-tmp")]
    home = Settings(data=str(kadr.data)).dagster_home
    with dg.DagsterInstance.from_config(str(home)) as instance:
        left = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    return found + [f"run {run.run_id} is {run.status.value}" for run in left]


def _rows(kadr: Kadr) -> dict[str, list[str]]:
    """Every row of every table as text, without days and times of day."""
    return {name: sorted(map(_as_text, rows)) for name, rows in kadr.tables().items()}


def _as_text(row: tuple[Any, ...]) -> str:
    return repr([value for value in row if not _is_of_today(value)])


def _is_of_today(value: object) -> bool:
    """A day, or a batch's name: an evening's trial may end after midnight."""
    if isinstance(value, date):
        return True
    return isinstance(value, str) and len(value) == 14 and value.endswith("-001")


def _print(trials: Sequence[Trial], wall_s: float) -> None:
    kinds = Counter(kind for trial in trials for kind in trial.kinds)
    late = sum("too late" in hit for trial in trials for hit in trial.hits)
    twice = sum(len(trial.kinds) > 1 for trial in trials)
    good = sum(not trial.problems for trial in trials)
    print(f"\n{sum(kinds.values())} kills ({dict(kinds)}; {late} came too late), {twice} of them")
    print(f"during a resume, over {len(trials)} libraries: {good} of {len(trials)} ended with the")
    print(f"tables of an uninterrupted run; {wall_s / 60:.0f} min")
