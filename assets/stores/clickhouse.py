"""ClickHouse: one client for a server and for the embedded engine, and the schema's migrations.

The embedded engine lets one process in at a time, so whoever uses it takes the file lock beside
its directory, works briefly and lets go; who waits is told for whom. Importing this module
imports neither engine nor client: a code location loads without them.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import sql
from ml.redaction import has_good_port, percent_encoded

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.exceptions import Error

log = logging.getLogger(__name__)
# What the driver warns of it also raises. Without a handler Python prints its traces on the screen.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

# A load of a batch holds the engine for seconds, a rebuild of a library-wide table for minutes.
WAIT_S = 900.0
# Most waits are over in less; a longer one is told of, and again every half minute.
TELL_AFTER_S = 0.5
REPEAT_S = 30.0
POLL_S = 0.05
# Pauses between attempts to connect: what starts a server again takes some seconds. Nothing else is
# tried twice here: a statement that was cut off may have been carried out.
RECONNECT_S = (1.0, 2.0, 4.0, 8.0)
_SERVER_INTERFACES = {
    "clickhouse": "http",
    "http": "http",
    "clickhouses": "https",
    "https": "https",
}
_FORMS = "chdb:///absolute/directory, clickhouse://user:password@host:8123/database, clickhouses://"
# Codes of ClickHouse's own errors.
UNKNOWN_TABLE, UNKNOWN_DATABASE, READONLY = 60, 81, 164
_HINTS = {
    READONLY: " Queries here only read; the pipeline writes the tables.",
    UNKNOWN_TABLE: " `SHOW TABLES` lists what there is.",
}


class ClickHouseError(Exception):
    """Says what is wrong with the tables or a query, for people."""


class EngineBusy(ClickHouseError, TimeoutError):
    """The embedded engine stayed in another's hands for the whole wait."""


class CannotConnect(ClickHouseError):
    """The server can't be reached, does not let us in, or went away in the middle."""


class EngineDamaged(ClickHouseError):
    """The embedded engine can't open its directory, though nobody else has it open."""


class NoTables(ClickHouseError):
    """There is no library where the settings point."""


class SchemaMismatch(ClickHouseError):
    """The tables and this version of the project disagree on the schema files."""


class QueryFailed(ClickHouseError):
    """A query was refused; the message is ClickHouse's, without its codes."""


@dataclass(frozen=True)
class ClickHouse:
    """Where the tables are. Holds plain settings; ``session`` opens and closes the connection.

    Args:
        url: ``chdb:///absolute/directory`` for the embedded engine, ``clickhouse://user:password@
            host:port/database`` (HTTP, port 8123) or ``clickhouses://`` (TLS, 8443) for a server.
        on_wait: called with a sentence while the embedded engine is in other hands, or a server
            does not answer.
        wait_s: how long to wait for the embedded engine.

    Raises:
        ValueError: a URL of another form.
    """

    url: str = field(repr=False)
    on_wait: Callable[[str], None] = log.warning
    wait_s: float = WAIT_S

    def __post_init__(self) -> None:
        # A raw # in a password would end the address for every parser, and stand in its error.
        object.__setattr__(self, "url", percent_encoded(self.url))
        parts = urlsplit(self.url)
        embedded = parts.scheme == "chdb" and not parts.netloc and parts.path.startswith("/")
        is_server = has_good_port(self.url) and bool(parts.hostname)
        if not embedded and not (parts.scheme in _SERVER_INTERFACES and is_server):
            raise ValueError(f"the ClickHouse URL has none of these forms: {_FORMS}")
        if embedded and "?" in self.url:
            raise ValueError("the embedded engine's directory may not have a question mark")

    @property
    def directory(self) -> Path | None:
        """The embedded engine's directory; None for a server."""
        if not self.url.startswith("chdb:"):
            return None
        return Path(self.url.removeprefix("chdb://")).resolve()

    @property
    def label(self) -> str:
        """The directory or the server, without its password."""
        parts = urlsplit(self.url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
        return str(self.directory) if self.directory else f"{parts.scheme}://{host}{parts.path}"

    @contextmanager
    def session(self, reason: str, *, read_only: bool = False) -> Iterator[Client]:
        """A client of migrated tables. Keep it open no longer than the work takes.

        Args:
            reason: what for, told to others who wait.
            read_only: refuse every statement that writes to a table (``readonly = 2``), and open
                only a library that exists.

        Raises:
            EngineBusy: the embedded engine did not become free.
            CannotConnect: the server can't be reached, after ``RECONNECT_S`` unless the session
                only reads; it refuses the user; or it went away before the session ended.
            NoTables: nothing has been loaded yet (``read_only``).
            SchemaMismatch: the tables were made by another version of the schema.
        """
        if self.directory is None:
            with self._server(read_only) as client:
                yield client
            return
        if read_only and not self.directory.exists():
            raise NoTables(f"no tables in {self.directory} yet: load videos with `kadr ingest`")
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        lock = _Lock(self.directory.with_name(self.directory.name + ".lock"), self)
        with lock.held(reason):
            client = self._open_embedded(self.directory)
            try:
                migrate(client)
                if read_only:
                    make_read_only(client)
                yield client
            finally:
                client.close()

    @contextmanager
    def _server(self, read_only: bool) -> Iterator[Client]:
        from clickhouse_connect.driver.exceptions import Error

        # A person waits for what only reads, and is told at once.
        client = self._connect_server(() if read_only else RECONNECT_S, read_only)
        try:
            if read_only:
                make_read_only(client)
            else:
                migrate(client)
            yield client
        except Error as error:
            if not _is_of_transport(error):
                raise
            raise self._cannot_connect(error, "lost the connection") from error
        finally:
            client.close()

    def _connect_server(self, pauses_s: tuple[float, ...], read_only: bool) -> Client:
        """Connect; a server that does not answer is asked again after each pause."""
        from clickhouse_connect.driver.exceptions import Error

        try:
            return self._connect_once(read_only)
        except Error as error:
            if not (pauses_s and _is_of_transport(error)):
                raise self._cannot_connect(error) from error
            self.on_wait(f"waiting for {self.label}: {_reason(error)}")
        time.sleep(pauses_s[0])
        return self._connect_server(pauses_s[1:], read_only)

    def _connect_once(self, read_only: bool) -> Client:
        """A database that is not there is made, unless the session only reads."""
        from clickhouse_connect.driver.exceptions import Error

        # No session id: statements of one client may run side by side.
        interface = _SERVER_INTERFACES[urlsplit(self.url).scheme]
        target = {"dsn": self.url, "interface": interface, "autogenerate_session_id": False}
        target["send_receive_timeout"] = WAIT_S  # a statement may take minutes, as `WAIT_S` says
        try:
            return _client(**target)
        except Error as error:
            if error.code != UNKNOWN_DATABASE or read_only:
                raise
        _create_database(target, urlsplit(self.url).path.strip("/"))
        return _client(**target)

    def _cannot_connect(self, error: Error, what: str = "cannot connect") -> CannotConnect:
        """The error for people; where the server is away, with what to do."""
        if not _is_of_transport(error):
            return CannotConnect(f"{what} to {self.label}: {_message(error)}")
        if isinstance(_innermost(error), TimeoutError):
            return CannotConnect(f"{what} to {self.label} (KADR_CLICKHOUSE_URL): no answer in time")
        return CannotConnect(
            f"{what} to {self.label} (KADR_CLICKHOUSE_URL): {_reason(error)}. "
            "Start ClickHouse again; the same command goes on from here"
        )

    def _open_embedded(self, directory: Path) -> Client:
        """Open the engine; a program that came in past our lock is waited for."""
        from clickhouse_connect.driver.exceptions import ProgrammingError

        told, until = False, time.monotonic() + self.wait_s
        while True:
            try:
                return _client(interface="chdb", path=str(directory))
            except ProgrammingError as error:
                if not _is_open_elsewhere(directory):
                    why = _message(error).partition("\n")[0]
                    raise EngineDamaged(
                        f"the tables in {directory} can't be opened ({why}): `kadr doctor --mend` "
                        "moves them aside, then `kadr ingest SOURCE` loads them again"
                    ) from error
                cause = error
            if not told:
                self.on_wait(f"waiting: {directory} is open in another program")
                told = True
            while _is_open_elsewhere(directory):
                if time.monotonic() > until:
                    raise EngineBusy(f"{directory} is open in another program") from cause
                time.sleep(POLL_S)


def _is_open_elsewhere(directory: Path) -> bool:
    """Whether another process holds the engine's own lock, on the file ``status``.

    The engine says so ("Code: 76") on standard error alone; what it raises names no reason.
    """
    try:
        with (directory / "status").open("rb") as status:
            return not _try_lock(status.fileno())
    except FileNotFoundError:
        return False


def _create_database(target: dict[str, Any], name: str) -> None:
    client = _client(**target | {"database": "default"})
    try:
        client.command(f"CREATE DATABASE IF NOT EXISTS {sql.quote(name)}")
    finally:
        client.close()


def _client(**target: Any) -> Client:
    import clickhouse_connect

    return clickhouse_connect.get_client(**target, tz_mode="aware", show_clickhouse_errors="scrub")


@dataclass(frozen=True)
class _Lock:
    """The file lock beside the directory. The kernel frees it when its holder dies."""

    path: Path
    owner: ClickHouse

    @contextmanager
    def held(self, reason: str) -> Iterator[None]:
        # Never deleted: two processes must not hold locks on two files of one name.
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        me = {**_me(), "reason": reason}
        try:
            self._take(handle)
            os.ftruncate(handle, 0)  # what a killed holder left
            os.pwrite(handle, json.dumps(me).encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(handle, 0)
                # Said aloud: closing frees the lock only when no forked child shares the handle.
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)

    def _take(self, handle: int) -> None:
        start, tell_at = time.monotonic(), TELL_AFTER_S
        while not _try_lock(handle):
            waited, holder = time.monotonic() - start, _holder(handle)
            if holder.items() >= _me().items():
                raise RuntimeError("this thread already has a session open: use that one")
            who = f"process {holder.get('pid', '?')} ({holder.get('reason', 'starting')})"
            if waited > self.owner.wait_s:
                raise EngineBusy(f"waited {waited:.0f} s for {self.path.stem}: held by {who}")
            if waited > tell_at:
                self.owner.on_wait(f"waiting for {self.path.stem}: held by {who}")
                tell_at += REPEAT_S
            time.sleep(POLL_S)


def _me() -> dict[str, int]:
    return {"pid": os.getpid(), "thread": threading.get_native_id()}


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
    except ValueError:  # the holder is just writing its name
        return {}
    return holder if isinstance(holder, dict) else {}


def make_read_only(client: Client) -> None:
    """From here on the client refuses what writes to a table; ``SETTINGS`` stay allowed."""
    if client.get_client_setting("readonly") is None:
        client.set_client_setting("readonly", 2)


def migrate(client: Client) -> list[str]:
    """Apply the schema files that were not applied yet and the views whose text changed.

    A second call changes nothing. Every statement of a schema file must be repeatable, so that a
    migration that was killed half way is simply run again.

    Returns:
        The names of what was applied.

    Raises:
        SchemaMismatch: an applied file was changed since, or is unknown to this version.
    """
    applied = _applied(client)
    files = sql.migrations()
    _check_applied(files, applied)
    done = []
    for file in [*files, *sql.views()]:
        if applied.get(file.name) != file.sha256:
            _apply(client, file)
            done.append(file.name)
    return done


def _applied(client: Client) -> dict[str, str]:
    there = client.query(sql.statement("load/table_exists"), parameters={"table": "migrations"})
    if not there.result_rows[0][0]:
        return {}
    rows = client.query(sql.statement("load/applied")).result_rows
    return {str(row[0]): str(row[1]) for row in rows}


def _check_applied(files: list[sql.SqlFile], applied: dict[str, str]) -> None:
    known = {file.name: file.sha256 for file in files}
    for name in sorted(n for n in applied if n.startswith("schema/")):
        if name not in known:
            raise SchemaMismatch(
                f"the tables were made by a newer version: {name} is unknown here. Upgrade first"
            )
        if known[name] != applied[name]:
            raise SchemaMismatch(
                f"sql/{name}.sql was changed after it was applied: "
                "restore it and put the change into a new file with the next number"
            )


def _apply(client: Client, file: sql.SqlFile) -> None:
    for statement in file.statements():
        client.command(statement)
    record = {"number": file.number, "name": file.name, "sha256": file.sha256}
    client.command(sql.statement("load/record_migration"), parameters=record)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the driver's errors into ``QueryFailed``: what is wrong, without codes said twice.

    That the server went away is for the session to say.
    """
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except Error as error:
        if _is_of_transport(error):
            raise
        raise QueryFailed(f"{_message(error)}{_HINTS.get(error.code or 0, '')}") from error


def _message(error: Exception) -> str:
    return str(error).rpartition("DB::Exception:")[2].strip() or str(error)


def _is_of_transport(error: Error) -> bool:
    """Whether nothing, or not all of an answer came from the server: it has no code then."""
    from clickhouse_connect.driver.exceptions import OperationalError

    return isinstance(error, OperationalError) and error.code is None


def _reason(error: BaseException) -> str:
    """What the system said; the driver and its HTTP library wrap it."""
    innermost = _innermost(error)
    return getattr(innermost, "strerror", None) or str(innermost)


def _innermost(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
