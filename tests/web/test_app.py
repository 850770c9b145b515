"""The web role's API over views."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream.contracts.cases import Case, CaseState, CaseStep
from stream.contracts.profiles import Verdict
from stream.contracts.runs import ProviderUnavailable, RunCompleted, RunKind, Tally
from stream.contracts.settings import OrgSettings
from stream.errors import Unreachable
from stream.ops.endpoints import operations_routes
from stream.ops.health import NEEDS, Health, Role
from stream.ops.metrics import Metrics
from stream.sinks.views.read import Views
from stream.web.app import create_app
from tests.sinks.records import AT, ORG, a_profile, case_record, profile_record, run_record, settings_record
from tests.sinks.views_file import views_of

RUN = f"{ORG}:daily:first"
MATCHED: dict[str, Any] = {
    "verdict": Verdict.MATCHED,
    "points_from_alpine": 475,
    "discrepancy": 25,
    "balance_as_of": AT,
}
CASE = Case(
    id="7/1",
    number=1,
    state=CaseState.OPEN,
    opened_at=AT,
    ours=449,
    provider=500,
    difference=51,
    alerted_points=51,
    history=(CaseStep("opened", AT, "accounts"),),
)


class Follower:
    """Says what it is told to."""

    def __init__(self, *, ready: bool = True, reachable: bool = True) -> None:
        self.ready = ready
        self._reachable = reachable

    async def lag(self) -> int:
        if not self._reachable:
            raise Unreachable("Kafka does not answer")
        return 3


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return views_of(
        tmp_path / "views.db",
        [settings_record(1, OrgSettings())],
        [profile_record("3528", a_profile(450, calculated_at=AT, **MATCHED)), profile_record("8", a_profile(40))],
        [profile_record("7", a_profile(449, verdict=Verdict.DISCREPANCY, points_from_alpine=500, discrepancy=51))],
        [case_record("7", CASE), run_record(ProviderUnavailable(AT, "HTTP 503"))],
        [run_record(RunCompleted(RUN, RunKind.DAILY, AT - 9, AT, Tally(customers=3), {"orders": 9}))],
    )


@pytest.fixture
async def client(views: Views) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(views, Follower()) as client:
        yield client


def client_of(views: Views, follower: Follower) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(views, follower)), base_url="http://test")


async def test_the_figures_are_those_of_the_brief(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/loyalty/sync", params={"orgId": ORG})
    assert answer.json() == {
        "success": True,
        "stats": {
            "totalCustomers": 3,
            "withAlpineSync": 2,
            "withCalculatedPoints": 3,
            "reconciled": 1,
            "needsReview": 1,
            "lastSyncAt": "2026-01-30T20:21:58.003Z",
        },
    }


async def test_a_customers_report_has_both_sides_and_their_ages(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/api/loyalty/sync", params={"orgId": ORG, "customerId": "3528"})).json()
    assert answer["success"] is True
    assert answer["report"]["reconciliation"] == {
        "reconciled": True,
        "discrepancy": 25,
        "needsReview": False,
        "verdict": "matched",
        "calculated": {"points": 450, "source": "orders"},
        "provider": {"points": 475, "source": "alpine_iq", "asOf": "2026-01-30T20:21:58.003Z"},
    }


async def test_a_customer_is_its_document_with_its_cases(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"/api/v1/customers/{ORG}/7")).json()
    assert answer["customer"]["needsReview"] is True
    assert answer["customer"]["pointsFromOrders"] == 449
    assert [(case["state"], case["discrepancy"]) for case in answer["cases"]] == [("open", 51)]


async def test_an_unknown_balance_is_null_and_never_zero(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"/api/v1/customers/{ORG}/8")).json()
    assert answer["reconciliation"]["provider"]["points"] is None
    assert "pointsFromAlpine" not in answer["customer"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/customers/{ORG}/unknown", 404),
        ("/api/v1/customers/other/3528", 404),
        ("/api/loyalty/sync?orgId=other", 404),
        (f"/api/loyalty/sync?orgId={ORG}&customerId=unknown", 404),
        ("/api/loyalty/sync", 422),
        ("/api/v1/runs?limit=0", 422),
    ],
)
async def test_what_is_not_known_is_said_plainly(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    if status == 404:
        assert answer.json()["success"] is False
        assert "not known" in answer.json()["error"]


async def test_the_status_tells_of_every_org(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/api/v1/status")).json()
    assert (answer["ready"], answer["lag"], list(answer["orgs"])) == (True, 3, [ORG])
    org = answer["orgs"][ORG]
    assert org["verdicts"] == {"discrepancy": 1, "matched": 1, "unknown": 1}
    assert org["provider"] == {"available": False, "since": "2026-01-30T20:21:58.003Z", "reason": "HTTP 503"}
    assert (org["mode"], org["settingsVersion"], org["runs"][0]["id"]) == ("observe", 1, RUN)


async def test_runs_are_shown_with_what_they_found(client: httpx.AsyncClient) -> None:
    (run,) = (await client.get("/api/v1/runs", params={"org": ORG})).json()["runs"]
    assert (run["id"], run["outcome"], run["tally"]["customers"], run["phasesMs"]) == (
        RUN,
        "completed",
        3,
        {"orders": 9},
    )
    assert (await client.get("/api/v1/runs", params={"org": "other"})).json() == {"runs": []}


async def test_health_and_metrics_of_the_process_are_answered_beside_the_api(views: Views) -> None:
    health = Health(Role.WEB, time.monotonic)
    app = create_app(views, Follower(), operations_routes(health, Metrics()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/readyz")).status_code == 503
        for condition in NEEDS[Role.WEB]:
            health.say(condition, True)
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert "loyalty_sink_lag_records" in (await client.get("/metrics")).text


async def test_without_kafka_the_views_still_answer_with_an_unknown_lag(views: Views) -> None:
    async with client_of(views, Follower(reachable=False)) as client:
        assert (await client.get("/api/v1/status")).json()["lag"] is None


async def test_without_views_the_answer_is_that_they_are_not_there(tmp_path: Path) -> None:
    async with client_of(Views(tmp_path / "none.db"), Follower()) as client:
        answer = await client.get("/api/v1/runs")
    assert answer.status_code == 503
    assert "loyalty up" in answer.json()["error"]
