"""A run from request to result: one at a time, ended by all partitions, loud when it fails."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.agents.runs.state import STATUSES_REMEMBERED
from stream.contracts.facts import LookUpEmpty, LookUpFailed
from stream.contracts.profiles import Verdict
from stream.contracts.runs import (
    RUNS,
    BalanceSweepEnded,
    CustomerSynced,
    OrdersSweepEnded,
    Phase,
    ProviderRecovered,
    ProviderUnavailable,
    RunKind,
    RunRequested,
    RunTally,
    Tally,
    VendorUse,
)
from stream.contracts.settings import SETTINGS, Accrual, Mode, Schedule, Tier
from stream.engine.ports import Output
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


@pytest.mark.parametrize(
    ("ended_at", "away"),
    [
        (59_000, "less than a minute"),
        (60_100, "less than a minute"),
        (120_000, "1 minute"),
        (239_000, "3 minutes"),
        (60_000 + 3 * 3_600_000 + 7 * 60_000, "3 h 7 min"),
    ],
)
async def test_the_end_of_an_outage_says_how_long_it_was(ended_at: int, away: str) -> None:
    shop = await Shop().open()
    shop.ask(ProviderUnavailable(60_000, "HTTP 503"))
    shop.ask(ProviderRecovered(ended_at))
    await shop.settle()
    assert shop.alerts()[-1].reason == f"Alpine IQ answers again. It was away for {away}."


async def test_an_outage_names_the_run_that_was_asking_and_none_that_was_not() -> None:
    shop = await Shop().open()
    shop.ask(ProviderUnavailable(1, "HTTP 503"))  # a look-up of one customer; the run is still reading orders
    shop.ask(ProviderRecovered(2))
    shop.walk(FIRST)
    shop.ask(ProviderUnavailable(3, "HTTP 503"))
    shop.sweep(FIRST, [], complete=False)
    shop.ask(ProviderRecovered(4))
    await shop.settle()
    assert [(alert.kind, alert.run) for alert in shop.alerts()] == [
        ("provider.unavailable", None),
        ("provider.recovered", None),
        ("provider.unavailable", FIRST),
        ("run.failed", FIRST),
        ("provider.recovered", None),
    ]


async def test_a_provider_whose_balances_were_all_read_answers_though_no_producer_has_said_so() -> None:
    """The producer that told of the outage ended before it had noted that it had."""
    shop = await Shop().open()
    shop.ask(ProviderUnavailable(1, "HTTP 503"))
    await shop.reconcile([])
    assert [(alert.kind, alert.run) for alert in shop.alerts()] == [
        ("provider.unavailable", None), ("provider.recovered", FIRST),
    ]  # fmt: skip
    assert len(shop.said("ProviderRecovered")) == 1, "views hear of it, too"
    shop.ask(ProviderRecovered(shop.now))
    await shop.settle()
    assert len(shop.alerts()) == 2
    assert len(shop.said("RunCompleted")) == 1


async def failed_by_day(shop: Shop, *, times: int = 1) -> None:
    for _ in range(times):
        run = shop.request(RunKind.BALANCES)
        await shop.settle()
        shop.sweep(run, [], complete=False)
        await shop.settle()


async def test_intraday_runs_that_keep_failing_are_told_once_until_one_is_through() -> None:
    shop = await Shop().open()
    await shop.reconcile([])
    await failed_by_day(shop, times=3)
    assert len(shop.alerts()) == 1
    shop.sweep(shop.request(RunKind.BALANCES), [])
    await shop.settle()
    await failed_by_day(shop, times=2)
    assert [alert.kind for alert in shop.alerts()] == ["run.failed"] * 2
    assert len(shop.said("RunFailed")) == 5


async def test_an_intraday_run_that_fails_after_an_outage_is_told_though_one_failed_before_it() -> None:
    shop = await Shop().open()
    await shop.reconcile([])
    await failed_by_day(shop)
    shop.ask(ProviderUnavailable(1, "HTTP 503"))
    await failed_by_day(shop, times=2)
    shop.ask(ProviderRecovered(2))
    await failed_by_day(shop, times=2)
    assert [alert.kind for alert in shop.alerts()] == [
        "run.failed", "provider.unavailable", "provider.recovered", "run.failed",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", list(Mode))
async def test_outages_and_failed_runs_are_told_in_every_mode(mode: Mode) -> None:
    shop = await Shop().open(settings(mode=mode))
    shop.walk(FIRST, complete=False)
    shop.ask(ProviderUnavailable(60_000, "HTTP 503"))
    shop.ask(ProviderRecovered(300_000))
    await shop.settle()
    assert [a.kind for a in shop.alerts()] == ["run.failed", "provider.unavailable", "provider.recovered"]
    assert shop.alerts()[-1].reason == "Alpine IQ answers again. It was away for 4 minutes."


async def test_a_refusal_fails_the_run_with_its_phase_and_reason_and_takes_no_verdict() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.walk(FIRST)
    refused = "Alpine IQ refused the list of members (401). Check the api_key."
    shop.ask(BalanceSweepEnded(FIRST, 1, False, 0, 1, refused, {"refused": 1}))
    await shop.settle()
    failed = only(shop.said("RunFailed"))
    assert (failed.phase, failed.reason, failed.by, failed.tally) == (Phase.BALANCES, refused, "first start", None)
    assert failed.vendors["alpine_iq"] == VendorUse(1, 1, {"refused": 1}), "who refuses has answered"
    assert failed.vendors["alleaves"].calls == 1
    assert set(failed.phases) == {"orders", "balances"}
    assert only(shop.alerts()).reason == f"balances: {refused}"
    assert shop.verdicts() == {"a": "unknown"}


async def test_a_completed_run_says_what_it_cost_who_wanted_it_and_how_long_it_waited() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.enrol("b", 10_000)
    following = shop.request()
    waited_from = shop.now
    shop.walk(FIRST)
    shop.sweep(FIRST, [member("a", 100)])
    await shop.settle()
    shop.ask(OrdersSweepEnded(following, 1, True, 2, 2, 3, 20, None, {"timeout": 2, "throttled": 4}))
    shop.publish(shop.walk_records(following)[:-1])
    await shop.settle()
    *swept, _ = shop.sweep_records(following, [member("a", 107), member("b", 200)])
    shop.ask(BalanceSweepEnded(following, 1, True, 2, 10, None, {"server": 1, "connection": 1, "refused": 1}, 2))
    shop.publish(swept)
    await shop.settle()

    completed = shop.said("RunCompleted")[-1]
    assert (completed.run, completed.by) == (following, "test")
    assert completed.queued_ms == completed.started_at - waited_from == 1_000
    assert completed.vendors == {
        "alleaves": VendorUse(20, 18, {"timeout": 2, "throttled": 4}, 3),
        "alpine_iq": VendorUse(10, 8, {"server": 1, "connection": 1, "refused": 1}, 2),
    }
    tally = completed.tally
    assert (tally.dead_letters, tally.matched, tally.discrepancy) == (5, 1, 1)
    assert (tally.abs_difference_points, tally.compared) == (107, 2)
    assert tally.average_discrepancy == Decimal("53.50")
    assert sum(completed.phases.values()) == completed.ended_at - completed.started_at


@pytest.mark.parametrize(
    ("points", "compared", "average"),
    [(0, 0, None), (0, 3, "0.00"), (1, 3, "0.33"), (2, 3, "0.67"), (1, 8, "0.13"), (10**15, 7, "142857142857142.86")],
)
def test_the_average_discrepancy_is_exact_to_a_hundredth(points: int, compared: int, average: str | None) -> None:
    found = Tally(compared=compared, abs_difference_points=points).average_discrepancy
    assert found == (None if average is None else Decimal(average))


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_run_of_one_customer_counts_its_verdict(verdict: Verdict) -> None:
    shop = await Shop().open()
    run = shop.request(RunKind.CUSTOMER, customer="a")
    shop.ask(CustomerSynced(run, verdict.value))
    await shop.settle()
    completed = only(shop.said("RunCompleted"))
    assert completed.tally == Tally(customers=1, **{verdict.value: 1})
    assert (completed.by, completed.customer) == ("test", "a")


async def test_an_unknown_order_status_is_told_once_for_each_org_and_value() -> None:
    shop = await Shop(partitions=2).open()

    async def tallied(run: str, *statuses: tuple[str, ...]) -> list[str]:
        told = len(shop.alerts())
        for partition, each in enumerate(statuses):
            shop.ask(RunTally(run, 1, partition, 2, Tally(), each))
        await shop.settle()
        return [alert.reason or "" for alert in shop.alerts()[told:]]

    first = await tallied(FIRST, ("Picked Up", "layaway"), ("LAYAWAY", "layaway", "\x1b[2J"))
    assert [reason.split("'")[1] for reason in first] == ["Picked Up", "layaway", r"\x1b[2J"]
    assert {(a.kind, a.org, a.customer) for a in shop.alerts()} == {("order_status.unknown", ORG, None)}
    second = shop.request()
    assert [r.split("'")[1] for r in await tallied(second, ("layaway", "on hold"), ("picked up",))] == ["on hold"]
    shop.change_settings(OTHER)
    assert await tallied(shop.request(), ("layaway",), ("on hold",)) == []
    assert len({headers["ce_id"] for headers in shop.alert_headers()}) == 4


async def test_people_are_not_told_of_ever_more_statuses() -> None:
    shop = await Shop(partitions=1).open()
    run = FIRST
    for n in range(30):
        shop.ask(RunTally(run, 1, 0, 1, Tally(), tuple(f"{n}-{each}" for each in range(20))))
        run = shop.request(RunKind.BALANCES)
    await shop.settle()
    assert len(shop.alerts()) == STATUSES_REMEMBERED


async def test_what_the_agent_says_itself_starts_nothing_when_it_is_read() -> None:
    shop = await Shop(partitions=1).open()
    echo = RunRequested("shop:daily:echo", RunKind.DAILY, "schedule")
    shop.publish([Output("runs", ORG.encode(), RUNS.encode(echo, org=ORG, at=shop.now, source="runs/0"))])
    await shop.settle()
    assert shop.said("PhaseEntered")[-1].run == FIRST


@pytest.mark.parametrize("schedule", [Schedule("25:00"), Schedule(deadline_minutes=0), Schedule(intraday_minutes=-5)])
async def test_an_impossible_schedule_becomes_a_dead_letter(schedule: Schedule) -> None:
    shop = await Shop().open()
    shop.change_settings(settings(schedule=schedule))
    await shop.settle()
    assert "settings: schedule." in only(shop.dead_letters())
    assert in_force(shop) == [1]


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
