"""After a power cut the tail of a log may be gone, with what one agent told another and nobody had read."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from stream.agents.schedule.ticking import tick_record
from stream.contracts.facts import FACTS
from stream.contracts.runs import RunKind
from stream.contracts.settings import Accrual
from tests.agents.builders import DAY, ORG, Member, Shop, member, only, settings
from tests.agents.hazards import Hazards

MINUTE = 60_000
HOUR = 60 * MINUTE
TRIPLE = settings(accruals=(Accrual(Decimal(3)),))


async def told_but_not_read() -> tuple[Shop, int]:
    """A shop whose accounts have not read the newest settings and balances; the offset in `facts` where these begin."""
    shop = await Shop(partitions=1).open()
    shop.enrol("a", 10_000)
    shop.enrol("b", 10_000)
    await shop.reconcile([member("a", 100)])
    run = shop.request(RunKind.BALANCES)
    await shop.settle()
    shop.observe_order("a", "a-2", 10_000)
    await shop.worker.step_one("accounts", 0)
    begins = shop.broker.end("facts", 0)
    shop.change_settings(TRIPLE)
    shop.sweep(run, SWEPT)
    for agent in ("runs", "contacts"):
        while await shop.worker.step_one(agent, 0):
            pass
    unread = [FACTS.decode(record.value or b"") for record in shop.broker.read("facts", 0, begins)]
    kinds = {type(event.data).__name__ for event in unread}
    assert kinds == {"SettingsChanged", "BalanceMatched", "SweepSeen"}
    return shop, begins


SWEPT: list[Member] = [member("a", 600), member("b", 300)]


async def goes_on(shop: Shop, run: str) -> None:
    """Producers do what the run asks of them."""
    await shop.settle()
    if ":daily:" in run:
        shop.walk(run)
        await shop.settle()
    shop.sweep(run, SWEPT)
    await shop.settle()


@pytest.mark.parametrize("noticed", [True, False], ids=["by an agent", "by a person"])
async def test_the_run_after_a_loss_says_settings_and_answers_again(noticed: bool) -> None:
    shop, begins = await told_but_not_read()
    shop.broker.truncate("facts", 0, begins - noticed)
    await shop.restart()
    if not noticed:
        shop.request(RunKind.DAILY, f"{ORG}:daily:after-loss-1")
    await shop.settle()
    shop.now += 3 * HOUR  # the run that lost its answers has a deadline
    shop.publish([tick_record(0, shop.now, shop.now)])
    await shop.settle()
    run = shop.said("RunStarted")[-1].run
    assert run.startswith(f"{ORG}:daily:after-loss-")
    await goes_on(shop, run)
    assert shop.points() == {"a": 600, "b": 300}
    assert shop.verdicts() == {"a": "matched", "b": "matched"}
    assert only([each for each in shop.said("RunCompleted") if each.run == run]).tally.matched == 2


async def test_other_runs_say_nothing_again() -> None:
    shop, _ = await told_but_not_read()
    await shop.settle()
    before = len(shop.facts("BalanceMatched", "SettingsChanged"))
    await goes_on(shop, shop.request(RunKind.BALANCES))
    assert len(shop.facts("BalanceMatched", "SettingsChanged")) == before


async def test_a_second_loss_soon_after_the_first_has_a_run_of_its_own() -> None:
    shop = await Shop(partitions=1).open()
    for _ in range(2):
        shop.observe_order("a", "a-1")
        await shop.settle()
        shop.now += 10 * MINUTE
        shop.broker.truncate("facts", 0, shop.broker.end("facts", 0) - 1)
        await shop.restart()
        await shop.restart()
        await shop.settle()
    asked = [run.run for run in shop.said("RunRequested")]
    assert len(asked) == len(set(asked)) == 2


@pytest.mark.parametrize("seed", [0, 1, 2, 41, 51, 79, 81, 95])
async def test_however_often_the_power_fails_the_run_after_it_finds_the_truth(seed: int) -> None:
    """The tails of both logs between agents vanish in the midst of everything, read or not, and some local stores too.
    The point of sale is asked again; what the provider says did not change."""
    hazards = Hazards(Random(seed), changes=True)
    await hazards.open()
    shop = hazards.shop
    for _ in range(3):
        await hazards.turns(300)
        cut_off(shop, hazards.random)
        await hazards.begin_again(keep_stores=hazards.random.random() < 0.5)
    hazards.slipping = set()
    for run in (f"{ORG}:daily:after-loss-last", None, None):
        await hazards.finish()
        hazards.look_again()
        shop.now += 2 * DAY
        shop.publish([tick_record(partition, shop.now, shop.now) for partition in range(shop.partitions)])
        await hazards.finish()
        shop.request(run=run)
        await hazards.finish()
    assert shop.points() == hazards.expected_points()
    assert shop.verdicts() == hazards.expected_verdicts()
    assert shop.worker.stopped == {}


def cut_off(shop: Shop, draw: Random) -> None:
    """The last records of some partitions are gone."""
    for topic in ("facts", "identities"):
        for partition in range(shop.partitions):
            end = shop.broker.end(topic, partition)
            shop.broker.truncate(topic, partition, max(0, end - draw.choice((0, 0, 1, 3, 8))))
