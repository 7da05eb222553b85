"""The Compose files: valid, documented, and without rights that nobody needs.

They were not run here: the pipeline's tests start the same commands by hand.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

from orchestration.settings import PREFIX, Settings

ROOT = Path(__file__).parents[3]
FILES = ("docker-compose.yml", "docker-compose.gpu.yml")
OURS = {"code", "webserver", "daemon"}
_VARIABLE = re.compile(r"\$\{(\w+)")
_SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}


def _read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


def _errors(document: dict[str, Any]) -> list[str]:
    schema = get_builtin_schema("vendor.compose-spec")
    return [error.message for error in validator_for(schema)(schema).iter_errors(document)]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(_read("docker-compose.yml")["services"])


@pytest.mark.parametrize("name", FILES)
def test_the_file_keeps_to_the_compose_specification(name: str) -> None:
    assert _errors(_read(name)) == []


def test_a_misspelt_key_would_be_noticed() -> None:
    wrong = {"services": {"code": {"image": "kadr", "depend_on": ["postgres"]}}}
    assert any("depend_on" in error for error in _errors(wrong))


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_explained_in_the_example(name: str) -> None:
    example = (ROOT / ".env.example").read_text()
    explained = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    assert set(_VARIABLE.findall((ROOT / name).read_text())) <= explained
    assert {v for v in explained if v.startswith(PREFIX)} <= _SETTINGS


@pytest.mark.parametrize("name", FILES)
def test_every_setting_is_one_that_the_code_reads(name: str) -> None:
    used = {
        variable
        for service in _read(name)["services"].values()
        for variable in service.get("environment", {})
        if variable.startswith(PREFIX)
    }
    assert used
    assert used <= _SETTINGS
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(rf"({PREFIX}[A-Z_]+)=", dockerfile)) <= _SETTINGS


def test_every_secret_comes_from_the_environment_and_must_be_given(
    services: dict[str, dict[str, Any]],
) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if "PASSWORD" in name or "_URL" in name:
                assert re.search(r"\$\{\w+:\?", value), f"{name} has a password of its own"
    example = (ROOT / ".env.example").read_text()
    assert re.findall(r"^\w*PASSWORD=(.*)$", example, re.MULTILINE) == ["", ""]


def test_no_service_is_root_or_has_rights_over_the_host(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert not re.match(r"(0|root)?(:|$)", str(service.get("user", ""))), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & set(service), name
        assert not [v for v in service["volumes"] if "docker.sock" in v], name
    assert {
        name for name, service in services.items() if service.get("cap_drop") == ["ALL"]
    } == OURS
    assert re.search(r"^USER \d+", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_every_service_tells_whether_it_is_well_and_comes_back(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, f"{name} on {other}"


def test_what_must_last_lies_in_named_volumes(services: dict[str, dict[str, Any]]) -> None:
    named = set(_read("docker-compose.yml")["volumes"])
    used = {
        volume.partition(":")[0] for service in services.values() for volume in service["volumes"]
    }
    assert named <= used
    assert all(name in named or name.startswith("$") for name in used)


def test_only_dagsters_pages_are_published_and_to_this_host_alone(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"webserver": ["${WEB_ADDRESS:-127.0.0.1:3000}:3000"]}


def test_gpus_are_reserved_for_the_code_location_only() -> None:
    services = _read("docker-compose.gpu.yml")["services"]
    (device,) = services["code"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert [name for name, service in services.items() if "deploy" in service] == ["code"]


def test_the_image_is_given_all_it_copies_and_nothing_secret() -> None:
    given = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = re.findall(
        r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    wanted = {name for line in copied for name in line.split()}
    assert wanted == given
    assert all((ROOT / name).exists() for name in wanted)
