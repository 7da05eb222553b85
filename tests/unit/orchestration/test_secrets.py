"""No password, key or signature is in Dagster's database, on its pages, in a log or in an error."""

from __future__ import annotations

import os
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url

from assets.source.errors import CatalogueError, SourceError
from assets.stores.clickhouse import CannotConnect, ClickHouse
from assets.stores.storage import Storage
from ml.redaction import percent_encoded, shown
from orchestration.cli import cli
from orchestration.definitions import build_defs, resources
from orchestration.instance import prepare
from orchestration.settings import SECRET, Settings, from_environment, settled

CANARY = "c4n4ry"
# Nobody listens on port 1 of loopback.
SOURCE = f"http://me:{CANARY}1@127.0.0.1:1/catalogue.csv?X-Amz-Signature={CANARY}2"
OPTIONS = {
    "aws_access_key_id": "me",
    "aws_secret_access_key": f"{CANARY}3",
    "aws_session_token": f"{CANARY}4",
    "proxy_url": f"http://me:{CANARY}5@127.0.0.1:1",
    "max_retries": "0",
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DAGSTER_HOME", "OMP_THREAD_LIMIT"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return Settings(
        data=str(tmp_path),
        clickhouse_url=f"clickhouse://me:{CANARY}6@127.0.0.1:1/kadr",
        postgres_url=f"postgresql://me:{CANARY}7@127.0.0.1:1/kadr",
        storage_options=OPTIONS,
        source=SOURCE,
    )


def test_what_dagsters_pages_show_of_the_repository_holds_no_secret(settings: Settings) -> None:
    repository = build_defs(settings).get_repository_def()
    snapshot = serialize_value(RepositorySnap.from_def(repository))
    assert "clickhouse" in snapshot  # it is the whole of it
    assert CANARY not in snapshot


@pytest.mark.parametrize("job", ["batch", "library", "list_source", "morning_checks"])
def test_a_jobs_snapshot_holds_no_secret(settings: Settings, job: str) -> None:
    snapshot = build_defs(settings).resolve_job_def(job).get_job_snapshot()
    assert CANARY not in serialize_value(snapshot)


def test_resources_and_settings_show_no_secret(settings: Settings) -> None:
    assert CANARY not in repr(settings)
    assert CANARY not in repr(resources(settings))
    assert resources(settings)["library"].storage_options == OPTIONS
    assert resources(settings)["tables"].url == settings.clickhouse_url


def test_a_malformed_secret_is_named_and_not_printed() -> None:
    with pytest.raises(ValueError, match="KADR_STORAGE_OPTIONS must be a JSON object") as raised:
        from_environment({"KADR_STORAGE_OPTIONS": f'{{"aws_secret_access_key": {CANARY}'})
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_command_prints_no_secret_of_its_source(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("KADR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KADR_DATA", settings.data)
    monkeypatch.setenv("KADR_STORAGE_OPTIONS", '{"max_retries": "0"}')
    done = CliRunner().invoke(cli, ["ingest", SOURCE])
    assert isinstance(done.exception, SourceError)
    assert CANARY not in done.output + str(done.exception)


# Signs that end an address, or a part of one, for whoever parses it.
@pytest.mark.parametrize("sign", list("#/?@%:&= ё"))
def test_a_password_may_hold_every_sign(sign: str) -> None:
    url = f"clickhouse://me:{CANARY}{sign}x@127.0.0.1:8123/kadr"
    server = ClickHouse(url)
    assert server.label == "clickhouse://127.0.0.1:8123/kadr"
    assert make_url(server.url).password == f"{CANARY}{sign}x"


def test_what_is_encoded_already_stays_as_it_is() -> None:
    url = "clickhouse://me:a%23b@host:8123/kadr"
    assert percent_encoded(url) == url
    assert percent_encoded("chdb:///data/a b") == "chdb:///data/a b"


@pytest.mark.parametrize("url", [f"clickhouse://me:{CANARY}#x", f"http://h:{CANARY}/kadr"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="has none of these forms") as raised:
        ClickHouse(url)
    assert CANARY not in str(raised.value)


def test_errors_of_a_source_show_where_it_is_and_nothing_else() -> None:
    text = f"cannot read {SOURCE}: no answer"
    assert str(SourceError(text)) == ("cannot read http://…@127.0.0.1:1/catalogue.csv?…: no answer")
    assert CANARY not in str(CatalogueError(SOURCE, [f"row 2: uri {SOURCE!r} cannot be read"]))
    plain = "s3://bucket/a video?#1.mp4 and https://host/@user/clip.mp4"
    assert shown(plain) == plain


def test_secrets_may_stand_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(sorted(SECRET)):
        value = (
            '{"aws_region": "ru-1"}' if name == "KADR_STORAGE_OPTIONS" else f"postgresql://{number}"
        )
        (tmp_path / name).write_text(value + "\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KADR_DATA", str(tmp_path))
    settings = settled()
    assert settings.storage_options == {"aws_region": "ru-1"}
    assert settings.clickhouse == "postgresql://0"
    # Dagster reads this one by itself.
    assert os.environ["KADR_POSTGRES_URL"] == settings.postgres_url != ""


def test_a_file_of_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"KADR_SOURCE_FILE: cannot read .*: No such file"):
        from_environment({"KADR_SOURCE_FILE": str(tmp_path / "absent")})
    with pytest.raises(ValueError, match="both set"):
        (tmp_path / "there").write_text("x")
        from_environment({"KADR_SOURCE_FILE": str(tmp_path / "there"), "KADR_SOURCE": "y"})


def test_servers_that_do_not_answer_are_named_without_what_they_are_asked_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.stores.clickhouse.RECONNECT_S", ())
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(CannotConnect) as tables, ClickHouse(settings.clickhouse).session("testing"):
        pytest.fail("connected to nothing")
    endpoint = {"aws_endpoint": "http://127.0.0.1:1", "allow_http": "true", "aws_region": "ru-1"}
    with pytest.raises(OSError, match="cannot read s3://bucket/key") as objects:
        Storage("s3://bucket", OPTIONS | endpoint).read_bytes("key")
    for raised in (tables, objects):
        assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_every_setting_that_may_hold_a_secret_is_known_as_one() -> None:
    expected = {"KADR_CLICKHOUSE_URL", "KADR_POSTGRES_URL", "KADR_SOURCE", "KADR_STORAGE_OPTIONS"}
    assert expected == SECRET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KADR_DATA", f"s3://key:{CANARY}@bucket/kadr"),
        ("KADR_KNOWN_PEOPLE", f"s3://bucket/faces?X-Amz-Signature={CANARY}"),
        ("KADR_TRANSLATION_MODEL", f"https://me:{CANARY}@host/model"),
    ],
)
def test_a_setting_that_pages_show_refuses_a_password(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} holds a user, a password or a sig") as raised:
        from_environment({name: value})
    assert CANARY not in str(raised.value)


def test_postgresql_gets_an_address_that_every_parser_reads_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KADR_DATA", str(tmp_path))
    monkeypatch.setenv("KADR_POSTGRES_URL", f"postgresql://me:a@{CANARY}#/?%x@127.0.0.1:1/kadr")
    settled()
    url = os.environ["KADR_POSTGRES_URL"]
    assert make_url(url).password == parse_dsn(url)["password"] == f"a@{CANARY}#/?%x"
    assert parse_dsn(url)["host"] == make_url(url).host == "127.0.0.1"


def test_a_password_without_a_host_is_not_taken_for_a_port(settings: Settings) -> None:
    with pytest.raises(ValueError, match="must be postgresql://user:password@host") as raised:
        prepare(replace(settings, postgres_url=f"postgresql://me:{CANARY}/kadr"))
    assert CANARY not in str(raised.value)
