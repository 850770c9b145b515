"""One org's real producers against both simulated vendors, on a real Kafka."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from pydantic import HttpUrl, SecretStr

from producers.alleaves.client import AlleavesClient
from producers.alleaves.poller import Poller
from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import alpine_iq_client
from producers.alpine_iq.lookup import BalanceLookUp
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import KafkaCursors
from producers.identity import Identities
from producers.role.contact_data import AlleavesContacts
from producers.role.following import ErasedPeople, People
from producers.role.parts import OrgProducer
from stream.contracts.commands import LookUpBalance, SweepBalances, SweepOrders
from stream.contracts.facts import CustomerObserved, LookUpEmpty, OrderObserved, OrdersSwept
from stream.contracts.identities import BalanceObserved, SweepCompleted, SweepStarted
from stream.contracts.people import Person
from stream.sandbox.serve import Sandbox, running
from stream.sandbox.world.build import build_world
from stream.sandbox.world.options import WorldSize
from stream.settings import AlleavesSettings, AlpineIQSettings
from tests.producers.test_runner import KEY, ORG, PARTITIONS, Site, eventually, site
from tests.producers.test_runner import running as running_role

__all__ = ["site"]


@asynccontextmanager
async def org_producer(site: Site, sandbox: Sandbox, people: ErasedPeople) -> AsyncIterator[OrgProducer]:
    """The org wired as `loyalty poll` wires it."""
    shop, provider = sandbox.alleaves_credentials, sandbox.alpine_credentials
    alleaves = AlleavesSettings(
        base_url=HttpUrl(sandbox.alleaves_url),
        username=shop.username,
        password=SecretStr(shop.password),
        pin=SecretStr(shop.pin) if shop.pin else None,
        requests_per_second=1000,
    )
    alpine = AlpineIQSettings(
        base_url=HttpUrl(sandbox.alpine_url), uid=provider.uid, api_key=SecretStr(provider.api_key), per_second=1000
    )
    async with AsyncExitStack() as stack:
        shop_client = await stack.enter_async_context(AlleavesClient.of(alleaves))
        client = alpine_iq_client(alpine)
        await stack.enter_async_context(client.http)
        identities = Identities(KEY)
        cursors = KafkaCursors(site.publisher, site.kafka, site.prefix)
        translator = Translator(identities, erased=people.of(ORG))
        availability = Availability(ORG, site.publisher, cursors)
        person_of = partial(People(site.publisher, site.kafka, site.prefix).person, ORG)
        contacts = AlleavesContacts(ORG, shop_client, translator, site.publisher, person_of)
        poller = partial(
            Poller,
            org=ORG,
            client=shop_client,
            translator=translator,
            publisher=site.publisher,
            cursors=cursors,
            settings=alleaves,
        )
        orders = OrderSweep(
            org=ORG,
            client=shop_client,
            translator=translator,
            publisher=site.publisher,
            cursors=cursors,
            settings=alleaves,
        )
        yield OrgProducer(
            ORG,
            new_poller=poller,
            orders=orders,
            balances=BalanceSweep(ORG, client, identities, site.publisher, availability),
            look_up=BalanceLookUp(ORG, client, identities, site.publisher, availability, contacts),
            background=(partial(availability.watch, client),),
        )


async def test_a_run_is_swept_and_a_customer_is_looked_up(site: Site) -> None:
    size = WorldSize(orders=150, customers=80, members=30, discrepancies=2, strangers=4)
    world, people = build_world(7, int(time.time() * 1000), size=size), ErasedPeople()
    async with running(world) as sandbox, org_producer(site, sandbox, people) as producer:
        await site.settings(ORG)
        await site.command(SweepOrders("r", 1))
        async with running_role(site.role(producer, people=people)):
            await eventually(lambda: _count(site, "runs", 1))
            await site.command(SweepBalances("r", 1))
            await eventually(lambda: _count(site, "runs", 2))
            member = world.customers[world.sample_member_id]
            stranger = next(c for c in world.customers.values() if not (c.alpine_user_code or c.phone or c.email))
            await site.command(LookUpBalance("one"), customer=str(member.customer_id))
            await site.command(LookUpBalance("two"), customer=str(stranger.customer_id))
            await eventually(lambda: _looked_up(site))

    walked, swept = await site.bodies("runs")
    assert (walked.complete, walked.orders, walked.customers, walked.unreadable) == (True, 150, 80, 0)
    assert (swept.complete, swept.rows) == (True, 34)
    facts = await site.bodies("facts")
    assert len({body.order for body in facts if isinstance(body, OrderObserved)}) == 150
    assert sum(isinstance(body, CustomerObserved) for body in facts) == 80 + 2
    assert sum(isinstance(body, OrdersSwept) for body in facts) == PARTITIONS
    assert [body.run for body in facts if isinstance(body, LookUpEmpty)] == ["two"]
    identities = await site.bodies("identities")
    assert sum(isinstance(body, SweepStarted) for body in identities) == PARTITIONS
    assert sum(isinstance(body, SweepCompleted) for body in identities) == PARTITIONS
    one = [body for body in identities if isinstance(body, BalanceObserved) and body.run == "one"]
    assert {body.points for body in one} == {475}
    assert {body.customer for body in one} == {str(world.sample_member_id)}
    assert {body.identity.partition(":")[0] for body in one} == {"code"}  # the best of what both sides have
    assert sum(isinstance(body, Person) for body in await site.bodies("people")) == 80 + 2
    assert await site.records("dead-letters") == []


async def _count(site: Site, topic: str, records: int) -> bool:
    return len(await site.records(topic)) >= records


async def _looked_up(site: Site) -> bool:
    facts, identities = await site.bodies("facts"), await site.bodies("identities")
    return any(isinstance(body, LookUpEmpty) for body in facts) and any(
        isinstance(body, BalanceObserved) and body.run == "one" for body in identities
    )
