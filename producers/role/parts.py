"""What the role needs of an org: the vendors' parts, as it calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from producers.alleaves.sweep import Progress, WalkResult
from stream.contracts.names import CustomerId, OrgId
from stream.contracts.runs import BalanceSweepEnded


class Poller(Protocol):
    """Publishes orders as they change."""

    async def run(self) -> None:
        """Poll until cancelled."""


class OrdersWalk(Protocol):
    """Publishes every order and every customer, then OrdersSwept in every partition."""

    async def walk(
        self, run: str, attempt: int, on_progress: Callable[[Progress], None] = lambda progress: None
    ) -> WalkResult:
        """A walk that fails at the vendor is an incomplete one, not an error."""


class BalancesSweep(Protocol):
    """Publishes every balance between SweepStarted and SweepCompleted in every partition."""

    async def sweep(self, run: str, attempt: int) -> BalanceSweepEnded:
        """A sweep that fails at the vendor is an incomplete one, not an error."""


class CustomerLookUp(Protocol):
    """Publishes one customer's balance, LookUpEmpty or LookUpFailed."""

    async def look_up(self, run: str, customer: CustomerId) -> None:
        """A look-up that fails at the vendor is a LookUpFailed, not an error."""


@dataclass(frozen=True)
class OrgProducer:
    """Everything that works for one org; None: that vendor is not configured.

    `new_poller` makes a poller each time the org becomes ours: what an earlier one remembered is stale by then.
    `background`: what else runs while the org is ours, until cancelled.
    """

    org: OrgId
    new_poller: Callable[[], Poller] | None = None
    orders: OrdersWalk | None = None
    balances: BalancesSweep | None = None
    look_up: CustomerLookUp | None = None
    background: tuple[Callable[[], Awaitable[None]], ...] = ()
