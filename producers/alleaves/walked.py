"""What a walk has seen so far: whose order is which, so that its snapshots can say so at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stream.contracts.names import CustomerId, Millis, OrderId

UNREADABLE = ""
"""The content hash of an order that exists but could not be read."""


class _Seen(NamedTuple):
    customer: CustomerId
    observed_at: Millis


class Walked:
    """Orders by customer. A repeated row counts once; an order seen at two customers belongs to the later one."""

    def __init__(self) -> None:
        self._owner: dict[OrderId, _Seen] = {}
        self._orders: dict[CustomerId, dict[OrderId, str]] = {}
        self._customers: set[CustomerId] = set()
        self._dead: set[bytes] = set()

    @property
    def orders(self) -> int:
        """Distinct orders, readable or not."""
        return len(self._owner)

    @property
    def customers(self) -> int:
        """Distinct customers in the customer list."""
        return len(self._customers)

    @property
    def unreadable(self) -> int:
        """Distinct rows that could not be read."""
        return len(self._dead)

    def add_customer(self, customer: CustomerId) -> None:
        self._customers.add(customer)

    def add_unreadable(self, raw: bytes) -> bool:
        """Whether these bytes are new to the walk."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        news = digest not in self._dead
        self._dead.add(digest)
        return news

    def add_order(self, order: OrderId, customer: CustomerId, content_hash: str, observed_at: Millis) -> bool:
        """Whether this says something that the walk did not know."""
        before = self._owner.get(order)
        if before is not None and before.observed_at > observed_at:
            return False
        if before is not None and before.customer != customer:
            del self._orders[before.customer][order]
        self._owner[order] = _Seen(customer, observed_at)
        orders = self._orders.setdefault(customer, {})
        news = orders.get(order) != content_hash
        orders[order] = content_hash
        return news

    def by_customer(self) -> Iterator[tuple[CustomerId, Mapping[OrderId, str]]]:
        """Every customer with orders, and those orders with their content's hashes."""
        return ((customer, orders) for customer, orders in self._orders.items() if orders)
