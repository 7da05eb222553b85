"""Loads are atomic and repeatable, sessions take turns, migrations are applied once.

What concerns the tables runs on the embedded engine, over HTTP through a loopback shim, and on a
server where ``CLICKHOUSE_URL`` names one (``clickhouse://user:password@host:port``; a database of
its own is made there and dropped).
"""

from __future__ import annotations

import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

import assets.tables.load
import sql
from assets.stores.clickhouse import (
    CannotConnect,
    ClickHouse,
    EngineBusy,
    NoTables,
    QueryFailed,
    SchemaMismatch,
    migrate,
)
from assets.stores.tables import TABLES
from assets.tables.load import Loaded, count_rows, delete_batch, load_batch, loaded, replace_table
from orchestration.commands.sql_output import ask, show
from tests.unit.stores.clickhouse_shim import running
from tests.unit.stores.engine import copied
from tests.unit.tables.small_library import (
    BATCH,
    TITLES,
    load_small_library,
    record_batch,
    segments,
    small_library,
)

pytestmark = pytest.mark.slow

B1, B2 = BATCH, "2026-11-20-002"
SERVER = "CLICKHOUSE_URL"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("shim") / "clickhouse") as url:
        yield url


@pytest.fixture(params=["embedded", "shim", "server"])
def clickhouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClickHouse]:
    if request.param == "embedded":
        made: Path = request.getfixturevalue("migrated")
        yield ClickHouse(f"chdb://{copied(made, tmp_path)}/state/clickhouse")
        return
    if request.param == "server" and not os.environ.get(SERVER):
        pytest.skip(f"NOT TESTED on a ClickHouse server: {SERVER} is not set")
    base = os.environ[SERVER] if request.param == "server" else request.getfixturevalue("shim")
    database = f"kadr_test_{secrets.token_hex(4)}"
    clickhouse = ClickHouse(f"{base.rstrip('/')}/{database}")
    yield clickhouse
    client = clickhouse_connect.get_client(dsn=base, interface="http")
    client.command(f"DROP DATABASE {database}")
    client.close()


@pytest.fixture
def embedded(tmp_path: Path) -> ClickHouse:
    return ClickHouse(f"chdb://{tmp_path}/clickhouse")


@pytest.fixture
def client(clickhouse: ClickHouse) -> Iterator[Client]:
    with clickhouse.session("testing") as client:
        yield client


def table_names(client: Client) -> set[str]:
    return {row[0] for row in client.query("SHOW TABLES").result_rows}


def contents(client: Client, table: str = "asr_segments") -> list[Any]:
    return list(client.query(f"SELECT * FROM {table} ORDER BY ALL").result_rows)


def parts(client: Client) -> list[Any]:
    """Every active part of every table: unchanged exactly when nothing was written."""
    return list(
        client.query(
            "SELECT table, name, rows, modification_time FROM system.parts"
            " WHERE active AND database = currentDatabase() ORDER BY ALL"
        ).result_rows
    )


# Loading


def test_whole_library_is_read_back_as_it_was_loaded(client: Client) -> None:
    load_small_library(client)
    for name, rows in small_library().items():
        table = TABLES[name]
        sent = record_batch(name, rows).select(table.columns)
        columns = ", ".join(table.columns)
        order = ", ".join(table.dataset.key)
        got = client.query_arrow(f"SELECT {columns} FROM {name} ORDER BY {order}")
        by_key = [(key, "ascending") for key in table.dataset.key]
        assert got.cast(table.schema).to_pylist() == sent.sort_by(by_key).to_pylist()


def test_titles_are_stored_as_they_are(client: Client) -> None:
    load_small_library(client)
    found = client.query("SELECT title FROM videos ORDER BY video_id").result_columns[0]
    assert tuple(found) == TITLES
    by_title = client.query(
        "SELECT count() FROM videos WHERE title = {title:String}", parameters={"title": TITLES[3]}
    )
    assert by_title.first_row == (1,)


def test_times_keep_their_milliseconds_and_zone(client: Client) -> None:
    load_small_library(client)
    times = client.query("SELECT published_at FROM videos ORDER BY video_id").result_columns[0]
    assert tuple(times[:2]) == (None, datetime(2026, 11, 2, 12, 30, 15, 678000, tzinfo=UTC))


def test_loading_again_replaces_the_batch_and_leaves_others(client: Client) -> None:
    load_batch(client, "asr_segments", B1, segments(25), "a")
    load_batch(client, "asr_segments", B2, segments(5), "b")
    report = load_batch(client, "asr_segments", B1, segments(7, "new"), "c")
    assert (report.rows, report.skipped) == (7, False)
    assert (count_rows(client, "asr_segments", B1), count_rows(client, "asr_segments")) == (7, 12)
    assert loaded(client, "asr_segments", B1) == Loaded("c", 7)
    assert "new" in {row[4] for row in contents(client)}


def test_load_of_the_same_rows_reads_nothing_and_changes_nothing(client: Client) -> None:
    def no_rows() -> Iterator[pa.RecordBatch]:
        raise AssertionError("the rows were read")
        yield

    client.command("SYSTEM STOP MERGES")
    load_batch(client, "asr_segments", B1, segments(25), "a")
    before = parts(client)
    report = load_batch(client, "asr_segments", B1, no_rows(), "a")
    assert (report.rows, report.skipped) == (25, True)
    assert migrate(client) == []
    assert parts(client) == before


def test_rows_lost_by_hand_are_loaded_again(client: Client) -> None:
    load_batch(client, "asr_segments", B1, segments(25), "a")
    client.command("TRUNCATE TABLE asr_segments")
    assert not load_batch(client, "asr_segments", B1, segments(25), "a").skipped
    assert count_rows(client, "asr_segments", B1) == 25


def test_batch_without_rows_is_loaded_and_empties_the_partition(client: Client) -> None:
    assert load_batch(client, "asr_segments", B1, [], "a").rows == 0
    assert loaded(client, "asr_segments", B1) == Loaded("a", 0)
    load_batch(client, "asr_segments", B1, segments(5), "b")
    no_rows = record_batch("asr_segments", [])
    assert load_batch(client, "asr_segments", B1, [no_rows], "c").rows == 0
    assert count_rows(client, "asr_segments") == 0


def test_large_load_is_sent_in_several_inserts(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets.tables.load, "INSERT_BYTES", 2000)
    rows = pa.Table.from_batches(list(segments(500))).combine_chunks().to_batches()
    assert load_batch(client, "asr_segments", B1, rows, "a").rows == 500
    assert count_rows(client, "asr_segments", B1) == 500
    numbers = client.query("SELECT uniqExact(segment_no), max(segment_no) FROM asr_segments")
    assert numbers.first_row == (500, 499)


def test_failing_source_leaves_the_table_as_it_was(client: Client) -> None:
    def breaks() -> Iterator[pa.RecordBatch]:
        yield from segments(10, "new")
        raise OSError("the file is gone")

    load_batch(client, "asr_segments", B1, segments(5, "old"), "a")
    before, names = contents(client), table_names(client)
    with pytest.raises(OSError, match="the file is gone"):
        load_batch(client, "asr_segments", B1, breaks(), "b")
    assert (contents(client), table_names(client)) == (before, names)
    assert loaded(client, "asr_segments", B1) == Loaded("a", 5)


def test_missing_values_and_columns_are_refused(client: Client) -> None:
    (whole,) = segments(3)
    at = whole.schema.get_field_index("text")
    holes = whole.set_column(at, pa.field("text", pa.string()), pa.array(["a", None, "c"]))
    with pytest.raises((ValueError, DatabaseError)):
        load_batch(client, "asr_segments", B1, [holes], "a")
    with pytest.raises(ValueError, match="rows for asr_segments lack text"):
        load_batch(client, "asr_segments", B1, [whole.drop_columns(["text"])], "a")
    assert count_rows(client, "asr_segments") == 0


@pytest.mark.parametrize("batch", ["", "a'b", "../x", "-x", "a b", "x" * 200])
def test_name_that_is_no_batch_is_refused(batch: str) -> None:
    with pytest.raises(ValueError, match="not a batch name"):
        load_batch(None, "videos", batch, [], "a")  # type: ignore[arg-type]


def test_unknown_table_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no such table 'motion'"):
        load_batch(None, "motion", B1, [], "a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no such table 'videos'; there are: tags"):
        replace_table(None, "videos", [], "a")  # type: ignore[arg-type]


def test_the_journals_last_word_counts_also_when_the_clock_was_set_back(client: Client) -> None:
    in_a_month = "INSERT INTO batch_loads SELECT 'asr_segments', {b:String}, 'loaded', 'old', 5,"
    client.command(f"{in_a_month} now64(6) + INTERVAL 30 DAY", parameters={"b": B1})
    load_batch(client, "asr_segments", B1, segments(4), "new")
    assert loaded(client, "asr_segments", B1) == Loaded("new", 4)
    assert load_batch(client, "asr_segments", B1, segments(4), "new").skipped
    delete_batch(client, B1)
    assert loaded(client, "asr_segments", B1) is None


def test_the_last_name_given_counts_also_when_the_clock_was_set_back(client: Client) -> None:
    client.command(
        "INSERT INTO given_names (kind, id, name, hidden, given_at) "
        "SELECT 'topic', 7, 'old', false, now64(3) + INTERVAL 30 DAY"
    )
    line = {"kind": "topic", "id": 7, "name": "new", "hidden": False}
    client.command(sql.statement("load/give_name"), parameters=line)
    names = client.query(sql.statement("load/given_names"), parameters={"kind": "topic"})
    assert [row[1] for row in names.result_rows] == ["new"]


def test_deleted_batch_is_gone_from_every_table(client: Client) -> None:
    load_small_library(client)
    load_batch(client, "asr_segments", B2, segments(5), "b")
    delete_batch(client, B1)
    assert {
        t: count_rows(client, t) for t in TABLES if TABLES[t].by_batch and count_rows(client, t)
    } == {"asr_segments": 5}
    rows = client.query("SELECT table, batch FROM loaded_batches WHERE batch != ''").result_rows
    assert rows == [("asr_segments", B2)]
    assert not load_batch(client, "asr_segments", B1, segments(5), "made up").skipped


def test_library_wide_table_is_replaced_whole(client: Client) -> None:
    def topics(count: int) -> Iterator[pa.RecordBatch]:
        yield record_batch("topics", [{"topic_id": n, "terms": ["a"]} for n in range(count)])

    assert replace_table(client, "topics", topics(5), "a").rows == 5
    assert replace_table(client, "topics", topics(3), "b").rows == 3
    assert replace_table(client, "topics", iter([]), "b").skipped
    assert count_rows(client, "topics") == 3
    assert replace_table(client, "topics", [], "c").rows == 0
    assert count_rows(client, "topics") == 0
    assert not {name for name in table_names(client) if name.startswith("staging")}


def test_reader_never_sees_half_a_load(clickhouse: ClickHouse) -> None:
    """Ten loads of 300 rows, each of another model, under a reader that asks all the time."""
    seen: set[tuple[Any, ...]] = set()
    done = threading.Event()

    def read(reader: Client) -> None:
        asked = "SELECT count(), uniqExact(model) FROM asr_segments"
        topics = "SELECT count() FROM topics"
        while not done.is_set():
            seen.add((*reader.query(asked).result_rows[0], *reader.query(topics).result_rows[0]))

    with clickhouse.session("writing") as client:
        embedded = {"interface": "chdb", "path": str(clickhouse.directory)}
        target: dict[str, Any] = {"dsn": clickhouse.url, "interface": "http"}
        reader = clickhouse_connect.get_client(**(embedded if clickhouse.directory else target))
        load_batch(client, "asr_segments", B1, segments(300, model="0"), "0")
        replace_table(client, "topics", [record_batch("topics", [{"topic_id": 1}])], "0")
        thread = threading.Thread(target=read, args=(reader,))
        thread.start()
        for n in range(1, 6):
            load_batch(client, "asr_segments", B1, segments(300, model=str(n)), str(n))
            topics = [record_batch("topics", [{"topic_id": n}])]
            replace_table(client, "topics", topics, str(n))
        done.set()
        thread.join()
        reader.close()
    assert seen == {(300, 1, 1)}


# Being killed

KILLED_AT_A_STATEMENT = """
import os, signal, sys
import assets.tables.load
from assets.stores.clickhouse import ClickHouse
from tests.unit.tables.small_library import BATCH, segments

class Client:
    "Kills the process before the n-th statement of the load."
    def __init__(self, client, left):
        self.client, self.left = client, left
    def __getattr__(self, name):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self.client, name)

assets.tables.load.INSERT_BYTES = 1000
with ClickHouse(sys.argv[1]).session("about to die") as client:
    client = Client(client, int(sys.argv[2]))
    assets.tables.load.load_batch(client, "asr_segments", BATCH, segments(50, "new"), "new")
"""

LOADS_UNTIL_KILLED = """
import sys
import assets.tables.load
from assets.stores.clickhouse import ClickHouse
from tests.unit.tables.small_library import BATCH, segments

assets.tables.load.INSERT_BYTES = 20000
with ClickHouse(sys.argv[1]).session("about to die") as client:
    print("ready", flush=True)
    for n in range(10**6):
        text = ("new", "old")[n % 2]
        assets.tables.load.load_batch(client, "asr_segments", BATCH, segments(500, text), text)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


# The statements of a load of three inserts, before which the process is killed.
HALF_INSERTED, STAGED, STARTED, SWAPPED, DROPPED, DONE = 5, 8, 9, 10, 11, 12


def test_killed_at_a_statement_the_next_load_makes_it_whole(embedded: ClickHouse) -> None:
    with embedded.session("uninterrupted") as client:
        load_batch(client, "asr_segments", B1, segments(50, "new"), "new")
        new = contents(client)
        load_batch(client, "asr_segments", B1, segments(30, "old"), "old")
        old, names = contents(client), table_names(client)
    cases = [
        (HALF_INSERTED, old, Loaded("old", 30)),
        (STAGED, old, Loaded("old", 30)),
        (STARTED, old, None),
        (SWAPPED, new, None),
        (DROPPED, new, None),
    ]
    for statement, expected, vouched in cases:
        with start(KILLED_AT_A_STATEMENT, embedded.url, str(statement)) as process:
            assert process.wait() == -signal.SIGKILL
        with embedded.session("after the kill") as client:
            assert (contents(client), loaded(client, "asr_segments", B1)) == (expected, vouched)
            load_batch(client, "asr_segments", B1, segments(50, "new"), "new")
            assert (contents(client), table_names(client)) == (new, names)
            load_batch(client, "asr_segments", B1, segments(30, "old"), "old")
    with start(KILLED_AT_A_STATEMENT, embedded.url, str(DONE)) as process:
        assert process.wait() == 0, "a load has more statements than are tried here"


@pytest.mark.parametrize("after_s", [0.02, 0.13, 0.31])
def test_killed_at_any_moment_the_next_load_makes_it_whole(
    embedded: ClickHouse, after_s: float
) -> None:
    with start(LOADS_UNTIL_KILLED, embedded.url) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        process.kill()
    with embedded.session("after the kill") as client:
        texts = client.query("SELECT text, count() FROM asr_segments GROUP BY text").result_rows
        assert texts in ([], [("old", 500)], [("new", 500)])
        held = loaded(client, "asr_segments", B1)
        assert held is None or texts == [(held.fingerprint, 500)]
        load_batch(client, "asr_segments", B1, segments(20, "last"), "last")
        assert [row[4] for row in contents(client)] == ["last"] * 20
        assert not {name for name in table_names(client) if name.startswith("staging")}


# Sessions

HOLDS = """
import sys
from assets.stores.clickhouse import ClickHouse
with ClickHouse(sys.argv[1]).session("a long load"):
    print("ready", flush=True)
    sys.stdin.read()
"""

HOLDS_WITHOUT_OUR_LOCK = """
import sys, chdb
connection = chdb.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
connection.close()
"""


def test_who_waits_for_the_embedded_engine_is_told_for_whom(embedded: ClickHouse) -> None:
    told: list[str] = []
    with start(HOLDS, embedded.url) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        with (
            pytest.raises(EngineBusy, match=f"process {process.pid} .a long load."),
            ClickHouse(embedded.url, told.append, wait_s=0.8).session("impatient"),
        ):
            pytest.fail("two sessions at once")
        assert told == [f"waiting for clickhouse: held by process {process.pid} (a long load)"]
        threading.Timer(0.2, process.kill).start()
        with ClickHouse(embedded.url, told.append, wait_s=30).session("patient") as client:
            assert client.query("SELECT count() FROM videos").first_row == (0,)


def test_program_that_opened_the_engine_past_our_lock_is_waited_for(embedded: ClickHouse) -> None:
    told: list[str] = []
    with start(HOLDS_WITHOUT_OUR_LOCK, str(embedded.directory)) as process:
        assert process.stdout and process.stdin and process.stdout.readline() == b"ready\n"
        with (
            pytest.raises(EngineBusy, match="is open in another program"),
            ClickHouse(embedded.url, told.append, wait_s=0.3).session("impatient"),
        ):
            pytest.fail("two sessions at once")
        assert len(told) == 1
        threading.Timer(0.2, process.stdin.close).start()
        with ClickHouse(embedded.url, told.append, wait_s=30).session("patient") as client:
            assert client.query("SELECT count() FROM videos").first_row == (0,)


def test_threads_take_turns_and_one_thread_does_not_wait_for_itself(embedded: ClickHouse) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with embedded.session("a turn"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
    with (
        embedded.session("outer"),
        pytest.raises(RuntimeError, match="already has a session open"),
        embedded.session("inner"),
    ):
        pytest.fail("two sessions at once")


def test_read_only_session_refuses_what_writes(clickhouse: ClickHouse) -> None:
    with clickhouse.session("loading") as client:
        load_batch(client, "asr_segments", B1, segments(5), "a")
    writes = [
        "INSERT INTO videos (video_id) VALUES ('x')",
        "ALTER TABLE asr_segments DROP PARTITION '2026-11-20-001'",
        "DROP TABLE videos",
        "TRUNCATE TABLE asr_segments",
        "CREATE TABLE mine (a UInt8) ENGINE = Memory",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ]
    with clickhouse.session("reading", read_only=True) as client:
        for statement in writes:
            with pytest.raises(QueryFailed, match="only read"):
                show(client, statement)
        show(
            client,
            "SELECT count() FROM asr_segments SETTINGS max_threads = 1",
            "csv",
            out=io.StringIO(),
        )
        assert count_rows(client, "asr_segments") == 5


def test_reading_a_library_that_is_not_there_makes_none(embedded: ClickHouse) -> None:
    with (
        pytest.raises(NoTables, match="kadr ingest"),
        embedded.session("reading", read_only=True),
    ):
        pytest.fail("read a library that is not there")
    assert embedded.directory and not embedded.directory.exists()


def test_server_that_is_not_there_is_waited_for_then_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assets.stores.clickhouse.RECONNECT_S", (0.0, 0.0))
    told: list[str] = []
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"clickhouse://me:secret@127.0.0.1:{taken.getsockname()[1]}/library"
        server = ClickHouse(url, on_wait=told.append)
        with (
            pytest.raises(CannotConnect, match="cannot connect to clickhouse://127") as error,
            server.session("testing"),
        ):
            pytest.fail("connected to nothing")
    assert len(told) == 2
    assert "Connection refused" in told[0]
    assert "secret" not in f"{error.value}{told}"


def test_database_that_is_not_there_is_made_for_those_who_load(shim: str) -> None:
    library = ClickHouse(f"{shim}/made_by_a_load")
    with pytest.raises(CannotConnect, match="made_by_a_load"), library.session("", read_only=True):
        pytest.fail("read a database that is not there")
    with library.session("loading") as client:
        assert count_rows(client, "videos") == 0


@pytest.mark.parametrize(
    "url",
    ["", "chdb://", "chdb://relative/path", "/a/path", "postgres://host/db", "clickhouse://", "chdb:///a?b=c"],
)  # fmt: skip
def test_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"form|question mark"):
        ClickHouse(url)


def test_password_is_not_shown() -> None:
    server = ClickHouse("clickhouses://me:secret@example.org:8443/library")
    assert server.label == "clickhouses://example.org:8443/library"
    assert "secret" not in repr(server)


def test_directory_may_have_any_name(tmp_path: Path) -> None:
    odd = ClickHouse(f"chdb://{tmp_path}/Видео %41 'x' #1/click house")
    with odd.session("testing") as client:
        load_batch(client, "asr_segments", B1, segments(5), "a")
    with odd.session("testing", read_only=True) as client:
        assert count_rows(client, "asr_segments") == 5
    assert odd.directory and odd.directory.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == ["Видео %41 'x' #1"]


def test_importing_the_layer_imports_no_engine() -> None:
    program = (
        "import sys, assets.stores.clickhouse, assets.tables.load;"
        "import orchestration.commands.sql_output;"
        "sys.exit(' '.join({'chdb', 'clickhouse_connect', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


# Migrations


def test_migrations_are_applied_once_and_can_be_run_again(client: Client) -> None:
    assert migrate(client) == []
    files = [*sql.migrations(), *sql.views()]
    names = client.query("SELECT name FROM migrations").result_columns[0]
    assert sorted(names) == sorted(file.name for file in files)
    for statement in (s for file in files for s in file.statements()):
        client.command(statement)
    assert migrate(client) == []


def test_migration_that_was_killed_half_way_is_finished(client: Client) -> None:
    load_batch(client, "asr_segments", B1, segments(5), "a")
    client.command("DROP TABLE topics SYNC")
    client.command(
        "DELETE FROM migrations WHERE name = 'schema/009_topics'",
        settings={"lightweight_deletes_sync": 2},
    )
    assert migrate(client) == ["schema/009_topics"]
    assert {"topics", "video_topics"} <= table_names(client)
    assert count_rows(client, "asr_segments") == 5


def test_changed_migration_is_refused(client: Client) -> None:
    client.command(
        "INSERT INTO migrations (number, name, sha256) VALUES (3, 'schema/003_videos', 'x')"
    )
    with pytest.raises(SchemaMismatch, match=r"003_videos\.sql was changed"):
        migrate(client)


def test_tables_of_a_newer_version_are_refused(client: Client) -> None:
    client.command(
        "INSERT INTO migrations (number, name, sha256) VALUES (99, 'schema/099_new', 'x')"
    )
    with pytest.raises(SchemaMismatch, match="newer version: schema/099_new"):
        migrate(client)


def test_view_is_made_anew_when_its_text_changed(client: Client) -> None:
    client.command("CREATE OR REPLACE VIEW failures AS SELECT 1 AS old")
    client.command("INSERT INTO migrations (name, sha256) VALUES ('views/failures', 'old')")
    assert migrate(client) == ["views/failures"]
    assert client.query("SELECT uri FROM failures").result_rows == []


# Queries


def test_answers_come_out_of_every_kind_of_statement(client: Client) -> None:
    load_small_library(client)
    out = io.StringIO()
    show(
        client,
        "SHOW TABLES LIKE 'vid%s'; DESCRIBE TABLE topics; EXISTS TABLE videos; EXPLAIN SELECT 1;"
        " -- a comment\n (SELECT 1 AS one); WITH 2 AS two SELECT two; SET max_threads = 1",
        "csv",
        out=out,
    )
    answers = out.getvalue().split("\n\n")
    assert answers[0].splitlines()[0] == "name" and "videos" in answers[0]
    assert "topic_id,Int32" in answers[1]
    assert [answers[2].splitlines()[1], answers[4], answers[5]] == ["1", "one\n1", "two\n2\n"]


def test_answer_without_rows_still_has_its_columns(client: Client) -> None:
    with ask(client, "SELECT video_id, title FROM videos -- none yet") as answer:
        assert (list(answer.columns), list(answer.rows)) == (["video_id", "title"], [])


def test_text_without_a_statement_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="no SQL statement"):
        show(client, " -- only a comment\n;")


def test_wrong_query_says_what_is_wrong(client: Client) -> None:
    with pytest.raises(QueryFailed, match=r"nosuch.*SHOW TABLES"):
        show(client, "SELECT * FROM nosuch")


def test_every_cookbook_query_takes_an_empty_library(client: Client) -> None:
    show(client, ";".join(file.text + "\n" for file in sql.queries()), "json", out=io.StringIO())
