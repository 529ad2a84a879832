"""docker-compose.yml and the Dockerfile, as far as they can be checked without an engine."""

import json
import re
import shlex
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings

ROOT = Path(__file__).parents[2]
SERVICES = {"application", "migrate", "postgres", "valkey"}
LASTING = SERVICES - {"migrate"}
"""Services that keep running; ``migrate`` ends when its work is done."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))


def environment(service: dict[str, Any]) -> dict[str, str]:
    given = service.get("environment", {})
    return dict(pair.split("=", 1) for pair in given) if isinstance(given, list) else given


def test_the_services_are_there_with_pinned_images(compose: dict[str, Any]) -> None:
    assert compose["services"].keys() == SERVICES
    for name, service in compose["services"].items():
        _, _, tag = service["image"].partition(":")
        assert re.match(r"\d", tag), f"{name} must name a version, not {service['image']}"


def test_every_lasting_service_says_whether_it_is_healthy(compose: dict[str, Any]) -> None:
    for name in LASTING:
        check = compose["services"][name]["healthcheck"]
        assert check["test"][0] == "CMD", name
        assert {"interval", "timeout", "retries"} <= check.keys(), name
        assert compose["services"][name]["restart"] == "unless-stopped"


def test_the_application_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    waits = services["application"]["depends_on"]
    assert {name: wait["condition"] for name, wait in waits.items()} == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "valkey": "service_healthy",
    }
    assert services["migrate"]["command"] == ["minyi", "migrate", "up"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_every_setting_it_gives_exists(compose: dict[str, Any]) -> None:
    known = {f"MINYI_{name.upper()}" for name in Settings.model_fields}
    for name in ("application", "migrate"):
        assert environment(compose["services"][name]).keys() <= known
    url = environment(compose["services"]["application"])["MINYI_DATABASE_URL"]
    assert url.startswith("postgresql+asyncpg://")
    assert "@postgres/" in url


def test_the_proxy_on_the_host_is_believed_and_nobody_else_on_the_network(
    compose: dict[str, Any],
) -> None:
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    given = environment(compose["services"]["application"])["MINYI_TRUSTED_PROXIES"]
    assert json.loads(given) == ["127.0.0.1", network["gateway"]]
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])
    assert all("networks" not in service for service in compose["services"].values())


def test_no_secret_stands_in_the_file_and_no_database_is_published(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in environment(service).items():
            if re.search("PASSWORD|SECRET|KEY$", key):  # the folder of keys is none
                assert str(value).startswith("${"), (name, key)
    services = compose["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["application"]
    assert services["application"]["ports"] == ["127.0.0.1:8000:8000"]
    assert services["application"]["env_file"] == "var/minyi.env"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/var/", "/.env"} <= set(ignored)


def test_data_lives_in_named_volumes(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"]


def dockerfile() -> list[tuple[str, list[str]]]:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(word, shlex.split(rest)) for word, rest in lines]


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    shown = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    sources = [source for word, rest in dockerfile() if word == "COPY" for source in rest[:-1]]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == shown


def test_the_image_is_pinned_small_and_runs_without_rights() -> None:
    steps = dockerfile()
    assert [rest for word, rest in steps if word == "FROM"] == [["python:3.11-slim"]]
    assert [rest for word, rest in steps if word == "USER"] == [["minyi"]]
    assert steps.index(("USER", ["minyi"])) < next(
        index for index, (word, _) in enumerate(steps) if word == "CMD"
    )
    installs = [rest for word, rest in steps if word == "RUN" and "pip" in rest]
    assert installs
    assert all("tests/constraints.txt" in rest for rest in installs)
