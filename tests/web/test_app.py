"""The web role's API over views."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from stream.ops.endpoints import operations_routes
from stream.ops.health import NEEDS, Health, Role
from stream.ops.metrics import Metrics
from stream.sinks.views.read import Views
from stream.web.app import create_app
from stream.web.site import site_of
from tests.sinks.records import ORG
from tests.web.world import LOCAL_KEY, OTHER, RUN, Follower, Log, World, world_of

HERE = f"/api/v1/orgs/{ORG}"


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client


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
    answer = (await client.get(f"{HERE}/customers/7")).json()
    assert answer["customer"]["needsReview"] is True
    assert answer["customer"]["pointsFromOrders"] == 449
    (case,) = answer["cases"]
    assert (case["state"], case["discrepancy"], case["unexplained"]) == ("open", 51, 11)
    assert sum(cause["points"] for cause in case["causes"]) == case["discrepancy"]


async def test_an_unknown_balance_is_null_and_never_zero(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"{HERE}/customers/8")).json()
    assert answer["reconciliation"]["provider"]["points"] is None
    assert "pointsFromAlpine" not in answer["customer"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{HERE}/customers/unknown", 404),
        ("/api/v1/orgs/none/customers/3528", 404),
        ("/api/loyalty/sync?orgId=none", 404),
        (f"/api/loyalty/sync?orgId={ORG}&customerId=unknown", 404),
        (f"{HERE}/runs/none", 404),
        (f"{HERE}/runs/{OTHER}:daily:first", 404),
        (f"{HERE}/cases/{ORG}:7:2", 404),
        (f"{HERE}/cases/nonsense", 404),
        (f"{HERE}/dead-letters/0:999999", 404),
        (f"{HERE}/settings/versions/2", 404),
        ("/api/v1/nothing", 404),
        ("/api/loyalty/sync", 422),
        (f"{HERE}/runs?limit=0", 422),
        (f"{HERE}/customers?cursor=none", 422),
        (f"{HERE}/customers?verdict=none", 422),
    ],
)
async def test_what_is_not_known_is_said_plainly_as_a_problem(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert ("success" in problem) == path.startswith("/api/loyalty"), "the brief's answers say `success`"


async def test_the_status_tells_of_every_org(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/api/v1/status")).json()
    assert (answer["ready"], answer["lag"], list(answer["orgs"])) == (True, 3, [ORG, OTHER])
    org = answer["orgs"][ORG]
    assert org["verdicts"] == {"discrepancy": 1, "matched": 1, "unknown": 1}
    assert org["provider"] == {"available": False, "since": "2026-01-30T20:21:58.003Z", "reason": "HTTP 503"}
    assert (org["mode"], org["settingsVersion"], org["runs"][0]["id"]) == ("observe", 1, RUN)
    assert (org["pointsOutstanding"], org["liveCases"], org["unexplainedPoints"]) == (475 + 40 + 449, 1, 11)


async def test_runs_are_shown_with_what_they_found(client: httpx.AsyncClient) -> None:
    (run,) = (await client.get(f"{HERE}/runs")).json()["items"]
    assert (run["id"], run["outcome"], run["tally"]["customers"], run["phasesMs"]) == (
        RUN,
        "completed",
        3,
        {"orders": 9},
    )
    assert (await client.get(f"{HERE}/runs/{RUN}")).json() == run


async def test_a_run_that_has_ended_is_one_event(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{HERE}/runs/{RUN}/events")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.count("event: run\n") == 1
    assert f'"id":"{RUN}"' in answer.text


@pytest.mark.parametrize("path", ["", "/customers/7", f"/cases/{ORG}:7:1", f"/runs/{RUN}", "/settings"])
async def test_what_somebody_has_already_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(HERE + path)
    again = await client.get(HERE + path, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert (await client.get(HERE + path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_health_and_metrics_of_the_process_are_answered_beside_the_api(world: World) -> None:
    health = Health(Role.WEB, time.monotonic)
    app = create_app(world.site, operations_routes(health, Metrics()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/readyz")).status_code == 503
        for condition in NEEDS[Role.WEB]:
            health.say(condition, True)
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert "loyalty_sink_lag_records" in (await client.get("/metrics")).text


async def test_without_kafka_the_views_still_answer_with_an_unknown_lag(tmp_path: Path) -> None:
    async with world_of(tmp_path, follower=Follower(reachable=False)).client() as client:
        assert (await client.get("/api/v1/status")).json()["lag"] is None


async def test_without_views_the_answer_is_that_they_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    app = create_app(site_of(Views(path), Follower(), Log(path), local_key=LOCAL_KEY))
    headers = {"authorization": f"Bearer {LOCAL_KEY}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        answer = await client.get(f"{HERE}/runs")
    assert answer.status_code == 503
    assert "loyalty up" in answer.json()["detail"]
