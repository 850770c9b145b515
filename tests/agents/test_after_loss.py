"""After a power cut the tail of a log may be gone, with what one agent told another and nobody had read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.agents.schedule.ticking import tick_record
from stream.contracts.facts import FACTS
from stream.contracts.runs import RunKind
from stream.contracts.settings import Accrual
from tests.agents.builders import ORG, Member, Shop, member, only, settings

HOUR = 3_600_000
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
