"""A run from request to result: one at a time, ended by all partitions, loud when it fails."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.contracts.facts import LookUpEmpty, LookUpFailed
from stream.contracts.runs import Phase, ProviderRecovered, ProviderUnavailable, RunKind
from stream.contracts.settings import SETTINGS, Accrual, Tier
from tests.agents.builders import FIRST, ORG, Shop, fact, member, only, settings

OTHER = settings(accruals=(Accrual(Decimal(2)),))


def in_force(shop: Shop) -> list[int]:
    return [event.data.version for event in shop.events(SETTINGS, "settings")]


async def test_the_first_settings_start_the_first_run() -> None:
    shop = await Shop().open()
    assert [started.run for started in shop.said("RunStarted")] == [FIRST]
    command = only(shop.commands())
    assert (type(command).__name__, command.run, command.attempt) == ("SweepOrders", FIRST, 1)


async def test_settings_are_numbered_and_the_same_again_are_no_new_version() -> None:
    shop = await Shop().open()
    for chosen in (settings(), OTHER, OTHER, settings()):
        shop.change_settings(chosen)
    await shop.settle()
    assert in_force(shop) == [1, 2, 3]
    assert [f.version for f in shop.facts("SettingsChanged")].count(3) == shop.partitions
    assert [started.run for started in shop.said("RunStarted")] == [FIRST], "later settings start none"


@pytest.mark.parametrize(("expected", "versions"), [(None, [1, 2]), (1, [1, 2]), (0, [1]), (7, [1])])
async def test_settings_meant_for_another_version_are_refused(expected: int | None, versions: list[int]) -> None:
    shop = await Shop().open()
    shop.change_settings(OTHER, expected)
    await shop.settle()
    assert in_force(shop) == versions


async def test_impossible_settings_become_a_dead_letter_and_take_no_number() -> None:
    shop = await Shop().open()
    shop.change_settings(settings(tiers=(Tier("x", "X", 5, "#"),)))
    shop.change_settings(OTHER)
    await shop.settle()
    assert "tiers[0].threshold" in only(shop.dead_letters())
    assert in_force(shop) == [1, 2]


async def test_a_daily_run_goes_through_its_phases_and_adds_up_the_partitions() -> None:
    shop = await Shop().open()
    for n in range(10):
        shop.enrol(f"c{n}", 10_000)
    run = await shop.reconcile([member("c0", 300), *(member(f"c{n}", 105) for n in range(1, 8))])
    assert [p.phase for p in shop.said("PhaseEntered")] == [Phase.ORDERS, Phase.BALANCES, Phase.VERDICTS]
    assert [type(c).__name__ for c in shop.commands()] == ["SweepOrders", "SweepBalances"]
    completed = only(shop.said("RunCompleted"))
    assert completed.run == run
    assert sum(completed.phases.values()) == completed.ended_at - completed.started_at
    tally = completed.tally
    assert (tally.customers, tally.with_provider, tally.compared) == (10, 8, 8)
    assert (tally.matched, tally.discrepancy, tally.unknown) == (7, 1, 2)
    assert tally.abs_difference_points == 200 + 7 * 5


async def test_a_balances_run_skips_the_orders() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    run = shop.request(RunKind.BALANCES)
    await shop.settle()
    shop.sweep(run, [member("a", 300)])
    await shop.settle()
    assert shop.said("RunCompleted")[-1].run == run
    assert [type(c).__name__ for c in shop.commands()[2:]] == ["SweepBalances"]
    assert shop.verdicts() == {"a": "discrepancy"}


async def test_the_same_run_asked_for_again_is_one_run() -> None:
    shop = await Shop().open()
    await shop.reconcile([])
    for _ in range(3):
        shop.request(run="shop:daily:2024-05-01")
    await shop.settle()
    shop.walk("shop:daily:2024-05-01")
    shop.sweep("shop:daily:2024-05-01", [])
    await shop.settle()
    shop.request(run="shop:daily:2024-05-01")
    await shop.settle()
    assert [s.run for s in shop.said("RunStarted")] == [FIRST, "shop:daily:2024-05-01"]
    assert len(shop.said("RunCompleted")) == 2


async def test_runs_of_an_org_wait_for_each_other() -> None:
    shop = await Shop().open()
    second, third = shop.request(), shop.request(RunKind.BALANCES)
    await shop.settle()
    assert [s.run for s in shop.said("RunStarted")] == [FIRST]
    for run in (FIRST, second, third):
        if run is not third:
            shop.walk(run)
        shop.sweep(run, [])
        await shop.settle()
    assert [s.run for s in shop.said("RunCompleted")] == [FIRST, second, third]
    queued = [p.run for p in shop.said("PhaseEntered") if p.phase is Phase.QUEUED]
    assert queued == [second, third]


async def test_runs_of_one_customer_do_not_wait() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    one, two = shop.request(RunKind.CUSTOMER, customer="a"), shop.request(RunKind.CUSTOMER, customer="a")
    await shop.settle()
    for run in (one, two):
        shop.look_up(run, "a", member("a", 100))
    await shop.settle()
    assert [(c.run, c.customer) for c in shop.said("RunCompleted")] == [(one, "a"), (two, "a")]
    assert min(c.ended_at - c.started_at for c in shop.said("RunCompleted")) >= 0


@pytest.mark.parametrize("answer", [LookUpEmpty("one", 5), LookUpFailed("one", 5, "HTTP 503")])
async def test_a_run_answered_by_a_clock_that_is_behind_lasts_no_less_than_nothing(
    answer: LookUpEmpty | LookUpFailed,
) -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.request(RunKind.CUSTOMER, "one", "a")
    await shop.settle()
    shop.publish([fact("a", answer, 5)])
    await shop.settle()
    ended = only(shop.said("RunCompleted", "RunFailed"))
    assert ended.ended_at >= ended.started_at


async def test_a_run_of_one_customer_that_names_none_is_a_dead_letter() -> None:
    shop = await Shop().open()
    shop.request(RunKind.CUSTOMER)
    await shop.settle()
    assert "names none" in only(shop.dead_letters())


@pytest.mark.parametrize("kind", list(RunKind))
async def test_an_org_without_settings_is_not_reconciled(kind: RunKind) -> None:
    shop = Shop()
    await shop.restart()
    shop.request(kind, customer="a")
    await shop.settle()
    assert "no settings" in only(shop.dead_letters())
    assert shop.said("RunStarted") == []


@pytest.mark.parametrize("phase", [Phase.ORDERS, Phase.BALANCES])
async def test_an_incomplete_sweep_fails_the_run_loudly_and_the_next_one_starts(phase: Phase) -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    following = shop.request()
    shop.walk(FIRST, complete=phase is not Phase.ORDERS)
    if phase is Phase.BALANCES:
        shop.sweep(FIRST, [member("a", 300)], complete=False)
    await shop.settle()
    failed, alert = only(shop.said("RunFailed")), only(shop.alerts())
    assert (failed.run, failed.phase) == (FIRST, phase)
    assert (alert.kind, alert.run, alert.org) == ("run.failed", FIRST, ORG)
    assert (alert.reason or "").endswith(failed.reason)
    assert shop.verdicts() == {"a": "unknown"}, "no verdict rests on half a sweep"
    assert [s.run for s in shop.said("RunStarted")] == [FIRST, following]
    shop.walk(following)
    shop.sweep(following, [member("a", 100)])
    await shop.settle()
    assert only(shop.said("RunCompleted")).run == following
    assert shop.verdicts() == {"a": "matched"}


async def test_what_producers_say_of_other_runs_attempts_and_phases_is_passed_over() -> None:
    shop = await Shop().open()
    shop.walk("shop:daily:unheard-of", complete=False)
    shop.walk(FIRST, attempt=7, complete=False)
    shop.sweep(FIRST, [], complete=False)
    await shop.settle()
    assert shop.said("RunFailed") == []
    await shop.reconcile([])
    assert len(shop.said("RunCompleted")) == 1


async def test_an_outage_is_told_once_and_so_is_its_end() -> None:
    shop = await Shop().open()
    for since in (1, 2, 3):
        shop.ask(ProviderUnavailable(since, "HTTP 503"))
    for since in (4, 5):
        shop.ask(ProviderRecovered(since))
    await shop.settle()
    assert [a.kind for a in shop.alerts()] == ["provider.unavailable", "provider.recovered"]
    shop.ask(ProviderUnavailable(6, "HTTP 503"))
    await shop.settle()
    assert len(shop.alerts()) == 3
    assert len({headers["ce_id"] for headers in shop.alert_headers()}) == 3


async def test_state_of_runs_does_not_grow_with_the_number_of_runs() -> None:
    shop = await Shop(partitions=1).open()
    await shop.reconcile([])
    for n in range(450):
        run = shop.request(RunKind.BALANCES, run=f"shop:balances:{n:04}")
        await shop.settle()
        shop.sweep(run, [])
        await shop.settle()
        if n == 220:
            before = sum(map(len, shop.state("runs").values()))
    assert sum(map(len, shop.state("runs").values())) == pytest.approx(before, abs=64)


async def test_however_many_customers_are_synced_the_last_runs_of_the_org_are_remembered() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([])
    for n in range(250):
        shop.request(RunKind.CUSTOMER, f"one-{n}", "a")
        shop.tell("a", LookUpEmpty(f"one-{n}", shop.tick()))
    await shop.settle()
    assert len(shop.said("RunCompleted")) == 251
    shop.request(run=FIRST)
    await shop.settle()
    assert [s.run for s in shop.said("RunStarted") if s.customer is None] == [FIRST]
