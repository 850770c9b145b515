"""What agents really write into the topics of subscribers is valid by the AsyncAPI document."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from stream.contracts import topics
from stream.contracts.runs import ProviderRecovered, ProviderUnavailable, RunTally, Tally
from stream.contracts.settings import CaseRules
from stream.engine.ports import Input
from tests.agents.builders import DAY, FIRST, Shop, member, settings
from tests.agents.bustle import Bustle
from tests.contracts.asyncapi import Published, message_of

TOPICS = (topics.ALERTS, topics.ENTRIES, topics.CASES, topics.PROFILES)


@pytest.fixture(scope="module")
def published() -> Published:
    return Published()


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_busy_shop_says_is_valid(seed: int, published: Published) -> None:
    bustle = Bustle(Random(seed), deaths=True, changes=True)
    await bustle.open()
    await bustle.bustle(800)
    await bustle.quiet_run()
    said = _said(bustle.shop)
    assert {"Case", "Profile", "PointsEntry.order_added", "PointsEntry.order_removed"} <= {name for name, _, _ in said}
    assert _wrong(published, said) == []


async def test_what_is_said_of_a_case_is_valid(published: Published) -> None:
    shop = await Shop().open(settings(cases=CaseRules(reminds_after_hours=24)))
    shop.enrol("a", 10_000)
    for points in (200, 300, 300, 100, 0):
        await shop.reconcile([member("a", points)])
        shop.now += DAY
    said = _said(shop)
    kinds = [name.removeprefix("com.loyaltystream.discrepancy.") for name, _, headers in said if headers]
    assert kinds == ["opened", "worsened", "standing", "resolved", "opened"]
    assert _wrong(published, said) == []


async def test_what_is_said_of_an_org_is_valid(published: Published) -> None:
    shop = await Shop(partitions=1).open()
    for body in (
        RunTally(FIRST, 1, 0, 1, Tally(), ("layaway",)),
        ProviderUnavailable(shop.now, "HTTP 503"),
        ProviderRecovered(shop.now),
    ):
        shop.ask(body)
    shop.walk(shop.request(), complete=False)
    await shop.settle()
    said = _said(shop)
    assert sorted(name.removeprefix("com.loyaltystream.") for name, _, _ in said) == [
        "order_status.unknown", "provider.recovered", "provider.unavailable", "run.failed"
    ]  # fmt: skip
    assert _wrong(published, said) == []


Said = list[tuple[str, dict[str, Any], dict[str, str]]]
"""Message, value and headers of records."""


def _said(shop: Shop) -> Said:
    records: list[Input] = [record for topic in TOPICS for record in shop.broker.all(topic.name) if record.value]
    pairs = [(json.loads(each.value or b""), {name: text.decode() for name, text in each.headers}) for each in records]
    return [(message_of(value, headers), value, headers) for value, headers in pairs]


def _wrong(published: Published, said: Said) -> list[tuple[str, list[str]]]:
    found = [(name, published.wrong(name, value, headers or None)) for name, value, headers in said]
    return [(name, errors) for name, errors in found if errors]
