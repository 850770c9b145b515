"""People hear of a difference once, again only when it is materially worse, and when it is over."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.facts import (
    AcceptDifference,
    AcknowledgeCase,
    AssignCase,
    CustomerErased,
    MovementMatched,
    NoteCase,
    ResolveCase,
    SilenceCase,
)
from stream.contracts.runs import RunKind
from stream.contracts.settings import CaseRules, Compare, Mode, OrderStatus
from tests.agents.builders import DAY, Shop, code, copy_log, member, only, settings

HOUR = 3_600_000


async def reconciled(provider: list[int | None], **fields: object) -> Shop:
    """A customer with 100 points from orders, and what the provider said in run after run."""
    shop = await Shop().open(settings(**fields))
    shop.enrol("a", 10_000)
    for points in provider:
        await shop.reconcile([member("a", points)])
    return shop


@pytest.mark.parametrize(
    ("provider", "alerts", "because"),
    [
        ([100], [], "equal"),
        ([110, 91], [], "within 10 % of the provider's"),
        ([112], ["opened"], "more than 10 %"),
        ([0], ["opened"], "nothing at the provider is 100 % off"),
        ([None], [], "a hidden balance is not a zero"),
        ([200, 200, 200], ["opened"], "said once"),
        ([200, 205], ["opened"], "worse, not materially"),
        ([200, 260], ["opened", "worsened"], "60 more are over 25 % of what was alerted"),
        ([200, 260, 200, 260], ["opened", "worsened"], "as bad as was said already"),
        ([200, 150], ["opened"], "better, not over"),
        ([200, 100], ["opened", "resolved"], "the sides agree"),
        ([200, None, 200], ["opened"], "no answer ends nothing"),
        ([200, 100, 200], ["opened", "resolved", "opened"], "a new case"),
    ],
)
async def test_alerts_of_a_customer(provider: list[int | None], alerts: list[str], because: str) -> None:
    shop = await reconciled(provider)
    assert [alert.kind.removeprefix("discrepancy.") for alert in shop.alerts()] == alerts, because


async def test_a_customer_has_one_open_case_at_a_time_and_cases_are_numbered() -> None:
    shop = await reconciled([200, 300, 100, 200])
    assert {i: c.state for i, c in shop.cases().items()} == {"shop:a:1": "resolved", "shop:a:2": "open"}
    assert [step.what for step in shop.cases()["shop:a:1"].history] == ["opened", "worsened", "resolved"]


async def test_an_alert_says_both_sides_and_their_tiers() -> None:
    shop = await reconciled([1_200])
    alert = only(shop.alerts())
    assert (alert.ours, alert.provider, alert.difference) == (100, 1_200, 1_100)
    assert (alert.tier_ours, alert.tier_provider) == ("Bronze", "Gold")
    assert (alert.customer, alert.case, alert.sequence) == ("a", "shop:a:1", 1)


async def test_alerts_are_cloud_events_with_an_id_for_each() -> None:
    shop = await reconciled([200, 100])
    opened, resolved = shop.alert_headers()
    assert opened["ce_type"] == "com.loyaltystream.discrepancy.opened"
    assert resolved["ce_type"] == "com.loyaltystream.discrepancy.resolved"
    for headers in (opened, resolved):
        assert set(headers) == {
            "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_dataschema",
            "ce_isreplay", "ce_caseid", "ce_sequence", "content-type",
        }  # fmt: skip
        assert (headers["ce_specversion"], headers["ce_source"]) == ("1.0", "/loyalty-stream/shop")
        assert (headers["ce_subject"], headers["content-type"]) == ("customer/a", "application/json")
    assert opened["ce_id"] != resolved["ce_id"]
    again = await reconciled([200, 100])
    assert again.alert_headers() == shop.alert_headers()


async def test_many_customers_apart_are_as_many_alerts_with_ids_of_their_own() -> None:
    shop = await Shop().open()
    for n in range(25):
        shop.enrol(f"c{n}", 10_000)
    await shop.reconcile([member(f"c{n}", 300) for n in range(25)])
    assert len({headers["ce_id"] for headers in shop.alert_headers()}) == 25


async def test_a_case_opens_only_after_as_many_runs_as_the_settings_say() -> None:
    shop = await reconciled([200, 200], cases=CaseRules(opens_after=3))
    assert (shop.cases(), shop.verdicts()) == ({}, {"a": "discrepancy"})
    await shop.reconcile([member("a", 200)])
    assert len(shop.alerts()) == 1


async def test_an_order_inside_the_settle_window_explains_the_difference_until_the_window_is_over() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.observe_order("a", "new", 5_000, created_at=shop.now - 3_600_000)
    await shop.reconcile([member("a", 100)])
    assert (shop.verdicts(), shop.alerts()) == ({"a": "timing"}, [])
    shop.now += DAY
    await shop.reconcile([member("a", 100)])
    assert shop.verdicts() == {"a": "discrepancy"}
    assert len(shop.alerts()) == 1


async def test_a_difference_that_the_settle_window_cannot_explain_is_a_discrepancy_at_once() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.observe_order("a", "new", 5_000, created_at=shop.now - 3_600_000)
    await shop.reconcile([member("a", 700)])
    assert shop.verdicts() == {"a": "discrepancy"}


async def test_a_case_is_acknowledged_once_and_what_is_aimed_elsewhere_is_seen() -> None:
    shop = await reconciled([200])
    for case in ("shop:a:9", "shop:a:1", "shop:a:1"):
        shop.tell("a", AcknowledgeCase(case, "owner", "calling them"))
    await shop.settle()
    case = only(list(shop.cases().values()))
    assert case.state == "acknowledged"
    assert [(step.what, step.by) for step in case.history[1:]] == [("declined", "owner"), ("acknowledged", "owner")]
    assert (len(shop.alerts()), shop.dead_letters()) == (1, [])


async def test_what_people_do_is_published_at_once_and_verdicts_wait_for_the_next_run() -> None:
    shop = await reconciled([200])
    shop.tell("a", AcceptDifference("shop:a:1", "owner", 100, "a gift"))
    await shop.settle()
    accepted = shop.cases()["shop:a:1"]
    assert (accepted.state, accepted.resolved_as) == ("resolved", "accepted")
    assert shop.verdicts() == {"a": "discrepancy"}
    await shop.reconcile([member("a", 200)])
    assert shop.verdicts() == {"a": "matched"}
    assert (shop.profiles()["a"].discrepancy, shop.profiles()["a"].reconciled) == (100, True)
    assert [(alert.kind.removeprefix("discrepancy."), alert.reason, alert.run) for alert in shop.alerts()] == [
        ("opened", None, "shop:daily:first"),
        ("resolved", "accepted", None),
    ]
    assert [alert.sequence for alert in shop.alerts()] == [1, 3]


async def test_a_command_for_a_customer_without_a_case_is_a_dead_letter_with_the_reason() -> None:
    shop = await reconciled([100])
    shop.tell("a", NoteCase("shop:a:1", "owner", "?"))
    await shop.settle()
    assert only(shop.dead_letters()) == "NoteCase of 'shop:a:1' by 'owner': the customer has no case"


async def test_while_an_org_only_observes_people_work_on_cases_and_subscribers_hear_nothing() -> None:
    shop = await reconciled([200], mode=Mode.OBSERVE)
    shop.tell("a", ResolveCase("shop:a:1", "owner", "known"))
    await shop.settle()
    assert (shop.cases()["shop:a:1"].resolved_as, shop.alerts()) == ("closed", [])


async def test_a_replay_of_the_log_gives_the_same_cases_and_alerts() -> None:
    shop = await reconciled([200])
    commands: list[msgspec.Struct] = [
        NoteCase("shop:a:1", "owner", "x"),
        SilenceCase("shop:a:1", "owner", shop.now + DAY),
        AcceptDifference("shop:a:1", "owner", 100, "a gift", shop.now + DAY),
        AssignCase("shop:a:1", "owner", "bob"),
    ]
    for command in commands:
        shop.tell("a", command)
    await shop.reconcile([member("a", 200)])
    shop.now += 2 * DAY
    await shop.reconcile([member("a", 200)])
    assert [alert.kind.removeprefix("discrepancy.") for alert in shop.alerts()] == ["opened", "opened"]
    again = Shop(fetch_size=lambda: 1)
    copy_log(shop.broker, again.broker, "facts")
    await again.restart()
    await again.settle()
    assert again.cases() == shop.cases()
    assert again.alert_headers() == shop.alert_headers()
    assert again.alerts() == shop.alerts()


# what explains a difference travels with it


async def test_case_and_alert_carry_the_causes() -> None:
    shop = await Shop().open(settings(statuses={"done": OrderStatus.COMPLETED}))
    shop.enrol("a", 10_000)
    shop.observe_order("a", "refunded", 20_000, refunded_minor=15_000)
    await shop.reconcile([member("a", 300)])
    causes = (Cause(CauseKind.REFUNDS_NOT_APPLIED, 150, ("refunded",), 1),)
    assert only(list(shop.cases().values())).causes == causes
    assert only(shop.alerts()).causes == causes


async def test_a_movement_that_becomes_known_later_explains_a_standing_case_at_the_next_barrier() -> None:
    shop = await reconciled([40])
    moved(shop, "a", -60)
    await shop.settle()
    assert [cause.kind for cause in shop.cases()["shop:a:1"].causes] == ["unexplained"]
    await shop.reconcile([member("a", 40)])
    case = shop.cases()["shop:a:1"]
    assert [(cause.kind, cause.points) for cause in case.causes] == [("redemptions", -60)]
    assert [step.what for step in case.history] == ["opened"]
    assert len(shop.alerts()) == 1


# movements that are compared


def moved(shop: Shop, customer: str, points: int, number: str = "m1") -> None:
    """What contacts answer when the provider tells of a movement."""
    link = next(each for each in shop.identities("ContactLinked") if each.identity == code(customer))
    told = number, "redemption", points, shop.now
    whose = f"contact-{customer}"
    shop.tell(customer, MovementMatched(link.identity, link.link_version, (0, 10**6), *told, contact=whose))


@pytest.mark.parametrize(
    ("compared", "provider", "verdicts", "because"),
    [
        (Compare.RAW, 40, ["discrepancy", "discrepancy"], "raw compares with the orders alone"),
        (Compare.EXPECTED, 40, ["discrepancy", "matched"], "100 earned less 60 redeemed"),
        (Compare.EXPECTED, 100, ["matched", "discrepancy"], "a balance that lacks what the provider says it took"),
    ],
)
async def test_a_late_movement_changes_the_comparison_at_the_next_barrier_only(
    compared: Compare, provider: int, verdicts: list[str], because: str
) -> None:
    shop = await reconciled([provider], compare=compared)
    found = [shop.verdicts()["a"]]
    cases, alerts = shop.cases(), shop.alerts()
    moved(shop, "a", -60)
    moved(shop, "a", -60)  # the same again
    await shop.settle()
    assert (shop.verdicts()["a"], shop.cases(), shop.alerts()) == (found[0], cases, alerts), "not before the barrier"
    shown = 0 if compared is Compare.RAW else 60
    assert shop.profiles()["a"].discrepancy == provider - 100 + shown
    await shop.reconcile([member("a", provider)])
    found.append(shop.verdicts()["a"])
    assert found == verdicts, because


# what the provider cannot have seen yet


@pytest.mark.parametrize(
    ("hours_ago", "verdict"),
    [(-1, "timing"), (0, "timing"), (23, "timing"), (25, "discrepancy")],
)
async def test_an_order_that_the_provider_cannot_have_seen_alerts_nobody_at_the_barrier(
    hours_ago: int, verdict: str
) -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    shop.observe_order("a", "new", 5_000, created_at=shop.now - hours_ago * HOUR)
    await shop.reconcile([member("a", 100)])
    assert shop.verdicts() == {"a": verdict}
    assert len(shop.alerts()) == (verdict == "discrepancy")


async def test_a_refund_that_the_provider_cannot_have_seen_alerts_nobody_and_an_open_case_stays() -> None:
    shop = await reconciled([100])
    shop.observe_order("a", "a-1", 5_000)
    await shop.reconcile([member("a", 100)])
    assert (shop.verdicts(), shop.alerts()) == ({"a": "timing"}, [])
    shop.now += 2 * DAY
    await shop.reconcile([member("a", 100)])
    assert [alert.kind for alert in shop.alerts()] == ["discrepancy.opened"]
    shop.observe_order("a", "a-2", 900, created_at=shop.now)
    await shop.reconcile([member("a", 59)])
    assert shop.cases()["shop:a:1"].state == "resolved", "within 10 % of what is booked and what is not"


# statuses that nobody has mapped


async def test_unknown_statuses_are_told_with_the_tally_until_they_are_mapped_or_gone() -> None:
    shop = await Shop(partitions=2).open()
    for number, customer in enumerate("abcdef"):
        shop.enrol(customer, 10_000)
        shop.observe_order(
            customer, f"{customer}-2", 500, completed=None, status=("Handed Over", "on hold")[number % 2]
        )
    shop.observe_order("a", "a-3", 500, completed=None, status="COMPLETED")
    shop.observe_order("a", "a-4", 500, completed=True, status="flags say what it is")
    shop.observe_order("a", "a-5", 500, completed=None)
    shop.observe_order("a", "a-6", 500, completed=False, status="the flag says that it is not")
    assert await seen_by_a_run(shop) == {"Handed Over", "on hold"}
    assert await seen_by_a_run(shop, RunKind.BALANCES) == {"Handed Over", "on hold"}, "nothing was walked: as before"
    mapped = settings(statuses={"handed over": OrderStatus.COMPLETED, "completed": OrderStatus.COMPLETED})
    shop.change_settings(mapped)
    assert await seen_by_a_run(shop, RunKind.BALANCES) == {"on hold"}
    for customer in "bdf":
        shop.observe_order(customer, f"{customer}-2", 500, completed=True)
    assert await seen_by_a_run(shop) == set()


async def seen_by_a_run(shop: Shop, kind: RunKind = RunKind.DAILY) -> set[str]:
    """The statuses in the tallies of a run without any member at the provider."""
    before = len(shop.said("RunTally"))
    if kind is RunKind.DAILY:
        await shop.reconcile([])
    else:
        run = shop.request(kind)
        await shop.settle()
        shop.sweep(run, [])
        await shop.settle()
    tallies = shop.said("RunTally")[before:]
    assert len(tallies) == shop.partitions
    return {status for tally in tallies for status in tally.unknown_statuses}


async def test_a_member_without_a_single_order_is_missing_here_and_alerts_nobody() -> None:
    shop = await Shop().open()
    shop.observe_customer("a", code("a"))
    await shop.reconcile([member("a", 500)])
    assert (shop.verdicts(), shop.alerts()) == ({"a": "missing_internal"}, [])


@pytest.mark.parametrize("erased", [False, True])
async def test_a_case_is_over_when_nothing_is_left_to_compare(erased: bool) -> None:
    shop = await reconciled([200])
    if erased:
        shop.tell("a", CustomerErased(shop.tick(), "owner"))
    else:
        shop.observe_customer("a")
    for _ in range(3):
        await shop.reconcile([member("a", 200)])
    assert only(list(shop.cases().values())).state == "resolved"


async def test_a_case_of_a_customer_that_turns_out_to_be_the_counters_ends_with_the_next_run() -> None:
    shop = await reconciled([200])
    shop.observe_customer("a", walk_in=True)
    await shop.reconcile([member("a", 200)])
    case = only(list(shop.cases().values()))
    assert (case.state, case.resolved_as) == ("resolved", "not_comparable")
    assert only(shop.said("RunCompleted")[1:]).tally.customers == 0, "nobody all the same"
    before = len(shop.broker.all("cases"))
    await shop.reconcile([member("a", 200)])
    assert len(shop.broker.all("cases")) == before


async def test_a_case_that_is_not_near_enough_to_close_shows_how_near_it_is() -> None:
    shop = await reconciled([150, 105], cases=CaseRules(closes_percent=Decimal(2)))
    case = only(list(shop.cases().values()))
    assert (case.state, case.provider, case.difference) == ("open", 105, 5)
    assert sum(cause.points for cause in case.causes) == 5
    assert [step.what for step in case.history] == ["opened", "changed"]
    assert len(shop.alerts()) == 1
    shop.tell("a", AcceptDifference(case.id, "ann", 5, "goodwill"))
    await shop.settle()
    assert only(list(shop.cases().values())).resolved_as == "accepted", "what is accepted is what is shown"
