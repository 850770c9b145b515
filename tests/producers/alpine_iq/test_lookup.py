from __future__ import annotations

import json

import httpx
import pytest

from producers.alpine_iq.client import AlpineIQClient
from producers.alpine_iq.lookup import BalanceLookUp, ContactData
from producers.alpine_iq.movements import CURSOR
from producers.identity import Identities, IdentityKey
from stream.contracts.cursors import Cursor
from stream.contracts.facts import LookUpEmpty, LookUpFailed
from stream.contracts.identities import BalanceObserved
from stream.contracts.names import CustomerId, account_key
from stream.contracts.runs import ProviderUnavailable
from stream.contracts.settings import Compare
from stream.errors import Unavailable, Unreachable
from stream.sandbox.failures import Conditions
from stream.sandbox.world.model import DAY_MS, Member, Movement
from tests.producers.alpine_iq.at_the_sandbox import NOW_MS, ORG, Producer, producer
from tests.producers.scripted import Script, answer, vendor_http

RUN = "brand_example:customer:1"
CUSTOMER = CustomerId("3528")
IDENTITIES = Identities(IdentityKey(bytes(32)))
PHONE, EMAIL = "5557654321", "a@b.co"


def member(contact: str, **fields: object) -> Member:
    return Member(contact, "A", "B", 475, 0, **fields)  # type: ignore[arg-type]


async def look_up(alpine: Producer, contacts: ContactData | None) -> None:
    async def contacts_of(customer: CustomerId) -> ContactData | None:
        assert customer == CUSTOMER
        return contacts

    look = BalanceLookUp(
        ORG,
        alpine.client,
        alpine.identities,
        alpine.publisher,
        alpine.availability,
        contacts_of,
        alpine.time.clock,
        alpine.movements(),
    )
    await look.look_up(RUN, CUSTOMER)


@pytest.mark.parametrize(
    ("contacts", "known", "found", "points", "calls"),
    [
        (ContactData("77"), member("77"), ("77", None, None), 475, 1),
        (ContactData("77"), member("77", hidden=True), ("77", None, None), None, 1),
        (ContactData("77"), member("77", unreadable=True), ("77", None, None), None, 1),
        (ContactData("77", (PHONE,), EMAIL), member("77", phone=PHONE), ("77", PHONE, None), 475, 1),
        (ContactData("99", (PHONE,), EMAIL), member("77", phone=PHONE), (None, PHONE, None), 475, 2),
        (ContactData(None, ("junk", "5550000000", PHONE)), member("77", phone=PHONE), (None, PHONE, None), 475, 2),
        (ContactData("0", (), " A@b.CO "), member("77", email=EMAIL), (None, None, EMAIL), 475, 1),
    ],
)  # fmt: skip
async def test_the_provider_is_asked_by_the_best_evidence_first(
    contacts: ContactData,
    known: Member,
    found: tuple[str | None, str | None, str | None],
    points: int | None,
    calls: int,
) -> None:
    async with producer() as alpine:
        alpine.sandbox.world.members[known.contact_id] = known
        await look_up(alpine, contacts)
        assert sum(alpine.sandbox.alpine_iq.traffic.calls.values()) == calls

    code, phone, email = found
    events = alpine.publisher.events("identities")
    assert [event.data.identity for event in events] == [*IDENTITIES.of(code, (phone,), email)][:1]
    for event in events:
        body = event.data
        assert isinstance(body, BalanceObserved)
        assert (event.customer, body.customer, body.run, body.attempt) == (CUSTOMER, CUSTOMER, RUN, 0)
        assert (body.contact, body.points) == ("77", points)
    assert alpine.publisher.of("facts") == []
    assert len(alpine.publisher.of("dead-letters")) == known.unreadable


@pytest.mark.parametrize("contacts", [None, ContactData(), ContactData("99", ("5550000000",), "no@body.co")])
async def test_a_customer_whom_the_provider_does_not_know_is_empty(contacts: ContactData | None) -> None:
    async with producer() as alpine:
        await look_up(alpine, contacts)
    (record,) = alpine.publisher.records
    assert (record.topic, record.key) == ("facts", account_key(ORG, CUSTOMER))
    (event,) = alpine.publisher.events("facts")
    assert event.customer == CUSTOMER
    assert event.data == LookUpEmpty(RUN, event.at)


async def test_a_provider_that_does_not_answer_proves_nothing() -> None:
    async with producer(conditions=Conditions(outage=True)) as alpine:
        await look_up(alpine, ContactData(None, (PHONE,)))
    (body,) = alpine.publisher.bodies("facts")
    assert isinstance(body, LookUpFailed)
    assert body.run == RUN
    assert PHONE not in body.reason
    assert [type(body) for body in alpine.publisher.bodies("runs")] == [ProviderUnavailable]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"message": "bad phone"}'),
        (422, '{"message": "bad phone"}'),
        (200, '{"success": false, "errors": [{"message": "bad phone"}]}'),
        (200, '{"success": true, "data": ["bad phone"]}'),
    ],
)
async def test_a_provider_that_rejects_one_customers_contact_data_is_not_down(status: int, body: str) -> None:
    """Else one odd address would be an outage of the org, with an alert and everybody else's held back."""
    async with producer() as alpine:
        http = vendor_http(Script(answer(status, body)), alpine.time)
        alpine.client = AlpineIQClient(http, "1", clock=alpine.time.clock)
        await look_up(alpine, ContactData(None, (PHONE,)))
    (fact,) = alpine.publisher.bodies("facts")
    assert isinstance(fact, LookUpFailed)
    assert "bad phone" in fact.reason or "not an object" in fact.reason
    assert alpine.publisher.bodies("runs") == []


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_provider_that_refuses_us_is_reported(status: int) -> None:
    async with producer() as alpine:
        http = vendor_http(Script(answer(status)), alpine.time)
        alpine.client = AlpineIQClient(http, "1", clock=alpine.time.clock)
        await look_up(alpine, ContactData(None, (PHONE,)))
    assert [type(body) for body in alpine.publisher.bodies("runs")] == [ProviderUnavailable]


async def test_contact_data_that_cannot_be_read_is_a_failure_and_not_the_providers() -> None:
    async with producer() as alpine:

        async def contacts_of(customer: CustomerId) -> ContactData | None:
            raise Unavailable("Alleaves did not answer POST /customer/search")

        look = BalanceLookUp(ORG, alpine.client, alpine.identities, alpine.publisher, alpine.availability, contacts_of)
        await look.look_up(RUN, CUSTOMER)
    (body,) = alpine.publisher.bodies("facts")
    assert isinstance(body, LookUpFailed)
    assert "contact data could not be read: Alleaves" in body.reason
    assert alpine.publisher.of("runs") == []


async def test_a_log_that_does_not_take_the_contact_data_is_no_answer_of_anybodys() -> None:
    """The command is repeated then: nobody is told that the look-up failed."""
    async with producer() as alpine:

        async def contacts_of(customer: CustomerId) -> ContactData | None:
            raise Unreachable("the broker does not answer")

        look = BalanceLookUp(ORG, alpine.client, alpine.identities, alpine.publisher, alpine.availability, contacts_of)
        with pytest.raises(Unreachable):
            await look.look_up(RUN, CUSTOMER)
    assert alpine.publisher.records == []


async def test_a_row_without_points_is_completed_by_the_wallet() -> None:
    row = {"contactID": "77", "mobilePhone": PHONE}
    wallet = {"success": True, "data": {"loyaltyPoints": 40}, "contactID": "77"}

    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/wallet"):
            assert json.loads(request.content) == {"phone": f"+1{PHONE}"}
            return answer(body=json.dumps(wallet))
        return answer(body=json.dumps({"success": True, "data": {"results": [row], "total": 1}}))

    async with producer() as alpine:
        alpine.client = AlpineIQClient(vendor_http(Script(vendor), alpine.time), "1", clock=alpine.time.clock)
        await look_up(alpine, ContactData("77"))
    (body,) = alpine.publisher.bodies("identities")
    assert (body.contact, body.points, body.identity) == ("77", 40, *IDENTITIES.of("77", (), None))


async def test_contact_data_that_may_lack_something_proves_no_absence() -> None:
    async with producer() as alpine:
        await look_up(alpine, ContactData(None, ("5550000000",), partial=True))
        (body,) = alpine.publisher.bodies("facts")
        assert isinstance(body, LookUpFailed)
        alpine.sandbox.world.members["77"] = member("77", phone=PHONE)
        await look_up(alpine, ContactData(None, (PHONE,), partial=True))
    assert [body.points for body in alpine.publisher.bodies("identities")] == [475]


def redeemed(points: int, days_ago: float) -> Movement:
    return Movement("redemption", -points, NOW_MS - int(days_ago * DAY_MS), "reward")


@pytest.mark.parametrize(("days_ago_read", "found"), [(None, [30, 20, 10]), (1, [20, 10])])
async def test_where_verdicts_rest_on_movements_those_of_the_contact_come_first(
    days_ago_read: int | None, found: list[int]
) -> None:
    """All of them where none were ever read, else those since then: older ones are known."""
    async with producer(movements=True) as alpine:
        alpine.compare = Compare.EXPECTED
        if days_ago_read is not None:
            read_at = NOW_MS - days_ago_read * DAY_MS
            await alpine.cursors.save(ORG, CURSOR, Cursor(read_at, {"whole_at": str(NOW_MS - DAY_MS // 2)}))
        redemptions = [redeemed(30, 300), redeemed(20, 3), redeemed(10, 0.5)]
        alpine.sandbox.world.members["77"] = member("77", phone=PHONE, movements=redemptions)
        await look_up(alpine, ContactData(None, (PHONE,)))
        assert sum(alpine.sandbox.alpine_iq.traffic.calls.values()) == 3

    bodies = alpine.publisher.bodies("identities")
    assert [-body.points for body in bodies[:-1]] == found
    assert isinstance(bodies[-1], BalanceObserved)
    assert {body.identity for body in bodies} == {*IDENTITIES.of(None, (PHONE,), None)}, "so in one order"
    cursor = await alpine.cursors.load(ORG, CURSOR)
    assert (cursor is None) == (days_ago_read is None), "others' movements were not published"


async def test_a_look_up_fails_where_verdicts_rest_on_movements_that_cannot_be_read() -> None:
    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/wallet"):
            return answer(body='{"success": true, "data": {"loyaltyPoints": 40}, "contactID": "77"}')
        return answer(500)

    async with producer() as alpine:
        alpine.client = AlpineIQClient(vendor_http(Script(vendor), alpine.time), "1", clock=alpine.time.clock)
        alpine.compare = Compare.EXPECTED
        await look_up(alpine, ContactData(None, (PHONE,)))
        (body,) = alpine.publisher.bodies("facts")
        assert isinstance(body, LookUpFailed)
        assert "the movements of points could not be read" in body.reason
        assert alpine.publisher.of("identities") == alpine.publisher.of("runs") == []

        alpine.compare = Compare.RAW
        await look_up(alpine, ContactData(None, (PHONE,)))
        assert [body.points for body in alpine.publisher.bodies("identities")] == [40]


async def test_a_wallet_of_nobody_in_particular_is_not_judged_by_its_movements() -> None:
    vendor = answer(body='{"success": true, "data": {"loyaltyPoints": 40}}')
    async with producer() as alpine:
        alpine.client = AlpineIQClient(vendor_http(Script(vendor), alpine.time), "1", clock=alpine.time.clock)
        alpine.compare = Compare.EXPECTED
        await look_up(alpine, ContactData(None, (PHONE,)))
    (body,) = alpine.publisher.bodies("facts")
    assert isinstance(body, LookUpFailed)
    assert "which contact" in body.reason
