from __future__ import annotations

import json
from collections import Counter
from typing import cast

import httpx
import pytest

from producers.alpine_iq.availability import Availability
from producers.alpine_iq.client import AlpineIQClient
from producers.alpine_iq.movements import CURSOR, DAY_MS, Movements
from producers.alpine_iq.sweep import BalanceSweep
from producers.cursors import MemoryCursors
from producers.identity import Identities, IdentityKey
from stream.contracts import dead_letters
from stream.contracts.cursors import Cursor
from stream.contracts.identities import BalanceObserved, MovementObserved, SweepCompleted
from stream.contracts.runs import BalanceSweepEnded
from stream.contracts.settings import Compare
from stream.errors import Unreachable
from stream.sandbox.failures import HOSTILE_RATES, Conditions
from tests.producers.alpine_iq.at_the_sandbox import NOW_MS, ORG, producer
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http
from tests.recording import RecordingPublisher

RUN = "brand_example:balances:1"
IDENTITIES = Identities(IdentityKey(bytes(32)))
NOW_SECONDS = NOW_MS // 1000
HOUR = 3_600
DAY = 24 * HOUR


def moved(publisher: RecordingPublisher) -> list[MovementObserved]:
    return [body for body in publisher.bodies("identities") if isinstance(body, MovementObserved)]


class Provider:
    """A provider with members `1`, `2` … and lists of movements; a list that is an error is answered as such."""

    def __init__(self, *, redemptions: object = (), adjustments: object = (), phones: dict[str, str] | None = None):
        self.lists = {"redemptions": redemptions, "adjustments": adjustments}
        self.phones = phones or {"1": "", "2": ""}
        self.asked: list[tuple[str, int, int]] = []
        self.time = HandClock(NOW_MS / 1000)
        self.cursors = MemoryCursors()
        self.publisher = RecordingPublisher()
        self.compare = Compare.EXPECTED
        self.movements = self.process()

    def process(self) -> Movements:
        self.client = AlpineIQClient(vendor_http(Script(self), self.time), "9", clock=self.time.clock)
        return Movements(ORG, self.client, IDENTITIES, self.publisher, self.cursors, compare=lambda: self.compare)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.split("/")
        if "piis" in path:
            rows = [{"contactID": c, "mobilePhone": phone, "loyaltyPoints": 5} for c, phone in self.phones.items()]
            return answer(body=json.dumps({"success": True, "data": {"results": rows, "total": len(rows)}}))
        kind, start, end = path[-4], int(path[-2]), int(path[-1])
        self.asked.append((kind, start - NOW_SECONDS, end - NOW_SECONDS))
        listed: object = self.lists[kind]
        if isinstance(listed, httpx.Response):
            return listed
        rows = cast(list[dict[str, object]], listed)
        found = [each for each in rows if start <= cast(int, each.get("timestamp", start)) <= end]
        return answer(body=json.dumps({"success": True, "data": found or None}))

    async def sweep(self, run: str = RUN) -> BalanceSweepEnded:
        availability = Availability(ORG, self.publisher, self.cursors, self.time.clock)
        sweep = BalanceSweep(
            ORG, self.client, IDENTITIES, self.publisher, availability, movements=self.movements, clock=self.time.clock
        )
        return await sweep.sweep(run, 1)

    @property
    def completed(self) -> bool:
        return any(isinstance(body, SweepCompleted) for body in self.publisher.bodies("identities"))

    @property
    def seconds_back(self) -> list[int]:
        """How far before now each list was asked for, since the last time that this was asked."""
        found = sorted({-start for _, start, _ in self.asked})
        self.asked.clear()
        return found


def row(contact: str = "1", points: int = -10, ago: float = HOUR, **fields: object) -> dict[str, object]:
    return {"contactID": contact, "type": "redemption", "points": points, "timestamp": NOW_SECONDS - int(ago)} | fields


async def test_a_sweep_publishes_what_moved_balances_before_it_is_complete() -> None:
    async with producer(movements=True) as alpine:
        ended = await alpine.sweep(movements=alpine.movements()).sweep(RUN, 1)
        members = alpine.sandbox.world.members
        calls = alpine.sandbox.alpine_iq.traffic.calls
    assert (ended.complete, ended.calls, sum(calls.values())) == (True, 3, 3), "two calls more than without"
    found: Counter[tuple[str, str, int, int]] = Counter()
    for body in moved(alpine.publisher):
        if body.identity == IDENTITIES.of(body.contact, (), None)[0]:
            found[body.contact, body.kind, body.points, body.moved_at] += 1
    assert found == Counter(
        (member.contact_id, each.kind, each.points, each.at_ms // 1000 * 1000)
        for member in members.values()
        for each in member.movements
    )
    assert max(found.values()) == 2, "two that are equal are two"
    kinds = [type(body) for body in alpine.publisher.bodies("identities")]
    assert kinds.index(SweepCompleted) > max(place for place, kind in enumerate(kinds) if kind is MovementObserved)


async def test_movements_are_read_while_the_balances_are() -> None:
    async with producer(movements=True, conditions=Conditions(latency_ms=150)) as alpine:
        await alpine.sweep(movements=alpine.movements()).sweep(RUN, 1)
        assert alpine.sandbox.alpine_iq.traffic.in_flight_peak == 3, "one page and two lists at the same time"


async def test_a_movement_goes_wherever_the_balance_of_its_contact_goes() -> None:
    provider = Provider(redemptions=[row("1"), row("3")], phones={"1": "5551234567", "2": ""})
    await provider.sweep()
    bodies = provider.publisher.bodies("identities")
    balances = {body.identity for body in bodies if isinstance(body, BalanceObserved) and body.contact == "1"}
    assert len(balances) == 2
    assert {body.identity for body in moved(provider.publisher) if body.contact == "1"} == balances
    (stranger,) = [body.identity for body in moved(provider.publisher) if body.contact == "3"]
    assert stranger == IDENTITIES.of("3", (), None)[0], "of a contact that is not listed, at least that"


async def test_the_whole_history_is_read_once_a_day_and_in_between_what_is_new() -> None:
    provider = Provider(redemptions=[row()])
    margin = 1
    await provider.sweep()
    assert provider.seconds_back == [400 * DAY + margin], "the first time"
    provider.time.now += 2 * HOUR
    await provider.sweep()
    assert provider.seconds_back == [3 * DAY + margin], "the overlap before the last reading"
    provider.time.now += 10 * HOUR
    provider.movements = provider.process()
    await provider.sweep()
    assert provider.seconds_back == [3 * DAY - 2 * HOUR + margin], "also by another process: the cursor says so"
    provider.time.now += 12 * HOUR
    await provider.sweep()
    assert provider.seconds_back == [400 * DAY - 24 * HOUR + margin]
    assert len({body.movement for body in moved(provider.publisher)}) == 1, "the same movement each time"
    assert len(moved(provider.publisher)) == 4


@pytest.mark.parametrize("clock_days", [-30, 30])
async def test_a_clock_that_jumped_makes_the_whole_history_be_read(clock_days: int) -> None:
    provider = Provider()
    now = NOW_MS + clock_days * DAY_MS
    await provider.cursors.save(ORG, CURSOR, Cursor(now, {"whole_at": str(now)}))
    await provider.sweep()
    assert provider.seconds_back == [400 * DAY + 1]


REFUSED = answer(400, '{"success": false, "errors": [{"message": "bad range"}]}')
GARBLED = answer(body='{"success": true, "data": {"odd": 1}}')


@pytest.mark.parametrize("broken", [answer(500), answer(403), answer(404), REFUSED, GARBLED], ids=lambda a: str(a))
@pytest.mark.parametrize("kind", ["redemptions", "adjustments"])
async def test_a_reading_that_fails_decides_only_where_verdicts_rest_on_it(kind: str, broken: httpx.Response) -> None:
    provider = Provider()
    provider.lists[kind] = broken
    ended = await provider.sweep()
    assert not ended.complete
    assert not provider.completed
    assert "the movements of points could not be read" in (ended.reason or "")
    assert "compare is expected" in (ended.reason or "")
    assert provider.publisher.of("runs") == [], "the provider answered: it is not down"

    provider.compare = Compare.RAW
    ended = await provider.sweep()
    assert (ended.complete, ended.reason) == (True, None)
    assert provider.completed
    assert provider.movements.failures == 2
    assert await provider.cursors.load(ORG, CURSOR) is None, "what was not read is read next time"


async def test_a_sweep_of_balances_that_fails_waits_for_nothing() -> None:
    async with producer(conditions=Conditions(outage=True)) as alpine:
        alpine.compare = Compare.EXPECTED
        ended = await alpine.sweep(movements=alpine.movements()).sweep(RUN, 1)
    assert not ended.complete
    assert "503" in (ended.reason or "")
    assert moved(alpine.publisher) == []


async def test_a_log_that_does_not_take_a_movement_leaves_the_cursor_where_it_was() -> None:
    provider = Provider(redemptions=[row()])
    publish = provider.publisher.publish

    async def failing(outputs: object) -> None:
        records = list(outputs)  # type: ignore[call-overload]
        if any(b"MovementObserved" in (record.value or b"") for record in records):
            raise Unreachable("no broker")
        await publish(records)

    provider.publisher.publish = failing  # type: ignore[method-assign]
    provider.compare = Compare.RAW
    with pytest.raises(Unreachable):
        await provider.sweep()
    assert not provider.completed
    assert await provider.cursors.load(ORG, CURSOR) is None


async def test_what_cannot_be_understood_is_a_dead_letter_with_its_bytes() -> None:
    provider = Provider(redemptions=[row(), row("2", points="n/a"), {"points": 3}])  # type: ignore[arg-type]
    ended = await provider.sweep()
    assert (ended.complete, ended.unreadable, len(moved(provider.publisher))) == (True, 2, 1)
    letters = provider.publisher.of("dead-letters")
    assert [json.loads(letter.value or b"") for letter in letters] == [row("2", points="n/a"), {"points": 3}]  # type: ignore[arg-type]
    assert dict(letters[0].headers)[dead_letters.REASON] == b"the points are not a number: str"


async def test_a_list_of_which_nothing_is_understood_was_not_read() -> None:
    strange = [{"who": str(number), "much": number} for number in range(50)]
    provider = Provider(redemptions=strange, adjustments=[row("2", type="adjustment")])
    ended = await provider.sweep()
    assert not ended.complete
    assert "nothing is understood" in (ended.reason or "")
    assert len(provider.publisher.of("dead-letters")) == 20, "some, to show what they look like"
    assert moved(provider.publisher) == []

    provider.lists["redemptions"] = strange[:9]
    assert (await provider.sweep("2")).complete, "a few may all be odd ones"
    provider.lists["redemptions"] = [row()]
    assert (await provider.sweep("3")).complete
    provider.lists["redemptions"] = strange
    assert (await provider.sweep("4")).complete, "a form that was understood before: the fault of these rows"


async def test_a_hostile_provider_is_read_wholly() -> None:
    conditions = Conditions(rates=dict(HOSTILE_RATES), slow_ms=1)
    async with producer(hostile=True, movements=True, conditions=conditions) as alpine:
        alpine.compare = Compare.EXPECTED
        ended = await alpine.sweep(100, alpine.movements()).sweep(RUN, 1)
        members = alpine.sandbox.world.members.values()
    assert ended.complete
    wanted = Counter((m.contact_id, e.kind, e.points) for m in members for e in m.movements if not e.broken)
    by_code = [b for b in moved(alpine.publisher) if b.identity == IDENTITIES.of(b.contact, (), None)[0]]
    assert Counter((body.contact, body.kind, body.points) for body in by_code) == wanted
    assert len({body.movement for body in by_code}) == wanted.total()
