"""What a customer's points are: every fact applied once, in any order of arrival, and said with its reasons."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.contracts import topics
from stream.contracts.facts import FACTS, CustomerErased, OrderReassigned, OrderUnreadable, SettingsChanged
from stream.contracts.settings import Accrual, Basis, Mode, RoundingMode, RoundingPer, Tier
from tests.agents.builders import LONG_AGO, Shop, copy_log, fact, member, only, order, settings


async def test_the_briefs_order_earns_the_briefs_points() -> None:
    shop = await Shop().open()
    seen = shop.observe_order("3528", "1", 3955)
    await shop.settle()
    profile = shop.profiles()["3528"]
    assert (profile.points, profile.tier, profile.tier_source) == (40, "Bronze", "calculated")
    assert (profile.points_from_orders, profile.points_from_alpine) == (40, None)
    assert (profile.total_spent_minor, profile.currency, profile.order_count) == (3955, "USD", 1)
    assert (profile.verdict, profile.settings_version, profile.export) == ("unknown", 1, True)
    entry = only(shop.entries())
    assert (entry.cause, entry.order, entry.delta_minor, entry.delta_points) == ("order_added", "1", 3955, 40)
    assert (entry.points_after, entry.tier, entry.amount_minor, entry.why_not) == (40, "Bronze", 3955, None)
    assert entry.ordered_at == seen.created_at


@pytest.mark.parametrize(
    ("change", "minor", "why_not", "because"),
    [
        ({"total_minor": 6_000}, 6_000, None, "a partial refund may lower the total"),
        ({"refunded_minor": 4_000}, 6_000, None, "or be an amount of its own"),
        ({"cancelled": True}, 0, "cancelled", "a refund in full may cancel the order"),
        ({"completed": False}, 0, "pending", "an order that is not completed any more earns nothing"),
        ({"paid": False}, 0, "unpaid", "an unpaid order earns nothing"),
        ({"currency": "EUR"}, 0, "other_currency", "points are of one currency"),
        ({"total_minor": 12_000}, 12_000, None, "more was added"),
    ],
)
async def test_a_changed_order_counts_as_it_is_now(
    change: dict[str, object], minor: int, why_not: str | None, because: str
) -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    seen = order("1", 10_000)
    total = int(str(change.pop("total_minor", seen.total_minor)))
    shop.observe_order("a", "1", total, **change)
    await shop.settle()
    profile, entry = shop.profiles()["a"], shop.entries("a")[-1]
    assert (profile.total_spent_minor, profile.points) == (minor, minor // 100), because
    assert profile.order_count == int(why_not is None)
    assert (entry.cause, entry.delta_minor, entry.why_not) == ("order_changed", minor - 10_000, why_not)


async def test_a_refund_as_an_order_of_its_own_counts_negatively() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    shop.observe_order("a", "2", -4_000)
    await shop.settle()
    assert (shop.profiles()["a"].total_spent_minor, shop.points()) == (6_000, {"a": 60})


async def test_spend_may_be_negative_and_points_never_are() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", -500)
    await shop.settle()
    assert (shop.profiles()["a"].total_spent_minor, shop.points()) == (-500, {"a": 0})


@pytest.mark.parametrize("again", [0, 5_000, -5_000])
async def test_the_same_content_later_earlier_or_again_says_nothing(again: int) -> None:
    shop = await Shop().open()
    seen = shop.observe_order("a", "1", 10_000)
    shop.observe_order("a", "1", 10_000, observed_at=seen.observed_at + again)
    await shop.settle()
    assert len(shop.entries()) == 1
    assert shop.points() == {"a": 100}


async def test_an_older_observation_never_wins_even_against_a_repeat_of_the_same_content() -> None:
    shop = await Shop().open()
    first = shop.observe_order("a", "1", 10_000)
    await shop.settle()
    shop.observe_order("a", "1", 10_000, observed_at=first.observed_at + 9_000)
    shop.observe_order("a", "1", 7_000, observed_at=first.observed_at + 5_000)
    await shop.settle()
    assert shop.points() == {"a": 100}
    assert len(shop.entries()) == 1


async def test_an_order_that_moves_leaves_the_first_customer_and_enters_the_second() -> None:
    shop = await Shop().open()
    first = shop.observe_order("a", "1", 10_000)
    moved = shop.observe_order("b", "1", 10_000)
    shop.tell("a", OrderReassigned("1", "b", moved.observed_at))
    shop.observe_order("a", "1", 10_000, observed_at=first.observed_at)
    await shop.settle()
    assert shop.points() == {"a": 0, "b": 100}
    assert [e.cause for e in shop.entries("a")] == ["order_added", "order_moved_away"]


async def test_a_customer_first_heard_of_by_an_order_taken_away_has_a_profile_like_any_other() -> None:
    shop = await Shop().open()
    shop.tell("a", OrderReassigned("1", "b", 5_000))
    shop.publish([fact("a", order("1", 100, observed_at=4_000), 4_000)])
    await shop.settle()
    assert shop.points() == {"a": 0}


async def test_a_walk_in_account_earns_nothing_and_keeps_no_lines() -> None:
    shop = await Shop().open()
    for number in range(50):
        shop.observe_order("Guest", f"g{number}", 1_000, walk_in=True)
    await shop.settle()
    assert (shop.points(), shop.lines(), shop.entries()) == ({}, [], [])


async def test_an_account_that_turns_out_to_be_the_counters_loses_lines_and_points() -> None:
    shop = await Shop().open()
    shop.observe_order("Guest", "1", 1_000)
    shop.observe_customer("Guest", walk_in=True)
    shop.observe_order("Guest", "2", 1_000)
    await shop.settle()
    assert (shop.points(), shop.lines()) == ({"Guest": 0}, [])


@pytest.mark.parametrize(
    ("listed", "attributes", "points"),
    [
        ((), [None], 100),
        ((), [True], 120),
        ((), [True, False], 100),
        ((), [False, True], 120),
        (("a",), [None], 120),
        (("a",), [True, False], 120),
        (("b",), [False], 100),
    ],
)
async def test_equity_multiplies_by_attribute_or_by_list(
    listed: tuple[str, ...], attributes: list[bool | None], points: int
) -> None:
    shop = await Shop().open(settings(equity_customers=listed))
    shop.observe_order("a", "1", 10_000)
    for equity in attributes:
        shop.observe_customer("a", equity=equity)
    await shop.settle()
    assert shop.points() == {"a": points}


async def test_a_change_of_equity_is_an_entry() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    shop.observe_customer("a", equity=True)
    await shop.settle()
    entry = shop.entries("a")[-1]
    assert (entry.cause, entry.delta_minor, entry.delta_points, entry.points_after) == ("equity_changed", 0, 20, 120)


@pytest.mark.parametrize(
    ("changed", "points", "tier"),
    [
        ({"accruals": (Accrual(points_per_dollar=Decimal(2)),)}, 200, "Bronze"),
        ({"accruals": (Accrual(), Accrual(Decimal(3), effective_from=LONG_AGO))}, 300, "Bronze"),
        ({"basis": Basis.TOTAL_LESS_TAX}, 91, "Bronze"),
        ({"basis": Basis.SUBTOTAL}, 90, "Bronze"),
        ({"rounding": RoundingMode.FLOOR, "rounding_per": RoundingPer.ORDER}, 99, "Bronze"),
        ({"equity_customers": ("a",)}, 120, "Bronze"),
        ({"tiers": (Tier("x", "X", 0, "#"), Tier("y", "Y", 100, "#"))}, 100, "Y"),
    ],
)
async def test_other_settings_recompute_everybody_without_reading_orders_again(
    changed: dict[str, object], points: int, tier: str
) -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 5_050, tax_minor=450, subtotal_minor=4_550)
    shop.observe_order("a", "2", 4_950, tax_minor=450, subtotal_minor=4_450)
    await shop.settle()
    before = len(shop.facts("OrderObserved"))
    shop.change_settings(settings(**changed))
    await shop.settle()
    profile = shop.profiles()["a"]
    assert (profile.points, profile.tier, profile.settings_version) == (points, tier, 2)
    assert len(shop.facts("OrderObserved")) == before
    moved = [e for e in shop.entries("a") if e.cause == "settings_changed"]
    assert [(e.points_after, e.settings_version) for e in moved] == ([(points, 2)] if points != 100 else [])


async def test_points_after_a_change_of_settings_are_those_of_having_had_them_from_the_start() -> None:
    chosen = settings(accruals=(Accrual(Decimal("1.5")),), basis=Basis.TOTAL_LESS_TAX, rounding=RoundingMode.FLOOR)
    sales = [(f"{n % 7}", f"o{n}", 1_000 + 37 * n, 11 * n) for n in range(60)]
    late, early = await Shop().open(), await Shop().open(chosen)
    for shop in (late, early):
        for customer, number, total, tax in sales:
            shop.observe_order(customer, number, total, tax_minor=tax)
    late.change_settings(chosen)
    await late.settle()
    await early.settle()
    assert late.points() == early.points()


async def test_settings_that_cannot_be_used_are_refused_and_the_old_ones_stay() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    shop.change_settings(settings(tiers=(Tier("x", "X", 5, "#"),)))
    await shop.settle()
    assert "tiers[0].threshold" in only(shop.dead_letters())
    assert shop.profiles()["a"].settings_version == 1


async def test_accounts_check_settings_again_on_receipt() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    wrong = SettingsChanged(2, settings(tiers=(Tier("x", "X", 5, "#"),)))
    shop.publish(shop.everywhere(FACTS, "facts", wrong, "forged"))
    shop.observe_order("a", "2", 10_000)
    await shop.settle()
    assert len(shop.dead_letters()) == shop.partitions
    assert (shop.points(), shop.profiles()["a"].settings_version) == ({"a": 200}, 1)


async def test_settings_that_arrive_late_do_not_replace_newer_ones() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    shop.change_settings(settings(accruals=(Accrual(Decimal(2)),)))
    await shop.settle()
    shop.publish(shop.everywhere(FACTS, "facts", SettingsChanged(1, settings()), "late"))
    await shop.settle()
    assert (shop.points(), shop.profiles()["a"].settings_version) == ({"a": 200}, 2)


async def test_facts_of_an_org_without_settings_are_dead_letters_and_harm_nobody_else() -> None:
    shop = await Shop().open()
    shop.tell("a", order("1"), org="elsewhere")
    shop.observe_order("a", "1")
    await shop.settle()
    assert "elsewhere" in only(shop.dead_letters())
    assert shop.points() == {"a": 40}


async def test_an_order_that_cannot_be_read_keeps_its_last_good_value() -> None:
    shop = await Shop().open()
    seen = shop.observe_order("a", "1", 10_000)
    shop.tell("a", OrderUnreadable("1", seen.observed_at + 1, "garbled"))
    shop.tell("b", OrderUnreadable("2", seen.observed_at + 1, "garbled"))
    await shop.settle()
    assert shop.points() == {"a": 100, "b": 0}
    shop.unreadable = {"1": "a"}
    del shop.sold["1"]
    for _ in range(3):
        await shop.reconcile([])
    assert shop.points() == {"a": 100, "b": 0}, "there all the same"


async def test_an_order_is_removed_only_when_two_complete_walks_in_a_row_lack_it() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    shop.observe_order("a", "2", 5_000)
    seen = []
    for missing in ((), ("2",), (), ("2",), ("2",)):
        await shop.reconcile([], missing=missing)
        seen.append(shop.points()["a"])
    assert seen == [150, 150, 150, 150, 100]
    assert [e.cause for e in shop.entries("a")][-1] == "order_removed"


async def test_a_customer_without_any_order_left_has_had_an_empty_snapshot() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    await shop.reconcile([])
    for _ in range(2):
        await shop.reconcile([], missing=("1",))
    assert shop.points() == {"a": 0}


async def test_an_incomplete_walk_between_two_complete_ones_says_nothing() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    await shop.reconcile([], missing=("1",))
    shop.walk(shop.request(), missing=("1",), complete=False)
    await shop.settle()
    assert shop.points() == {"a": 100}
    await shop.reconcile([], missing=("1",))
    assert shop.points() == {"a": 0}


async def test_a_removed_order_is_not_revived_by_a_late_observation_but_by_a_newer_one() -> None:
    shop = await Shop().open()
    first = shop.observe_order("a", "1", 10_000)
    for _ in range(2):
        await shop.reconcile([], missing=("1",))
    shop.observe_order("a", "1", 10_000, observed_at=first.observed_at + 1)
    await shop.settle()
    assert shop.points() == {"a": 0}
    shop.observe_order("a", "1", 10_000)
    await shop.settle()
    assert shop.points() == {"a": 100}


async def test_an_order_observed_while_the_walk_goes_on_is_not_missing_from_it() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    await shop.reconcile([], missing=("1",))
    run = shop.request()
    walk = shop.walk_records(run, missing=("1",))
    shop.observe_order("a", "1", 10_000)
    shop.publish(walk)
    await shop.settle()
    assert shop.points() == {"a": 100}


@pytest.mark.parametrize(
    ("orders", "lacking", "removed"),
    [(100, 20, True), (100, 21, False), (3_000, 30, True), (3_000, 31, False)],
)
async def test_so_many_orders_do_not_vanish_at_once(orders: int, lacking: int, removed: bool) -> None:
    shop = await Shop(partitions=1).open()
    for number in range(orders):
        shop.observe_order(f"c{number % 40}", f"o{number}", 100)
    missing = {f"o{number}" for number in range(lacking)}
    for _ in range(2):
        await shop.reconcile([], missing=missing)
    withheld = [alert for alert in shop.alerts() if alert.kind == "removal.withheld"]
    assert sum(shop.points().values()) == orders - (lacking if removed else 0)
    assert len(withheld) == (0 if removed else 1)


async def test_an_erased_customer_keeps_points_and_loses_everything_else_for_good() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 104)])
    shop.tell("a", CustomerErased(shop.tick(), "owner"))
    shop.observe_customer("a", "code:a", "phone:new", home_location="5")
    await shop.reconcile([member("a", 104)])
    profile = shop.profiles()["a"]
    assert (profile.points, profile.points_from_alpine, profile.alpine_user_id) == (100, None, None)
    assert profile.home_location is None
    assert profile.verdict == "unknown"
    assert len(shop.identities("ContactLinked")) == len(shop.identities("ContactUnlinked")) == 1


async def test_a_profile_carries_the_version_of_the_last_fact_that_it_includes() -> None:
    shop = await Shop(partitions=1).open()
    for number in range(5):
        shop.observe_order("a", f"{number}")
    await shop.settle()
    end = shop.broker.end("facts", 0) - 1
    assert [(p.epoch, p.version) for p in shop.told_profiles("a")] == [(0, end)], "one per unit"
    assert [e.version for e in shop.entries("a")] == list(range(end - 4, end + 1)), "one per fact"


async def test_versions_of_a_customers_profiles_only_rise() -> None:
    shop = await Shop(fetch_size=lambda: 1).open()
    shop.enrol("a", 10_000)
    for points in (100, 300, 100):
        await shop.reconcile([member("a", points)])
    versions = [(p.epoch, p.version) for p in shop.told_profiles("a")]
    assert len(versions) > 4
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("fetch", [1, 2, 7])
async def test_replaying_the_log_gives_the_same_wherever_a_fetch_ends(fetch: int) -> None:
    shop = await Shop().open()
    for n in range(12):
        shop.enrol(f"c{n}", 10_000 + n)
    await shop.settle()
    await shop.reconcile([member(f"c{n}", 300) for n in range(6)])
    again = Shop(fetch_size=lambda: fetch)
    copy_log(shop.broker, again.broker, "facts")
    await again.restart()
    for partition in range(again.partitions):
        while await again.worker.step_one("accounts", partition):
            pass
    assert len(shop.alert_headers()) == 6
    assert again.state("accounts") == shop.state("accounts")
    assert again.profiles() == shop.profiles()
    assert again.entries() == shop.entries()
    assert again.alert_headers() == shop.alert_headers()
    assert again.cases() == shop.cases()


async def test_ids_of_entries_are_unique() -> None:
    shop = await Shop().open()
    for n in range(30):
        shop.observe_order(f"c{n % 5}", f"o{n}", 1_000)
    await shop.settle()
    shop.change_settings(settings(accruals=(Accrual(Decimal(2)),)))
    await shop.settle()
    ids = [entry.id for entry in shop.entries()]
    assert len(ids) == 35
    assert len(set(ids)) == len(ids)


async def test_an_org_that_only_observes_exports_nothing_and_alerts_nobody() -> None:
    shop = await Shop().open(settings(mode=Mode.OBSERVE))
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 300)])
    assert not any(profile.export for profile in shop.told_profiles("a"))
    assert shop.verdicts() == {"a": "discrepancy"}
    assert shop.alerts() == []
    assert only(list(shop.cases().values())).state == "open", "a person who looks can see it"


async def test_going_live_publishes_every_profile_again() -> None:
    shop = await Shop().open(settings(mode=Mode.OBSERVE))
    for n in range(9):
        shop.enrol(f"c{n}", 10_000)
    await shop.settle()
    shop.change_settings(settings(mode=Mode.LIVE))
    await shop.settle()
    assert [p.export for p in shop.profiles().values()] == [True] * 9
    assert {p.settings_version for p in shop.profiles().values()} == {2}


async def test_a_profile_said_again_after_a_lost_tail_tells_when_the_customer_was_last_heard_of() -> None:
    shop = await Shop(partitions=1).open()
    seen = shop.observe_order("a", "1")
    await shop.settle()
    shop.broker.truncate(topics.FACTS.name, 0, 1)
    await shop.restart()
    profile = shop.profiles()["a"]
    assert (profile.epoch, profile.calculated_at) == (1, seen.observed_at)


async def test_an_event_writes_one_account_and_the_lines_it_names() -> None:
    """Cost is flat: what a fact writes does not grow with the number of customers or of their orders."""
    shop = await Shop(partitions=1).open()
    for n in range(300):
        shop.observe_order(f"c{n % 3}", f"o{n}", 1_000)
    await shop.settle()
    before = shop.broker.end(topics.ACCOUNTS_CHANGELOG.name, 0)
    shop.observe_order("c1", "new", 1_000)
    await shop.settle()
    written = shop.broker.read(topics.ACCOUNTS_CHANGELOG.name, 0, before)
    assert sorted((record.key or b"")[:1] for record in written) == [b"a", b"o", b"s"]
