"""What a group's message says. Pure: no channel's form yet, and nothing but ids of customers."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.cases import CauseKind
from stream.contracts.deliveries import (
    LISTED_ALERTS,
    Content,
    Delivery,
    MessageKind,
    Notice,
    Outcome,
    Row,
    RunFigures,
)
from stream.contracts.runs import RunCompleted
from stream.sinks.notify.gathering import Group
from stream.sinks.notify.items import Item
from stream.sinks.notify.words import title_of

WORST = 10
NOTICES = 10
RESOLVED = 10
REASON_CHARACTERS = 300
QUIET = "Collected during quiet hours."


def delivery_of(
    group: Group,
    *,
    org: str,
    channel: str,
    name: str,
    link: str | None,
    at: int,
    clean: Callable[[str], str],
    zone: str = "UTC",
) -> Delivery:
    """The group's message to a channel, to be sent. `name`: the org's, for people; `clean` takes private data out of
    texts that others wrote; `at`: now, UTC ms; `zone`: in which times are shown."""
    alerts = [item for item in group.items if isinstance(item.body, Alert)]
    note = QUIET if group.quiet else None
    content = content_of(group.items, name=name, link=link, note=note, clean=clean, zone=zone)
    return Delivery(
        message=message_id(org, group),
        kind=MessageKind.ALERTS if alerts else MessageKind.DIGEST,
        channel=channel,
        outcome=Outcome.PENDING,
        title=title_of(content),
        alerts=tuple(item.id for item in alerts[:LISTED_ALERTS]),
        count=len(alerts),
        run=group.run,
        made_at=at,
        content=content,
        sources=group.records.sources(),
    )


def message_id(org: str, group: Group) -> str:
    """The same for the same news: made from the first record that the group is about.

    Its time is in it, because offsets are counted anew in another log: a receiver must not take what it says for a
    message that it has had.
    """
    place, offset = min(group.records.first().items())
    first = next(item for item in group.items if (item.place, item.offset) == (place, offset))
    return identifier(org, place.topic, str(place.partition), str(offset), str(first.at))


def identifier(*parts: str) -> str:
    """A short id that is the same for the same parts."""
    return f"m-{blake2b('|'.join(parts).encode(), digest_size=10).hexdigest()}"


def content_of(
    items: Sequence[Item],
    *,
    name: str,
    link: str | None,
    note: str | None,
    clean: Callable[[str], str],
    zone: str = "UTC",
) -> Content:
    """What these news amount to: counts, the worst ten customers, the likely common cause, what is said of the org."""
    alerts = [item.body for item in items if isinstance(item.body, Alert)]
    last = _last_of_each_customer(alerts)
    about = [row_of(alert) for alert in last if alert.kind is not AlertKind.DISCREPANCY_RESOLVED]
    over = [alert.customer for alert in last if alert.kind is AlertKind.DISCREPANCY_RESOLVED and alert.customer]
    cause, cause_count = common_cause(about)
    notices = [notice_of(item, clean) for item in items if isinstance(item.body, Alert) and item.customer is None]
    return Content(
        name=name,
        counts=dict(Counter(alert.kind.value for alert in alerts)),
        apart=len(about),
        worst=tuple(heapq.nsmallest(WORST, about, key=_furthest_apart_first)),
        cause=cause,
        cause_count=cause_count,
        notices=tuple(notices[-NOTICES:]),
        runs=tuple(figures_of(item.body) for item in items if isinstance(item.body, RunCompleted)),
        link=link,
        note=note,
        resolved=tuple(over[:RESOLVED]),
        time_zone=zone,
    )


def row_of(alert: Alert) -> Row:
    """An alert about a customer."""
    assert alert.customer is not None
    return Row(
        customer=alert.customer,
        kind=alert.kind.value,
        ours=alert.ours,
        provider=alert.provider,
        difference=alert.difference,
        cause=_main_cause(alert),
        case=alert.case,
    )


def notice_of(item: Item, clean: Callable[[str], str]) -> Notice:
    """An alert about the org."""
    assert isinstance(item.body, Alert)
    reason = " ".join(clean(item.body.reason or "").split())
    return Notice(item.body.kind.value, item.at, reason[:REASON_CHARACTERS], item.body.run)


def figures_of(run: RunCompleted) -> RunFigures:
    """What a digest says of a run."""
    tally = run.tally
    took = run.ended_at - run.started_at
    counts = (tally.customers, tally.with_provider, tally.matched, tally.discrepancy)
    return RunFigures(run.run, *counts, took, at=run.ended_at, dead_letters=tally.dead_letters)


def common_cause(rows: Iterable[Row]) -> tuple[str | None, int]:
    """The most frequent cause, and of how many customers."""
    counted = Counter(row.cause for row in rows if row.cause is not None)
    return max(counted.items(), key=lambda each: (each[1], each[0]), default=(None, 0))


def _main_cause(alert: Alert) -> str | None:
    """The cause that explains most; what is unexplained is none."""
    known = [cause for cause in alert.causes if cause.kind is not CauseKind.UNEXPLAINED]
    return max(known, key=lambda cause: abs(cause.points)).kind.value if known else None


def _last_of_each_customer(alerts: Iterable[Alert]) -> list[Alert]:
    return list({alert.customer: alert for alert in alerts if alert.customer is not None}.values())


def _furthest_apart_first(row: Row) -> tuple[int, str]:
    return -abs(row.difference or 0), row.customer
