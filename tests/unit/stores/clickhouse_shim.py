"""ClickHouse's HTTP interface as far as our client uses it, on loopback over the embedded engine.

It is a shim, not a server: it shows that our statements and inserts survive the way over HTTP, and
nothing about how a server would behave. Run as a program it serves a directory on the port that is
given, or on a free one, prints the port, and ends when its standard input closes.
"""

from __future__ import annotations

import email
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# What the client says to the HTTP layer; everything else in the URL is a setting of the query.
_TRANSPORT = {
    "query", "database", "session_id", "query_id", "wait_end_of_query", "compress", "decompress",
    "client_protocol_version", "enable_http_compression", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "default_format", "buffer_size",
}  # fmt: skip
_INSERT = re.compile(r"\s*(INSERT INTO .+) FORMAT (Arrow|Native)\s*", re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_LIMIT_S = 60


class Shim:
    """A process that serves a directory. Killed and started again, it has its port and rows."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._port = directory, 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What ``KADR_CLICKHOUSE_URL`` takes."""
        return f"clickhouse://user:secret@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [sys.executable, __file__, str(self._directory), str(self._port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it as the system would for want of memory: what it was doing stays half done."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def stop(self) -> None:
        """End it, if it is running: it serves until its standard input closes."""
        if self._process is not None:
            self._process.communicate(timeout=_LIMIT_S)
            self._process = None


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Serve the directory from a process of its own; gives the URL."""
    shim = Shim(directory)
    shim.start()
    try:
        yield shim.url
    finally:
        shim.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = ""

    def setup(self) -> None:
        super().setup()
        # Without it every small answer waits 40 ms for the client's delayed acknowledgement.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output clean."""

    def do_POST(self) -> None:
        arguments = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = b"".join(self._body())
        if self.headers.get("Content-Encoding"):
            self._answer(501, b"the shim takes no compressed bodies", {})
            return
        if self.headers.get_content_maintype() == "multipart":
            arguments, body = arguments | self._form(body), b""
        try:
            answer, form = self._run(arguments, body)
        except RuntimeError as error:
            code = re.search(r"Code: (\d+)", str(error))
            headers = {"X-ClickHouse-Exception-Code": code.group(1) if code else "1002"}
            self._answer(500, str(error).encode(), headers)
        else:
            self._answer(200, answer, {"X-ClickHouse-Format": form} if answer else {})

    def _body(self) -> Iterator[bytes]:
        yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

    def _form(self, body: bytes) -> dict[str, str]:
        """The fields of a form: so the client sends parameters that are long for a URL."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts: Any = email.message_from_bytes(head + body).get_payload()
        names = [part.get_param("name", header="content-disposition") for part in parts]
        values = [part.get_payload(decode=True).decode() for part in parts]
        return dict(zip(names, values, strict=True))

    def _run(self, arguments: dict[str, str], body: bytes) -> tuple[bytes, str]:
        import chdb

        connection = chdb.connect(self.directory)
        try:
            if arguments.get("database"):
                connection.query(f"USE `{arguments['database']}`")
            settings = {k: v for k, v in arguments.items() if k not in _TRANSPORT}
            parameters = {k[6:]: settings.pop(k) for k in list(settings) if k.startswith("param_")}
            for name in sorted(settings, key="readonly".__eq__):  # once read-only, no more SET
                connection.query(f"SET {name} = '{settings[name]}'")
            return self._execute(connection, arguments.get("query", ""), body, parameters)
        finally:
            connection.close()

    @staticmethod
    def _execute(
        connection: Any, query: str, body: bytes, parameters: dict[str, str]
    ) -> tuple[bytes, str]:
        insert = _INSERT.fullmatch(query)  # its rows are the body
        if insert:
            with tempfile.NamedTemporaryFile() as file:
                file.write(body)
                file.flush()
                connection.query(f"{insert[1]} FROM INFILE '{file.name}' FORMAT {insert[2]}")
            return b"", ""
        text = query or body.decode()
        found = _FORMAT.search(text)
        form = found[1] if found else "TabSeparated"
        return connection.query(text, form, params=parameters).bytes() or b"", form

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"X-ClickHouse-Summary": "{}", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _serve(directory: str, port: int) -> None:
    import chdb

    keeps_engine_open = chdb.connect(directory)
    _Handler.directory = directory
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()
    keeps_engine_open.close()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
