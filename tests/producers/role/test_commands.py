from __future__ import annotations

import asyncio

from producers.role.commands import LOOK_UPS_AT_ONCE, OrgCommands, supervised
from stream.contracts.commands import LookUpBalance, SweepBalances, SweepOrders
from stream.contracts.facts import LookUpFailed
from stream.contracts.names import OrgId
from stream.contracts.runs import BalanceSweepEnded, OrdersSweepEnded
from stream.errors import Unreachable
from tests.producers.hand_clock import HandClock
from tests.producers.org_parts import Parts
from tests.producers.waiting import until
from tests.recording import RecordingPublisher

ORG = OrgId("brand_example")


class Fixture:
    def __init__(self, *, provider: bool = True) -> None:
        self.parts = Parts(ORG)
        self.publisher = RecordingPublisher()
        self.done: list[int] = []
        self.time = HandClock()
        self.commands = OrgCommands(
            self.parts.producer(provider=provider), self.publisher, self.done.append, self.time.clock
        )


async def test_nothing_is_carried_out_before_the_org_may_begin() -> None:
    org = Fixture()
    org.commands.submit(1, SweepOrders("r", 1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert (org.parts.calls, org.done) == ([], [])
    org.commands.begin()
    await until(lambda: org.done)
    assert org.parts.calls == ["walk r 1"]


async def test_each_command_is_answered_and_then_done() -> None:
    org = Fixture()
    org.commands.begin()
    org.commands.submit(1, SweepOrders("r", 1))
    await until(lambda: org.done == [1])
    org.commands.submit(2, SweepBalances("r", 1))
    await until(lambda: org.done == [1, 2])
    org.commands.submit(3, LookUpBalance("r2"), "3528")
    await until(lambda: org.done == [1, 2, 3])

    assert org.parts.calls == ["walk r 1", "sweep r 1", "look up r2 3528"]
    assert org.publisher.bodies("runs") == [
        OrdersSweepEnded("r", 1, True, orders=3, customers=2, unreadable=1, calls=4),
        BalanceSweepEnded("r", 1, True, rows=7, calls=1),
    ]


async def test_a_look_up_does_not_wait_for_sweeps_and_sweeps_of_two_kinds_do_not_wait_for_each_other() -> None:
    org = Fixture()
    org.parts.gate.clear()
    org.commands.begin()
    org.commands.submit(1, SweepOrders("r", 1))
    org.commands.submit(2, SweepBalances("r", 1))
    org.commands.submit(3, LookUpBalance("r2"), "3528")
    await until(lambda: org.done == [3])
    org.parts.gate.set()
    await until(lambda: sorted(org.done) == [1, 2, 3])


async def test_of_many_look_ups_only_some_are_under_way_at_once() -> None:
    """Each reads Kafka over connections of its own: a thousand at once would be too many for the process."""
    org = Fixture()
    for number in range(1000):
        org.commands.submit(number, LookUpBalance(f"r{number}"), str(number))
    org.commands.begin()
    await until(lambda: len(org.done) == 1000)
    assert org.parts.most_looking == LOOK_UPS_AT_ONCE


async def test_a_newer_sweep_replaces_an_older_of_its_kind() -> None:
    org = Fixture()
    org.parts.gate.clear()
    org.commands.begin()
    org.commands.submit(1, SweepBalances("r", 1))
    await until(lambda: org.parts.calls == ["sweep r 1"])
    org.commands.submit(2, SweepBalances("r", 2))
    await until(lambda: len(org.parts.calls) == 2)
    assert org.done == [1]
    assert org.parts.cancelled == ["sweep r 1"]
    org.parts.gate.set()
    await until(lambda: org.done == [1, 2])
    assert org.publisher.bodies("runs") == [BalanceSweepEnded("r", 2, True, rows=7, calls=1)]


async def test_a_command_is_repeated_while_kafka_does_not_take_the_answer() -> None:
    org = Fixture()
    org.commands.begin()
    org.publisher.failures += [Unreachable("away"), Unreachable("away"), Unreachable("away")]
    org.commands.submit(1, SweepBalances("r", 1))
    await until(lambda: org.done == [1])
    assert org.parts.calls == ["sweep r 1"] * 4
    assert org.time.slept == [1, 2, 4]
    assert len(org.publisher.bodies("runs")) == 1


async def test_a_sweep_that_breaks_is_told_to_its_run() -> None:
    org = Fixture()
    org.commands.begin()
    org.parts.errors += [ValueError("no such thing, call +1 555 123 4567"), KeyError("x")]
    org.commands.submit(1, SweepBalances("r", 1))
    await until(lambda: org.done == [1])
    org.commands.submit(2, SweepOrders("r", 1))
    await until(lambda: org.done == [1, 2])
    assert org.publisher.bodies("runs") == [
        BalanceSweepEnded("r", 1, False, 0, 0, reason="ValueError: no such thing, call …"),
        OrdersSweepEnded("r", 1, False, 0, 0, 0, 0, reason="KeyError: 'x'"),
    ]


async def test_an_org_without_a_provider_says_so() -> None:
    org = Fixture(provider=False)
    org.commands.begin()
    org.commands.submit(1, SweepBalances("r", 1))
    await until(lambda: org.done == [1])
    org.commands.submit(2, LookUpBalance("r2"), "3528")
    await until(lambda: org.done == [1, 2])
    reason = "no loyalty provider is configured for this org"
    assert org.publisher.bodies("runs") == [BalanceSweepEnded("r", 1, False, 0, 0, reason=reason)]
    (event,) = org.publisher.events("facts")
    assert (event.customer, event.data) == ("3528", LookUpFailed("r2", event.at, reason))


async def test_what_is_not_finished_when_the_org_is_left_is_not_done() -> None:
    org = Fixture()
    org.parts.gate.clear()
    org.commands.begin()
    org.commands.submit(1, SweepOrders("r", 1))
    await until(lambda: org.parts.calls)
    await org.commands.stop()
    assert (org.done, org.parts.cancelled) == ([], ["walk r 1"])


async def test_what_runs_for_ever_begins_again_after_a_failure_later_and_later() -> None:
    parts, time = Parts(ORG), HandClock()
    parts.poll_errors += [Unreachable("away")] * 4 + [ValueError("odd")] * 4
    task = asyncio.create_task(supervised("poller", ORG, parts.run, time.clock))
    await until(lambda: parts.polls > 2)
    task.cancel()
    assert time.slept == [1, 2, 4, 8, 16, 32, 60, 60]
