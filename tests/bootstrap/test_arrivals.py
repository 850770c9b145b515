"""How long orders take from the point of sale to the profile, as the log tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from stream.bootstrap.arrivals import LIVE_MS, ArrivalReader, Arrivals
from stream.contracts.entries import ENTRIES, Cause, PointsEntry
from stream.contracts.facts import FACTS, CustomerObserved, OrderObserved
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics

MADE_AT = 1_769_804_518_000
HERE = {"org": "shop", "customer": "c1", "at": MADE_AT, "source": "test"}


def fact(made_at: int = MADE_AT) -> bytes:
    body = OrderObserved(
        order="o1", total_minor=1, currency="USD", created_at=made_at, observed_at=made_at, content_hash="h"
    )
    return FACTS.encode(body, **HERE)  # type: ignore[arg-type]


def entry(version: int, cause: Cause = Cause.ORDER_ADDED) -> bytes:
    body = PointsEntry(
        id="e", cause=cause, delta_minor=1, delta_points=1, points_after=1, tier="bronze", settings_version=1,
        epoch=0, version=version,
    )  # fmt: skip
    return ENTRIES.encode(body, **HERE)  # type: ignore[arg-type]


def record(offset: int, value: bytes, at: int, partition: int = 0) -> Any:
    return SimpleNamespace(partition=partition, offset=offset, value=value, timestamp=at)


def arrivals() -> tuple[Arrivals, list[tuple[str, float]]]:
    seen: list[tuple[str, float]] = []
    return Arrivals(lambda org, seconds: seen.append((org, seconds))), seen


def test_a_new_order_is_timed_from_when_it_was_made_to_the_entry_of_its_fact() -> None:
    these, seen = arrivals()
    these.facts([record(7, fact(), MADE_AT + 2_000), record(7, fact(MADE_AT + 1_000), MADE_AT + 2_000, partition=1)])
    these.entries([record(0, entry(7), MADE_AT + 2_500)])
    these.entries([record(0, entry(7), MADE_AT + 9_000)])
    assert seen == [("shop", 2.5)]


def test_backfills_changes_and_other_facts_are_not_timed() -> None:
    these, seen = arrivals()
    customer = FACTS.encode(CustomerObserved(MADE_AT, "h"), **HERE)  # type: ignore[arg-type]
    these.facts([record(1, fact(), MADE_AT + LIVE_MS + 1), record(2, fact(), MADE_AT)])
    these.facts([record(3, customer, MADE_AT), record(4, b"\xff", MADE_AT)])
    these.entries([record(0, entry(1), MADE_AT), record(1, entry(2, Cause.ORDER_CHANGED), MADE_AT)])
    these.entries([record(2, entry(3), MADE_AT), record(3, b"{", MADE_AT)])
    assert seen == []


def test_a_vendors_clock_that_is_ahead_makes_no_negative_time() -> None:
    these, seen = arrivals()
    these.facts([record(1, fact(MADE_AT + 5_000), MADE_AT)])
    these.entries([record(0, entry(1), MADE_AT + 1_000)])
    assert seen == [("shop", 0.0)]


async def test_only_what_is_written_after_the_first_look_is_timed(kafka: str, topic_prefix: str) -> None:
    await apply_topics(kafka, topic_prefix, 1, 1)
    seen: list[tuple[str, float]] = []
    reader = ArrivalReader(kafka, topic_prefix, lambda org, seconds: seen.append((org, seconds)))
    async with KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher:
        for expected in (0, 1, 2):
            await publisher.publish([Output("facts", b"shop:c1", fact(2**53 // 1000))])
            await publisher.publish([Output("entries", b"shop:c1", entry(expected))])
            await reader.look([0], 0)
            assert seen == [("shop", 0.0)] * expected
