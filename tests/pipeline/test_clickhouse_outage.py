"""ClickHouse stopped in the middle: waited for, then one sentence; a re-run completes it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assets.stores.clickhouse import CannotConnect, ClickHouse
from assets.stores.tables import TABLES
from orchestration.definitions import resources
from orchestration.settings import Settings
from samples.make import make_library
from tests.pipeline.conftest import LIMIT_S, OFF, Kadr
from tests.unit.stores.clickhouse_shim import Shim

# The second is a copy of the first.
CLIPS = ("pets-01", "copy-muted")
ONE_SENTENCE = "Start ClickHouse again; the same command goes on from here"
# Steps are forked from a process that imports these modules first.
IMPATIENT = "tests.pipeline.impatient"
BECOMES_IMPATIENT = f"""
import {IMPATIENT}
from orchestration.executors import _PRELOADED
_PRELOADED.append({IMPATIENT!r})
"""
BY_BATCH = [t.name for t in TABLES.values() if t.by_batch and t.with_batch]


@dataclass(frozen=True, kw_only=True)
class KadrOnServer(Kadr):
    """The command line on a server instead of the embedded engine."""

    shim: Shim

    def ingest(
        self, source: Path, happens: Mapping[str, Callable[[], None]], *, impatient: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Ingest; at the first line with each text, in this order, what belongs to it is done."""
        python, option, code, *arguments = self._command(("ingest", str(source)))
        process = subprocess.Popen(
            [python, option, BECOMES_IMPATIENT * impatient + code, *arguments],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        lines, to_come = [], list(happens)
        for line in process.stdout:
            lines.append(line)
            if to_come and to_come[0] in line:
                happens[to_come.pop(0)]()
        code = process.wait()
        limit.cancel()
        assert not to_come, "".join(lines)
        return subprocess.CompletedProcess(process.args, code, "".join(lines))

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of one query to the server."""
        with ClickHouse(self.shim.url).session("test", read_only=True) as client:
            return [tuple(row) for row in client.query(text).result_rows]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"KADR_CLICKHOUSE_URL": self.shim.url}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("outage"), only=CLIPS) / "catalogue.csv"


@pytest.fixture
def kadr(tmp_path: Path) -> Iterator[KadrOnServer]:
    shim = Shim(tmp_path / "clickhouse")
    shim.start()
    yield KadrOnServer(tmp_path / "data", OFF, shim=shim)
    shim.stop()


def _ends_with_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("kadr: ") and ONE_SENTENCE in last, done.stdout
    assert done.stdout.count(ONE_SENTENCE) == 1, done.stdout
    assert "Traceback" not in done.stdout


def _is_complete(kadr: KadrOnServer) -> None:
    """The tables hold what the Parquet files hold, and the library's steps have seen it."""
    library = resources(Settings(data=str(kadr.data)))["library"]
    (batch,) = library.batches.names()
    for name in set(BY_BATCH) - {"video_embeddings"}:
        ((count,),) = kadr.rows(f"SELECT count() FROM {name}")
        assert count == library.datasets.row_count(TABLES[name].dataset.name, batch), name
    assert kadr.rows("SELECT status, count() FROM videos GROUP BY status") == [("ok", len(CLIPS))]
    assert kadr.rows("SELECT copy_id, original_id FROM duplicate_pairs") == [
        ("copy-muted", "pets-01")
    ]
    assert kadr.rows("SHOW TABLES LIKE 'staging%'") == []


@pytest.mark.timeout(1800)  # four runs, which wait for the server
def test_short_outages_are_waited_for_and_after_longer_ones_a_rerun_completes_without_decoding(
    kadr: KadrOnServer, source: Path
) -> None:
    shim = kadr.shim
    first = kadr.ingest(
        source,
        {
            "decode: ": shim.kill,
            "waiting for clickhouse": shim.start,
            "  videos: 2 rows": shim.kill,  # the first of its tables
        },
    )
    _ends_with_one_sentence(first)
    _ends_with_one_sentence(kadr.ingest(source, {}, impatient=True))

    shim.start()
    second = kadr.ingest(source, {"copies: gathering": shim.kill}, impatient=True)
    _ends_with_one_sentence(second)

    third = kadr.ingest(source, {"waiting for clickhouse": shim.start})
    assert third.returncode == 0, third.stdout
    assert "decode: " not in second.stdout + third.stdout
    assert "tables: loading" not in third.stdout
    _is_complete(kadr)


def test_a_server_that_goes_away_in_a_session_is_said_to_have_gone(kadr: KadrOnServer) -> None:
    with (
        pytest.raises(CannotConnect, match=f"lost the connection .* {ONE_SENTENCE}") as raised,
        ClickHouse(kadr.shim.url).session("testing") as client,
    ):
        assert client.query("SELECT 1").result_rows == [(1,)]
        kadr.shim.kill()
        client.query("SELECT 1")
    assert "secret" not in str(raised.value)
