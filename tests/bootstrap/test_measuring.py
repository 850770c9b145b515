"""Every metric that these meters feed, with the value that it must have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.bootstrap.measuring import Raised, ViewsMeter, WorkerMeter
from stream.bootstrap.vendor_gauges import VendorGauges
from stream.contracts.names import OrgId
from stream.errors import Refused
from stream.ops.metrics import Metrics
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http
from tests.sinks.records import ORG, dead_letter_record
from tests.sinks.views_file import views_of

SHOP = OrgId("shop")


def shown(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_a_count_that_begins_anew_goes_on_rising() -> None:
    metrics = Metrics()
    records = Raised(metrics.records)
    for count in (3, 5, 2):
        records.to(("accounts",), count)
    assert shown(metrics.registry, "loyalty_records_total", agent="accounts") == 7


async def test_calls_to_vendors_are_counted_timed_and_held_against_the_budget() -> None:
    time, metrics = HandClock(), Metrics()

    def slow(request: httpx.Request) -> httpx.Response:
        time.now += 0.3
        return answer(200)

    script = Script(slow, answer(503), slow, answer(403))
    async with vendor_http(script, time) as shop, vendor_http(Script(answer()), time) as provider:
        gauges = VendorGauges(metrics, SHOP, shop, provider)
        await shop.call("GET", "/thing")
        await shop.call("GET", "/thing")
        with pytest.raises(Refused):
            await shop.call("GET", "/thing")
        gauges.look()
        gauges.look()
    here = {"org": "shop", "vendor": "alleaves"}
    found = {
        outcome: shown(metrics.registry, "loyalty_vendor_calls_total", **here, outcome=outcome)
        for outcome in ("ok", "unavailable", "refused", "unreadable")
    }
    assert found == {"ok": 2, "unavailable": 1, "refused": 1, "unreadable": 0}
    assert shown(metrics.registry, "loyalty_vendor_call_seconds_count", **here) == 4
    assert shown(metrics.registry, "loyalty_vendor_call_seconds_sum", **here) == pytest.approx(0.6)
    assert shown(metrics.registry, "loyalty_vendor_available", **here) == 1
    left = shop.budget.left()[1.0]
    assert left < 1000
    assert shown(metrics.registry, "loyalty_vendor_budget_left", **here, window="1s") == left
    assert shown(metrics.registry, "loyalty_vendor_budget_left", org="shop", vendor="alpine_iq", window="1s") == 1000


def test_units_and_arrivals_are_timed() -> None:
    metrics = Metrics()
    meter = WorkerMeter(metrics, cast(Any, SimpleNamespace(ownership=None)), "nowhere:1", "t.", {"accounts": "facts"})
    meter.unit("accounts", 0.25, 0)
    meter.unit("accounts", 0.5, 2)
    assert shown(metrics.registry, "loyalty_unit_seconds_sum", agent="accounts") == 0.75
    assert shown(metrics.registry, "loyalty_unit_retries_total", agent="accounts") == 2


def test_dead_letters_of_every_role_are_counted_by_reason_as_they_arrive(tmp_path: Path) -> None:
    def letter(offset: int, stage: str, value: int | None = None) -> Any:
        content = b"%d" % (offset if value is None else value)
        return dead_letter_record(content, "why not", stage=stage)._replace(offset=offset)

    before = [letter(0, "accounts")]
    metrics = Metrics()
    meter = ViewsMeter(metrics, views_of(tmp_path / "views.db", before), "nowhere:1", "t.")
    sent_again = letter(5, "alpine_iq", value=2)
    came = [letter(1, "accounts"), letter(2, "alpine_iq"), letter(4, "accounts"), sent_again]
    views_of(tmp_path / "views.db", came)
    with capture_logs() as entries:
        meter.look()
        meter.look()
    name, reason = "loyalty_dead_letters_by_reason_total", "BadRecord"
    found = {
        stage: shown(metrics.registry, name, org=ORG, stage=stage, reason=reason) for stage in ("accounts", "alpine_iq")
    }
    assert found == {"accounts": 2, "alpine_iq": 1}
    about = {"event": "dead letters", "log_level": "warning", "org": ORG, "reason": "why not"}
    assert entries == [
        {**about, "stage": "accounts", "count": 2, "first": "0:1"},
        {**about, "stage": "alpine_iq", "count": 1, "first": "0:2"},
    ]
