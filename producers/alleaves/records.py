"""From translated values to records: which topic, which key, which envelope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from producers.alleaves.translate import CustomerSeen, DeadLetter, OrderSeen
from producers.dead_letters import dead_letter
from stream.contracts import topics
from stream.contracts.facts import FACTS, OrderReassigned, OrdersSnapshot, OrdersSwept, OrderUnreadable
from stream.contracts.names import CustomerId, OrderId, OrgId, account_key
from stream.contracts.people import PEOPLE
from stream.engine.ports import Output

SOURCE = "alleaves"
STAGE = "alleaves.translate"
SNAPSHOT_ORDERS = 2_000
"""Order ids in one part of a snapshot: about 100 kB."""


def fact(org: OrgId, customer: CustomerId, body: msgspec.Struct, at: int) -> Output:
    """A fact about one customer."""
    value = FACTS.encode(body, org=org, customer=customer, at=at, source=SOURCE)
    return Output(topics.FACTS.name, account_key(org, customer), value)


def order_records(org: OrgId, seen: OrderSeen) -> Iterator[Output]:
    """An order as it was seen."""
    yield fact(org, seen.customer, seen.fact, seen.fact.observed_at)


def reassigned_record(org: OrgId, former: CustomerId, seen: OrderSeen) -> Output:
    """To the customer who had the order before."""
    body = OrderReassigned(seen.fact.order, seen.customer, seen.fact.observed_at)
    return fact(org, former, body, seen.fact.observed_at)


def customer_records(org: OrgId, seen: CustomerSeen) -> Iterator[Output]:
    """A customer as a fact, and the personal data on their own."""
    yield fact(org, seen.customer, seen.fact, seen.fact.observed_at)
    if seen.person is not None:
        at = seen.fact.observed_at
        value = PEOPLE.encode(seen.person, org=org, customer=seen.customer, at=at, source=SOURCE)
        yield Output(topics.PEOPLE.name, account_key(org, seen.customer), value)


def dead_letter_records(org: OrgId, letter: DeadLetter) -> Iterator[Output]:
    """The original bytes; and where it is known whose order it is, that it exists but cannot be read."""
    yield dead_letter(
        letter.raw,
        org=org,
        at=letter.observed_at,
        stage=STAGE,
        reason=letter.reason,
        exception=letter.exception,
        key=None if letter.customer is None else account_key(org, letter.customer),
    )
    if letter.customer is not None and letter.order is not None:
        body = OrderUnreadable(letter.order, letter.observed_at, letter.reason[:200])
        yield fact(org, letter.customer, body, letter.observed_at)


def snapshot_records(
    org: OrgId, customer: CustomerId, orders: Mapping[OrderId, str], swept: OrdersSwept
) -> Iterator[Output]:
    """All orders of one customer that a walk saw, in parts that fit into a record."""
    ids = list(orders)
    parts = [ids[start : start + SNAPSHOT_ORDERS] for start in range(0, len(ids), SNAPSHOT_ORDERS)]
    for number, part in enumerate(parts, 1):
        hashes: dict[str, str] = {order: orders[order] for order in part}
        window = (swept.window_from, swept.window_to)
        body = OrdersSnapshot(swept.walk, number, len(parts), hashes, *window, swept.started_at)
        yield fact(org, customer, body, swept.started_at)


def swept_record(org: OrgId, swept: OrdersSwept, at: int) -> Output:
    """For every partition: the walk has published all that it found. `at`: now, by our own clock."""
    event_id = f"{swept.walk}:orders-swept"
    value = FACTS.encode(swept, org=org, at=at, source=SOURCE, event_id=event_id)
    return Output(topics.FACTS.name, org.encode(), value)
