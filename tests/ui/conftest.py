"""A small library, Dagster's pages on it, and a browser that looks at them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from assets.people.clustering import people
from assets.source.cutting import ingest
from assets.stores.batches import BATCHES
from orchestration.definitions import build_defs, resources
from orchestration.instance import open_here, prepare
from orchestration.jobs import BATCH_JOB
from orchestration.settings import Settings, from_environment
from samples.make import make_library
from tests.unit.orchestration.postgres_server import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LIMIT_S = 180.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Somebody whose picture is known appears in the first, which is the first batch.
CLIPS = ("space-04", "pets-01", "cooking-01")
STEPS = ("videos", "frames", "motion", "audio", "faces", "persons")
DAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Shown:
    """A library whose pages are open at ``address``: one batch was run, the others wait."""

    settings: Settings
    address: str

    @property
    def batches(self) -> list[str]:
        """Names of the batches, the one that was run first."""
        return list(resources(self.settings)["library"].batches.names())

    def rows(self, dataset: str, batch: str) -> int:
        """Rows of a dataset's file for the batch; 0 where it has no file."""
        return int(resources(self.settings)["library"].datasets.row_count(dataset, batch))


@pytest.fixture(scope="module")
def chromium() -> Path:
    """The browser: the system's, else the one that Playwright has fetched."""
    from playwright.sync_api import sync_playwright

    if installed := list(filter(None, map(shutil.which, BROWSERS))):
        return Path(installed[0])
    with sync_playwright() as playwright:
        fetched = Path(playwright.chromium.executable_path)
    if not fetched.exists():
        pytest.skip("NOT TESTED: no Chromium here; playwright install chromium fetches one")
    return fetched


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """Headless Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LIMIT_S * 1000)
    # Chromium refuses to run as root inside its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The library and its pages; only where there is a browser to look at them."""
    folder = tmp_path_factory.mktemp("ui")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("KADR_", "DAGSTER_"))]:
            patch.delenv(name)
        ours = {"KADR_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"}
        # The last two are set by prepare(), so that they are taken back too.
        for name, value in {**ours, "DAGSTER_HOME": "", "OMP_THREAD_LIMIT": "1"}.items():
            patch.setenv(name, value)
        settings = from_environment()
        prepare(settings)
        _fill(settings, folder)
        with _pages() as address:
            yield Shown(settings, address)


@pytest.fixture
def page(shown: Shown, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A new tab. What it showed last is kept in ``tmp_path`` for whoever looks into a failure.

    After ``shown``: Playwright's event loop would stand in the way of runs in this process.
    """
    page = browser.new_page(base_url=shown.address, viewport={"width": 1500, "height": 1300})
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    page.screenshot(path=tmp_path / "last.png")
    page.close()


def _fill(settings: Settings, folder: Path) -> None:
    """Cut three clips into a batch each, run what people are found by for the first, find them."""
    source = make_library(folder / "source", only=CLIPS)
    shutil.copytree(source / "known_people", folder / "data" / "known_people")
    library = resources(settings)["library"]
    ingest(str(source / "catalogue.csv"), library.batches, DAY, 1)
    names, defs = library.batches.names(), build_defs(settings)
    with open_here(settings) as instance:
        instance.add_dynamic_partitions(str(BATCHES.name), names)
        defs.resolve_job_def(BATCH_JOB).execute_in_process(
            partition_key=names[0],
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in STEPS],
        )
        dg.materialize([people], instance=instance, resources=defs.resources)


@contextmanager
def _pages() -> Iterator[str]:
    """What `kadr ui` starts, on a free port, ended with all its child processes."""
    port = free_port()
    main = "from orchestration.cli import main; main()"
    command = [sys.executable, "-c", main, "ui", "--port", str(port)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for_answer(address, process)
        yield address
    finally:
        _end(process)


def _wait_for_answer(address: str, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while True:
        assert process.poll() is None, "kadr ui has ended"
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=10):
                return
        except OSError:
            assert time.monotonic() < end_s, f"no answer within {LIMIT_S:.0f} s"
            time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end; what is still there then is killed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
