"""People hear of a difference once, again only when it is materially worse, and when it is over."""

from __future__ import annotations

import pytest

from stream.contracts.facts import AcknowledgeCase, CustomerErased
from stream.contracts.settings import CaseRules
from tests.agents.builders import DAY, Shop, code, member, only, settings


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
            "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type"
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


async def test_a_case_is_acknowledged_once_and_only_while_it_is_open() -> None:
    shop = await reconciled([200])
    for case in ("shop:a:9", "shop:a:1", "shop:a:1"):
        shop.tell("a", AcknowledgeCase(case, "owner", "calling them"))
    await shop.settle()
    case = only(list(shop.cases().values()))
    assert case.state == "acknowledged"
    assert [(step.what, step.by) for step in case.history[1:]] == [("acknowledged", "owner")]
    assert len(shop.alerts()) == 1


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
