"""From an order in the point of sale to the customer's profile: 200 orders, in waves with quiet between them.

The poller asks every `poll_seconds` (default 5) and sooner while orders come in, so the first order of a wave waits
longest: it is measured when the poller is back at its interval. An order is in when its customer's profile in the
views counts it.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

from stream.bootstrap.demo import ORG, Shop, first_run, shop
from stream.bootstrap.places import DataFolder
from stream.ops.progress import silent
from stream.sandbox.world.build import build_world
from stream.sinks.views.read import Views

ORDERS = 200
WAVE = 10
QUIET_SECONDS = (6.0, 11.0)
"""Between waves, at random: longer than a poll interval, and in no step with it."""
GAP_SECONDS = 0.5
GIVE_UP_SECONDS = 900.0
LOOK_SECONDS = 0.02


async def measure(_: int) -> dict[str, object]:
    """Sell 200 times to 200 customers, at moments that have nothing to do with the poller's."""
    world = build_world(7, int(time.time() * 1000))
    with tempfile.TemporaryDirectory() as folder:
        async with shop(DataFolder(Path(folder)), world, silent, with_firestore=False) as running:
            await first_run(running, 0, silent)
            seconds = sorted(await _latencies(running))
            alleaves = running.configuration.orgs[0].alleaves
            assert alleaves is not None
            poll_seconds = alleaves.poll_seconds
    return {
        "orders": len(seconds),
        "poll interval, s": poll_seconds,
        "median, s": round(seconds[len(seconds) // 2], 2),
        "p99, s": round(seconds[int(len(seconds) * 0.99) - 1], 2),
        "longest, s": round(seconds[-1], 2),
        "p99 beyond the poll interval, s": round(seconds[int(len(seconds) * 0.99) - 1] - poll_seconds, 2),
    }


async def _latencies(running: Shop) -> list[float]:
    dice = random.Random(7)
    views = Views(running.tree.folder.views)
    customers = dice.sample(sorted(running.sandbox.world.customers), ORDERS)
    waiting: dict[int, tuple[int, float]] = {}
    done: list[float] = []
    selling = asyncio.create_task(_sell(running, views, customers, waiting, dice))
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not selling.done() or waiting:
        for customer, (orders, sold_at) in list(waiting.items()):
            profile = views.profile(ORG, str(customer))
            if profile is not None and profile.order_count > orders:
                done.append(time.monotonic() - sold_at)
                del waiting[customer]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(waiting)} orders have not arrived")
        await asyncio.sleep(LOOK_SECONDS)
    await selling
    views.close()
    return done


async def _sell(
    running: Shop, views: Views, customers: list[int], waiting: dict[int, tuple[int, float]], dice: random.Random
) -> None:
    for number, customer in enumerate(customers):
        if number % WAVE == 0:
            await asyncio.sleep(dice.uniform(*QUIET_SECONDS))
        profile = views.profile(ORG, str(customer))
        before = profile.order_count if profile else 0
        running.sandbox.trade.sell(customer, int(time.time() * 1000), total_minor=dice.randrange(500, 9000))
        waiting[customer] = (before, time.monotonic())
        await asyncio.sleep(dice.uniform(0, GAP_SECONDS))
