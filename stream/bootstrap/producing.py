"""The producers of every configured org, put together."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from zoneinfo import ZoneInfo

from producers.alleaves.client import AlleavesClient
from producers.alleaves.poller import Poller
from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.alleaves.walks import Walks
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import alpine_iq_client
from producers.alpine_iq.lookup import BalanceLookUp
from producers.alpine_iq.movements import Movements
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import KafkaCursors
from producers.identity import Identities, IdentityKey
from producers.membership import Membership
from producers.role.contact_data import AlleavesContacts
from producers.role.following import ErasedPeople, OrgsWithSettings, People
from producers.role.parts import OrgProducer
from producers.runner import Bus, ProducerRole
from stream.bootstrap.counting import Counted
from stream.bootstrap.roles import Station
from stream.bootstrap.vendor_gauges import VendorGauges
from stream.configuration import org_settings
from stream.contracts import topics
from stream.contracts.names import CustomerId, OrgId
from stream.contracts.people import Person
from stream.contracts.runs import RUNS, ChangeSettings
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.errors import ConfigurationError
from stream.ops.health import Condition
from stream.settings import AlleavesSettings, OrgConfiguration


class Producing:
    """The producer role with what its health and metrics are told from."""

    def __init__(
        self, station: Station, publisher: KafkaPublisher, role: ProducerRole, gauges: Mapping[OrgId, VendorGauges]
    ) -> None:
        self._station = station
        self._publisher = publisher
        self._role = role
        self._gauges = gauges

    def look(self) -> None:
        """Bring health and metrics up to date."""
        gauges = [self._gauges[org] for org in self._role.owned]
        for each in gauges:
            each.look()
        waiting = [each.org for each in gauges if not each.polling]
        silent = [f"{each.org}: {each.reason or 'not read yet'}" for each in gauges if not each.answers]
        here = f"{len(gauges)} orgs are polled here"
        self._station.health.say(Condition.SETTINGS, not waiting, ", ".join(waiting) or here)
        self._station.health.say(Condition.POINT_OF_SALE, not silent, "; ".join(silent) or here)

    async def run(self) -> None:
        """Seed settings, then produce until cancelled."""
        try:
            await self._seed_settings()
            await self._role.run()
        finally:
            await self._publisher.stop()

    async def _seed_settings(self) -> None:
        """The configuration file is version 1 of an org's settings; afterwards the log wins."""
        at = int(time.time() * 1000)
        await self._publisher.publish(
            Output(
                topics.RUNS.name,
                org.id.encode(),
                RUNS.encode(
                    ChangeSettings(org_settings(org), by="configuration file", expected_version=0),
                    org=org.id,
                    at=at,
                    source="poll",
                ),
            )
            for org in self._station.configuration.orgs
        )


async def producing(station: Station, orgs_: Sequence[OrgConfiguration]) -> Producing:
    """Everything that `loyalty poll` runs. `orgs_`: with their access to the point of sale."""
    publisher = KafkaPublisher(station.bootstrap, station.prefix, client_id="poll")
    await publisher.start()
    key = IdentityKey.load_or_create(station.folder.identity_key)
    cursors = KafkaCursors(publisher, station.bootstrap, station.prefix)
    erased, settings = ErasedPeople(), OrgsWithSettings()
    parts = _Parts(station, publisher, key, cursors, erased, settings)
    orgs = [parts.producer(org) for org in orgs_]
    bus = Bus(
        station.bootstrap, station.prefix, publisher, instance=f"{station.prefix}{Membership(station.folder.root).name}"
    )
    role = ProducerRole(orgs, bus, cursors=cursors, key=key, people=erased, settings=settings)
    return Producing(station, publisher, role, parts.gauges)


class _Parts:
    def __init__(
        self,
        station: Station,
        publisher: KafkaPublisher,
        key: IdentityKey,
        cursors: KafkaCursors,
        erased: ErasedPeople,
        settings: OrgsWithSettings,
    ) -> None:
        self._station = station
        self._publisher = publisher
        self._key = key
        self._cursors = cursors
        self._erased = erased
        self._settings = settings
        self.gauges: dict[OrgId, VendorGauges] = {}

    def producer(self, org: OrgConfiguration) -> OrgProducer:
        """One org's pollers, sweeps and look-up, as far as its vendors are configured."""
        if org.alleaves is None or org.alpine_iq is None:
            raise ConfigurationError(f"org {org.id!r} does not say how both vendors are reached")
        name, alleaves = OrgId(org.id), org.alleaves
        shop, provider = AlleavesClient.of(alleaves), alpine_iq_client(org.alpine_iq)
        identities = Identities(self._key, alleaves.phone_region)
        translator = _translator(org, alleaves, identities, self._erased.of(name))
        availability = Availability(name, self._publisher, self._cursors)
        movements = Movements(
            name,
            provider,
            identities,
            self._counted(name, "sweep"),
            self._cursors,
            compare=lambda: self._settings.compare(name),
            history_days=alleaves.history_days,
        )
        people = People(self._publisher, self._station.bootstrap, self._station.prefix)

        async def person_of(customer: CustomerId) -> Person | None:
            return await people.person(name, customer)

        look_up = self._counted(name, "look_up")
        gauges = self.gauges[name] = VendorGauges(self._station.metrics, name, shop.http, provider.http)
        contacts = AlleavesContacts(name, shop, translator, look_up, person_of)
        walks = Walks()
        return OrgProducer(
            org=name,
            new_poller=lambda: gauges.watched(
                Poller(
                    org=name,
                    client=shop,
                    translator=translator,
                    publisher=self._counted(name, "poller"),
                    cursors=self._cursors,
                    settings=alleaves,
                    on_poll=gauges.polled,
                    walks=walks,
                )
            ),
            orders=OrderSweep(
                org=name,
                client=shop,
                translator=translator,
                publisher=self._counted(name, "walk"),
                cursors=self._cursors,
                settings=alleaves,
                walks=walks,
            ),
            balances=BalanceSweep(
                name,
                provider,
                identities,
                self._counted(name, "sweep"),
                availability,
                movements=movements,
                page_size=org.alpine_iq.page_size,
            ),
            look_up=BalanceLookUp(name, provider, identities, look_up, availability, contacts, movements=movements),
            background=(lambda: availability.watch(provider),),
        )

    def _counted(self, org: OrgId, source: str) -> Counted:
        return Counted(self._publisher, self._station.metrics, org, source)


def _translator(
    org: OrgConfiguration, alleaves: AlleavesSettings, identities: Identities, erased: Collection[str]
) -> Translator:
    return Translator(
        identities=identities,
        currency=org.currency,
        refunded_fields=alleaves.refunded_fields,
        walk_in_names=alleaves.walk_in_names,
        locations=alleaves.location_ids,
        equity=org.equity,
        zone=ZoneInfo(org.time_zone),
        erased=erased,
    )
