"""Whatever the order in which agents, partitions and producers get their turn, the result is the oracle's."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from stream.contracts.entries import PointsEntry
from stream.engine import unit
from tests.agents.builders import FIRST, Shop, member
from tests.agents.bustle import PARTITIONS, Bustle, Death
from tests.agents.hazards import Hazards

SEEDS = range(12)


@pytest.fixture(params=[False, True], ids=["alive", "dying"])
def deaths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether workers die at random; then a walk over an org takes many transactions, to die between."""
    if request.param:
        monkeypatch.setattr(unit, "CHUNK_KEYS", 2)
    return bool(request.param)


async def opened(seed: int, **traits: bool) -> Bustle:
    bustle = Bustle(Random(seed), **traits)
    await bustle.open()
    return bustle


def check_ended(shop: Shop) -> None:
    """Every run that reads all of the org has ended, with one tally of each partition."""
    whole = [started.run for started in shop.said("RunStarted") if started.customer is None]
    completed = [each for each in shop.said("RunCompleted") if each.customer is None]
    assert [each.run for each in completed] == whole
    for run in whole:
        told = sorted(tally.partition for tally in shop.said("RunTally") if tally.run == run)
        assert told == list(range(PARTITIONS))


def check_told(shop: Shop) -> None:
    """What was said is consistent in itself."""
    assert shop.dead_letters() == []
    assert not any(fact.resend for fact in shop.facts("LinksRequested")), "no link was ever lost"
    ids = [headers["ce_id"] for headers in shop.alert_headers()]
    assert len(set(ids)) == len(ids)
    entries: list[PointsEntry] = shop.entries()
    assert len({entry.id for entry in entries}) == len(entries)
    for customer, profile in shop.profiles().items():
        versions = [(each.epoch, each.version) for each in shop.told_profiles(customer)]
        assert all(before < after for before, after in pairwise(versions))
        assert sum(entry.delta_points for entry in shop.entries(customer)) == profile.points_from_orders
        assert sum(entry.delta_minor for entry in shop.entries(customer)) == profile.total_spent_minor
    open_cases = [case.id.split(":")[1] for case in shop.cases().values() if case.state != "resolved"]
    assert len(open_cases) == len(set(open_cases)), "one open case of a customer"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_run_in_any_interleaving_ends_with_the_verdicts_of_one_without(seed: int, deaths: bool) -> None:
    bustle = await opened(seed, deaths=deaths)
    await bustle.bustle(400)
    shop = bustle.shop
    assert [each.run for each in shop.said("RunCompleted")] == [FIRST]
    assert shop.points() == bustle.expected_points()
    reached = {c: v for c, v in bustle.expected_verdicts().items() if v != "not_enrolled"}
    assert {c: v for c, v in shop.verdicts().items() if c in reached} == reached, "absence takes two sweeps"
    check_ended(shop)
    check_told(shop)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happened_quiet_runs_end_with_the_truth(seed: int, deaths: bool) -> None:
    """Orders, moves, identities, balances, settings, look-ups and runs at any moment, everything late and twice."""
    bustle = await opened(seed, deaths=deaths, changes=True)
    await bustle.bustle(600)
    for _ in range(4):
        last = await bustle.quiet_run()
    shop = bustle.shop
    assert shop.points() == bustle.expected_points()
    assert shop.verdicts() == bustle.expected_verdicts()
    check_ended(shop)
    check_told(shop)
    tally = shop.said("RunCompleted")[-1].tally
    profiles = list(shop.profiles().values())
    assert shop.said("RunCompleted")[-1].run == last
    assert (tally.customers, tally.matched) == (len(profiles), sum(p.reconciled for p in profiles))
    reviewed = {case.id.split(":")[1] for case in shop.cases().values() if case.state != "resolved"}
    assert reviewed >= {c for c, v in bustle.expected_verdicts().items() if v == "discrepancy"}


@pytest.mark.parametrize("seed", SEEDS)
async def test_with_worse_luck_quiet_runs_end_with_the_truth_and_a_row_that_slips_accuses_nobody(
    seed: int, deaths: bool
) -> None:
    """As above, with `Hazards`. Then a run whose sweep misses half of the members, all of whom have just bought."""
    bustle = Hazards(Random(seed), deaths=deaths, changes=True)
    await bustle.open()
    await bustle.bustle(600)
    bustle.slipping = set()
    for _ in range(4):
        await bustle.quiet_run()
    shop = bustle.shop
    assert shop.points() == bustle.expected_points()
    assert shop.verdicts() == bustle.expected_verdicts()
    before = shop.profiles()
    slipped = await bustle.unlucky_run()
    after = shop.verdicts()
    unsure = {
        c for c, p in before.items() if p.verdict == "ambiguous" or (p.reconciled and p.alpine_user_id in slipped)
    }
    assert not {customer for customer in unsure if after[customer] == "discrepancy"}
    check_ended(shop)
    check_told(shop)


async def test_a_worker_may_die_at_any_step_of_a_runs_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal, links, join and verdicts take several transactions each; the next worker goes on from the cursor."""
    monkeypatch.setattr(unit, "CHUNK_KEYS", 2)
    undisturbed, steps = await _reconciled(dies_at=-1)
    kinds = [alert.kind for alert in undisturbed.alerts()]
    assert sorted(kinds) == ["discrepancy.opened"] * 5 + ["discrepancy.resolved"]
    for step in range(0, steps, 3):
        disturbed, _ = await _reconciled(dies_at=step)
        assert disturbed.said("RunTally") == undisturbed.said("RunTally")
        assert disturbed.verdicts() == undisturbed.verdicts()
        assert disturbed.points() == undisturbed.points()
        assert disturbed.alerts() == undisturbed.alerts()
        check_told(disturbed)


async def _reconciled(dies_at: int) -> tuple[Shop, int]:
    """Seven customers, one order removed by the second walk; the worker dies once, at that step of the second run."""
    taken = 0

    def step(_: str) -> None:
        nonlocal taken
        taken += 1
        if taken - 1 == dies_at:
            raise Death

    shop = await Shop(partitions=1).open()
    for n in range(7):
        shop.enrol(f"c{n}", 10_000)
    shop.observe_order("c1", "gone", 10_000)
    members = [member(f"c{n}", 100 if n < 3 else 300) for n in range(7)]
    await shop.reconcile(members[:3], missing=["gone"])
    run = shop.request()
    await shop.settle()
    shop.step = step
    await shop.restart()
    shop.walk(run, missing=["gone"])
    shop.sweep(run, members)
    while True:
        try:
            await shop.settle()
            return shop, taken
        except Death:
            await shop.restart(keep_stores=dies_at % 2 == 0)
