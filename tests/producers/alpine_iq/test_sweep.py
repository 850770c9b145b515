from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest

from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import AlpineIQClient
from producers.alpine_iq.sweep import PAGES_TOGETHER, BalanceSweep
from producers.cursors import MemoryCursors
from producers.identity import Identities, IdentityKey
from stream.contracts import dead_letters
from stream.contracts.identities import BalanceObserved, SweepCompleted, SweepStarted
from stream.contracts.runs import BalanceSweepEnded, ProviderRecovered, ProviderUnavailable
from stream.errors import Unreachable
from stream.sandbox.failures import HOSTILE_RATES, Conditions
from stream.sandbox.world.options import WorldSize
from tests.producers.alpine_iq.at_the_sandbox import ORG, SMALL, producer
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, Step, answer, vendor_http
from tests.recording import RecordingPublisher

RUN = "brand_example:daily:2026-01-30T02:00"
PARTITIONS = 4
MANY = WorldSize(orders=700, customers=640, members=500, discrepancies=2, strangers=13)
IDENTITIES = Identities(IdentityKey(bytes(32)))


def kinds(publisher: RecordingPublisher) -> list[str]:
    """The kinds of bodies in `identities`, repeats in a row as one."""
    names = [type(body).__name__ for body in publisher.bodies("identities")]
    return [name for position, name in enumerate(names) if position == 0 or names[position - 1] != name]


async def test_a_sweep_publishes_every_member_between_its_marks() -> None:
    async with producer(size=MANY) as alpine:
        ended = await alpine.sweep(page_size=100).sweep(RUN, 2)
        members = alpine.sandbox.world.members
        calls = alpine.sandbox.alpine_iq.traffic.calls

    publisher = alpine.publisher
    assert (ended.run, ended.attempt, ended.complete, ended.rows, ended.calls) == (RUN, 2, True, 513, 6)
    assert sum(calls.values()) == 6, "513 members, 100 a page"
    assert kinds(publisher) == ["SweepStarted", "BalanceObserved", "SweepCompleted"]
    bodies = publisher.bodies("identities")
    observed = [body for body in bodies if isinstance(body, BalanceObserved)]
    assert {(body.contact, body.points) for body in observed} == {(m.contact_id, m.points) for m in members.values()}
    assert {(body.run, body.attempt) for body in observed} == {(RUN, 2)}
    assert {body.identity for body in observed} == {
        identity for m in members.values() for identity in IDENTITIES.of(m.contact_id, (m.phone,), m.email)
    }
    assert bodies.count(SweepStarted(RUN, 2, bodies[0].started_at)) == PARTITIONS
    assert bodies.count(SweepCompleted(RUN, 2, bodies[0].started_at, 513)) == PARTITIONS
    assert all(body.observed_at >= bodies[0].started_at for body in observed)
    assert publisher.of("dead-letters") == publisher.of("runs") == []


async def test_the_marks_are_in_every_partition_under_one_id() -> None:
    async with producer() as alpine:
        await alpine.sweep().sweep(RUN, 2)
    marks = [record for record in alpine.publisher.of("identities") if record.key == ORG.encode()]
    assert [record.partition for record in marks] == [0, 1, 2, 3, 0, 1, 2, 3]
    ids = [event.id for event in alpine.publisher.events("identities") if event.id]
    assert ids == [f"SweepStarted:{RUN}:2"] * PARTITIONS + [f"SweepCompleted:{RUN}:2"] * PARTITIONS


async def test_two_thousand_members_are_one_call() -> None:
    async with producer(size=MANY) as alpine:
        ended = await alpine.sweep().sweep(RUN, 1)
    assert (ended.rows, ended.calls) == (513, 1)


async def test_a_hostile_provider_is_read_wholly_and_what_is_broken_is_a_dead_letter() -> None:
    async with producer(hostile=True, conditions=Conditions(rates=dict(HOSTILE_RATES), slow_ms=1)) as alpine:
        ended = await alpine.sweep(page_size=100).sweep(RUN, 1)
        members = alpine.sandbox.world.members.values()

    assert (ended.complete, ended.rows) == (True, len(members))
    points = {body.contact: body.points for body in alpine.publisher.bodies("identities") if hasattr(body, "contact")}
    for member in members:
        unknown = member.hidden or member.unreadable
        if not member.broken:
            assert points[member.contact_id] == (None if unknown else member.points)
    reasons = sorted(dict(letter.headers)[dead_letters.REASON] for letter in alpine.publisher.of("dead-letters"))
    assert reasons == [b"the member has no contactID"] * 3 + [b"the points are not a number: str"] * 2


async def test_a_provider_that_is_down_ends_the_sweep_without_marks_and_is_reported_once() -> None:
    async with producer(conditions=Conditions(outage=True)) as alpine:
        first = await alpine.sweep().sweep(RUN, 1)
        second = await alpine.sweep().sweep(RUN, 2)
        alpine.sandbox.alpine_iq.conditions = Conditions()
        third = await alpine.sweep().sweep(RUN, 3)

    assert [first.complete, second.complete, third.complete] == [False, False, True]
    assert "503" in (first.reason or "")
    assert {body.attempt for body in alpine.publisher.bodies("identities")} == {3}
    assert [type(body) for body in alpine.publisher.bodies("runs")] == [ProviderUnavailable, ProviderRecovered]


async def test_a_page_that_fails_in_the_middle_completes_nothing() -> None:
    pages = Pages([str(number) for number in range(250)], broken_at=200)
    ended, publisher = await swept(pages)
    assert not ended.complete
    assert "SweepCompleted" not in kinds(publisher)
    assert kinds(publisher)[0] == "SweepStarted"


class Pages:
    """A provider whose rows may shift: `lists[n]` is what it has at the n-th call, the last one stays."""

    def __init__(
        self,
        *lists: list[str],
        total: int | None = -1,
        cap: int = 2000,
        broken_at: int = -1,
        blank_at: int = -1,
        deaf: bool = False,
    ) -> None:
        self.lists = list(lists)
        self.total = total
        self.cap = cap
        self.broken_at = broken_at
        self.blank_at = blank_at
        self.deaf = deaf
        self.starts: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        start, limit = int(query["start"][0]), min(self.cap, int(query["limit"][0]))
        members = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if start == self.broken_at:
            return answer(400, '{"success": false}')
        self.starts.append(start)
        start = 0 if self.deaf else start
        rows = [{"contactID": contact, "loyaltyPoints": 1} for contact in members[start : start + limit]]
        rows = [] if start == self.blank_at else rows
        data: dict[str, object] = {"results": rows or None}
        if self.total is not None:
            data["total"] = len(members) if self.total < 0 else self.total
        return answer(body=json.dumps({"success": True, "data": data}))


async def swept(pages: Step) -> tuple[BalanceSweepEnded, RecordingPublisher]:
    time, publisher = HandClock(), RecordingPublisher()
    client = AlpineIQClient(vendor_http(Script(pages), time), "1", clock=time.clock)
    availability = Availability(ORG, publisher, MemoryCursors(), time.clock)
    sweep = BalanceSweep(ORG, client, IDENTITIES, publisher, availability, page_size=100)
    return await sweep.sweep(RUN, 1), publisher


def people(*ranges: range) -> list[str]:
    return [str(number) for each in ranges for number in each]


@pytest.mark.parametrize(
    ("pages", "complete", "rows", "starts", "because"),
    [
        (Pages(people(range(1, 251))), True, 250, [0, 100, 200], "three pages"),
        (Pages([]), True, 0, [0], "a provider that says it has nobody has nobody"),
        (Pages([], total=None), False, 0, [0], "but nothing and no total may be a fault"),
        (Pages(people(range(1, 201)), total=None), True, 200, [0, 100, 200], "no total: until a page is short"),
        (Pages(people(range(1, 251)), total=None), True, 250, [0, 100, 200], "no total, a short page"),
        (Pages(people(range(1, 251)), cap=80), True, 250, [0, 80, 160, 240], "the vendor gives fewer than asked for"),
        (
            Pages(people(range(1, 301)), people(range(301))), True, 301, [0, 100, 200, 300, 0, 100, 200, 300],
            "one enrolled meanwhile, on a page already read: read again",
        ),
        (
            Pages(people(range(1, 301)), people(range(2, 301))), True, 300, [0, 100, 200, 0, 100, 200],
            "one left meanwhile: 101 moved to the first page unseen, so read again",
        ),
        (
            Pages(people(range(1, 151), range(1, 51))), True, 150, [0, 100, 200, 0, 100, 200],
            "some are listed twice, always; what ends with a full page may go on",
        ),
        (Pages(people(range(1, 251)), deaf=True), False, 100, [0, 100, 200, 300] * 2, "every page is the first one"),
        (Pages(people(range(1, 251)), total=None, deaf=True), False, 100, [0, 100], "nor does it end for want of new"),
        (Pages(people(range(1, 451)), total=200), True, 450, [0, 100, 200, 300, 400], "a total that counts no further"),
        (Pages(people(range(1, 101)), total=100, cap=80), True, 100, [0, 80], "a page that is short ends it"),
        (Pages(people(range(1, 81)), cap=80), True, 80, [0], "so does a first one with all of them"),
        (
            Pages(people(range(1, 301)), blank_at=100), False, 200, [0, 100, 200, 200] * 2,
            "a page in the middle is empty: those read twice do not stand for those never listed",
        ),
        (Pages(people(range(1, 151)), total=190), False, 150, [0, 100, 150, 0, 100, 150], "fewer than it says"),
    ],
)  # fmt: skip
async def test_a_sweep_is_complete_when_the_members_number_what_the_provider_says(
    pages: Pages, complete: bool, rows: int, starts: list[int], because: str
) -> None:
    ended, publisher = await swept(pages)
    assert (ended.complete, ended.rows) == (complete, rows), because
    assert pages.starts == starts, because
    assert ("SweepCompleted" in kinds(publisher)) is complete


async def test_a_member_met_twice_is_published_once() -> None:
    _, publisher = await swept(Pages(people(range(1, 151), range(1, 51))))
    contacts = [body.contact for body in publisher.bodies("identities") if isinstance(body, BalanceObserved)]
    assert len(contacts) == len(set(contacts)) == 150


async def test_kafka_away_is_no_fault_of_the_provider() -> None:
    async with producer(size=SMALL) as alpine:
        alpine.publisher.failures.append(Unreachable("no broker"))
        with pytest.raises(Unreachable):
            await alpine.sweep(page_size=100).sweep(RUN, 1)
    assert alpine.publisher.of("runs") == []


@pytest.mark.parametrize(
    "odd", [b"NaN", b'"\\ud800"', b'"a\tb"', b'"Jos\xe9"', b"9" * 5000], ids=["NaN", "half", "tab", "latin", "digits"]
)
async def test_one_odd_value_does_not_cost_the_sweep(odd: bytes) -> None:
    rows = b'{"contactID": "1", "loyaltyPoints": 7}, {"contactID": "2", "loyaltyPoints": %s, "email": %s}' % (odd, odd)
    rows += b', {"contactID": %s, "loyaltyPoints": 9.5}' % odd
    page = answer(body=b'\xef\xbb\xbf{"success": true, "data": {"total": 3, "results": [' + rows + b"]}}")
    ended, publisher = await swept(lambda request: page)
    observed = [body for body in publisher.bodies("identities") if isinstance(body, BalanceObserved)]
    assert (ended.complete, ended.rows) == (True, 3)
    assert {body.contact: body.points for body in observed if body.contact in "12"} == {"1": 7, "2": None}
    assert len(publisher.of("dead-letters")) >= 1


async def test_a_total_beyond_belief_is_not_asked_for_to_its_end() -> None:
    pages = Pages(people(range(1, 251)), total=1_000_000)
    ended, _ = await swept(pages)
    assert (ended.complete, ended.rows) == (False, 250)
    assert ended.reason == "the provider says that it has 1000000 members, but listed 250"
    assert len(pages.starts) == 2 * (1 + PAGES_TOGETHER + PAGES_TOGETHER + 1)
