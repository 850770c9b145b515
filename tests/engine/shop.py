"""Facts of a shop, and what must come of them, computed without the product's rules."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

from stream.contracts import topics
from stream.contracts.facts import FACTS, OrderObserved, SettingsChanged
from stream.contracts.names import account_key
from stream.contracts.settings import OrgSettings
from stream.engine.ports import Output

ORG = "shop"
EDITED = 10
"""One order in so many is seen a second time, with another amount."""


def settings_fact(version: int = 1) -> Output:
    """The org's settings, to be published everywhere."""
    body = SettingsChanged(version, OrgSettings())
    value = FACTS.encode(body, org=ORG, at=1, source="test", event_id=f"{ORG}:settings:{version}")
    return Output(topics.FACTS.name, ORG.encode(), value)


class Shop:
    """`orders` orders of `customers` customers. `facts`: in the order in which they are published."""

    def __init__(self, orders: int, customers: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._customers = customers
        self.entries = 0
        self.spend: dict[str, int] = defaultdict(int)
        self.lines: dict[str, int] = defaultdict(int)
        self.facts = list(self._facts(orders))

    def _facts(self, orders: int) -> Iterator[Output]:
        for number in range(orders):
            customer, minor = f"c{self._random.randrange(self._customers)}", self._random.randrange(100, 20_000)
            yield self._fact(customer, number, minor, number)
            if number % EDITED == 0:
                minor += 1 + self._random.randrange(500)
                yield self._fact(customer, number, minor, number + orders)
            self.spend[customer] += minor
            self.lines[customer] += 1

    def _fact(self, customer: str, number: int, minor: int, at: int) -> Output:
        self.entries += 1
        body = OrderObserved(
            order=f"o{number}",
            total_minor=minor,
            currency="USD",
            created_at=number,
            observed_at=at,
            content_hash=f"{minor:x}",
            completed=True,
            paid=True,
        )
        value = FACTS.encode(body, org=ORG, customer=customer, at=at, source="test")
        return Output(topics.FACTS.name, account_key(ORG, customer), value)
