"""The producer role over the in-memory log: the real poller, walks, sweeps and look-ups of one org."""

from __future__ import annotations

import asyncio
from functools import partial

from producers.alleaves.poller import Poller
from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.lookup import BalanceLookUp
from producers.alpine_iq.movements import Movements
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import MemoryCursors
from producers.http import Clock
from producers.identity import Identities, IdentityKey
from producers.role.contact_data import AlleavesContacts
from producers.role.offsets import Offsets
from producers.role.org import OwnedOrg
from producers.role.parts import OrgProducer
from stream.contracts import topics
from stream.contracts.commands import COMMANDS
from stream.contracts.names import CustomerId, OrgId, account_key
from stream.contracts.people import PEOPLE, Person
from stream.contracts.settings import SETTINGS, Compare
from stream.engine.partitioning import murmur2_partition
from stream.settings import AlleavesSettings, EquitySettings
from tests.simulation.log import SlowLog
from tests.simulation.vendors import Vendors

ORG = OrgId("shop")
LOOK_SECONDS = 0.1
MEMBERS_PER_PAGE = 100


class Producers:
    """One process at a time; the next one goes on where the group's offset and the cursors say."""

    def __init__(self, vendors: Vendors, log: SlowLog, settings: AlleavesSettings, clock: Clock) -> None:
        self.cursors = MemoryCursors()
        self._vendors = vendors
        self._log = log
        self._settings = settings
        self._clock = clock
        self._partition = murmur2_partition(ORG.encode(), log.broker.partitions)
        self._committed = 0
        self._offsets = Offsets()
        self._tasks: list[asyncio.Task[None]] = []
        self._owned: OwnedOrg | None = None

    def start(self) -> None:
        """Begin, as a new process."""
        self._offsets = Offsets()
        self._owned = OwnedOrg(self._org(), self._log, self._settings_are_there, self._offsets.finish, self._clock)
        self._owned.start(_failed)
        self._tasks = [asyncio.create_task(self._take_commands(self._owned))]

    async def kill(self) -> None:
        """End, as with SIGKILL: nothing is finished, nothing is said."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._owned is not None:
            await self._owned.stop()

    @property
    def idle(self) -> bool:
        """Whether every command has been worked off."""
        return self._committed >= self._log.broker.end(topics.COMMANDS.name, self._partition) or not self._unread()

    def _unread(self) -> bool:
        return bool(self._log.broker.read(topics.COMMANDS.name, self._partition, self._committed))

    async def _take_commands(self, owned: OwnedOrg) -> None:
        position = self._committed
        while True:
            for record in self._log.broker.read(topics.COMMANDS.name, self._partition, position):
                position = record.offset + 1
                if self._offsets.begin(record.offset):
                    event = COMMANDS.decode(record.value or b"")
                    owned.submit(record.offset, event.data, event.customer)
            self._committed = max(self._committed, self._offsets.position or 0)
            await asyncio.sleep(LOOK_SECONDS)

    async def _settings_are_there(self) -> None:
        while not self._log.broker.all(topics.SETTINGS.name):
            await asyncio.sleep(LOOK_SECONDS)

    def _compare(self) -> Compare:
        records = self._log.broker.all(topics.SETTINGS.name)
        return SETTINGS.decode(records[-1].value or b"").data.settings.compare if records else Compare.RAW

    async def _person(self, customer: CustomerId) -> Person | None:
        key = account_key(ORG, customer)
        partition = murmur2_partition(key, self._log.broker.partitions)
        records = self._log.broker.read(topics.PEOPLE.name, partition)
        values = [record.value for record in records if record.key == key and record.value]
        body = PEOPLE.decode(values[-1]).data if values else None
        return body if isinstance(body, Person) else None

    def _org(self) -> OrgProducer:
        log, clock = self._log, self._clock
        shop, provider = self._vendors.shop(self._settings), self._vendors.provider()
        identities = Identities(IdentityKey(b"k" * 32), self._settings.phone_region)
        translator = Translator(
            identities,
            refunded_fields=self._settings.refunded_fields,
            walk_in_names=self._settings.walk_in_names,
            equity=EquitySettings(field="group", values=("equity",)),
        )
        availability = Availability(ORG, log, self.cursors, clock)
        contacts = AlleavesContacts(ORG, shop, translator, log, self._person)
        poller = partial(
            Poller,
            org=ORG,
            client=shop,
            translator=translator,
            publisher=log,
            cursors=self.cursors,
            settings=self._settings,
            clock=clock,
        )
        orders = OrderSweep(
            org=ORG, client=shop, translator=translator, publisher=log, cursors=self.cursors, settings=self._settings
        )
        movements = Movements(ORG, provider, identities, log, self.cursors, compare=self._compare)
        sweep = partial(BalanceSweep, movements=movements, page_size=MEMBERS_PER_PAGE, clock=clock)
        return OrgProducer(
            ORG,
            new_poller=poller,
            orders=orders,
            balances=sweep(ORG, provider, identities, log, availability),
            look_up=BalanceLookUp(ORG, provider, identities, log, availability, contacts, clock, movements),
            background=(lambda: availability.watch(provider),),
        )


def _failed(error: BaseException) -> None:
    raise AssertionError("the producers cannot begin") from error
