from __future__ import annotations

import pytest
from httpx import ASGITransport, AsyncClient

from stream.ops.endpoints import operations
from stream.ops.health import NEEDS, Condition, Health, Role
from stream.ops.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_live_from_the_start_and_ready_when_its_last_need_is_met(role: Role) -> None:
    health = Health(role, Clock())
    for need in NEEDS[role]:
        assert health.live().ok
        assert not health.ready().ok
        health.say(need, ok=True)
    assert health.ready().ok


def test_a_recovering_worker_that_beats_is_live_but_not_ready() -> None:
    clock = Clock()
    health = Health(Role.WORKER, clock)
    health.say(Condition.RECOVERED, ok=False, detail="3,000 of 9,000 records")
    for _ in range(10):
        clock.seconds += 59
        health.beat()
    assert health.live().ok
    assert health.ready().reasons["recovered"] == "3,000 of 9,000 records"


def test_a_role_that_stopped_beating_is_neither_live_nor_ready() -> None:
    clock = Clock()
    health = Health(Role.POLL, clock)
    for need in NEEDS[Role.POLL]:
        health.say(need, ok=True)
    clock.seconds = 61
    assert (health.live().ok, health.ready().ok) == (False, False)


def test_what_a_role_does_not_need_cannot_be_said_of_it() -> None:
    with pytest.raises(KeyError, match="poll does not need firestore"):
        Health(Role.POLL, Clock()).say(Condition.FIRESTORE, ok=True)


async def test_probes_answer_over_http_and_metrics_in_prometheus_format() -> None:
    health, metrics = Health(Role.WEB, Clock()), Metrics()
    metrics.runs.labels("a", "daily", "completed").inc()
    transport = ASGITransport(operations(health, metrics))
    async with AsyncClient(transport=transport, base_url="http://web") as client:
        live, ready, exposition = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]
    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json() == {
        "role": "web",
        "ok": False,
        "reasons": {"kafka": "not yet", "caught up": "not yet", "last beat": "0 s ago"},
    }
    assert 'loyalty_runs_total{kind="daily",org="a",outcome="completed"} 1.0' in exposition.text
