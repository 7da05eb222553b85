"""Settings come from KADR_* variables, are typed, and a misspelt one is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.definitions import resources
from orchestration.settings import from_environment


def test_nothing_set_means_embedded_below_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = from_environment({})
    assert settings.profile == "embedded"
    assert settings.data_root == str(tmp_path / "data")
    assert settings.clickhouse == f"chdb://{tmp_path / 'data' / 'clickhouse'}"
    assert settings.dagster_home == tmp_path / "data" / "dagster"


def test_object_store_data_keeps_local_state_apart(tmp_path: Path) -> None:
    settings = from_environment({"KADR_DATA": "s3://b/p", "KADR_STATE": str(tmp_path)})
    assert settings.data_root == "s3://b/p"
    assert settings.state_dir == tmp_path


def test_two_remote_libraries_do_not_share_their_local_state() -> None:
    states = {
        from_environment({"KADR_DATA": url}).state_dir for url in ("s3://b/a-b", "s3://b/a/b")
    }
    assert len(states) == 2


def test_values_are_typed() -> None:
    settings = from_environment(
        {"KADR_BATCH_SIZE": "7", "KADR_STORAGE_OPTIONS": '{"aws_region": "ru-1"}'}
    )
    assert settings.batch_size == 7
    assert settings.storage_options == {"aws_region": "ru-1"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KADR_BATCH_SIZE", "many", "KADR_BATCH_SIZE must be int, not 'many'"),
        ("KADR_STORAGE_OPTIONS", "[1]", "KADR_STORAGE_OPTIONS must be a JSON object"),
        ("KADR_PROFIL", "full", "unknown setting KADR_PROFIL"),
        ("KADR_ALLOW_HOSTS", "https://a.org", "KADR_ALLOW_HOSTS: expected hosts such as"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        from_environment({name: value})


def test_limits_of_downloads_reach_the_library() -> None:
    settings = from_environment(
        {
            "KADR_MAX_SOURCE_BYTES": "7",
            "KADR_MIN_SOURCE_RATE": "8",
            "KADR_MIN_FREE_BYTES": "9",
            "KADR_ALLOW_HOSTS": "A.org, s3://Films",
            "KADR_BATCH_ATTEMPTS": "5",
        }
    )
    limits = resources(settings)["library"].limits
    assert (limits.max_bytes, limits.min_bytes_per_s, limits.min_free_bytes) == (7, 8, 9)
    assert limits.allow_hosts == ("a.org", "s3://Films")
    assert resources(settings)["decoding"].attempts == 5
