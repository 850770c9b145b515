"""The OpenAPI document: it is the committed one, and Schemathesis finds nothing that contradicts it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from stream.contracts.access import Role
from stream.web.app import described
from stream.web.describe import as_yaml
from tests.web.test_lists import many
from tests.web.world import World, token_of, world_of

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"
EXAMPLES = 5
"""Per operation and role: enough for each parameter's edges, few enough for every day."""
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENDLESS = "/api/v1/orgs/{org}/alerts/stream"


def test_the_committed_document_is_that_of_the_code() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == as_yaml(), "run `python -m stream.web.describe`"


def test_every_operation_has_a_name_a_description_and_its_failures() -> None:
    paths: dict[str, dict[str, Any]] = yaml.safe_load(as_yaml())["paths"]
    names: Counter[str] = Counter()
    for path, operations in paths.items():
        for method, operation in operations.items():
            names[operation["operationId"]] += 1
            assert operation["description"].endswith("."), f"{method} {path}"
            assert {"401", "404", "422", "429", "503"} <= set(operation["responses"]), f"{method} {path}"
            assert path == "/api/v1/session" or operation["security"] == [{"key": []}, {"session": []}]
    assert names.most_common(1)[0][1] == 1


def test_every_list_can_be_exported() -> None:
    found: dict[str, Any] = yaml.safe_load(as_yaml())
    lists = {name for name, schema in found["components"]["schemas"].items() if "items" in schema.get("properties", {})}
    answers = {path: operations["get"] for path, operations in found["paths"].items() if "get" in operations}
    listing = [path for path, each in answers.items() if any(f"/{name}'" in str(each["responses"]) for name in lists)]
    exported = [
        path for path, each in answers.items() if "export" in {one["name"] for one in each.get("parameters", [])}
    ]
    assert len(listing) == len(lists) == 13
    assert listing == exported


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("openapi"), many())


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Hypothesis reads sources all the time. CPython 3.11 fails in `ast.parse` when a collection in the middle of it
    finalises something that parses as well ("AST constructor recursion depth mismatch")."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def tolerant() -> SchemathesisConfig:
    """Valid by the schema may still be refused: a cursor that no list gave, settings that contradict each other, a
    precondition that does not hold."""
    refused = ["2xx", "400", "401", "403", "404", "409", "412", "413", "422", "428", "429"]
    return SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": refused}}})


def operations(world: World) -> list[APIOperation]:
    api = schemathesis.openapi.from_dict(world.app.openapi(), config=tolerant())
    api.app = world.app
    return [found.ok() for found in api.exclude(path=ENDLESS).get_all_operations()]


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("role", [None, *Role])
def test_the_api_keeps_to_its_document(world: World, role: Role | None) -> None:
    headers = {"Authorization": f"Bearer {token_of(role.value)}"} if role else {}
    tried = operations(world)
    for operation in tried:

        @given(case=operation.as_strategy())
        @BOUNDED
        def keeps(case: Case) -> None:
            world.clock.now += 60_001  # so that failures and attempts are not too many
            case.call_and_validate(headers=headers)

        keeps()
    assert len(tried) > 35


def test_the_checks_are_all_of_them() -> None:
    assert {"not_a_server_error", "status_code_conformance", "response_schema_conformance", "ignored_auth"} <= {
        check.__name__ for check in CHECKS.get_all()
    }
    assert described().openapi()["openapi"].startswith("3.1")
