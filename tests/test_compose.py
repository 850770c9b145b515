"""What deploys: the compose file against its schema, and everything that it calls against what there is."""

from __future__ import annotations

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream.configuration import load
from stream.contracts.topics import ALL
from stream.ops import probe
from stream.sinks.document import FIELDS, VOLATILE
from tests.cli.known import parse

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "loyalty-stream"}


def schema() -> dict[str, Any]:
    """The compose specification's own schema, as check-jsonschema ships it."""
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def test_the_compose_file_is_valid_by_the_compose_schema() -> None:
    validator = jsonschema.Draft7Validator(schema())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(COMPOSE)] == []


def test_the_schema_would_notice_a_mistake() -> None:
    broken = COMPOSE | {"services": SERVICES | {"web": SERVICES["web"] | {"helthcheck": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema()).validate(broken)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_in_it_is_one_that_exists(name: str) -> None:
    assert parse(SERVICES[name]["command"])


def test_every_role_has_a_service() -> None:
    assert {parse(service["command"]) for service in OURS.values()} == {
        "topics apply",
        "poll",
        "worker",
        "sink firestore",
        "sink notify",
        "web",
    }


@pytest.mark.parametrize("name", sorted(OURS))
def test_its_environment_is_a_configuration(name: str) -> None:
    environ = {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for key, value in SERVICES[name]["environment"].items()}
    given = environ | {"ALLEAVES_PASSWORD": "x", "ALPINE_IQ_API_KEY": "x"}
    configuration = load(ROOT / "loyalty.example.toml", given)
    assert (configuration.kafka.bootstrap, configuration.kafka.replicas) == ("kafka:9092", 1)
    assert (configuration.firestore.project, configuration.ops.port) == ("loyalty-local", 9464)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_restarts_and_all_but_the_one_that_ends_is_watched(name: str) -> None:
    service = SERVICES[name]
    if name == "topics":
        assert (service["restart"], service["healthcheck"]) == ("on-failure", {"disable": True})
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_health_check_asks_where_the_role_answers(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if "test" in check:
        port = 8080 if name == "web" else int(SERVICES[name]["environment"]["LOYALTY_OPS__PORT"])
        assert check["test"] == ["CMD", "python", "-m", probe.__name__, f"http://127.0.0.1:{port}/readyz"]


def test_what_it_refers_to_is_there() -> None:
    volumes = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert volumes == set(COMPOSE["volumes"])
    assert {name for service in SERVICES.values() for name in service.get("depends_on", ())} <= set(SERVICES)
    assert {config["source"] for service in OURS.values() for config in service["configs"]} == set(COMPOSE["configs"])


def test_kafka_is_pinned_to_a_version_without_known_holes() -> None:
    [version] = re.findall(r"^apache/kafka:(\d+)\.(\d+)\.(\d+)$", SERVICES["kafka"]["image"])
    assert tuple(map(int, version)) >= (4, 1, 2), "CVE-2026-33557"
    assert len(ALL) > 0
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_the_image_is_made_of_what_is_there_and_calls_the_program() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in allowed
    assert 'ENTRYPOINT ["loyalty"]' in text
    environ = dict(re.findall(r"(LOYALTY_\w+)=(\S+)", text))
    assert load(ROOT / "loyalty.example.toml", environ | {"ALLEAVES_PASSWORD": "x", "ALPINE_IQ_API_KEY": "x"})


def test_the_systemd_unit_starts_a_command_that_exists() -> None:
    text = (ROOT / "deploy/loyalty.service").read_text(encoding="utf-8")
    [line] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *words = shlex.split(line)
    assert (Path(program).name, parse(words)) == ("loyalty", "up")


def test_fields_that_change_with_every_write_are_exempt_from_firestore_indexes() -> None:
    read = json.loads((ROOT / "deploy/firestore.indexes.json").read_text(encoding="utf-8"))
    exempt = {override["fieldPath"] for override in read["fieldOverrides"] if override["indexes"] == []}
    assert exempt == VOLATILE
    assert exempt <= set(FIELDS)
