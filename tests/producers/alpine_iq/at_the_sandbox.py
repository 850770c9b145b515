"""Alpine IQ's producer against the simulated provider, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import HttpUrl, SecretStr

from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import AlpineIQClient, alpine_iq_client
from producers.alpine_iq.movements import Movements
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import MemoryCursors
from producers.http import Breaker
from producers.identity import Identities, IdentityKey
from stream.contracts.names import OrgId
from stream.contracts.settings import Compare
from stream.sandbox.failures import Conditions
from stream.sandbox.serve import Sandbox, running
from stream.sandbox.world.build import build_world
from stream.sandbox.world.options import Hostility, WorldOptions, WorldSize
from stream.settings import AlpineIQSettings
from tests.producers.hand_clock import HandClock
from tests.recording import RecordingPublisher

ORG = OrgId("brand_example")
NOW_MS = 1_769_800_000_000
SMALL = WorldSize(orders=60, customers=40, members=30, discrepancies=2, strangers=5)


@dataclass
class Producer:
    """One org's Alpine IQ producer and where its records go. `time`: of retries and the budget."""

    sandbox: Sandbox
    client: AlpineIQClient
    identities: Identities
    publisher: RecordingPublisher
    cursors: MemoryCursors
    availability: Availability
    time: HandClock
    compare: Compare = Compare.RAW

    def sweep(self, page_size: int = 2000, movements: Movements | None = None) -> BalanceSweep:
        return BalanceSweep(
            ORG, self.client, self.identities, self.publisher, self.availability, movements=movements,
            page_size=page_size,
        )  # fmt: skip

    def movements(self) -> Movements:
        """Of a new process."""
        return Movements(ORG, self.client, self.identities, self.publisher, self.cursors, compare=lambda: self.compare)


@asynccontextmanager
async def producer(
    *,
    size: WorldSize = SMALL,
    hostile: bool = False,
    movements: bool = False,
    conditions: Conditions | None = None,
    api_key: str | None = None,
) -> AsyncIterator[Producer]:
    options = WorldOptions(size=size, hostility=Hostility() if hostile else None, movements=movements)
    world = build_world(7, NOW_MS, options=options)
    async with running(world, alpine_iq=conditions or Conditions(), clock=lambda: NOW_MS) as sandbox:
        time = HandClock(NOW_MS / 1000)
        settings = AlpineIQSettings(
            base_url=HttpUrl(sandbox.alpine_url),
            uid=sandbox.alpine_credentials.uid,
            api_key=SecretStr(api_key or sandbox.alpine_credentials.api_key),
        )
        client = alpine_iq_client(settings, clock=time.clock, breaker=Breaker(failures=1000, clock=time.clock))
        publisher, cursors = RecordingPublisher(), MemoryCursors()
        try:
            yield Producer(
                sandbox,
                client,
                Identities(IdentityKey(bytes(32))),
                publisher,
                cursors,
                Availability(ORG, publisher, cursors, time.clock),
                time,
            )
        finally:
            await client.http.aclose()
