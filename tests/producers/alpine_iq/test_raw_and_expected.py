"""From the provider's lists to verdicts: real producers and agents over an in-memory log, judged by the oracle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest

from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.movements import Movements
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import MemoryCursors
from producers.identity import Identities, IdentityKey
from stream.contracts import topics
from stream.contracts.names import OrgId
from stream.contracts.runs import RUNS, BalanceSweepEnded, OrdersSweepEnded, RunKind
from stream.contracts.settings import Compare, OrgSettings
from stream.engine.ports import Output
from stream.sandbox.oracle import Rules
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import World
from stream.sandbox.world.options import Hostility, WorldOptions, WorldSize
from stream.settings import EquitySettings
from tests.agents.builders import FIRST, ORG, Shop, settings
from tests.producers.hand_clock import HandClock
from tests.simulation.told import Told
from tests.simulation.truths import check_figures, check_profiles
from tests.simulation.vendors import Vendors, alleaves_settings

NOW_MS = 1_769_800_000_000
SIZE = WorldSize(orders=220, customers=120, members=80, discrepancies=5, strangers=4)


class Business:
    """A shop and its provider, with everything in between. `compare`: the setting in force."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shop = Shop()
        self.compare = Compare.RAW
        time = HandClock(NOW_MS / 1000)
        vendors = Vendors(world, time.clock, Random(7), seconds=0.0001)
        identities, cursors, access = Identities(IdentityKey(bytes(32))), MemoryCursors(), alleaves_settings()
        self.provider = vendors.alpine_iq
        self.clients = vendors.shop(access), vendors.provider()
        self._orders = OrderSweep(
            org=OrgId(ORG),
            client=self.clients[0],
            translator=Translator(
                identities,
                refunded_fields=access.refunded_fields,
                walk_in_names=access.walk_in_names,
                equity=EquitySettings(field="group", values=("equity",)),
            ),
            publisher=self,
            cursors=cursors,
            settings=access,
        )
        org, client = OrgId(ORG), self.clients[1]
        self._balances = BalanceSweep(
            org,
            client,
            identities,
            self,
            Availability(org, self, cursors, time.clock),
            movements=Movements(org, client, identities, self, cursors, compare=lambda: self.compare),
            clock=time.clock,
        )

    async def publish(self, outputs: Iterable[Output]) -> None:
        self.shop.publish(outputs)

    async def publish_everywhere(self, output: Output) -> None:
        self.shop.publish(output._replace(partition=number) for number in range(self.shop.partitions))

    async def change(self, compare: Compare) -> None:
        self.compare = compare
        self.shop.change_settings(self.settings(compare))
        await self.shop.settle()

    def settings(self, compare: Compare) -> OrgSettings:
        listed = tuple(str(customer) for customer in sorted(self.world.equity_override))
        return settings(compare=compare, settle_seconds=0, equity_customers=listed)

    async def open(self, compare: Compare) -> Business:
        self.compare = compare
        await self.shop.open(self.settings(compare))
        walked = await self._orders.walk(FIRST, 1)
        self._say(OrdersSweepEnded(FIRST, 1, walked.complete, walked.orders, walked.customers, 0, walked.calls))
        await self.sweep(FIRST)
        return self

    async def sweep(self, run: str) -> BalanceSweepEnded:
        await self.shop.settle()
        ended = await self._balances.sweep(run, 1)
        self._say(ended)
        await self.shop.settle()
        return ended

    async def balances(self) -> BalanceSweepEnded:
        return await self.sweep(self.shop.request(RunKind.BALANCES))

    def check(self) -> None:
        """Every profile, and the figures of the last run, are what the oracle says."""
        rules: Rules = {"compare": self.compare.value}
        told = Told(self.shop.broker)
        check_profiles(self.world, rules, told)
        check_figures(self.world, rules, told)

    def _say(self, body: msgspec.Struct) -> None:
        value = RUNS.encode(body, org=ORG, at=self.shop.tick(), source="producers")
        self.shop.publish([Output(topics.RUNS.name, ORG.encode(), value)])


@asynccontextmanager
async def business(*, hostile: bool = False) -> AsyncIterator[Business]:
    hostility = Hostility(walk_in_orders=5, malformed_each=1) if hostile else None
    world = build_world(11, NOW_MS, options=WorldOptions(SIZE, hostility=hostility, movements=True))
    found = Business(world)
    try:
        yield found
    finally:
        for client in found.clients:
            await client.http.aclose()


@pytest.mark.parametrize("compare", list(Compare))
@pytest.mark.parametrize("hostile", [False, True])
async def test_verdicts_are_those_of_the_oracle(compare: Compare, hostile: bool) -> None:
    async with business(hostile=hostile) as shop:
        await shop.open(compare)
        shop.check()


async def test_another_setting_gives_other_verdicts_at_the_next_barrier() -> None:
    async with business() as shop:
        await shop.open(Compare.RAW)
        before = shop.shop.verdicts()
        await shop.change(Compare.EXPECTED)
        assert shop.shop.verdicts() == before, "not before there was one"
        await shop.balances()
        shop.check()
        after = shop.shop.verdicts()
        changed = {(before[customer], after[customer]) for customer in before}
        assert changed > {("discrepancy", "matched"), ("matched", "discrepancy")}
        await shop.change(Compare.RAW)
        await shop.balances()
        shop.check()


async def test_no_verdict_rests_on_movements_that_could_not_be_read() -> None:
    async with business() as shop:
        await shop.open(Compare.EXPECTED)
        judged = shop.shop.verdicts()
        member = next(each for each in shop.world.members.values() if each.movements)
        member.points = 0
        shop.provider.app = _without(shop.provider.app, "/redemptions/")
        ended = await shop.balances()
        assert not ended.complete
        assert shop.shop.verdicts() == judged, "whatever the balances say"

        await shop.change(Compare.RAW)
        assert (await shop.balances()).complete, "where movements only explain, balances are judged without"
        shop.check()


def _without(app, part: str):  # type: ignore[no-untyped-def]
    """The provider with one endpoint that fails."""

    async def answered(scope, receive, send):  # type: ignore[no-untyped-def]
        if part not in scope["path"]:
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return answered
