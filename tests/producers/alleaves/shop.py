"""A simulated Alleaves on loopback, and producers that read from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from producers.alleaves.client import AlleavesClient
from producers.alleaves.poller import Poller
from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.cursors import MemoryCursors
from producers.http import Clock
from producers.identity import Identities, IdentityKey
from stream.contracts.names import OrgId
from stream.sandbox.failures import Conditions
from stream.sandbox.serve import Sandbox, running, system_clock
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import World
from stream.sandbox.world.options import WorldOptions, WorldSize
from stream.settings import AlleavesSettings, EquitySettings
from tests.producers.recording import RecordingPublisher

ORG = OrgId("shop")


def small_world(orders: int = 120, customers: int = 40, **options: object) -> World:
    size = WorldSize(orders=orders, customers=customers, members=5, discrepancies=1, strangers=2)
    return build_world(7, system_clock(), options=WorldOptions(size=size, **options))  # type: ignore[arg-type]


@dataclass
class Shop:
    """Everything around one org; `settings` reach the sandbox with a budget that does not slow tests down."""

    sandbox: Sandbox
    settings: AlleavesSettings
    client: AlleavesClient
    publisher: RecordingPublisher
    cursors: MemoryCursors
    translator: Translator

    @property
    def world(self) -> World:
        return self.sandbox.world

    def poller(self, clock: Clock | None = None) -> Poller:
        return Poller(
            org=ORG,
            client=self.client,
            translator=self.translator,
            publisher=self.publisher,
            cursors=self.cursors,
            settings=self.settings,
            clock=clock,
        )

    def sweep(self, erased: frozenset[str] = frozenset()) -> OrderSweep:
        return OrderSweep(
            org=ORG,
            client=self.client,
            translator=replace(self.translator, erased=erased),
            publisher=self.publisher,
            cursors=self.cursors,
            settings=self.settings,
        )


@asynccontextmanager
async def open_shop(
    world: World | None = None, conditions: Conditions | None = None, clock: Clock | None = None, **settings: object
) -> AsyncIterator[Shop]:
    """`clock` is turned by hand: the client's and the vendor's."""
    vendor_clock = system_clock if clock is None else lambda: int(clock.wall() * 1000)
    async with running(world or small_world(), alleaves=conditions or Conditions(), clock=vendor_clock) as sandbox:
        access = {
            "base_url": sandbox.alleaves_url,
            "username": sandbox.alleaves_credentials.username,
            "password": sandbox.alleaves_credentials.password,
            "pin": sandbox.alleaves_credentials.pin,
            "requests_per_second": 1_000_000,
        }
        if "page_size" in settings:
            settings = {"customers_page_size": settings["page_size"]} | settings
        configured = AlleavesSettings.model_validate(access | settings)
        identities = Identities(IdentityKey(b"k" * 32), configured.phone_region)
        translator = Translator(
            identities,
            refunded_fields=configured.refunded_fields,
            walk_in_names=configured.walk_in_names,
            equity=EquitySettings(field="group", values=("equity",)),
        )
        async with AlleavesClient.of(configured, clock=clock) as client:
            yield Shop(sandbox, configured, client, RecordingPublisher(), MemoryCursors(), translator)
