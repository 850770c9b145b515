"""Live trade in the demo: what the shop does, and when it shows in the customers' profiles."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from stream.bootstrap.narration import Narrator
from stream.bootstrap.past_trade import PastTrade
from stream.bootstrap.shop import ORG, Shop
from stream.loyalty.money import decimal_string
from stream.ops.progress import Progress
from stream.sandbox.oracle import points_now
from stream.sandbox.world.model import World
from stream.sandbox.world.trade import Change, ChangeKind
from stream.sinks.views.read import Views

TRADE_SECONDS = 3.0
LOOK_SECONDS = 0.1
POLLED_MS = 24 * 3_600_000
"""Orders made since then are certainly in the poller's window; older ones come with the next complete walk."""

_DONE = {
    ChangeKind.NEW: "sold",
    ChangeKind.NEW_CUSTOMER: "sold to a new customer",
    ChangeKind.EDITED: "corrected",
    ChangeKind.CANCELLED: "cancelled",
    ChangeKind.REFUNDED: "refunded",
    ChangeKind.MOVED: "moved",
    ChangeKind.CONTACT: "contact data changed",
}


@dataclass(frozen=True)
class Awaited:
    """A customer whose points from orders will be `points`. `since`: monotonic seconds."""

    customer: int
    points: int
    since: float


async def trade(running: Shop, past: PastTrade, progress: Progress) -> None:
    """Let the shop go on trading, and say what happens, until cancelled."""
    world = running.sandbox.world
    awaited: dict[int, Awaited] = {}
    next_change = time.monotonic()
    with contextlib.closing(Views(running.tree.folder.views)) as views:
        narrator = Narrator(views, progress)
        while not running.tree.processes.failed.done():
            if time.monotonic() >= next_change:
                next_change += TRADE_SECONDS
                for change in past.change(running.sandbox.trade, int(time.time() * 1000)):
                    progress.say(sentence(world, change))
                    awaited |= {each.customer: each for each in _expected(world, views, change)}
            for line in _arrived(views, awaited):
                progress.say(line)
            narrator.look()
            await asyncio.sleep(LOOK_SECONDS)
    await running.tree.processes.failed


def sentence(world: World, change: Change) -> str:
    """What the shop did."""
    done = _DONE[change.kind]
    if change.order_id is None:
        return f"customer {change.customer_id}: {done} ({change.how})"
    order = world.orders[change.order_id]
    amount = f"${decimal_string(order.total_minor, 2)}"
    whose = f"customer {change.customer_id}"
    if change.former_customer_id is not None:
        whose = f"from customer {change.former_customer_id} to {change.customer_id}"
    how = f" ({change.how})" if change.kind is ChangeKind.REFUNDED or change.how == "pending" else ""
    later = "" if polled(change, order.created_ms) else " – an older order: the next complete walk sees it"
    return f"order {change.order_id} {done}{how}: {amount}, {whose}{later}"


def polled(change: Change, created_ms: int) -> bool:
    """Whether the poller looks back as far as the changed order."""
    return change.at_ms - created_ms < POLLED_MS


def _expected(world: World, views: Views, change: Change) -> Iterator[Awaited]:
    """Whose points will be others once the poller has seen the change."""
    if change.order_id is None or not polled(change, world.orders[change.order_id].created_ms):
        return
    for customer in {change.customer_id, change.former_customer_id} - {None}:
        assert customer is not None
        points, profile = points_now(world, customer), views.profile(ORG, str(customer))
        if profile is None or profile.points_from_orders != points:
            yield Awaited(customer, points, time.monotonic())


def _arrived(views: Views, awaited: dict[int, Awaited]) -> Iterator[str]:
    for each in list(awaited.values()):
        profile = views.profile(ORG, str(each.customer))
        if profile is not None and profile.points_from_orders == each.points:
            del awaited[each.customer]
            seconds = time.monotonic() - each.since
            balance = profile.points_from_alpine
            known = "" if balance is None else f", Alpine IQ shows {balance:,}"
            orders = "1 order" if profile.order_count == 1 else f"{profile.order_count:,} orders"
            yield (
                f"  → customer {each.customer} has {each.points:,} points from {orders}{known}, "
                f"{profile.tier} ({seconds:.1f} s)"
            )
