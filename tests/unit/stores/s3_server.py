"""The S3 protocol over loopback: moto's server in a thread of the test's process.

A test module that wants it imports both fixtures, ``s3_bucket`` and ``s3_server``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own for a test: its name, a boto3 client, and the options for our code."""

    name: str
    client: Any
    options: dict[str, str]

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of a server that lives as long as the tests."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str) -> Iterator[Bucket]:
    """An empty bucket."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"library-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    options = {
        "aws_endpoint": s3_server,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "aws_region": "us-east-1",
        "allow_http": "true",
        "max_retries": "0",
    }
    yield Bucket(name, client, options)
    client.close()
