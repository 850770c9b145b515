"""Alerts and ends of runs, as agents publish them."""

from __future__ import annotations

from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.cases import Cause, CauseKind
from stream.contracts.runs import RUNS, Phase, RunCompleted, RunFailed, RunKind, Tally
from stream.engine.ports import Input
from stream.sinks.notify.items import Item, alert_item, run_ended

ORG = "brand_example"
DAILY = f"{ORG}:daily:2026-01-30"
AT = 1_769_800_000_000
DAY_MS = 86_400_000


def alert_record(alert: Alert, number: int = 0, *, partition: int = 0, offset: int | None = None) -> Input:
    value, headers = encode_alert(alert, alert_id=f"a{number}", at=AT + number)
    key = f"{alert.org}:{alert.customer}" if alert.customer else alert.org
    return Input("alerts", partition, number if offset is None else offset, key.encode(), value, tuple(headers))


def opened(
    customer: int,
    *,
    difference: int = -100,
    run: str | None = DAILY,
    org: str = ORG,
    kind: AlertKind = AlertKind.DISCREPANCY_OPENED,
    cause: CauseKind | None = CauseKind.PROVIDER_LAG,
) -> Alert:
    return Alert(
        kind=kind,
        org=org,
        customer=str(customer),
        case=f"{org}:{customer}:1",
        sequence=1,
        ours=1000,
        provider=1000 + difference,
        difference=difference,
        causes=(Cause(cause, difference),) if cause else (),
        run=run,
    )


def about_org(kind: AlertKind, reason: str | None = None, *, run: str | None = None, org: str = ORG) -> Alert:
    return Alert(kind=kind, org=org, reason=reason, run=run)


def completed(
    run: str = DAILY,
    *,
    org: str = ORG,
    kind: RunKind = RunKind.DAILY,
    review: int = 0,
    offset: int = 0,
    at: int = AT,
    customer: str | None = None,
    unreadable: int = 0,
) -> Input:
    counts = {"customers": 1641, "with_provider": 245, "matched": 245 - review, "discrepancy": review}
    tally = Tally(**counts, compared=245, dead_letters=unreadable)
    body = RunCompleted(run, kind, at - 5000, at, tally, {"orders": 5000}, customer)
    return Input("runs", 0, offset, org.encode(), RUNS.encode(body, org=org, at=at, source="runs/0"))


def failed(run: str = DAILY, *, org: str = ORG, offset: int = 0) -> Input:
    body = RunFailed(run, RunKind.DAILY, Phase.BALANCES, "the provider did not answer", AT - 5000, AT)
    return Input("runs", 0, offset, org.encode(), RUNS.encode(body, org=org, at=AT, source="runs/0"))


def item_of(alert: Alert, number: int = 0, *, partition: int = 0, offset: int | None = None) -> Item:
    item = alert_item(alert_record(alert, number, partition=partition, offset=offset))
    assert item is not None
    return item


def digest_item(run: str = DAILY, *, review: int = 0, offset: int = 0, unreadable: int = 0) -> Item:
    ended = run_ended(completed(run, review=review, offset=offset, unreadable=unreadable))
    assert ended is not None
    assert ended.item is not None
    return ended.item
