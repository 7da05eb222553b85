"""Steps are forked from a process that has imported what each needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.pipeline.test_definitions import HEAVY, ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux alone")
LIMIT_S = 120
# Threads of polars' pool, which start with its first query.
_OF_POOLS = """
from pathlib import Path
names = [p.read_text().strip() for p in Path('/proc/self/task').glob('*/comm')]
pools = sum(name.startswith('polars-') and name[7:].isdigit() for name in names)
"""


def test_steps_fork_from_a_process_without_models_engines_and_pools() -> None:
    """A lock that a thread holds at the moment of a fork stays locked in the child for good."""
    code = "import sys, threading, orchestration.preloaded\n" + _OF_POOLS
    code += "print(threading.active_count(), pools, *sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    threads, pools, *modules = done.stdout.split()
    assert (threads, pools) == ("1", "0")
    assert set(HEAVY) & set(modules) == set()


def test_ctrl_c_while_steps_are_prepared_does_not_keep_them_from_starting(tmp_path: Path) -> None:
    # A module of the preload that waits in the middle of its import until it is let go on.
    (tmp_path / "dagster_postgres.py").write_text(_SLOW_MODULE)
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_PRELOAD, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.stdout.split(), done.returncode) == (["at", "work"], 0), done.stderr


_SLOW_MODULE = """
import time
from pathlib import Path

here = Path(__file__).parent
(here / "waits").touch()
while not (here / "go").exists():
    time.sleep(0.01)
"""
_INTERRUPTED_PRELOAD = """
import multiprocessing, os, signal, sys, time
from multiprocessing import forkserver
from pathlib import Path
from orchestration.executors import _PRELOADED

folder = Path(sys.argv[1])
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(_PRELOADED)
forkserver.ensure_running()
while not (folder / "waits").exists():
    time.sleep(0.01)
os.kill(forkserver._forkserver._forkserver_pid, signal.SIGINT)
(folder / "go").touch()
step = context.Process(target=print, args=("at work",))
step.start()
step.join()
raise SystemExit(step.exitcode)
"""


def test_a_step_ends_with_its_run_when_that_is_killed(tmp_path: Path) -> None:
    """It would write beside the run that takes its place."""
    told = tmp_path / "step.pid"
    with subprocess.Popen([sys.executable, "-c", _LONG_STEP, str(told)], cwd=ROOT) as run:
        while not (told.exists() and told.read_text()):
            assert run.poll() is None
            time.sleep(0.05)
        step = psutil.Process(int(told.read_text()))
        run.kill()
    step.wait(LIMIT_S)


_LONG_STEP = """
import multiprocessing, os, sys, time
from pathlib import Path
from orchestration.executors import _PRELOADED

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(_PRELOADED)
step = context.Process(target=time.sleep, args=(1000,))
step.start()
Path(sys.argv[1]).write_text(str(step.pid))
step.join()
"""
